// One traced process as the collector sees it: its region, its output, how it is known to have ended.
#pragma once

#include <CCollector.h>

#include "drain.h"
#include "text_writer.h"

typedef struct ht_process {
    ht_region *region;
    int region_fd;
    int pidfd;  // readable once the process has ended; -1 until its pid is known
    pid_t pid;
    bool opened;    // its output has its opening: draining may begin
    bool created;   // its output did not exist before
    bool attached;  // it ran before
    int output_fd;
    char output_path[4096 + 32];
    uint64_t granted_at_ns;
    const ht_collect_request *request;
    char allocator_name[256];  // of what the image finds outside its own executable
    uint32_t named_image;      // last image whose allocator was noted
    char own_allocator[48];    // of its own, "" for none
    char own_note[256];        // what of that is missing in the trace, "" for nothing
    uint32_t noted_image;      // image of which the trace says so
    ht_drain drain;
    ht_trace_writer writer;
    ht_text_writer *text;
} ht_process;

// A region of our own in a new memfd, its control block filled and `alive` held by the calling thread. False with errno
// set.
bool ht_process_make_region(ht_process *process, const ht_collect_request *request);
// The same in an empty memory file that is there already.
bool ht_process_fill_region(ht_process *process, const ht_collect_request *request, int fd);
// Maps a region somebody else made.
bool ht_process_map_region(ht_process *process, int fd);
// Creates the output (the request's own for the program, OUTPUT.PID for a `child`); process->pid is known. An existing
// file is EEXIST unless forced, and then left as it is until the opening is written. False with errno set.
bool ht_process_create_output(ht_process *process, const ht_collect_request *request, bool child);
// Writes the trace's opening; the process's pid is known by now. False with errno set.
bool ht_process_open_output(ht_process *process, const ht_collect_request *request);
// Undoes ht_process_create_output where nothing was recorded.
void ht_process_discard_output(ht_process *process);
// Gives the region's memory back to the system although somebody may have it mapped still.
void ht_process_drop_region(const ht_process *process);
// Writes the end and closes everything.
void ht_process_close(ht_process *process, uint32_t how, uint32_t status);
// Whether the process has ended, as far as its pidfd tells.
bool ht_process_ended(const ht_process *process);
bool ht_process_watch(ht_process *process, pid_t pid);
