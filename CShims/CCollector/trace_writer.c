// The writer of trace_writer.h. Runs on the collector's or the drain thread; no allocation, no stdio.
#include "trace_writer.h"

#include "system.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ht_output_file ht_output_file_of(int fd) {
    struct stat found;
    if (fstat(fd, &found) != 0) return (ht_output_file){0};
    return (ht_output_file){.known = true, .device = found.st_dev, .inode = found.st_ino};
}

bool ht_output_file_holds(const ht_output_file *file, int fd) {
    if (!file->known) return true;
    ht_output_file now = ht_output_file_of(fd);
    return now.known && now.device == file->device && now.inode == file->inode;
}

_Atomic uint32_t ht_output_waiting;

void ht_trace_flush(ht_trace_writer *writer) {
    size_t done = 0;
    if (writer->used > 0 && writer->error == 0 && !ht_output_file_holds(&writer->file, writer->fd))
        writer->error = EBADF;
    atomic_store_explicit(&ht_output_waiting, 1, memory_order_relaxed);
    while (done < writer->used && writer->error == 0) {
        ssize_t count = write(writer->fd, writer->buffer + done, writer->used - done);
        if (count > 0) done += (size_t)count;
        else if (count == 0) writer->error = EIO;
        else if (errno == EAGAIN) ht_await_writable(writer->fd);
        else if (errno != EINTR) writer->error = errno;
    }
    atomic_store_explicit(&ht_output_waiting, 0, memory_order_relaxed);
    writer->written += done;
    writer->used = 0;
}

static void put(ht_trace_writer *writer, const void *bytes, size_t count) {
    if (writer->capacity - writer->used < count) ht_trace_flush(writer);
    memcpy(writer->buffer + writer->used, bytes, count);
    writer->used += count;
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void ht_trace_put_header(ht_trace_writer *writer, uint32_t mode, uint32_t flags, uint32_t pid, uint64_t sample_bytes) {
    ht_file_header header = {
        .magic = {0x89, 'H', 'T', 'R', '\r', '\n', 0x1a, '\n'},
        .major = HT_VERSION_MAJOR,
        .minor = HT_VERSION_MINOR,
        .architecture = HT_ARCH_X86_64,
        .byte_order = HT_BYTE_ORDER_LITTLE,
        .pointer_bits = 64,
        .clock = HT_CLOCK_COUNTER,
        .page_size = (uint32_t)sysconf(_SC_PAGESIZE),
        .mode = mode,
        .flags = flags,
        .pid = pid,
        .sample_bytes = sample_bytes,
        .start_ticks = ht_now(),
        .start_ns = clock_ns(CLOCK_REALTIME),
    };
    header.checksum = ht_crc32c(0, &header, offsetof(ht_file_header, checksum));
    put(writer, &header, sizeof header);
}

void ht_trace_put_chunk(ht_trace_writer *writer, ht_chunk_header header, const void *payload, size_t count) {
    static const uint8_t zeros[8];
    header.magic = HT_CHUNK_MAGIC;
    header.stored_bytes = header.raw_bytes = (uint32_t)count;
    header.payload_checksum = ht_crc32c(0, payload, count);
    header.header_checksum = ht_crc32c(0, &header, offsetof(ht_chunk_header, header_checksum));
    put(writer, &header, sizeof header);
    put(writer, payload, count);
    if (count % 8 != 0) put(writer, zeros, 8 - count % 8);
}

void ht_trace_put_info(ht_trace_writer *writer, uint16_t image, const ht_info_entry *entries, size_t count) {
    uint8_t payload[16 << 10];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = entries[i].count;
        size_t padded = (bytes + 7) & ~(size_t)7;
        if (used + 8 + padded > sizeof payload) {  // a very long text is cut, not the entries after it
            if (used + 16 > sizeof payload) break;
            bytes = sizeof payload - used - 16;
            padded = (bytes + 7) & ~(size_t)7;
        }
        uint32_t length = (uint32_t)bytes;
        memset(payload + used, 0, 8 + padded);
        memcpy(payload + used, &entries[i].key, 2);
        memcpy(payload + used + 4, &length, 4);
        memcpy(payload + used + 8, entries[i].bytes, bytes);
        used += 8 + padded;
    }
    ht_trace_put_chunk(writer, (ht_chunk_header){.kind = HT_CHUNK_INFO, .image = image}, payload, used);
}

void ht_trace_put_clock(ht_trace_writer *writer) {
    uint64_t payload[3] = {ht_now(), clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_REALTIME)};
    ht_trace_put_chunk(writer, (ht_chunk_header){.kind = HT_CHUNK_CLOCK, .flags = HT_CHUNK_SKIPPABLE}, payload,
                       sizeof payload);
}
