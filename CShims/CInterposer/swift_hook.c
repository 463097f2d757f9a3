// The Swift runtime's allocation hook: finding it, proving that it may be used, installing it. Runs before main, or on
// the thread that loads a runtime later, or while all other threads of a process stand still; the hooks themselves run
// in the program's allocations.
//
// The runtime compares _swift_allocObject with its default on every allocation and jumps to what else it finds there.
// It then also writes 1 to the mode byte, unless that is not 0, and 1 sends retain and release through hooks of their
// own, which change strings that are no objects: programs crash. A 2, stored before, keeps it from being written, and
// retain and release compare with 1 alone. That is how the runtime was compiled, no promise: so it is tried first, with
// probes in place of the hooks, on an object that no count changes. What was found is put back when a probe is reached
// that should not be, or is not that should.
#include "swift_runtime.h"

#include "real.h"
#include "swift_types.h"

#include <link.h>
#include <stdint.h>
#include <system.h>

enum { RUNTIMES_MAX = 8, MODE_HOOKED = 1, MODE_OURS = 2, DUMMY_BYTES = 32 };

typedef void *(*allocate_function)(const void *metadata, size_t size, size_t alignment_mask);

// The runtime's own functions behind our hooks, and the variables that were tried, whatever came of it.
static allocate_function real_allocate[RUNTIMES_MAX];
static void *tried[RUNTIMES_MAX];
static _Atomic uint32_t tried_count;
// What was found for a process that runs already, until all its threads stand still.
static ht_swift_runtime awaited;
static bool has_started;  // before main: runtimes that are loaded later are looked at, too

#define HOOK(n)                                                                                  \
    static void *allocate_object_##n(const void *metadata, size_t size, size_t alignment_mask) { \
        ht_type_announce(metadata, size, __builtin_frame_address(0));                            \
        __attribute__((musttail)) return real_allocate[n](metadata, size, alignment_mask);       \
    }
HOOK(0)
HOOK(1)
HOOK(2)
HOOK(3)
HOOK(4)
HOOK(5)
HOOK(6)
HOOK(7)
static const allocate_function hooks[RUNTIMES_MAX] = {
    allocate_object_0, allocate_object_1, allocate_object_2, allocate_object_3,
    allocate_object_4, allocate_object_5, allocate_object_6, allocate_object_7,
};

// What stood in the runtime's variables before the probes, and what the probes saw. Only the thread that tries writes
// these.
enum { RETAIN, RELEASE, RETAIN_N, RELEASE_N, ALLOCATE, VARIABLES };
static void *saved[VARIABLES];
static void *immortal;
static uint32_t counts_seen, allocations_seen;
static uint64_t dummy[DUMMY_BYTES / 8];

// Another thread that comes by is passed on: where a runtime is loaded late, one may.
static void *probe_retain(void *object) {
    if (object != immortal) return ((void *(*)(void *))(uintptr_t)saved[RETAIN])(object);
    counts_seen++;
    return object;
}

static void probe_release(void *object) {
    if (object != immortal) ((void (*)(void *))(uintptr_t)saved[RELEASE])(object);
    else counts_seen++;
}

static void *probe_retain_n(void *object, uint32_t count) {
    if (object != immortal) return ((void *(*)(void *, uint32_t))(uintptr_t)saved[RETAIN_N])(object, count);
    counts_seen++;
    return object;
}

static void probe_release_n(void *object, uint32_t count) {
    if (object != immortal) ((void (*)(void *, uint32_t))(uintptr_t)saved[RELEASE_N])(object, count);
    else counts_seen++;
}

static void *probe_allocate(const void *metadata, size_t size, size_t alignment_mask) {
    if (metadata != dummy) return ((allocate_function)(uintptr_t)saved[ALLOCATE])(metadata, size, alignment_mask);
    allocations_seen++;
    return dummy;
}

static void *load(void *const *variable) { return __atomic_load_n(variable, __ATOMIC_ACQUIRE); }
// Release: what a hook reads is there before any thread can reach it.
static void store(void **variable, void *value) { __atomic_store_n(variable, value, __ATOMIC_RELEASE); }

static void count(const ht_swift_runtime *runtime) {
    ((void *(*)(void *))(uintptr_t)runtime->retain)(runtime->immortal);
    ((void (*)(void *))(uintptr_t)runtime->release)(runtime->immortal);
    if (runtime->retain_n != NULL) ((void *(*)(void *, uint32_t))(uintptr_t)runtime->retain_n)(runtime->immortal, 2);
    if (runtime->release_n != NULL) ((void (*)(void *, uint32_t))(uintptr_t)runtime->release_n)(runtime->immortal, 2);
}

// Whether retain and release pass their hooks by while the mode byte is ours, and allocations reach theirs.
static bool is_sound(const ht_swift_runtime *runtime) {
    void **variables[VARIABLES] = {runtime->retain_hook, runtime->release_hook, runtime->retain_n_hook,
                                   runtime->release_n_hook, runtime->allocate_hook};
    void *const probes[VARIABLES] = {(void *)(uintptr_t)probe_retain, (void *)(uintptr_t)probe_release,
                                     (void *)(uintptr_t)probe_retain_n, (void *)(uintptr_t)probe_release_n,
                                     (void *)(uintptr_t)probe_allocate};
    uint8_t *mode = runtime->mode;
    counts_seen = allocations_seen = 0;
    immortal = runtime->immortal;
    for (int i = 0; i < VARIABLES; i++) saved[i] = variables[i] == NULL ? NULL : load(variables[i]);
    for (int i = 0; i < VARIABLES; i++) {
        if (variables[i] != NULL) store(variables[i], probes[i]);
    }
    count(runtime);
    void *made = ((allocate_function)(uintptr_t)runtime->allocate)(dummy, DUMMY_BYTES, 15);
    count(runtime);
    for (int i = 0; i < VARIABLES; i++) {
        if (variables[i] != NULL) store(variables[i], saved[i]);
    }
    return counts_seen == 0 && allocations_seen == 1 && made == dummy &&
           __atomic_load_n(mode, __ATOMIC_RELAXED) == MODE_OURS;
}

static bool is_complete(const ht_swift_runtime *runtime) {
    return runtime->allocate_hook != NULL && runtime->mode != NULL && runtime->retain_hook != NULL &&
           runtime->release_hook != NULL && runtime->allocate != NULL && runtime->retain != NULL &&
           runtime->release != NULL && runtime->immortal != NULL;
}

bool ht_swift_install(const ht_swift_runtime *runtime) {
    if (runtime->allocate_hook == NULL) return false;
    uint32_t number = atomic_load_explicit(&tried_count, memory_order_acquire);
    void *now = load(runtime->allocate_hook);
    for (uint32_t i = 0; i < number && i < RUNTIMES_MAX; i++) {
        if (tried[i] == runtime->allocate_hook) return now == (void *)(uintptr_t)hooks[i];
    }
    number = atomic_fetch_add_explicit(&tried_count, 1, memory_order_acq_rel);
    if (number >= RUNTIMES_MAX) return false;
    tried[number] = runtime->allocate_hook;
    uint8_t *mode = runtime->mode;
    // Somebody else's hooks are at work where the byte is 1: they keep it.
    uint8_t before = is_complete(runtime) ? __atomic_load_n(mode, __ATOMIC_RELAXED) : MODE_HOOKED;
    if (before == MODE_HOOKED) return false;
    __atomic_store_n(mode, (uint8_t)MODE_OURS, __ATOMIC_SEQ_CST);
    if (!is_sound(runtime)) {
        __atomic_store_n(mode, before, __ATOMIC_SEQ_CST);
        return false;
    }
    *(void **)(void *)&real_allocate[number] = now;
    store(runtime->allocate_hook, (void *)(uintptr_t)hooks[number]);
    return true;
}

#define WEAK(field, symbol) extern char symbol[] __attribute__((weak));
HT_SWIFT_SYMBOLS(WEAK)
#undef WEAK

#define LINKED(field, symbol) .field = symbol,
#define FOUND(field, symbol) .field = ht_module_symbol(module, #symbol),
#define DEFINED(field, symbol) .field = ht_real_defined(#symbol),

static bool wants_types(void) { return ht_recording() && !(ht_options & HT_OPTION_NO_SWIFT_TYPES); }

static void look_always(void) {
    atomic_fetch_or_explicit(&ht_type_looks, HT_TYPE_LOOKS_ALWAYS, memory_order_relaxed);
    atomic_store_explicit(&ht_region_shared->no_swift_hook, 1, memory_order_relaxed);
}

void ht_swift_start(void) {
    if (!wants_types()) return;
    has_started = true;
    // The loader fills these in for a program that has the runtime as a library.
    ht_swift_runtime linked = {HT_SWIFT_SYMBOLS(LINKED)};
    bool has_swift = linked.allocate_hook != NULL;
    // Some of them, too, where the executable exports what it has within it.
    if (!is_complete(&linked)) {
        bool within;
        ht_swift_runtime found;
        if (ht_swift_find_static(&found, &within)) linked = found;
        has_swift |= within;
    }
    if (has_swift && !ht_swift_install(&linked)) look_always();
}

void ht_swift_module(const struct link_map *module) {
    // In a process attached to, its threads may all be in the runtime by now.
    if (!has_started || !wants_types()) return;
    void *hook = ht_module_symbol(module, "_swift_allocObject");
    if (hook == NULL) return;
    ht_swift_runtime found = {HT_SWIFT_SYMBOLS(FOUND)};
    if (!ht_swift_install(&found)) look_always();
}

void ht_swift_prepare(void) {
    bool has_swift;
    awaited = (ht_swift_runtime){HT_SWIFT_SYMBOLS(DEFINED)};
    if (!is_complete(&awaited)) ht_swift_find_static(&awaited, &has_swift);
}

void ht_swift_attach(void) {
    if (wants_types() && awaited.allocate_hook != NULL && !ht_swift_install(&awaited)) look_always();
}
