// Memory of the recorder's own: anonymous pages handed out by bumping a pointer, never given back. For the few things
// that live as long as the process (module, tag and counter names). Lock-free; nothing here grows with the number of
// events.
#pragma once

#include <stddef.h>

// Zeroed, 16-byte aligned; NULL when the kernel gives no memory or count exceeds 1 MiB.
void *ht_arena_take(size_t count);
