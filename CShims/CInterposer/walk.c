// The full walk. Runs inside hooks.
#include "walk.h"

#include <heaptrail_trace.h>

ht_walked ht_walk(ht_thread *self, ht_writer *writer, const ht_registers *start, uint64_t *frames, uint32_t limit) {
    ht_registers at = *start;
    ht_walked walked = {.hash = ht_hash_start};
    uintptr_t top = self->stack_top;
    bool bounded = ht_on_own_stack(at.sp, top);
    uintptr_t interrupted = 0;  // 1 when pc is where a signal struck, not a return address
    while (at.pc > 4095) {
        if (walked.count == limit) {
            walked.flags |= HT_STACK_TRUNCATED;
            break;
        }
        ht_rule rule = ht_rule_for(self, writer, at.pc - 1 + interrupted);
        if (ht_rule_kind_of(rule) != HT_RULE_SELF) frames[walked.count++] = at.pc + interrupted;
        ht_step_reads reads;
        ht_step step = ht_step_out(&at, rule, bounded, top, &reads);
        interrupted = step == HT_STEP_SIGNAL;
        if (step == HT_STEP_SIGNAL) bounded = ht_on_own_stack(at.sp, top);
        if (step == HT_STEP_EARLY) walked.flags |= HT_STACK_ENDED_EARLY;
        if (step == HT_STEP_EARLY || step == HT_STEP_END) break;
    }
    for (uint32_t i = walked.count; i > 0; i--) walked.hash = ht_hash_frame(walked.hash, frames[i - 1]);
    return walked;
}
