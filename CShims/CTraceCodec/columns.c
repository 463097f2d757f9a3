// The directory and the compression of columns.h.
#include "columns.h"

#include <stdlib.h>
#include <string.h>

void ht_columns_clear(ht_columns *columns) {
    for (int i = 0; i < HT_COLUMN_COUNT; i++) columns->writers[i].count = 0;
    columns->failed = false;
}

void ht_columns_destroy(ht_columns *columns) {
    for (int i = 0; i < HT_COLUMN_COUNT; i++) free(columns->writers[i].bytes);
    free(columns->bytes);
}

bool ht_column_grow(ht_columns *columns, ht_column_writer *writer) {
    size_t room = writer->room == 0 ? 4096 : writer->room * 2;
    uint8_t *grown = realloc(writer->bytes, room);
    if (grown == NULL) {
        columns->failed = true;
        return false;
    }
    writer->bytes = grown;
    writer->room = room;
    return true;
}

size_t ht_put_varint(uint8_t *out, uint64_t value) {
    size_t count = 0;
    for (; value > 127; value >>= 7) out[count++] = (uint8_t)(value | 128);
    out[count++] = (uint8_t)value;
    return count;
}

size_t ht_columns_pack(ht_columns *columns, ZSTD_CCtx *zstd, int level, uint8_t *stored, size_t room) {
    // The directory says how long each column is once it is compressed, so its room is kept: 20 bytes a column at most.
    uint8_t directory[20 * HT_COLUMN_COUNT];
    size_t entries = 0, used = sizeof directory;
    if (columns->failed || room < used) return 0;
    for (int i = 0; i < HT_COLUMN_COUNT; i++) {
        const ht_column_writer *column = &columns->writers[i];
        entries += ht_put_varint(directory + entries, column->count);
        if (column->count == 0) continue;
        size_t packed = ZSTD_compressCCtx(zstd, stored + used, room - used, column->bytes, column->count, level);
        if (ZSTD_isError(packed) || packed >= column->count) {
            packed = column->count;
            if (room - used < packed) return 0;
            memcpy(stored + used, column->bytes, packed);
        }
        entries += ht_put_varint(directory + entries, packed);
        used += packed;
    }
    memcpy(stored, directory, entries);
    memmove(stored + entries, stored + sizeof directory, used - sizeof directory);
    return entries + used - sizeof directory;
}

bool ht_columns_unpack(ht_columns *columns, ZSTD_DCtx *zstd, const uint8_t *stored, size_t count, size_t limit) {
    const uint8_t *at = stored, *end = stored + count;
    uint64_t raw[HT_COLUMN_COUNT], packed[HT_COLUMN_COUNT], all = 0;
    for (int i = 0; i < HT_COLUMN_COUNT; i++) {
        packed[i] = 0;
        if (!ht_get_varint(&at, end, &raw[i]) || raw[i] > limit - all) return false;
        all += raw[i];
        if (raw[i] == 0) continue;
        if (!ht_get_varint(&at, end, &packed[i]) || packed[i] > raw[i] || packed[i] == 0) return false;
    }
    if (columns->room < all) {
        free(columns->bytes);
        columns->room = 0;
        columns->bytes = malloc((size_t)all);
        if (columns->bytes == NULL) return false;
        columns->room = (size_t)all;
    }
    uint8_t *out = columns->bytes;
    columns->failed = false;
    for (int i = 0; i < HT_COLUMN_COUNT; i++) {
        if (packed[i] > (uint64_t)(end - at)) return false;
        if (raw[i] == 0) {
            columns->readers[i] = (ht_column_reader){0};
            continue;
        }
        if (packed[i] == raw[i]) memcpy(out, at, (size_t)raw[i]);
        else if (ZSTD_decompressDCtx(zstd, out, (size_t)raw[i], at, (size_t)packed[i]) != raw[i]) return false;
        columns->readers[i] = (ht_column_reader){out, out + raw[i]};
        out += raw[i];
        at += packed[i];
    }
    return at == end;
}

bool ht_columns_are_read(const ht_columns *columns) {
    for (int i = 0; i < HT_COLUMN_COUNT; i++) {
        if (columns->readers[i].at != columns->readers[i].end) return false;
    }
    return !columns->failed;
}
