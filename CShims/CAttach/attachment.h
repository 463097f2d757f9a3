// An attachment under way, as the files that make it up share it.
#pragma once

#include <CAttach.h>

#include "entries.h"
#include "image.h"
#include "tracee.h"

#include <heaptrail_attach.h>

struct ht_attachment {
    ht_tracee tracee;
    ht_redirects redirects[HT_ATTACH_GROUPS];
    ht_images images;
    char *library;
    uint64_t function;  // heaptrail_attach in the process
    uint64_t block_at;
    int region_fd;  // the process's descriptor
    bool done;      // nothing is left to be done in the process: pages for calls go
};

enum { HT_ATTACH_CALL_MS = 5000 };

// Calls the library in the process, on a borrowed thread.
uint64_t ht_attachment_call(ht_attachment *made, pid_t thread, uint64_t operation, uint64_t a, uint64_t b, uint64_t c,
                            bool *returned);
bool ht_attachment_read_block(const ht_attachment *made, ht_attach_block *block);
// Whether the library, as the block has it, can take a recording now. False with the reason in the tracee.
bool ht_attachment_judge(ht_attachment *made);
// Writes a reason; false.
bool ht_attachment_refuse(char *reason, size_t room, const char *line);

// Finds the library in the process, once it is there.
bool ht_attachment_find_library(ht_attachment *made);
// Loads it (load.c), has it prepare itself, and makes the region's file. False with the reason in the tracee.
bool ht_attachment_load(ht_attachment *made, bool stopped_process);
