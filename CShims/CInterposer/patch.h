// Redirecting the functions of an allocator that the executable carries itself: no preload reaches those. The plan is
// the collector's (CPatch); here it is checked against the image in memory and carried out, once, before main and
// before every other constructor (the library is linked with -z initfirst).
#pragma once

#include <heaptrail_patch.h>
#include <stdint.h>

// Asks whether this executable carries an allocator and redirects its functions. System calls where it does not: one
// stat; one exchange with the collector where the executable is not the one that was asked to be recorded.
// `hook_for` gives the hook's address for an entry of a kind.
void ht_patch_start(uint64_t (*hook_for)(uint32_t kind));

// The hook for an entry of a kind (hooks/patched.c).
uint64_t ht_patched_hook(uint32_t kind);
// The alignment code (FORMAT.md §4) of a plain block of the executable's own allocator: 0 where it serves the whole
// process; that of 8 bytes where libc's serves its libraries, for usable sizes are told apart by size and alignment.
extern uint32_t ht_patched_code __attribute__((visibility("hidden")));
