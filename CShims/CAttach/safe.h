// Whether a stopped thread may be borrowed for a call of dlopen: not while it is inside the allocator, the loader, or
// another piece of libc that holds a lock which they need.
#pragma once

#include "image.h"
#include "tracee.h"

typedef struct ht_judge ht_judge;

// Learns where the process's allocator and loader are. NULL when its stacks cannot be read.
ht_judge *ht_judge_make(const ht_images *images, pid_t pid);
void ht_judge_free(ht_judge *judge);
// Whether the thread is clear of the allocator and the loader, so that another one's call need not wait for it.
bool ht_judge_is_clear(ht_judge *judge, pid_t thread);
bool ht_judge_allows(ht_judge *judge, const ht_tracee *tracee, pid_t thread);
