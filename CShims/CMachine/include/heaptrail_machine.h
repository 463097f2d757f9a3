// What the analyzer asks of the machine that Swift has no words for: how many processors there are to use, and to fetch
// memory ahead of its use.
#ifndef HEAPTRAIL_MACHINE_H
#define HEAPTRAIL_MACHINE_H

#include <stddef.h>

// Asks for the cache line at an address, which may be any. Costs one instruction; a page that is not there is not
// brought in.
static inline void ht_machine_prefetch(const void *address) { __builtin_prefetch(address, 1, 3); }

// Processors that this process may run on, at least 1.
int ht_machine_processors(void);

// Asks for huge pages under memory that is used at random, where the kernel has them for the asking. A hint, no more.
void ht_machine_prefer_huge_pages(void *start, size_t bytes);

#endif
