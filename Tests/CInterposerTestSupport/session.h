// The test session's insides, shared by the files of this target. Not for Swift.
#pragma once

#include <CInterposerTestSupport.h>
#include <drain.h>
#include <heaptrail_region.h>
#include <pthread.h>
#include <text_writer.h>

struct ht_test_session {
    ht_region *region;
    ht_trace_writer writer;
    ht_text_writer *text;
    ht_drain drain;
    uint8_t *buffer;
    pthread_t thread;
    _Atomic uint32_t stop;
    bool draining;
    int fd;
};

// A region in memory that children share, and its end. NULL when there is no room for one.
ht_region *ht_test_region_make(uint32_t options, uint32_t max_depth, uint32_t segment_limit);
void ht_test_region_free(ht_region *region);

// Runs `body` on a new thread whose stack's bounds the recorder knows, unless told otherwise, and joins it.
void ht_test_on_thread(void (*body)(void *), void *context, bool bounded);
// Tells the recorder that the calling thread's stack ends at `frame`, and how deep it goes.
void ht_test_bound_stack(const void *frame);
