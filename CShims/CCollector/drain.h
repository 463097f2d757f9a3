// Moving records from the rings to a trace (or to text lines). One drain per traced process; runs on the collector's
// thread, or on the drain thread inside the program where no collector could be started. Allocates nothing but
// anonymous pages (text).
#pragma once

#include <heaptrail_region.h>
#include <heaptrail_trace.h>

#include "trace_writer.h"

struct ht_text_writer;

typedef struct ht_drain {
    ht_region *region;
    ht_trace_writer *writer;  // binary; NULL when text is written
    struct ht_text_writer *text;
    uint64_t allocations, frees;
    uint64_t reported_losses;
    uint64_t clock_at_ns;   // when the last CLOCK chunk was written
    uint64_t totals_at_ns;  // and TOTALS of threads that go on
    // Sampled recordings: exact counts of the threads that have ended (all, once the trace is closed).
    uint64_t exact_allocations, exact_frees;
    // Told every MODULE record of a binary recording with its length in words; NULL where nobody asks.
    void (*note_module)(void *context, const uint64_t *words, uint32_t count);
    void *note_context;
} ht_drain;

// What a stream has to read: `count` words at `words` (NULL when the stream is damaged), and the segment after this one
// (index + 1, 0 none yet).
typedef struct ht_stream_view {
    const uint64_t *words;
    uint32_t count;
    uint32_t next;
} ht_stream_view;

ht_stream_view ht_stream_look(ht_region *region, ht_home *home);
// Leaves a segment that was read to its end for its successor, and gives it back.
void ht_stream_next(ht_region *region, ht_home *home, uint32_t next);
// Words of the record at `words`, or 0 where it does not fit in `count` or makes no sense.
uint32_t ht_record_words(const uint64_t *words, uint32_t count);

// One pass over all streams. `everything`: part-filled segments, too. Returns the words taken.
uint64_t ht_drain_round(ht_drain *drain, bool everything);
// After the process has ended: takes all that is left and closes the trace. `how` and `status` as in FORMAT.md's END.
void ht_drain_finish(ht_drain *drain, uint32_t how, uint32_t status);
// Gives back the homes of threads that have ended. `alive` answers whether a thread id still runs in the traced
// process. Call it now and then.
void ht_drain_reap(ht_drain *drain, bool (*alive)(uint32_t thread, void *context), void *context);
