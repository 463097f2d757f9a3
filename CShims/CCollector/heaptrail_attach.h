// What the launcher and the library that it loaded into a running process say to each other. The library exports one
// function, heaptrail_attach(operation, a, b, c); the launcher calls it on a thread it borrows (CAttach), while all
// other threads stand still but for the first operation. Plain data, for it is read from outside.
#pragma once

#include <stdint.h>

enum {
    HT_ATTACH_VERSION = 1,
    // Images whose functions are redirected: the one with malloc, an executable's own allocator, and libc for what is
    // no allocation.
    HT_ATTACH_GROUPS = 3,
    // Kinds of the last group, beyond ht_patch_kind.
    HT_ATTACH_KIND_DLCLOSE = 1000,
    HT_ATTACH_KIND_FORK = 1001,
};

enum ht_attach_operation {
    // Looks up what needs the loader's lock, once. Returns the address of the ht_attach_block.
    HT_ATTACH_PREPARE = 0,
    // (descriptor of the region) Switches recording on, with the slots that the block names; the descriptor is closed.
    // Returns 0, or an error number.
    HT_ATTACH_START = 1,
    // Switches recording off.
    HT_ATTACH_STOP = 2,
    // (address of an array of thread pointers, its count) Unmaps the region where no thread is inside the recorder.
    // Returns 1 when it is unmapped, 0 when a thread is inside.
    HT_ATTACH_CLEAR = 3,
};

enum ht_attach_state {
    HT_ATTACH_IDLE = 0,
    HT_ATTACH_RECORDING = 1,
    HT_ATTACH_PRELOADED = 2,  // the process was started under the recorder
};

// Redirected functions of one image. Written by the launcher; they stay for the next recording.
typedef struct ht_attach_group {
    uint64_t slots;  // address of the slots, 0 before the first recording
    uint64_t count;
    uint64_t code;  // address of their code
} ht_attach_group;

typedef struct ht_attach_block {
    uint32_t version;
    uint32_t state;           // ht_attach_state, as of the last operation
    uint32_t collector_pid;   // of the recording, where there is one
    uint32_t collector_died;  // it ended without detaching
    uint32_t mapped;          // a region of an earlier recording is still mapped
    uint32_t reserved;
    uint64_t allocator;  // address of the function that the program's malloc is
    ht_attach_group group[HT_ATTACH_GROUPS];
} ht_attach_block;
