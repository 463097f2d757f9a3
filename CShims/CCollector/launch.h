// Starting the program to record: forked first, executed when the collector is ready for it.
#pragma once

#include <CCollector.h>

typedef struct ht_launch {
    pid_t pid;
    int go;      // one byte lets the program be executed
    int report;  // its exec's error number, or end of file once it runs
} ht_launch;

// Forks the program; it waits. Interrupts from the terminal are its own from here on, termination requests are passed
// on to it. False with errno set.
bool ht_launch_prepare(ht_launch *launch, const ht_collect_request *request, uint32_t region_fd);
// Lets it be executed. 0, or the error number of exec.
int ht_launch_go(ht_launch *launch);
// Ends the forked program before it was executed.
void ht_launch_abandon(ht_launch *launch);
// The program has ended: termination requests are nobody's any more.
void ht_launch_done(void);
// The collector's own dispositions: a closed pipe or a file-size limit on the trace is an error of the write, and an
// ignored SIGCHLD would lose the program's status. Called before the program is started; the program gets what this
// process was started with.
void ht_launch_set_actions(void);
