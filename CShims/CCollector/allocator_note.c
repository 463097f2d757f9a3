// Runs on the collector's thread. The paths come from the region, which the program may have damaged: they are read up
// to their room at most.
#include "allocator_note.h"

#include "allocator_name.h"

#include <stdio.h>
#include <string.h>

static void note_image(ht_process *process, uint32_t image) {
    const ht_collect_request *request = process->request;
    char found[HT_PATH_MAX];
    snprintf(found, sizeof found, "%.*s", HT_PATH_MAX - 1, process->region->malloc_paths[image % HT_IMAGES_TOLD]);
    const char *name = ht_allocator_name(found), *path = strcmp(name, "glibc") == 0 ? "" : found;
    // What was chosen keeps the name that it was chosen by.
    bool as_said = found[0] == 0 || strcmp(path, request->allocator_path) == 0;
    snprintf(process->allocator_name, sizeof process->allocator_name, "%s", as_said ? request->allocator_name : name);
    if (as_said || process->drain.writer == NULL) return;
    ht_info_entry entries[] = {{HT_INFO_ALLOCATOR, name, strlen(name)}, {HT_INFO_ALLOCATOR_PATH, path, strlen(path)}};
    ht_trace_put_info(process->drain.writer, (uint16_t)image, entries, 2);
}

void ht_allocator_note(ht_process *process) {
    uint32_t last = atomic_load_explicit(&process->region->malloc_image, memory_order_acquire);
    // Of the places for paths one may be in the making, for an image that is just starting.
    uint32_t kept = HT_IMAGES_TOLD - 1, next = process->named_image + 1;
    if (last > kept && next <= last - kept) next = last - kept + 1;
    for (; next <= last; next++) note_image(process, next);
    process->named_image = last;
}
