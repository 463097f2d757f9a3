// What can be said about a process before it is touched: whether it may be recorded, and if not, why.
#pragma once

#include <CAttach.h>

// `stopped`: the process as a whole is stopped (SIGSTOP). On refusal `reason` holds one line without the process.
enum ht_attach_outcome ht_attach_check(pid_t pid, const char *library, bool *stopped, char *reason, size_t room);
// The process's threads, `*threads` to be freed.
size_t ht_list_threads(pid_t pid, pid_t **threads);
