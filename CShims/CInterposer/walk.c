// The walker. Runs inside hooks. Words are read only from the thread's own stack where its bounds are known; on other stacks (coroutines, signal stacks, threads
// made without pthread_create) only rules compiled from unwind tables are followed, never a guessed frame pointer.
#include "walk.h"

#include <heaptrail_trace.h>

enum { UCONTEXT_RBP = 120, UCONTEXT_RSP = 160, UCONTEXT_RIP = 168 };  // offsets of gregs in the kernel's x86-64 ucontext
static const uintptr_t bounded_span = (uintptr_t)1 << 30;             // farther below stack_top than this is another stack

static uintptr_t word_at(uintptr_t address) { return *(const uintptr_t *)address; }

ht_walked ht_walk(ht_thread *self, ht_writer *writer, ht_registers at, uint64_t *frames, uint32_t limit) {
    ht_walked walked = {.hash = 0x9e3779b97f4a7c15ull};
    uintptr_t top = self->stack_top;
    bool bounded = at.sp < top && top - at.sp < bounded_span;
    uintptr_t interrupted = 0;  // 1 when pc is where a signal struck, not a return address
    while (at.pc > 4095) {
        if (walked.count == limit) {
            walked.flags |= HT_STACK_TRUNCATED;
            break;
        }
        ht_rule rule = ht_rule_for(self, writer, at.pc - 1 + interrupted);
        uint32_t kind = ht_rule_kind_of(rule);
        if (kind != HT_RULE_SELF) {
            frames[walked.count++] = at.pc + interrupted;
            walked.hash = (walked.hash ^ (at.pc + interrupted)) * 0xff51afd7ed558ccdull;
            walked.hash ^= walked.hash >> 32;
        }
        interrupted = 0;
        uintptr_t cfa;
        switch (kind) {
            case HT_RULE_RSP: cfa = at.sp + (uintptr_t)ht_rule_offset(rule); break;
            case HT_RULE_RBP:
            case HT_RULE_SELF: cfa = at.fp + (uintptr_t)ht_rule_offset(rule); break;
            case HT_RULE_RBP_DEREF: {
                uintptr_t word = at.fp + (uintptr_t)ht_rule_offset(rule);
                if ((word & 7) != 0 || (bounded && (word < at.sp || word + 8 > top))) goto early;
                cfa = word_at(word);
                break;
            }
            case HT_RULE_SIGNAL:
                if (bounded && at.sp + UCONTEXT_RIP + 8 > top) goto early;
                at = (ht_registers){word_at(at.sp + UCONTEXT_RIP), word_at(at.sp + UCONTEXT_RSP), word_at(at.sp + UCONTEXT_RBP)};
                bounded = at.sp < top && top - at.sp < bounded_span;
                interrupted = 1;
                continue;
            case HT_RULE_FRAME:
                if (!bounded) goto early;
                cfa = at.fp + 16;
                break;
            default: return walked;
        }
        if ((cfa & 7) != 0 || cfa <= at.sp) goto early;
        if (bounded && cfa > top) return walked;
        uintptr_t saved = kind == HT_RULE_RBP_DEREF ? 0 : ht_rule_saved(rule);
        if (kind == HT_RULE_RBP_DEREF) at.fp = word_at(at.fp);  // a realigned frame keeps the caller's rbp where rbp points
        else if (saved != 0) at.fp = word_at(cfa - saved);
        at.pc = word_at(cfa - 8);
        at.sp = cfa;
    }
    return walked;
early:
    walked.flags |= HT_STACK_ENDED_EARLY;
    return walked;
}
