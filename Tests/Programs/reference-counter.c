// An independent count of heap calls, to hold Heaptrail's totals against. Preloaded alone or beside libheaptrail.so, it
// adds to one page of a shared file mapping with atomic adds and does nothing else: no stacks, no tables, no threads, no
// buffering. Whatever way the process ends, the page has every call that had returned by then.
//
//   REFERENCE_COUNTER_PAGE   the page's file, made by the caller; without it nothing is counted
//   REFERENCE_COUNTER_SKIP   base name of an executable that is not counted (a launcher on the way to the program)
//
// The first process that is not skipped owns the page. An exec in that process starts the counts again, so the page
// shows its last image alone; forked children count nothing (a wipe-on-fork word tells them), nor do their images.
//
// What counts: a call that returns a block is one allocation of the bytes requested; free of a non-null pointer is one
// free; a realloc that moves or keeps a block is one free and one allocation; realloc(NULL, n) an allocation;
// realloc(p, 0) that returns NULL a free. Failed calls count nothing. C++ operators are seen by the malloc beneath them.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

// The layout ReferenceCounter.swift reads: eight 64-bit words.
struct page {
    _Atomic uint64_t owner;          // process id, 0 while nobody owns the page
    _Atomic uint64_t images;         // how many images of the owner have counted
    _Atomic uint64_t allocations;
    _Atomic uint64_t frees;
    _Atomic uint64_t reallocations;  // those that were a free and an allocation, both counted above
    _Atomic uint64_t bytes;          // requested
    _Atomic uint64_t boot;           // calls served before the real allocator was known; not counted above
    _Atomic uint64_t reserved;
};

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static int (*real_posix_memalign)(void **, size_t, size_t);
static void *(*real_aligned_alloc)(size_t, size_t);
static void *(*real_memalign)(size_t, size_t);
static void *(*real_valloc)(size_t);
static void *(*real_pvalloc)(size_t);

static struct page *page;       // set once, before the first counted call
static _Atomic int *counting;   // 1 in the process that owns the page, wiped to 0 in a forked child
static _Atomic int state;       // 0 untouched, 1 a thread is setting up, 2 ready

// dlsym may allocate before the real functions are known; a few small blocks are served from here and never reused.
static char arena[16384] __attribute__((aligned(16)));
static _Atomic size_t arena_used;

static void *arena_take(size_t size) {
    size_t rounded = (size + 15) & ~(size_t)15;
    size_t start = atomic_fetch_add_explicit(&arena_used, rounded, memory_order_relaxed);
    return start + rounded <= sizeof arena ? arena + start : NULL;
}

static int arena_owns(const void *block) {
    uintptr_t address = (uintptr_t)block;
    return address >= (uintptr_t)arena && address < (uintptr_t)arena + sizeof arena;
}

static int is_skipped(void) {
    const char *skip = getenv("REFERENCE_COUNTER_SKIP");
    char executable[4096];
    ssize_t length = skip ? readlink("/proc/self/exe", executable, sizeof executable - 1) : -1;
    if (length < 0) return 0;
    executable[length] = 0;
    const char *slash = strrchr(executable, '/');
    return strcmp(slash ? slash + 1 : executable, skip) == 0;
}

static void open_page(void) {
    const char *path = getenv("REFERENCE_COUNTER_PAGE");
    if (!path || is_skipped()) return;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    void *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || word == MAP_FAILED || madvise(word, 4096, MADV_WIPEONFORK) != 0) return;

    struct page *candidate = shared;
    uint64_t self = (uint64_t)getpid();
    uint64_t owner = 0;
    if (!atomic_compare_exchange_strong(&candidate->owner, &owner, self) && owner != self) return;
    atomic_store(&candidate->allocations, 0);
    atomic_store(&candidate->frees, 0);
    atomic_store(&candidate->reallocations, 0);
    atomic_store(&candidate->bytes, 0);
    atomic_store(&candidate->boot, 0);
    atomic_fetch_add(&candidate->images, 1);
    page = candidate;
    counting = word;
    atomic_store(counting, 1);
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

// True once the real functions are known. The first caller sets up; its own nested calls, and calls of other threads
// meanwhile (there are none before main), are told to use the arena.
static int ready(void) {
    if (atomic_load_explicit(&state, memory_order_acquire) == 2) return 1;
    int untouched = 0;
    if (!atomic_compare_exchange_strong(&state, &untouched, 1)) return 0;
    int saved = errno;
    real_malloc = (void *(*)(size_t))next("malloc");
    real_calloc = (void *(*)(size_t, size_t))next("calloc");
    real_realloc = (void *(*)(void *, size_t))next("realloc");
    real_free = (void (*)(void *))next("free");
    real_posix_memalign = (int (*)(void **, size_t, size_t))next("posix_memalign");
    real_aligned_alloc = (void *(*)(size_t, size_t))next("aligned_alloc");
    real_memalign = (void *(*)(size_t, size_t))next("memalign");
    real_valloc = (void *(*)(size_t))next("valloc");
    real_pvalloc = (void *(*)(size_t))next("pvalloc");
    open_page();
    errno = saved;
    atomic_store_explicit(&state, 2, memory_order_release);
    return 1;
}

__attribute__((constructor)) static void start(void) { ready(); }

static int is_counting(void) { return counting && atomic_load_explicit(counting, memory_order_relaxed); }

static void add(_Atomic uint64_t *counter, uint64_t amount) {
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static void *count_allocation(void *block, size_t size) {
    if (block && is_counting()) {
        add(&page->allocations, 1);
        add(&page->bytes, size);
    }
    return block;
}

static void count_free(void) {
    if (is_counting()) add(&page->frees, 1);
}

static void *boot(size_t size) {
    if (page && is_counting()) add(&page->boot, 1);
    return arena_take(size);
}

// A block of the arena has no length of its own: copying up to `size` bytes, within the arena, is always allowed.
static void *leave_arena(const void *old, size_t size) {
    void *block = ready() ? count_allocation(real_malloc(size), size) : boot(size);
    size_t most = (size_t)(arena + sizeof arena - (const char *)old);
    if (block) memmove(block, old, size < most ? size : most);
    return block;
}

static void *count_reallocation(void *old, void *block, size_t size) {
    if (!is_counting()) return block;
    if (!block) {
        if (old && size == 0) add(&page->frees, 1);
        return block;
    }
    if (old) {
        add(&page->frees, 1);
        add(&page->reallocations, 1);
    }
    return count_allocation(block, size);
}

EXPORT void *malloc(size_t size) { return ready() ? count_allocation(real_malloc(size), size) : boot(size); }

EXPORT void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (!ready()) return __builtin_mul_overflow(count, size, &bytes) ? NULL : boot(bytes);
    return count_allocation(real_calloc(count, size), count * size);
}

static void *reallocate(void *old, size_t size) {
    if (arena_owns(old)) return leave_arena(old, size);
    if (!ready()) return boot(size);
    return count_reallocation(old, real_realloc(old, size), size);
}

EXPORT void *realloc(void *old, size_t size) { return reallocate(old, size); }

// glibc's reallocarray calls realloc by name and would be counted twice; this one is the same thing, counted once.
EXPORT void *reallocarray(void *old, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return reallocate(old, bytes);
}

EXPORT void free(void *block) {
    if (!block || arena_owns(block) || !ready()) return;
    count_free();
    real_free(block);
}

EXPORT int posix_memalign(void **block, size_t alignment, size_t size) {
    if (!ready()) return ENOMEM;
    int error = real_posix_memalign(block, alignment, size);
    if (error == 0) count_allocation(*block, size);
    return error;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    return ready() ? count_allocation(real_aligned_alloc(alignment, size), size) : NULL;
}

EXPORT void *memalign(size_t alignment, size_t size) {
    return ready() ? count_allocation(real_memalign(alignment, size), size) : NULL;
}

EXPORT void *valloc(size_t size) { return ready() ? count_allocation(real_valloc(size), size) : NULL; }

EXPORT void *pvalloc(size_t size) { return ready() ? count_allocation(real_pvalloc(size), size) : NULL; }
