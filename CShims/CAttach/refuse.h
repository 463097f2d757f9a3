// What can be said about a process before it is touched: whether it may be recorded, and if not, why.
#pragma once

#include <CAttach.h>

// What the rest is to know.
typedef struct ht_attach_facts {
    bool stopped;   // the process as a whole (SIGSTOP)
    bool filtered;  // by seccomp
} ht_attach_facts;

// On refusal `reason` holds one line without the process.
enum ht_attach_outcome ht_attach_check(pid_t pid, const char *library, ht_attach_facts *facts, char *reason,
                                       size_t room);
