// The allocator's functions of a process, redirected: planned from the files, written while all threads stand still.
#pragma once

#include "image.h"
#include "tracee.h"

#include <heaptrail_patch.h>

// An entry as it is in the process.
typedef struct ht_redirect {
    ht_patch_entry plan;
    uint64_t entry;  // where the jump goes
    uint64_t code;   // of its slot
    uint8_t jump[HT_PATCH_REPLACED_MAX];
} ht_redirect;

// The entries of one image.
typedef struct ht_redirects {
    ht_redirect *all;
    size_t count;
    const ht_image *image;
    uint64_t slots, code;  // addresses of theirs in the process
    char note[256];        // what of it is not recorded, "" for nothing
} ht_redirects;

// The outcome of planning: an image without an allocator is none to be redirected.
typedef enum ht_planned { HT_PLANNED, HT_PLANNED_NOTHING, HT_PLANNED_REFUSED } ht_planned;

// Plans all allocation functions of an image. On refusal `reason` holds one line.
ht_planned ht_redirects_plan(ht_redirects *redirects, const ht_images *images, const ht_image *image, char *reason,
                             size_t room);
// Plans functions of an image that are no allocation: exported `names`, with their kinds (ht_attach_kind...). One that
// cannot be redirected is left out.
void ht_redirects_plan_named(ht_redirects *redirects, const ht_images *images, const ht_image *image,
                             const char *const *names, const uint32_t *kinds, size_t count);
void ht_redirects_free(ht_redirects *redirects);
// Maps slots and code near the entries, on a borrowed thread, or takes those that are there from an earlier recording
// (`slots` of `count`, with their `code`), and fills them. False with the reason in the tracee.
bool ht_redirects_place(ht_redirects *redirects, ht_tracee *tracee, pid_t thread, uint64_t slots, uint64_t count,
                        uint64_t code);
// Whether each entry is as its file has it, or redirected by us.
bool ht_redirects_check(const ht_redirects *redirects, ht_tracee *tracee);
// Writes the jumps, and moves stopped threads that stand among the bytes that change, in a handler's way back, too.
// Nothing is changed where it fails.
bool ht_redirects_apply(const ht_redirects *redirects, ht_tracee *tracee);
// Puts the entries back. What they led to stays mapped for threads that are in it.
bool ht_redirects_undo(const ht_redirects *redirects, ht_tracee *tracee);
