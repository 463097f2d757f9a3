// Starts a program for measurement and reports what the kernel charged to it.
// The peak resident set a kernel reports begins with that of the process which called exec. posix_spawn and vfork share
// the caller's memory until then, so /bin/true started by a tool of 30 MiB is said to have needed 30 MiB. Here the
// child is forked from the few mappings it needs to reach exec, well under a mebibyte, less than any program needs to
// start.

#ifndef CLAUNCH_H
#define CLAUNCH_H

#include <stdbool.h>
#include <stdint.h>

// What to start. All three descriptors are duplicated to 0, 1 and 2 of the program.
struct ht_launch_request {
    const char *path;          // no search along PATH
    char *const *arguments;    // null-terminated, the program's name first
    char *const *environment;  // null-terminated
    int32_t standard_input;
    int32_t standard_output;
    int32_t standard_error;
    bool own_group;  // whether it leads a process group of its own, so that it can be ended with all its kin
};

// A program on its way.
struct ht_launch_process {
    int32_t pid;
    uint64_t started_ns;  // CLOCK_MONOTONIC just before the fork
};

// How it ended and what it used, children it waited for included.
struct ht_launch_usage {
    int32_t wait_status;  // as wait4 gives it
    uint64_t wall_ns;     // from the fork until it was reaped
    uint64_t user_ns;
    uint64_t system_ns;
    uint64_t peak_rss_bytes;
    uint64_t minor_faults;  // page faults without, and with, a read from disk
    uint64_t major_faults;
    uint64_t voluntary_switches;    // it waited
    uint64_t involuntary_switches;  // its time was up
};

// A signal that asks the caller to end.
struct ht_launch_interrupt {
    int32_t signal;
    bool from_terminal;  // typed, so the whole foreground process group has it
};

// Starts the program, with no signal blocked and SIGPIPE not ignored, and returns once it has been exec'd. It is killed
// if the calling thread ends before it, however that comes about. Threads may call it side by side; no thread may call
// fork() meanwhile (posix_spawn is harmless). Returns 0, or the errno of what failed, exec included.
int32_t ht_launch_start(const struct ht_launch_request *request, struct ht_launch_process *process);

// Waits for the end of the program. Returns 0 or an errno.
int32_t ht_launch_wait(const struct ht_launch_process *process, struct ht_launch_usage *usage);

// A descriptor that becomes readable when the process ends, or -1 where the kernel has none.
int32_t ht_launch_handle(int32_t pid);

// From now on SIGINT, SIGTERM and SIGHUP, those that are not ignored, arrive at the descriptor returned instead of
// ending the process. Returns -1 where that cannot be had; then they end it as usual.
int32_t ht_launch_watch_interrupts(void);

// Takes a signal from that descriptor. Returns whether there was one.
bool ht_launch_take_interrupt(int32_t descriptor, struct ht_launch_interrupt *interrupt);

// From now on processes that lose their parent become children of this one, so that a server which goes to the
// background can still be found and ended.
void ht_launch_adopt_orphans(void);

// Returns in a child of this process, which itself waits for that child's end and then ends the same way. Whichever of
// them is killed, nothing that was started goes on: the child gets a SIGTERM when its parent dies, the parent kills all
// that the child leaves behind. To be called before there are threads and children. Returns 0, or the errno of the
// fork, which leaves all as it was.
int32_t ht_launch_supervise(void);

// Whether a file carries capabilities (security.capability), for which the loader ignores preloads.
bool ht_launch_has_capabilities(const char *path);
#endif
