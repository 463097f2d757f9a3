// Which allocator served the events of a trace: what the preload found in each image.
#pragma once

#include "process.h"

// Says in the trace which library serves malloc in the images that came since the last call, where that is not what
// the trace's opening says. To be called now and then once the output is open.
void ht_allocator_note(ht_process *process);
