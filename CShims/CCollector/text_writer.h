// The text dialect (FORMAT.md §6), written while the program runs: one line an event, merged over the streams by time.
// For teaching and for pipes; it remembers the size and owner of live blocks, in anonymous pages.
#pragma once

#include "trace_writer.h"

#include <heaptrail_region.h>

typedef struct ht_text_block {
    uint64_t address;  // 0 empty
    uint64_t size;
    uint32_t tag;
    uint32_t pad;
} ht_text_block;

typedef struct ht_text_tag {
    uint32_t id, cause_at;  // cause_at: offset of the cause in text; the type is at 0
    char text[248];
} ht_text_tag;

typedef struct ht_text_writer {
    int fd;
    int error;
    ht_output_file file;  // as in ht_trace_writer
    uint32_t image;       // what is remembered is of this image
    size_t used;
    uint64_t allocations, frees;
    ht_text_block *blocks;  // open addressing, a power of two of slots
    size_t block_slots, block_count;
    uint32_t *stack_tags;  // by stack id
    size_t stack_slots;
    ht_text_tag *tags;
    size_t tag_slots, tag_count;
    char buffer[32 << 10];
} ht_text_writer;

// Writes the lines of all events that are ready. Events younger than 20 ms wait for the next round unless `everything`,
// so that a stream published a little late still sorts in; an ALLOC at the address of a live block waits for its FREE.
// Returns the words read.
uint64_t ht_text_round(ht_text_writer *text, ht_region *region, bool everything);
