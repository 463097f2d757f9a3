// Filling the rule cache. Cold: once for each distinct return address, more often only where a line overflows.
#include "rule.h"

#include "definitions.h"
#include "life.h"
#include "walk.h"

_Atomic uint64_t ht_rules[1 << HT_RULE_LINE_BITS][HT_RULE_LINE] __attribute__((aligned(64), visibility("hidden")));

static void store(uintptr_t pc, ht_rule rule) {
    uint64_t mixed = ht_rule_mix(pc);
    _Atomic uint64_t *line = ht_rules[mixed >> (HT_PC_BITS - HT_RULE_LINE_BITS)];
    uint64_t tag = mixed & ((1ull << (HT_PC_BITS - HT_RULE_LINE_BITS)) - 1);
    uint64_t slot = tag % HT_RULE_LINE;
    for (uint64_t i = 0; i < HT_RULE_LINE; i++) {
        if (atomic_load_explicit(&line[(tag + i) % HT_RULE_LINE], memory_order_relaxed) == 0) {
            slot = (tag + i) % HT_RULE_LINE;
            break;
        }
    }
    atomic_store_explicit(&line[slot], tag << HT_RULE_BITS | rule, memory_order_relaxed);
}

ht_rule ht_rule_compile(ht_thread *self, ht_writer *writer, uintptr_t pc) {
    // No address of a program's: the walk judges what led there.
    if (pc >> HT_PC_BITS) return ht_rule_make(HT_RULE_FRAME, 2, 2);
    ht_rule rule;
    if (pc >= ht_self_start && pc < ht_self_end) {
        rule = ht_rule_make(HT_RULE_SELF, 2, 2);
    } else {
        const uint8_t *eh_frame_hdr = NULL;
        const ht_module *module = ht_module_at(self, writer, pc, &eh_frame_hdr);
        // Code outside every module (a just-in-time compiler's) may be replaced at any time: its rule is not kept.
        if (module == NULL) return ht_rule_make(HT_RULE_FRAME, 2, 2);
        rule = eh_frame_hdr == NULL
                   ? ht_rule_make(HT_RULE_FRAME, 2, 2)
                   : ht_cfi_rule(eh_frame_hdr, (const uint8_t *)module->start, (const uint8_t *)module->end, pc);
    }
    store(pc, rule);
    return rule;
}

_Atomic uint32_t ht_rules_generation;

void ht_rules_flush(void) {
    // Before the rules go: a walk that began with the old ones is not reused by the next.
    atomic_fetch_add_explicit(&ht_rules_generation, 1, memory_order_release);
    for (size_t line = 0; line < 1 << HT_RULE_LINE_BITS; line++) {
        for (int i = 0; i < HT_RULE_LINE; i++) {
            if (atomic_load_explicit(&ht_rules[line][i], memory_order_relaxed) != 0) {
                atomic_store_explicit(&ht_rules[line][i], 0, memory_order_relaxed);
            }
        }
    }
}
