// The collector's loop, for those who start it: with a program of its own, for a stranger, for a process attached to.
#pragma once

#include "kept_modules.h"
#include "process.h"

#include <pthread.h>

struct ht_attachment;

typedef struct collector {
    const ht_collect_request *request;
    ht_collect_result *result;
    ht_process **processes;  // [0] is the program; followed children after it
    size_t count, room;
    uint32_t granted;
    struct ht_attachment *attachment;  // of processes[0] where it ran before, else NULL
    uint64_t ends_at_ns;               // when to detach, 0 never
    uint64_t reaped_at_ns, flushed_at_ns, busy_at_ns;
    ht_kept_modules modules;  // of all processes
    uint32_t announced;       // by processes that have ended
    pthread_mutex_t lock;     // `processes`: changed by the loop, read by the pulse
    pthread_t pulse;
    bool has_pulse;
    _Atomic uint32_t stop;
} collector;

bool ht_collector_add(collector *c, ht_process *process);
// Moves what all processes have written. Returns the words taken.
uint64_t ht_collector_drain(collector *c);
// Ends the traces of followed children that still run; they go on unrecorded.
void ht_collector_let_go(collector *c);
// Runs until the program has ended (`ended` says so and gives how) and no followed child runs any more.
void ht_collector_run(collector *c, bool (*ended)(collector *, uint32_t *how, uint32_t *status), uint32_t *how,
                      uint32_t *status);
// Writes the program's end. The last round runs before the result is read.
void ht_collector_finish(collector *c, uint32_t how, uint32_t status);
