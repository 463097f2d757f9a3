// Call stacks as ids. Equal stacks under equal tags have one id; a new one is defined in the stream, sharing the outer
// frames of the stream's previous definition.
#pragma once

#include "walk.h"

// The id of the caller's stack, or 0 when it cannot be defined. `via`, when not NULL, goes in front as the innermost
// frame.
uint32_t ht_stack_id(ht_thread *self, ht_writer *writer, const void *frame, const void *via);
// After modules went away: equal addresses mean other code from now on.
void ht_stacks_new_generation(void);
// For a followed child.
void ht_stacks_reset(void);
