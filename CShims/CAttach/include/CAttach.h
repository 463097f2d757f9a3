// Attaching the recorder to a process that runs already, and detaching from it. The collector calls this, on one
// thread: ptrace belongs to the thread that seized. Ptrace is held only while something is changed, never while the
// process is being recorded.
//
//   ht_attach_open    checks that the process can be recorded, loads the library into it, makes the region's file
//   ht_attach_begin   switches recording on and redirects the allocator's entries, all threads standing still
//   ht_attach_end     puts the entries back and switches recording off; the library stays mapped, asleep
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum ht_attach_outcome {
    HT_ATTACH_OK = 0,
    HT_ATTACH_NO_PROCESS = 1,  // there is no such process, or it ended meanwhile
    HT_ATTACH_REFUSED = 2,     // `reason` says why
};

typedef struct ht_attachment ht_attachment;

// Checks and loads. `library` is the path of libheaptrail.so. On success `*made` is to be closed; on failure it is NULL
// and `reason` (of `room` bytes) holds one line without the program's name.
enum ht_attach_outcome ht_attach_open(pid_t pid, const char *library, ht_attachment **made, char *reason, size_t room);
// A descriptor (the caller's to close) of an empty memory file that the process has open, too, for the shared region;
// -1 with errno set.
int ht_attach_region(ht_attachment *attachment);
// The file that the process's malloc is in, as the process sees it.
const char *ht_attach_allocator(const ht_attachment *attachment);
// What will not be recorded, "" for nothing.
const char *ht_attach_note(const ht_attachment *attachment);
// Switches recording on into the region, which the caller has sized and initialised by now.
enum ht_attach_outcome ht_attach_begin(ht_attachment *attachment, char *reason, size_t room);
// Whether the process still is the image that was attached to: false once it has executed another, or ended.
bool ht_attach_is_there(const ht_attachment *attachment);
// First half of the end: entries are put back, recording is off; where no thread is inside a hook the region is out of
// the process, too. Else events on their way may still be written to it. False when the process is gone.
bool ht_attach_end(ht_attachment *attachment);
// Second half, to be called a moment later and again until it says true (or the caller gives up): takes the region out
// of the process when no thread is inside a hook.
bool ht_attach_clear(ht_attachment *attachment);
// Lets go of everything here. The process is not touched.
void ht_attach_close(ht_attachment *attachment);
