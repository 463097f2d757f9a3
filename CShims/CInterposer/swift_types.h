// Types of the Swift runtime: which type an allocation is of, told by the runtime's own hook, and what the trace is
// told of that type.
//
// - The runtime calls its hook (swift_hook.c) for every object, box and context. Ours leaves the metadata's address
//   with the thread and jumps on to the runtime's own function: no frame is added, nothing is to be undone.
// - malloc's hook takes the type when it is the call beneath: the same size, and a frame right below. What the runtime
//   allocates otherwise (caches, a signal handler in between) takes nothing.
// - A type met for the first time is described in the stream, its arguments first (swift_metadata.c): words of memory,
//   read after asking whether they are there. No function of the runtime's is ever called for it.
// - What only the block itself tells is read as it is freed (swift_freed.c): the type in an error box; any type where
//   the hook cannot be had.
#pragma once

#include "sample.h"
#include "table.h"
#include "thread.h"

enum {
    // From the runtime's hook down to malloc's: about 120 bytes. A signal's frame alone takes more than this.
    HT_TYPE_REACH = 1024,
    // What the table of known types holds of one.
    HT_TYPE_KNOWN = 1,
    HT_TYPE_ERROR = 2,
};

extern ht_table ht_types_known __attribute__((visibility("hidden")));
// What is looked at in a block that is freed: the number of live error boxes, and HT_TYPE_LOOKS_ALWAYS where no hook
// could be had. 0 in every program without Swift.
extern _Atomic uint32_t ht_type_looks __attribute__((visibility("hidden")));
enum { HT_TYPE_LOOKS_ALWAYS = 1 << 30 };

// In the runtime's hook, whose frame is given: notes what the call beneath will allocate. Cost: three stores.
static inline void ht_type_announce(const void *metadata, size_t size, const void *frame) {
    ht_thread *self = &ht_self;
    // A followed child's first event switches recording on.
    if (!ht_recording() && atomic_load_explicit(&ht_follow_forks, memory_order_relaxed) == 0) return;
    // A process attached to again keeps the hook of the time before.
    if (ht_options & HT_OPTION_NO_SWIFT_TYPES) return;
    // An allocation that is no sample would leave the type behind, for a stranger.
    if (ht_sampling() && !ht_sample_would_take(self, size)) return;
    self->type = (uintptr_t)metadata;
    self->type_size = size;
    self->type_frame = (uintptr_t)frame;
}

// Whether a type waits for its allocation. Cost: a load and a branch.
static inline bool ht_type_is_announced(void) { return __builtin_expect(ht_self.type != 0, 0); }

// The type of the allocation of `size` bytes at hand, 0 for none.
static inline uint64_t ht_type_take(ht_thread *self, size_t size, const void *frame) {
    uint64_t type = self->type;
    if (type == 0 || size != self->type_size || self->type_frame - (uintptr_t)frame >= HT_TYPE_REACH) return 0;
    self->type = 0;
    return type;
}

static inline uint64_t ht_type_hash(uint64_t type) {
    uint64_t hash = type * 0x9e3779b97f4a7c15ull;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93ull;
    return hash ^ hash >> 32;
}

// Describes a type in the stream, with all that it names. Returns what the table will say of it.
uint32_t ht_type_describe(ht_thread *self, ht_writer *writer, uint64_t type)
    __attribute__((cold, noinline, visibility("hidden")));

// Before a type is first named: sees that the stream has its description. One probe for a type that was met before.
void ht_type_define(ht_thread *self, ht_writer *writer, uint64_t type)
    __attribute__((cold, noinline, visibility("hidden")));

// The metadata of all error boxes, once one was met; 0 before.
extern _Atomic uint64_t ht_type_of_errors __attribute__((visibility("hidden")));

// A block of this type was made: an error box is looked at as it is freed. Cost: a load and a compare.
static inline void ht_type_note(uint64_t type) {
    if (__builtin_expect(atomic_load_explicit(&ht_type_of_errors, memory_order_relaxed) == type, 0))
        atomic_fetch_add_explicit(&ht_type_looks, 1, memory_order_relaxed);
}

// The type that a block about to be freed says it is of, described in the stream; 0 for none. The block is alive.
uint64_t ht_type_of_freed(ht_thread *self, ht_writer *writer, const void *block)
    __attribute__((cold, noinline, visibility("hidden")));

static inline bool ht_type_is_looked_at(void) {
    return __builtin_expect(atomic_load_explicit(&ht_type_looks, memory_order_relaxed) != 0, 0);
}

// Forgets which types a trace was told of.
void ht_types_reset(void);

struct link_map;
// Installs the hook in the runtimes that are there before main: the one that the program is linked with, or has within
// it. In the constructor, before any other's.
void ht_swift_start(void);
// A module was met for the first time: installs the hook where it is a runtime. Inside hooks.
void ht_swift_module(const struct link_map *module);
// In a process that runs already. What needs the loader or a file, first; then the hook, while all other threads stand
// still.
void ht_swift_prepare(void);
void ht_swift_attach(void);
