// The recorder's process side, as the command line drives it: start a program under the preload and collect its traces
// until it ends, collect for a program that preloaded the library on its own, or attach to one that runs already. One
// call each; it returns when every recorded process has ended or was let go.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum ht_collect_outcome {
    HT_COLLECT_OK = 0,
    HT_COLLECT_NO_REGION = 1,   // shared memory could not be made or mapped; `error` says why
    HT_COLLECT_NO_PROGRAM = 2,  // exec failed; `error` says why
    HT_COLLECT_NO_PROCESS = 3,  // fork failed, or the process to collect for is gone
    HT_COLLECT_NO_OUTPUT = 4,   // the output could not be created; `error` says why
    HT_COLLECT_REFUSED = 5,     // the process cannot be attached to; `reason` says why
};

enum { HT_COLLECT_REASON_BYTES = 512, HT_COLLECT_MODULES = 64, HT_COLLECT_BUILD_ID_BYTES = 64 };

// A file whose code ran, open as it was then.
typedef struct ht_collect_module {
    int fd;
    uint32_t build_id_size;
    uint8_t build_id[HT_COLLECT_BUILD_ID_BYTES];
} ht_collect_module;

typedef struct ht_collect_request {
    const char *output;          // path of the trace; NULL: text to standard error
    const char *output_base;     // record, when not NULL: the trace is OUTPUT_BASE.PID.trace instead
    const char *executable;      // resolved path of the program (record alone)
    char *const *arguments;      // argv of the program, NULL-terminated
    const char *library;         // path of libheaptrail.so
    const char *allocator_path;  // library preloaded after it, "" for none
    const char *allocator_name;
    const char *version;
    uint32_t max_depth;
    uint64_t sample_bytes;  // mean distance between samples; 0: every event (record alone)
    uint64_t sample_seed;   // of the samples' generators
    bool text;
    bool force;  // overwrite existing outputs
    bool no_stacks;
    bool no_swift_types;
    bool drop;
    bool follow;
    bool silent;           // the program's standard output goes to /dev/null
    int region_fd;         // collect alone: the region's descriptor
    pid_t pid;             // collect and attach alone: the process
    void (*began)(void);   // attach alone: called once, when recording has begun
    uint64_t duration_ns;  // attach alone: how long to record, 0 until an interrupt
} ht_collect_request;

typedef struct ht_collect_result {
    int error;             // error number behind an outcome
    int status;            // the program's wait status (record alone)
    pid_t pid;             // the program's (record alone)
    bool attached;         // the program loaded the preload
    uint64_t allocations;  // of the program itself
    uint64_t frees;
    uint64_t exact_allocations;  // of a sampled recording: of all events, where the two above count samples
    uint64_t exact_frees;
    uint64_t lost_allocations;
    uint64_t lost_frees;
    uint64_t bytes_written;
    uint32_t off_reason;   // ht_loss_reason when recording turned itself off, 0
    uint32_t write_error;  // error number of a failed write, 0
    uint32_t images;       // executed images recorded
    uint32_t unfollowed;   // children that were not recorded
    uint32_t followed;     // traces of children
    bool exec_pending;     // the program ended as an image that could not be recorded
    bool detached;         // attach alone: the program goes on
    bool undetached;       // attach alone: it does, with its allocator still redirected to a recorder that sleeps
    char note[256];        // what of the program's own allocator was not recorded, "" for nothing
    char reason[HT_COLLECT_REASON_BYTES];  // of a refusal, one line
    // Of what was recorded in binary form, without the system's own; open until ht_collect_close_modules.
    ht_collect_module modules[HT_COLLECT_MODULES];
    uint32_t module_count;
} ht_collect_result;

// Starts the program and collects until it, and every followed child, has ended. The program inherits everything but
// our two variables and LD_PRELOAD's new entry; interrupts from the terminal are the program's, termination requests
// are passed on to it. Blocks.
enum ht_collect_outcome ht_record(const ht_collect_request *request, ht_collect_result *result);
// Collects for a process that preloaded the library on its own.
enum ht_collect_outcome ht_collect(const ht_collect_request *request, ht_collect_result *result);
// To be called once the reason has been told why ht_collect gave no output: the program has waited for it before main,
// and may end at once.
void ht_collect_refused(void);
// Attaches to a running process and collects until `duration_ns` has passed, an interrupt or termination request comes,
// or the process ends or executes another program; then detaches. Blocks.
enum ht_collect_outcome ht_record_process(const ht_collect_request *request, ht_collect_result *result);
// Closes the files of a result's modules.
void ht_collect_close_modules(ht_collect_result *result);
