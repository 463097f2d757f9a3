// The files whose code a recorded program ran, opened when the trace first names them: what lies at their paths when
// the recording ends may be another build. Runs on the collector's thread.
#pragma once

#include <CCollector.h>

typedef struct ht_kept_modules {
    ht_collect_module items[HT_COLLECT_MODULES];
    uint32_t count;
} ht_kept_modules;

// Opens the file that a MODULE record of `count` words names, unless it is the system's, was opened before or has no
// build id. `context` is the ht_kept_modules. The record may be damaged.
void ht_kept_modules_note(void *context, const uint64_t *words, uint32_t count);
// Hands all of them to the result; ht_collect_close_modules closes them.
void ht_kept_modules_give(ht_kept_modules *kept, ht_collect_result *result);
