// Recording without `heaptrail record`: LD_PRELOAD=libheaptrail.so with HEAPTRAIL_OUTPUT naming the trace (or
// HEAPTRAIL_FORMAT=text). The region is made here; the collector that lies beside this library is started to drain it,
// or, where that cannot be done, a thread of the program's own.
#pragma once

#include <heaptrail_region.h>

// A region with a collector on its way, or NULL when no output was asked for or none can be made.
ht_region *ht_alone_start(char **environment, size_t *mapped_bytes);
// In the constructor, once threads can be made: starts the drain thread where no collector could be started.
void ht_alone_constructed(void);
// Whether a thread of the program's own drains.
bool ht_alone_runs(void);
// At exit, where a thread drains: writes everything out and closes the trace.
void ht_alone_finish(void);
// In the constructor, before anything else: sees to it that calls reach us where another allocator was preloaded first.
void ht_alone_go_first(void);
