// The codecs of chunk payloads (CTraceFormat/FORMAT.md §8): from a payload's raw bytes to what a file stores, and back.
// Runs in the analyzer alone, never in a traced process. A codec object holds the tables and buffers that one thread
// uses from chunk to chunk; what it gives depends on the call's arguments alone.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ht_codec ht_codec;

// NULL when memory is short.
ht_codec *ht_codec_create(void);
void ht_codec_destroy(ht_codec *codec);

// The most bytes that `ht_codec_pack` can need for a payload.
size_t ht_codec_bound(size_t raw_bytes);

// Packs a payload with a codec of `ht_chunk_codec` but HT_CODEC_RAW: `raw` is aligned to 8 bytes where the codec is
// HT_CODEC_COLUMNS, and `first_time` the chunk's. `level` is zstd's. Returns the stored bytes, or 0 when the codec
// cannot say what the payload holds or has no room for it; the caller then takes another. O(raw_bytes).
size_t ht_codec_pack(ht_codec *codec, uint8_t kind, int level, uint64_t first_time, const void *raw, size_t raw_bytes,
                     void *stored, size_t room);

// Unpacks into exactly `raw_bytes` at `raw` (aligned to 8 bytes). False when the stored bytes are not what that codec
// makes of a payload of that length; `raw` then holds anything. Whatever the stored bytes are, it stays within the two
// buffers, ends after O(raw_bytes) steps and takes no more than 6 times raw_bytes and 4 MiB of memory, which it keeps.
bool ht_codec_unpack(ht_codec *codec, uint8_t kind, uint64_t first_time, const void *stored, size_t stored_bytes,
                     void *raw, size_t raw_bytes);
