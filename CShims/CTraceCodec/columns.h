// The columns of a packed chunk: byte sequences of one meaning each, compressed each on its own. The directory in front
// of them gives their sizes (FORMAT.md §8).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zstd.h>

enum ht_column {
    HT_COLUMN_CODE,
    HT_COLUMN_FREE_TIME,
    HT_COLUMN_ALLOC_TIME,
    HT_COLUMN_TIME_LOW,
    HT_COLUMN_TIME_WIDE,
    HT_COLUMN_BLOCK,                          // 3 planes, low byte first
    HT_COLUMN_VACANCY = HT_COLUMN_BLOCK + 3,  // 3 planes
    HT_COLUMN_FREE_ADDRESS = HT_COLUMN_VACANCY + 3,
    HT_COLUMN_ALLOC_ADDRESS,
    HT_COLUMN_SITE,                       // 4 planes
    HT_COLUMN_SIZE = HT_COLUMN_SITE + 4,  // 2 planes
    HT_COLUMN_SIZE_WIDE = HT_COLUMN_SIZE + 2,
    HT_COLUMN_EXTENDED,
    HT_COLUMN_FRAME,
    HT_COLUMN_WORD,
    HT_COLUMN_COUNT,
};

typedef struct ht_column_writer {
    uint8_t *bytes;
    size_t count, room;
} ht_column_writer;

typedef struct ht_column_reader {
    const uint8_t *at, *end;
} ht_column_reader;

typedef struct ht_columns {
    ht_column_writer writers[HT_COLUMN_COUNT];
    ht_column_reader readers[HT_COLUMN_COUNT];
    bool failed;  // a writer had no memory, or a reader no bytes
    uint8_t *bytes;
    size_t room;  // of `bytes`, where the readers' columns lie
} ht_columns;

void ht_columns_clear(ht_columns *columns);
void ht_columns_destroy(ht_columns *columns);
// Makes room for one more byte; false (and `failed`) without memory.
bool ht_column_grow(ht_columns *columns, ht_column_writer *writer);

// Appends directory and columns to `stored`. Returns the bytes, 0 when they do not fit.
size_t ht_columns_pack(ht_columns *columns, ZSTD_CCtx *zstd, int level, uint8_t *stored, size_t room);
// Sets the readers to the columns in `stored`, at most `limit` bytes in all. False when it holds no such columns.
bool ht_columns_unpack(ht_columns *columns, ZSTD_DCtx *zstd, const uint8_t *stored, size_t count, size_t limit);
// Whether every reader is at its end, as it is after all that was written was read.
bool ht_columns_are_read(const ht_columns *columns);

// Writes `value`, seven bits a byte, low bits first, at `out` (10 bytes at most). Returns the bytes.
size_t ht_put_varint(uint8_t *out, uint64_t value);
// Reads what ht_put_varint writes; false at the end of the bytes, and for what does not fit in 64 bits.
static inline bool ht_get_varint(const uint8_t **at, const uint8_t *end, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint64_t byte = *(*at)++;
        if (shift == 63 && byte > 1) return false;
        *value |= (byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

static inline void ht_column_put(ht_columns *columns, int column, uint64_t byte) {
    ht_column_writer *writer = &columns->writers[column];
    if (__builtin_expect(writer->count == writer->room, 0) && !ht_column_grow(columns, writer)) return;
    writer->bytes[writer->count++] = (uint8_t)byte;
}

// The low bytes of `value`, one to each of `planes` columns.
static inline void ht_column_put_planes(ht_columns *columns, int column, int planes, uint64_t value) {
    for (int plane = 0; plane < planes; plane++) ht_column_put(columns, column + plane, value >> 8 * plane);
}

static inline void ht_column_put_varint(ht_columns *columns, int column, uint64_t value) {
    for (; value > 127; value >>= 7) ht_column_put(columns, column, value | 128);
    ht_column_put(columns, column, value);
}

// The next byte of a column; 0, and `failed`, behind the last.
static inline uint32_t ht_column_take(ht_columns *columns, int column) {
    ht_column_reader *reader = &columns->readers[column];
    if (__builtin_expect(reader->at != reader->end, 1)) return *reader->at++;
    columns->failed = true;
    return 0;
}

static inline uint64_t ht_column_take_planes(ht_columns *columns, int column, int planes) {
    uint64_t value = 0;
    for (int plane = 0; plane < planes; plane++)
        value |= (uint64_t)ht_column_take(columns, column + plane) << 8 * plane;
    return value;
}

static inline uint64_t ht_column_take_varint(ht_columns *columns, int column) {
    ht_column_reader *reader = &columns->readers[column];
    uint64_t value;
    if (__builtin_expect(!ht_get_varint(&reader->at, reader->end, &value), 0)) columns->failed = true;
    return value;
}

// Signed numbers as unsigned ones, small where they are near zero: 0, -1, 1, -2 become 0, 1, 2, 3.
static inline uint64_t ht_zigzag(uint64_t value) { return value << 1 ^ (uint64_t)((int64_t)value >> 63); }
static inline uint64_t ht_unzigzag(uint64_t value) { return value >> 1 ^ (0 - (value & 1)); }
