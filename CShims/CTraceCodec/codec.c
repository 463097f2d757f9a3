// The codecs behind CTraceCodec.h: zstd alone, and columns.
#include "codec.h"

#include <heaptrail_trace.h>
#include <stdlib.h>
#include <string.h>

enum {
    GRANULARITY_MAX = 1 << 16,
    SAMPLE_COUNT = 4096,
};

ht_codec *ht_codec_create(void) {
    ht_codec *codec = calloc(1, sizeof *codec);
    if (codec == NULL) return NULL;
    codec->packer = ZSTD_createCCtx();
    codec->unpacker = ZSTD_createDCtx();
    if (codec->packer != NULL && codec->unpacker != NULL) return codec;
    ht_codec_destroy(codec);
    return NULL;
}

void ht_codec_destroy(ht_codec *codec) {
    if (codec == NULL) return;
    ht_columns_destroy(&codec->columns);
    ht_model_destroy(&codec->model);
    free(codec->block_index.nodes);
    free(codec->vacancy_index.nodes);
    ZSTD_freeCCtx(codec->packer);
    ZSTD_freeDCtx(codec->unpacker);
    free(codec);
}

size_t ht_codec_bound(size_t raw_bytes) { return ZSTD_compressBound(raw_bytes) + 1024; }

static uint32_t common_divisor(uint32_t a, uint32_t b) {
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// The step in which the clock of these events counts, where nearly all of their deltas are multiples of one (26 ticks
// on some processors); else 1.
static uint32_t granularity_of(const uint64_t *words, size_t count) {
    uint32_t deltas[SAMPLE_COUNT], sampled = 0;
    for (size_t at = 0; at < count && sampled < SAMPLE_COUNT;) {
        uint64_t word = words[at];
        uint32_t kind = word & 7;
        uint32_t delta = (uint32_t)(word >> HT_DELTA_SHIFT) & ((1u << HT_DELTA_BITS) - 1);
        if (kind != HT_RECORD_EXTENDED && delta != 0) deltas[sampled++] = delta;
        if (kind == HT_RECORD_EXTENDED) at += (word >> HT_EXTENDED_WORDS_SHIFT) & 0xffff;
        at += kind == HT_RECORD_ALLOC ? 2 : kind >= HT_RECORD_REALLOC && kind <= HT_RECORD_ALLOC_SAMPLE ? 3 : 1;
    }
    // The divisor that most neighbours have in common, among the first sixteen that come up.
    uint32_t divisors[16], votes[16] = {0}, known = 0, best = 0;
    for (uint32_t i = 1; i < sampled; i++) {
        uint32_t divisor = common_divisor(deltas[i - 1], deltas[i]), row = 0;
        while (row < known && divisors[row] != divisor) row++;
        if (row == known && known < 16) divisors[known++] = divisor;
        if (row < known && ++votes[row] > votes[best]) best = row;
    }
    if (known == 0 || divisors[best] > GRANULARITY_MAX) return 1;
    uint32_t multiples = 0;
    for (uint32_t i = 0; i < sampled; i++) multiples += deltas[i] % divisors[best] == 0;
    return multiples >= sampled - sampled / 8 ? divisors[best] : 1;
}

static size_t pack_columns(ht_codec *codec, int level, uint64_t first_time, const uint64_t *words, size_t count,
                           uint8_t *stored, size_t room) {
    ht_columns_clear(&codec->columns);
    uint32_t granularity = granularity_of(words, count);
    if (room < 10 || !ht_model_start(&codec->model, count, first_time) ||
        !ht_encode_columns(codec, words, count, granularity))
        return 0;
    // What unpacking accepts: twice the raw bytes, for records of one word can need more than eight.
    size_t all = 0;
    for (int i = 0; i < HT_COLUMN_COUNT; i++) all += codec->columns.writers[i].count;
    if (all > 2 * 8 * count) return 0;
    size_t used = ht_put_varint(stored, granularity);
    size_t packed = ht_columns_pack(&codec->columns, codec->packer, level, stored + used, room - used);
    return packed == 0 ? 0 : used + packed;
}

size_t ht_codec_pack(ht_codec *codec, uint8_t kind, int level, uint64_t first_time, const void *raw, size_t raw_bytes,
                     void *stored, size_t room) {
    if (raw_bytes == 0 || raw_bytes > HT_CHUNK_PAYLOAD_MAX) return 0;
    if (kind == HT_CODEC_ZSTD) {
        size_t packed = ZSTD_compressCCtx(codec->packer, stored, room, raw, raw_bytes, level);
        return ZSTD_isError(packed) ? 0 : packed;
    }
    if (kind != HT_CODEC_COLUMNS || raw_bytes % 8 != 0) return 0;
    return pack_columns(codec, level, first_time, raw, raw_bytes / 8, stored, room);
}

bool ht_codec_unpack(ht_codec *codec, uint8_t kind, uint64_t first_time, const void *stored, size_t stored_bytes,
                     void *raw, size_t raw_bytes) {
    if (raw_bytes == 0 || raw_bytes > HT_CHUNK_PAYLOAD_MAX) return false;
    if (kind == HT_CODEC_ZSTD)
        return ZSTD_decompressDCtx(codec->unpacker, raw, raw_bytes, stored, stored_bytes) == raw_bytes;
    if (kind != HT_CODEC_COLUMNS || raw_bytes % 8 != 0) return false;
    const uint8_t *at = stored, *end = at + stored_bytes;
    uint64_t granularity;
    if (!ht_get_varint(&at, end, &granularity) || granularity == 0 || granularity > GRANULARITY_MAX) return false;
    return ht_columns_unpack(&codec->columns, codec->unpacker, at, (size_t)(end - at), 2 * raw_bytes) &&
           ht_model_start(&codec->model, raw_bytes / 8, first_time) &&
           ht_decode_columns(codec, raw, raw_bytes / 8, (uint32_t)granularity) && ht_columns_are_read(&codec->columns);
}
