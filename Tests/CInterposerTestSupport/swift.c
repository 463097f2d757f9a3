// Swift runtimes made by hand, for the self-test of the allocation hook: what the real one does with its variables, and
// what another one might.
#include "session.h"

#include "swift_runtime.h"
#include "swift_types.h"

#include <string.h>

enum { KINDS = HT_TEST_RUNTIME_PARTIAL + 1, OBJECT_BYTES = 48 };

// One set of variables for each kind: a runtime is tried once.
static struct {
    uint8_t mode;
    void *allocate_hook, *retain_hook, *release_hook, *retain_n_hook, *release_n_hook;
} variables[KINDS];
static uint64_t object[OBJECT_BYTES / 8], empty[4];
static uint32_t counted, allocated, current;

static void *own_retain(void *of) {
    counted++;
    return of;
}
static void own_release(void *of) {
    (void)of;
    counted++;
}
static void *own_retain_n(void *of, uint32_t count) {
    (void)count;
    return own_retain(of);
}
static void own_release_n(void *of, uint32_t count) {
    (void)count;
    own_release(of);
}
static void *own_allocate(const void *metadata, size_t size, size_t mask) {
    (void)metadata, (void)size, (void)mask;
    allocated++;
    return object;
}

static bool uses_hooks(bool of_several) {
    uint8_t mode = variables[current].mode;
    if (mode == 1) return true;
    return mode != 0 && current == (of_several ? HT_TEST_RUNTIME_COUNTS_N : HT_TEST_RUNTIME_COUNTS);
}

#define CALL(field, type) ((type)(uintptr_t)variables[current].field)
static void *retain(void *of) { return uses_hooks(false) ? CALL(retain_hook, void *(*)(void *))(of) : own_retain(of); }
static void release(void *of) { uses_hooks(false) ? CALL(release_hook, void (*)(void *))(of) : own_release(of); }
static void *retain_n(void *of, uint32_t count) {
    return uses_hooks(true) ? CALL(retain_n_hook, void *(*)(void *, uint32_t))(of, count) : own_retain_n(of, count);
}
static void release_n(void *of, uint32_t count) {
    uses_hooks(true) ? CALL(release_n_hook, void (*)(void *, uint32_t))(of, count) : own_release_n(of, count);
}
// As swift_allocObject was compiled.
static void *allocate(const void *metadata, size_t size, size_t mask) {
    void *hook = variables[current].allocate_hook;
    if (hook == (void *)(uintptr_t)own_allocate || current == HT_TEST_RUNTIME_DEAF)
        return own_allocate(metadata, size, mask);
    if (variables[current].mode == 0 || current == HT_TEST_RUNTIME_WRITES) variables[current].mode = 1;
    return ((void *(*)(const void *, size_t, size_t))(uintptr_t)hook)(metadata, size, mask);
}

typedef struct trial {
    uint32_t kind;
    uint64_t type;
    ht_test_installation result;
} trial;

static void try(void *context) {
    trial *work = context;
    current = work->kind;
    variables[current].mode = current == HT_TEST_RUNTIME_TAKEN;
    variables[current].allocate_hook = (void *)(uintptr_t)own_allocate;
    variables[current].retain_hook = (void *)(uintptr_t)own_retain;
    variables[current].release_hook = (void *)(uintptr_t)own_release;
    variables[current].retain_n_hook = (void *)(uintptr_t)own_retain_n;
    variables[current].release_n_hook = (void *)(uintptr_t)own_release_n;
    ht_swift_runtime runtime = {
        .allocate_hook = &variables[current].allocate_hook,
        .mode = &variables[current].mode,
        .retain_hook = &variables[current].retain_hook,
        .release_hook = &variables[current].release_hook,
        .retain_n_hook = &variables[current].retain_n_hook,
        .release_n_hook = &variables[current].release_n_hook,
        .allocate = (void *)(uintptr_t)allocate,
        .retain = (void *)(uintptr_t)retain,
        .release = (void *)(uintptr_t)release,
        .retain_n = (void *)(uintptr_t)retain_n,
        .release_n = (void *)(uintptr_t)release_n,
        .immortal = current == HT_TEST_RUNTIME_PARTIAL ? NULL : empty,
    };
    ht_test_installation *result = &work->result;
    counted = 0;
    result->installed = ht_swift_install(&runtime);
    result->real_counts = counted;
    result->again = ht_swift_install(&runtime);
    result->mode = variables[current].mode;
    result->has_own_allocate = variables[current].allocate_hook == (void *)(uintptr_t)own_allocate;
    result->has_own_counts = variables[current].retain_hook == (void *)(uintptr_t)own_retain &&
                             variables[current].release_hook == (void *)(uintptr_t)own_release &&
                             variables[current].retain_n_hook == (void *)(uintptr_t)own_retain_n &&
                             variables[current].release_n_hook == (void *)(uintptr_t)own_release_n;
    allocated = 0;
    void *made = allocate((const void *)(uintptr_t)work->type, OBJECT_BYTES, 15);
    result->reaches_allocate = allocated == 1 && made == object;
    result->announced = ht_self.type;
}

ht_test_installation ht_test_swift_install(uint32_t kind, uint64_t type) {
    trial work = {.kind = kind, .type = type};
    ht_test_on_thread(try, &work, true);
    return work.result;
}
