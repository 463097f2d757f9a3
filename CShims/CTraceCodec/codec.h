// What ht_codec holds, and the two halves of the columns codec.
#pragma once

#include "CTraceCodec.h"
#include "columns.h"
#include "model.h"

// From addresses to nodes of a pool: open addressing, a node's address is its key. The encoder's alone.
typedef struct ht_node_index {
    uint32_t *nodes;
    unsigned bits;
    unsigned room_bits;
} ht_node_index;

struct ht_codec {
    ht_columns columns;
    ht_model model;
    ht_node_index block_index, vacancy_index;
    ZSTD_CCtx *packer;
    ZSTD_DCtx *unpacker;
};

enum {
    HT_TIME_NEAR = 192,   // times below it have a byte of their own
    HT_TIME_MIDDLE = 62,  // bytes that stand for 256 times each
    HT_TIME_FAR = 254,    // then 3 bytes
    HT_TIME_ODD = 255,    // then 3 bytes, in ticks
    HT_SIZE_WIDE = 255,
};

// The words as columns, into codec->columns. False when a record is none of the format's.
bool ht_encode_columns(ht_codec *codec, const uint64_t *words, size_t count, uint32_t granularity);
// The columns as words, exactly `count`. False when the columns are not those of so many words.
bool ht_decode_columns(ht_codec *codec, uint64_t *words, size_t count, uint32_t granularity);
