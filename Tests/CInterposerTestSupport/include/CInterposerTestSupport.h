// What the tests of the C core call: plain data and functions, because the core's own headers hold atomics that Swift
// cannot see. No function of malloc's family is replaced here; events are handed to the recorder by hand. The
// recorder's state is one per process, so at most one session exists at a time, and everything that records runs on
// threads of its own, made and joined inside the call.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// MARK: session.c: a region, a recording that is on, and a drain

typedef struct ht_test_session ht_test_session;

typedef struct ht_test_options {
    uint32_t options;        // ht_region_option
    uint32_t max_depth;      // 0: the largest
    uint32_t segment_limit;  // 0: all
    const char *output;      // path of the trace or text that is written
    bool text;
    uint64_t sample_bytes;  // mean distance between samples; 0: every event
    uint64_t sample_seed;
} ht_test_options;

typedef struct ht_test_state {
    uint32_t state, off_reason;
    uint64_t lost_allocations, lost_frees, lost_bytes;
    uint32_t lost_reason;
    uint32_t live_homes, used_segments, room_waiters;
    uint64_t drained_allocations, drained_frees;
    int write_error;
} ht_test_state;

// NULL when memory or the output could not be had.
ht_test_session *ht_test_session_start(ht_test_options options);
// Starts the thread that drains.
void ht_test_session_drain(ht_test_session *session);
ht_test_state ht_test_session_state(ht_test_session *session);
// One round of the drain, while nothing else drains. Returns the words taken.
uint64_t ht_test_session_round(ht_test_session *session);
// The clock that events are stamped with.
uint64_t ht_test_now(void);
// Whether the preload takes a region of this version, and the version it is built with.
bool ht_test_maps_region(uint32_t version);
uint32_t ht_test_region_version(void);
// Reclaims the homes of threads that have ended: all have, or none (`alive`).
void ht_test_session_reap(ht_test_session *session, bool alive);
// Waits until a producer sleeps for room.
void ht_test_session_await_waiter(ht_test_session *session);
// Makes `alive` what it is after its owner died: a thread, or a process, took it and ended.
bool ht_test_session_kill_collector(ht_test_session *session, bool process);
// Puts a stream of `count` words (at most a segment's) into the region, as a thread of that serial and image would
// have. It may make no sense.
void ht_test_put_stream(ht_test_session *session, uint32_t serial, uint16_t image, uint64_t start,
                        const uint64_t *words, size_t count);
// Turns recording off, stops the drain, writes the end and gives everything back. `status` as in FORMAT.md's END.
ht_test_state ht_test_session_finish(ht_test_session *session, uint32_t how, uint32_t status);

// MARK: produce.c: events

enum ht_test_operation_kind {
    HT_TEST_ALLOCATE = 0,
    HT_TEST_FREE = 1,
    HT_TEST_REALLOCATE = 2,
    HT_TEST_PUSH_TAG = 3,  // `label` is the type of a tag of family Class, cause construct
    HT_TEST_POP_TAG = 4,
    HT_TEST_COUNT = 5,  // `size` more on the counter named `label`
    // What hooks hand over, types of the Swift runtime included.
    HT_TEST_ANNOUNCE = 6,  // the runtime is about to allocate `size` bytes of the type `address`
    HT_TEST_ALLOCATE_HOOKED = 7,
    HT_TEST_ALLOCATE_APART = 8,  // the same from a frame that is not right below the announcement's
    HT_TEST_FREE_HOOKED = 9,     // of a block that is there to be read
};

typedef struct ht_test_operation {
    uint32_t kind;
    uint32_t alignment;
    uint64_t address, old, size;
    int64_t at;  // FREE, REALLOCATE (its first stamp): ticks after the script's start
    const char *label;
} ht_test_operation;

// Runs the operations on a new thread and waits for its end. Returns the ticks at its start.
uint64_t ht_test_run(const ht_test_operation *operations, size_t count);

// `threads` threads at once, each allocating (and, every other event, freeing what it allocated before) `events` times.
// Address and size tell thread and number: see ht_test_address.
typedef struct ht_test_production ht_test_production;
ht_test_production *ht_test_produce(uint32_t threads, uint32_t events, bool frees);
bool ht_test_production_ended(ht_test_production *production);
void ht_test_production_join(ht_test_production *production);
// The address of block `number` of the `thread`th producer, from 0.
uint64_t ht_test_address(uint32_t thread, uint32_t number);

// MARK: region.c: the shared region's free lists

typedef struct ht_test_lists {
    uint32_t segments_taken;  // distinct ones, until none was left
    uint32_t homes_taken;
    uint32_t taken_again;   // after all were given back
    uint32_t doubly_owned;  // taken by a thread while another had it
    uint32_t lost;          // not to be had after the threads gave everything back
} ht_test_lists;

ht_test_lists ht_test_exhaust(uint32_t segment_limit);
// Threads that take and give `rounds` times, holding up to `held` at once.
ht_test_lists ht_test_contend(uint32_t threads, uint32_t rounds, uint32_t held, uint32_t segment_limit);
// Segments to be had beside `live_homes` homes under a backlog.
uint32_t ht_test_backlog(uint32_t live_homes, uint32_t backlog);

// MARK: swift.c: the Swift runtime's allocation hook

// A runtime, or one that is not as the hook needs it.
enum ht_test_runtime {
    HT_TEST_RUNTIME_SOUND = 0,
    HT_TEST_RUNTIME_COUNTS = 1,    // retain and release go through their hooks in any mode but 0
    HT_TEST_RUNTIME_COUNTS_N = 2,  // those of several counts do
    HT_TEST_RUNTIME_WRITES = 3,    // every allocation through the hook writes the mode
    HT_TEST_RUNTIME_DEAF = 4,      // allocations never look at the hook
    HT_TEST_RUNTIME_TAKEN = 5,     // somebody's hooks are at work
    HT_TEST_RUNTIME_PARTIAL = 6,   // a symbol is missing
};

typedef struct ht_test_installation {
    bool installed;
    bool again;             // a second try says
    uint32_t mode;          // then
    bool has_own_allocate;  // the runtime's variable holds what it held
    bool has_own_counts;    // and so do those of retain and release
    uint32_t real_counts;   // retains and releases that reached the runtime's own functions while it was tried
    bool reaches_allocate;  // an allocation then ends in the runtime's own function
    uint64_t announced;     // the type that it left with the thread
} ht_test_installation;

// Installs the hook in a runtime of this kind (once a process each) and allocates an object of the type `type` through
// it. A session is on.
ht_test_installation ht_test_swift_install(uint32_t kind, uint64_t type);

// MARK: table.c: the table of stacks

typedef struct ht_test_table ht_test_table;
ht_test_table *ht_test_table_make(uint32_t first_lines);
void ht_test_table_free(ht_test_table *table);
void ht_test_table_reset(ht_test_table *table);
uint32_t ht_test_table_find(ht_test_table *table, uint64_t hash);
bool ht_test_table_insert(ht_test_table *table, uint64_t hash, uint32_t id);
uint32_t ht_test_table_levels(ht_test_table *table);
// Whether the newest level alone knows the hash.
bool ht_test_table_newest_holds(ht_test_table *table, uint64_t hash);

typedef struct ht_test_table_counts {
    uint64_t found, missing, wrong;
} ht_test_table_counts;
uint64_t ht_test_hash(uint64_t number);
// Each thread finds, else inserts, the keys 1 to `keys` (id = key), in an order of its own; then one thread looks all
// up.
ht_test_table_counts ht_test_table_contend(ht_test_table *table, uint32_t threads, uint32_t keys);

// MARK: rules.c: from unwind tables to rules

typedef struct ht_test_rule {
    uint32_t kind;
    int64_t offset;
    uint64_t saved;
} ht_test_rule;
ht_test_rule ht_test_rule_make(uint32_t kind, int32_t offset_words, uint32_t saved_words);

typedef struct ht_test_module {
    char path[1024];
    uint64_t bias;
    uint64_t start, end;  // its mapping
    uint64_t eh_frame_hdr;
    uint64_t segment_start, segment_end;  // the loaded segment that holds the unwind tables
} ht_test_module;
// The module of this process whose path ends in `name` ("" for the executable).
bool ht_test_find_module(const char *name, ht_test_module *module);
ht_test_rule ht_test_module_rule(const ht_test_module *module, uint64_t address);
// The rule for the address `pc` bytes after the start of an image that begins with its .eh_frame_hdr, mapped at a
// page's start.
ht_test_rule ht_test_image_rule(const uint8_t *image, size_t count, uint64_t pc);

typedef struct ht_test_comparison {
    uint64_t frames, rows;
    uint64_t equal;
    uint64_t beyond;  // rows the walker cannot express, for which it says so
    uint64_t differing;
    char first_difference[512];
} ht_test_comparison;
// Compares the rules of a loaded module at the first and last address of each row with `readelf
// --debug-dump=frames-interp`'s text.
ht_test_comparison ht_test_compare(const ht_test_module *module, const char *text, size_t count);

// Copies a module's unwind tables between pages that cannot be read, damages them in `changes` places and asks for 200
// rules, `rounds` times over. Returns how many answers were rules.
uint64_t ht_test_damage(const ht_test_module *module, uint32_t rounds, uint32_t changes, uint64_t seed);

// MARK: walk.c: walking stacks

enum ht_test_walk_kind {
    HT_TEST_WALK_PLAIN = 0,
    HT_TEST_WALK_WITHOUT_FRAME_POINTERS = 1,  // the frames between hold garbage in rbp
    HT_TEST_WALK_SIGNAL = 2,
    HT_TEST_WALK_SIGNAL_STACK = 3,  // the handler runs on an alternate stack
    HT_TEST_WALK_REALIGNED = 4,
    HT_TEST_WALK_LIBRARY = 5,  // through qsort's comparison
};

enum { HT_TEST_FRAMES = 1024 };

typedef struct ht_test_walk {
    uint32_t count, flags;
    uint64_t hash;
    uint64_t frames[HT_TEST_FRAMES];
    uint32_t reference_count;
    uint64_t reference[HT_TEST_FRAMES];  // of _Unwind_Backtrace; a frame that a signal interrupted as its address + 1
} ht_test_walk;

// Walks from `depth` calls deep on a new thread, with the stack's bounds known or not.
void ht_test_walk_stack(uint32_t kind, uint32_t depth, uint32_t limit, bool bounded, ht_test_walk *walk);
// The same from `threads` threads at once, `rounds` times each. Returns the walks that differed from the reference.
uint64_t ht_test_walk_threads(uint32_t threads, uint32_t rounds, uint32_t depth);
// Records an allocation at `address` below calls chosen by the bits of `path`, and says what the stack was. On a new
// thread.
typedef struct ht_test_path {
    uint64_t path;
    uint32_t depth;
    uint64_t address;
    const char *tag;  // NULL for none
} ht_test_path;
void ht_test_record_paths(const ht_test_path *paths, size_t count, ht_test_walk *walks);

// MARK: sampling.c

typedef struct ht_test_moments {
    double mean, variance;    // of the distances, in means of the distribution asked for
    double within_mean;       // share of distances of at most the mean
    double within_twentieth;  // and of at most a twentieth of it
    double lag_correlation;   // of each distance with the one before
} ht_test_moments;
ht_test_moments ht_test_distances(uint64_t seed, uint64_t mean, uint32_t count);
double ht_test_weight(uint64_t size, uint64_t mean);
double ht_test_log(double x);

// What threads do in a sampled recording, one after the other: each allocates `allocations` blocks of the sizes given,
// in turn, at the addresses of ht_test_address, `held` of them at most at a time; the oldest is freed then. At its end
// it frees all but `left`.
typedef struct ht_test_stream {
    uint32_t threads, allocations, held, left;
    const uint64_t *sizes;
    size_t size_count;
    bool at_once;  // the threads run side by side
} ht_test_stream;
void ht_test_sample_stream(const ht_test_stream *stream);

typedef struct ht_test_set_counts {
    uint64_t refused;    // insertions that failed
    uint64_t hidden;     // inserted blocks that the filter denied, or that could not be removed
    uint64_t strangers;  // blocks never inserted that could be removed
    uint64_t shown;      // of as many blocks never inserted, how many the filter lets through while all are in
    uint64_t left;       // blocks in the set at the end
    uint64_t stuck;      // blocks that the filter still shows at the end
} ht_test_set_counts;
// Each thread inserts its `blocks` blocks and removes them, every other one at once, the rest at the end.
ht_test_set_counts ht_test_sampled_set(uint32_t threads, uint32_t blocks);

// MARK: environment.c

// `text` holds entries, each followed by NUL; the result is written the same way to `out` (as large as `text`). Returns
// its bytes.
size_t ht_test_environment_clean(const char *text, size_t count, const char *allocator, char *out);
typedef struct ht_test_filled {
    size_t pointers_measured, bytes_measured;
    size_t pointers_used, bytes_used;  // of ours
    bool overrun;                      // something was written outside
    size_t count;                      // of out
} ht_test_filled;
ht_test_filled ht_test_environment_fill(const char *text, size_t count, const char *library, const char *allocator,
                                        bool child, char *out, size_t capacity);

// MARK: writers.c

typedef struct ht_test_written {
    int error;
    uint64_t written;
} ht_test_written;
// A header and `chunks` skippable chunks of `bytes` each, number i filled with i, through a buffer of `capacity`.
ht_test_written ht_test_write_chunks(int fd, size_t capacity, uint32_t chunks, uint32_t bytes);
// The same through a pipe that is read slowly: it takes a few bytes at a time, never blocks the writer when
// `nonblocking`, and else interrupts it by signals. What came out is put in `out`; returns its bytes.
size_t ht_test_write_through_pipe(size_t capacity, uint32_t chunks, uint32_t bytes, bool nonblocking, uint8_t *out,
                                  size_t out_capacity, ht_test_written *written);
// CRC-32C without the hardware's instruction.
uint32_t ht_test_crc32c_portable(uint32_t seed, const void *bytes, size_t count);
