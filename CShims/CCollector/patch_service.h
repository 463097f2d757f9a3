// Plans for executables that carry their own allocator (CPatch), made for the processes that are recorded, and what
// became of them. Runs in the collector process alone.
#pragma once

#include "process.h"

// Plans for the executable at `path` and leaves the answer in the region: before the program is started, and when a
// process asks. A file that is none of ELF leaves the region as it is.
void ht_patch_answer(ht_process *process, const char *path);
// Answers a process that has asked, and notes in its trace what became of its plan. Two loads where there is nothing.
void ht_patch_serve(ht_process *process);
