// How to step from one return address to the next: a rule in 30 bits, and the cache of rules.
//
//   29      21 20              3 2    0
//  [ rbp at  ][ CFA offset     ][ kind ]      rbp at: word below the CFA where the caller's rbp was saved, 0 when it
//  was not
//
// The cache is one array shared by all threads: 8,192 lines of eight 64-bit words. A word holds the rule beside 34 bits
// of the address; the line gives the other 13, so with 47-bit addresses (multiplied by an odd number, which loses
// nothing) a hit is exact. Words are written whole: a racing thread sees the old or the new one. A full line replaces;
// a rule that was dropped is compiled again.
#pragma once

#include "thread.h"

#include <stdint.h>

typedef uint32_t ht_rule;

enum ht_rule_kind {
    HT_RULE_NONE = 0,       // not cached
    HT_RULE_RSP = 1,        // CFA = rsp + offset * 8
    HT_RULE_RBP = 2,        // CFA = rbp + offset * 8
    HT_RULE_RBP_DEREF = 3,  // CFA = *(rbp + offset * 8): realigned stacks
    HT_RULE_SIGNAL = 4,     // a signal frame: registers in the ucontext at rsp
    HT_RULE_FRAME = 5,      // no unwind information: frame pointer, where it is plausible
    HT_RULE_SELF = 6,       // ours: CFA = rbp + 16, and the frame is not the program's
    HT_RULE_END = 7,        // outermost; with an offset, the tables lead on by a way that no rule here can say
};

enum { HT_RULE_KIND_BITS = 3, HT_RULE_OFFSET_BITS = 18, HT_RULE_SAVED_BITS = 9, HT_RULE_BITS = 30 };

static inline uint32_t ht_rule_kind_of(ht_rule rule) { return rule & 7; }
// In bytes, signed.
static inline intptr_t ht_rule_offset(ht_rule rule) {
    return (intptr_t)((int32_t)(rule << (32 - HT_RULE_KIND_BITS - HT_RULE_OFFSET_BITS)) >> (32 - HT_RULE_OFFSET_BITS)) *
           8;
}
// Bytes below the CFA, 0 when rbp was not saved.
static inline uintptr_t ht_rule_saved(ht_rule rule) {
    return (uintptr_t)(rule >> (HT_RULE_KIND_BITS + HT_RULE_OFFSET_BITS)) * 8;
}

static inline ht_rule ht_rule_make(uint32_t kind, int32_t offset_words, uint32_t saved_words) {
    return kind | ((uint32_t)offset_words & ((1u << HT_RULE_OFFSET_BITS) - 1)) << HT_RULE_KIND_BITS |
           saved_words << (HT_RULE_KIND_BITS + HT_RULE_OFFSET_BITS);
}

enum { HT_RULE_LINE_BITS = 13, HT_RULE_LINE = 8, HT_PC_BITS = 47 };

extern _Atomic uint64_t ht_rules[1 << HT_RULE_LINE_BITS][HT_RULE_LINE] __attribute__((visibility("hidden")));

// Compiles the rule for `pc` (an address inside the calling instruction) from the module's .eh_frame and caches it.
// Defines the module when it is new.
ht_rule ht_rule_compile(ht_thread *self, ht_writer *writer, uintptr_t pc)
    __attribute__((cold, noinline, visibility("hidden")));
// Drops every rule, after modules went away.
void ht_rules_flush(void);
// The rule for an address from an eh_frame_hdr index. Pure: reads only the index and what it points to within the
// module's mapping [start, end). (Its own function for tests and fuzzing.)
ht_rule ht_cfi_rule(const uint8_t *eh_frame_hdr, const uint8_t *start, const uint8_t *end, uintptr_t pc);

static inline uint64_t ht_rule_mix(uintptr_t pc) { return (pc * 0x4d2c6dfc5a9bull) & ((1ull << HT_PC_BITS) - 1); }

static inline ht_rule ht_rule_for(ht_thread *self, ht_writer *writer, uintptr_t pc) {
    uint64_t mixed = ht_rule_mix(pc);
    _Atomic uint64_t *line = ht_rules[mixed >> (HT_PC_BITS - HT_RULE_LINE_BITS)];
    uint64_t tag = mixed & ((1ull << (HT_PC_BITS - HT_RULE_LINE_BITS)) - 1);
    // A rule is put at the slot its tag names first, where that is free: most probes look at one.
    for (uint64_t i = 0; i < HT_RULE_LINE; i++) {
        uint64_t word = atomic_load_explicit(&line[(tag + i) % HT_RULE_LINE], memory_order_relaxed);
        // What the word holds beyond the tag: the rule where the tag is the same, which is never 0.
        uint64_t rule = word ^ tag << HT_RULE_BITS;
        if (__builtin_expect(rule - 1 < (1u << HT_RULE_BITS) - 1, 1)) return (ht_rule)rule;
    }
    return ht_rule_compile(self, writer, pc);
}
