// Writing records into the calling thread's segment. The fast path is a bounds check, the stores, and one release store
// that publishes.
#pragma once

#include "thread.h"

#include <heaptrail_trace.h>
#include <string.h>

// Makes room by taking a new segment (and a home, on the thread's first event). Waits while the collector is behind,
// unless told to drop. False when the event cannot be recorded: recording was turned off, or told to drop. `words` at
// most HT_SEGMENT_WORDS.
bool ht_writer_advance(ht_thread *self, ht_writer *writer, size_t words)
    __attribute__((cold, noinline, visibility("hidden")));

static inline bool ht_writer_reserve(ht_thread *self, ht_writer *writer, size_t words) {
    if (__builtin_expect((size_t)(writer->end - writer->at) >= words, 1)) return true;
    return ht_writer_advance(self, writer, words);
}

// Publishes everything written so far. Release pairs with the collector's acquire load of `used`.
static inline void ht_writer_publish(ht_writer *writer) {
    atomic_store_explicit(&writer->segment->used, (uint32_t)(writer->at - writer->segment->words),
                          memory_order_release);
}

static inline void ht_put(ht_writer *writer, uint64_t word) { *writer->at++ = word; }

static inline uint64_t ht_extended(uint32_t sub, uint64_t words, uint64_t argument) {
    return HT_RECORD_EXTENDED | (uint64_t)sub << HT_EXTENDED_SUB_SHIFT | words << HT_EXTENDED_WORDS_SHIFT |
           argument << HT_EXTENDED_ARGUMENT_SHIFT;
}

static inline size_t ht_words_of(size_t bytes) { return (bytes + 7) / 8; }

// Bytes padded to words. The caller reserved ht_words_of(count).
static inline void ht_put_bytes(ht_writer *writer, const void *bytes, size_t count) {
    size_t words = ht_words_of(count);
    if (words == 0) return;
    writer->at[words - 1] = 0;
    memcpy(writer->at, bytes, count);
    writer->at += words;
}

// The delta of an event at `now`, writing a TIME record where it does not fit. A counter that runs backwards is held
// still.
static inline uint64_t ht_put_delta(ht_writer *writer, uint64_t now) {
    uint64_t delta = now - writer->time;
    if (__builtin_expect(delta >> HT_DELTA_BITS, 0)) {
        if ((int64_t)delta < 0) return 0;
        ht_put(writer, ht_extended(HT_EXTENDED_TIME, 1, 0));
        ht_put(writer, now);
        delta = 0;
    }
    writer->time = now;
    return delta;
}

// Whether an address fits the narrow records: 47 bits and a multiple of 8.
static inline bool ht_narrow_address(uint64_t address) {
    return (address & 7) == 0 && address >> (HT_ADDRESS_BITS + 3) == 0;
}

static inline uint64_t ht_event_word(uint32_t kind, uint64_t delta, uint64_t address) {
    return kind | delta << HT_DELTA_SHIFT | (address >> 3) << HT_ADDRESS_SHIFT;
}
