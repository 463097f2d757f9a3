// One step outwards from a frame, by its rule. Shared by the full walk and the incremental one, so that they cannot
// differ.
#pragma once

#include "readable.h"
#include "rule.h"

#include <stdbool.h>

// The registers of a frame: where it will return to, and its caller's stack and frame pointer after the return.
typedef struct ht_registers {
    uintptr_t pc, sp, fp;
} ht_registers;

typedef enum ht_step {
    HT_STEP_ON,      // `at` is the caller now
    HT_STEP_END,     // this was the outermost frame
    HT_STEP_EARLY,   // the way on is not known
    HT_STEP_SIGNAL,  // `at` is the code that a signal interrupted; its pc is no return address
} ht_step;

// What a step read to find the caller, beside the return address (which always lies in the word below the caller's sp).
typedef struct ht_step_reads {
    uintptr_t saved_at;  // where the caller's frame pointer was loaded from, 0 when it passed through
    uintptr_t cfa_at;    // where the caller's sp was loaded from (realigned frames), 0 when it was computed
    bool uses_fp;        // the rule starts from the frame pointer
} ht_step_reads;

enum {
    HT_UCONTEXT_RBP = 120,
    HT_UCONTEXT_RSP = 160,
    HT_UCONTEXT_RIP = 168
};  // offsets of gregs in the kernel's x86-64 ucontext

// Whether a stack pointer lies on the stack that the thread was started with, which is mapped from sp to its top.
static inline bool ht_on_own_stack(const ht_thread *self, uintptr_t sp) {
    return sp < self->stack_top && sp >= self->stack_low;
}

static inline uintptr_t ht_word_at(uintptr_t address) { return *(const uintptr_t *)address; }

// Steps out of a frame on the thread's own stack, which ends at `top` (`span` is NULL then; nothing above the top is
// read), or of one on another stack (coroutines, signal stacks, threads made without pthread_create): every word is
// known to be readable before it is read there.
static inline __attribute__((always_inline)) ht_step ht_step_on(ht_registers *at, ht_rule rule, uintptr_t top,
                                                                ht_span *span, ht_step_reads *reads) {
    uint32_t kind = ht_rule_kind_of(rule);
    uintptr_t cfa;
    *reads = (ht_step_reads){0};
    switch (kind) {
        case HT_RULE_RSP: cfa = at->sp + (uintptr_t)ht_rule_offset(rule); break;
        case HT_RULE_RBP:
        case HT_RULE_SELF:
            cfa = at->fp + (uintptr_t)ht_rule_offset(rule);
            reads->uses_fp = true;
            break;
        case HT_RULE_RBP_DEREF: {
            uintptr_t word = at->fp + (uintptr_t)ht_rule_offset(rule);
            if ((word & 7) != 0 || word < at->sp) return HT_STEP_EARLY;
            // rbp's own word is read, too, below.
            if (span == NULL ? word + 8 > top || at->fp + 8 > top
                             : !ht_span_reaches(span, word) || !ht_span_reaches(span, at->fp))
                return HT_STEP_EARLY;
            cfa = ht_word_at(word);
            reads->cfa_at = word;
            reads->uses_fp = true;
            break;
        }
        case HT_RULE_SIGNAL:
            if (span == NULL ? at->sp + HT_UCONTEXT_RIP + 8 > top
                             : !ht_span_reaches(span, at->sp + HT_UCONTEXT_RBP) ||
                                   !ht_span_reaches(span, at->sp + HT_UCONTEXT_RIP))
                return HT_STEP_EARLY;
            *at = (ht_registers){ht_word_at(at->sp + HT_UCONTEXT_RIP), ht_word_at(at->sp + HT_UCONTEXT_RSP),
                                 ht_word_at(at->sp + HT_UCONTEXT_RBP)};
            return HT_STEP_SIGNAL;
        case HT_RULE_FRAME:
            cfa = at->fp + 16;
            reads->uses_fp = true;
            // Such code may keep anything in rbp: a guess that leads nowhere is no end.
            if (span == NULL && cfa > top) return HT_STEP_EARLY;
            break;
        default: return ht_rule_offset(rule) == 0 ? HT_STEP_END : HT_STEP_EARLY;
    }
    if ((cfa & 7) != 0 || cfa <= at->sp) return HT_STEP_EARLY;
    if (span == NULL) {
        if (cfa > top) return HT_STEP_END;
    } else if (!ht_span_reaches(span, cfa - 8)) {
        return HT_STEP_EARLY;
    }
    // A realigned frame keeps the caller's rbp where rbp points.
    if (kind == HT_RULE_RBP_DEREF) reads->saved_at = at->fp;
    else if (ht_rule_saved(rule) != 0) reads->saved_at = cfa - ht_rule_saved(rule);
    if (reads->saved_at != 0) {
        if (span != NULL && !ht_span_reaches(span, reads->saved_at)) return HT_STEP_EARLY;
        at->fp = ht_word_at(reads->saved_at);
    }
    at->pc = ht_word_at(cfa - 8);
    at->sp = cfa;
    return HT_STEP_ON;
}

// The step of the incremental walk, which stays on the thread's own stack. Cost: two loads.
static inline ht_step ht_step_out(ht_registers *at, ht_rule rule, uintptr_t top, ht_step_reads *reads) {
    return ht_step_on(at, rule, top, NULL, reads);
}

// A stack's hash is folded from the outermost frame inwards, so that an unchanged outer part keeps its own.
static const uint64_t ht_hash_start = 0x9e3779b97f4a7c15ull;

static inline uint64_t ht_hash_frame(uint64_t hash, uint64_t pc) {
    hash = (hash ^ pc) * 0xff51afd7ed558ccdull;
    return hash ^ hash >> 32;
}
