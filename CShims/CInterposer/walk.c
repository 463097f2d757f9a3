// The full walk. Runs inside hooks.
#include "walk.h"

#include "life.h"

#include <heaptrail_trace.h>

// How to step out of a frame that no unwind table explains, HT_RULE_NONE where it is no code at all. The innermost
// frame called us, and the kernel said where a signal struck; any other may be a word that a guess, or an outermost
// frame without return address, took for one.
static ht_rule __attribute__((cold, noinline)) judge(ht_thread *self, ht_writer *writer, uintptr_t pc) {
    switch (ht_code_at(pc)) {
        case HT_CODE_RETURN: return ht_rule_make(HT_RULE_FRAME, 2, 2);
        case HT_CODE_RESTORER: return ht_rule_make(HT_RULE_SIGNAL, 0, 0);
        default: break;
    }
    // A function's first instruction was put there to be returned to (makecontext's, a fibre's): nobody called it.
    ht_rule first = ht_rule_for(self, writer, pc);
    bool entry = first == ht_rule_make(HT_RULE_END, 0, 0) ||
                 (ht_rule_kind_of(first) == HT_RULE_RSP && ht_rule_offset(first) == 8 && ht_rule_saved(first) == 0);
    return entry ? ht_rule_make(HT_RULE_END, 0, 0) : HT_RULE_NONE;
}

ht_walked ht_walk(ht_thread *self, ht_writer *writer, const ht_registers *start, uint64_t *frames, uint32_t limit) {
    ht_registers at = *start;
    ht_walked walked = {.hash = ht_hash_start};
    uintptr_t top = self->stack_top;
    bool own = ht_on_own_stack(self, at.sp);
    ht_span span = ht_span_below(at.sp);
    uintptr_t interrupted = 0;  // 1 when pc is where a signal struck, not a return address
    bool known = true;          // the program runs at pc, as a call or the kernel says
    while (at.pc > 4095) {
        if (walked.count == limit) {
            walked.flags |= HT_STACK_TRUNCATED;
            break;
        }
        ht_rule rule = ht_rule_for(self, writer, at.pc - 1 + interrupted);
        if (__builtin_expect(ht_rule_kind_of(rule) == HT_RULE_FRAME && !known, 0)) rule = judge(self, writer, at.pc);
        if (__builtin_expect(rule == HT_RULE_NONE, 0)) {
            walked.flags |= HT_STACK_ENDED_EARLY;
            break;
        }
        if (ht_rule_kind_of(rule) != HT_RULE_SELF) frames[walked.count++] = at.pc + interrupted;
        // Where we call anyone our frame is set up; where a signal strikes it may not be yet, or no longer.
        else if (interrupted)
            rule = ht_cfi_rule(ht_self_tables, (const uint8_t *)ht_self_start, (const uint8_t *)ht_self_end, at.pc);
        ht_step_reads reads;
        ht_step step = own ? ht_step_on(&at, rule, top, NULL, &reads) : ht_step_on(&at, rule, top, &span, &reads);
        interrupted = known = step == HT_STEP_SIGNAL;
        if (step == HT_STEP_SIGNAL) {
            // The page is asked for: the code that was interrupted may have kept anything in rsp.
            span = (ht_span){0, 0};
            own = ht_on_own_stack(self, at.sp) && ht_span_reaches(&span, at.sp & ~(uintptr_t)7);
        }
        if (step == HT_STEP_EARLY) walked.flags |= HT_STACK_ENDED_EARLY;
        if (step == HT_STEP_EARLY || step == HT_STEP_END) break;
    }
    for (uint32_t i = walked.count; i > 0; i--) walked.hash = ht_hash_frame(walked.hash, frames[i - 1]);
    // A cut stack is another one than a whole one of the same frames.
    if (walked.flags != 0) walked.hash = ht_hash_frame(walked.hash, walked.flags);
    return walked;
}
