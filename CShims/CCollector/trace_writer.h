// Writing a trace file: buffered, chunk by chunk, front to back (CTraceFormat/FORMAT.md). Used by the collector process
// and by the drain thread inside a program, so it allocates nothing: the owner brings the buffer.
#pragma once

#include <heaptrail_trace.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// Which file a descriptor was opened for. Inside the traced program a descriptor cannot be relied on: the program may
// close all it does not know and get the same number for a file of its own.
typedef struct ht_output_file {
    bool known;
    uint64_t device, inode;
} ht_output_file;

// What `fd` is now; `known` is false where it cannot be told.
ht_output_file ht_output_file_of(int fd);
// Whether `fd` is still that file. True when it is not known.
bool ht_output_file_holds(const ht_output_file *file, int fd);

// Not 0 while a write of a trace is under way in this process: a disk or a reader may take as long as it likes.
extern _Atomic uint32_t ht_output_waiting;

typedef struct ht_trace_writer {
    int fd;
    int error;  // error number of the write that failed, 0 while all went well. After it nothing more is written
    uint8_t *buffer;
    size_t capacity;  // at least 64 KiB + two headers, so that a segment's chunk fits
    size_t used;
    ht_output_file file;  // looked at before each write where it is known (inside the program alone)
    uint64_t written;     // bytes handed to the kernel
} ht_trace_writer;

typedef struct ht_info_entry {
    uint16_t key;  // ht_info_key
    const char *bytes;
    size_t count;
} ht_info_entry;

// The file header. Times are filled in here.
void ht_trace_put_header(ht_trace_writer *writer, uint32_t mode, uint32_t flags, uint32_t pid, uint64_t sample_bytes);
// One chunk: magic, sizes and checksums of `header` are filled in; payload at most HT_CHUNK_PAYLOAD_MAX, not larger
// than the buffer.
void ht_trace_put_chunk(ht_trace_writer *writer, ht_chunk_header header, const void *payload, size_t count);
void ht_trace_put_info(ht_trace_writer *writer, uint16_t image, const ht_info_entry *entries, size_t count);
void ht_trace_put_clock(ht_trace_writer *writer);
// Hands everything buffered to the kernel. Retries short and interrupted writes.
void ht_trace_flush(ht_trace_writer *writer);
