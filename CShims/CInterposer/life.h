// The life cycle of recording in this process, and what every part of the recorder reads of it.
//
// clang-format off
//   UNBORN -- first hooked call --> BOOTING --> ON      a region was given: events are recorded
//                                           \-> OFF     nothing to record: hooks pass straight through
//   ON -- trouble, or the collector's death --> OFF     final
//   ON -- fork: the kernel wipes the child's switch --> OFF; or FOLLOW, where children are followed
//   FOLLOW -- the child's first event --> ON            in a trace of its own
// A process that runs already loads the library asleep:
//   UNBORN -- the launcher's call --> ON -- another --> OFF, and ON again in a region of its own
// clang-format on
#pragma once

#include "thread.h"

#include <heaptrail_region.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// The switch: one word on a page that the kernel wipes in a forked child (MADV_WIPEONFORK), raw clone included.
typedef struct ht_switch {
    _Atomic uint32_t on;
    _Atomic uint64_t sample_bytes;  // mean distance between samples, 0 when every event is recorded
    char page[4096 - 16];
} ht_switch;

extern ht_switch ht_power __attribute__((aligned(4096), visibility("hidden")));

// Whether events are to be recorded now. One load; the word is written twice in a process's life.
static inline bool ht_recording(void) {
    return __builtin_expect(atomic_load_explicit(&ht_power.on, memory_order_relaxed) != 0, 1);
}

// What a forked child does at its first event: set while the switch was on, survives the fork that wipes the switch.
enum ht_forks { HT_FORKS_PASSED = 0, HT_FORKS_FOLLOWED = 1, HT_FORKS_COUNTED = 2 };
extern _Atomic uint32_t ht_follow_forks;
extern ht_region *ht_region_shared;  // NULL unless recording has begun
extern bool ht_attached;             // recording was switched on in a process that ran already
extern uint32_t ht_options;          // ht_region_option, copied at the start
extern uint32_t ht_max_depth;
extern uint32_t ht_own_pid;                   // getpid() of the process that attached
extern uint32_t ht_epoch;                     // grows when a followed child starts anew
extern bool ht_thread_block_has_id;           // libc keeps the thread's id where we look for it
extern uintptr_t ht_self_start, ht_self_end;  // our own text: frames in it are not the program's
extern const uint8_t *ht_self_tables;         // our own .eh_frame_hdr

// Maps the shared region from a descriptor, as much of it as the address-space limit allows; NULL when it is not one.
ht_region *ht_life_map(int fd, size_t *mapped_bytes);
// The calling thread's id in the system. No system call where libc's thread block says it, and then right in a vfork
// child, too, which runs on its parent's thread.
uint32_t ht_thread_id(const ht_thread *self);
// Runs once, at the first hooked call or in the constructor, whichever is first.
void ht_life_start(void);
// In a forked child: asks the collector for a trace of its own where children are followed, else sees that it is
// counted, once. Returns whether recording is on now.
bool ht_life_follow(void);
// Turns recording off for good, with the reason (ht_loss_reason). Any thread.
void ht_life_turn_off(uint32_t reason);

// For a process that ran already (attached.c). Whether the library was loaded into it late, by dlopen.
bool ht_life_is_late(void);
// What needs the loader, ahead of everything else.
void ht_life_prepare(void);
// Switches recording on, into the region behind a descriptor, which is closed. All other threads stand still. Takes no
// lock.
bool ht_life_attach(int region_fd);
// Switches it off; threads that are inside the recorder finish what they do.
void ht_life_detach(void);
// Lets the region go, once no thread is inside.
void ht_life_unmap(void);
// Where the calling thread's stack ends, where nobody was there to see it begin.
uintptr_t ht_life_stack_top(void);
// How far down from its top that stack surely reaches: the kernel's limit for the first thread; for another the pages
// that can be read, of which 256 are asked for.
uintptr_t ht_life_stack_low(uintptr_t top);
