// Which functions are measured: those that the loader bound malloc to, or a null allocator that shows what the replay
// itself costs. The null allocator gives the same few bytes to everyone, so that writing to a block costs the write
// and no memory.
#include "session.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    NULL_BYTES = 1 << 20,  // one thread's part: what a block of any size is folded into
    NULL_THREADS = 16,
};

static _Thread_local char *null_block;

__attribute__((noinline)) static void *null_allocate(size_t size) {
    (void)size;
    return null_block;
}

__attribute__((noinline)) static int null_allocate_aligned(void **pointer, size_t alignment, size_t size) {
    (void)alignment, (void)size;
    *pointer = null_block;
    return 0;
}

__attribute__((noinline)) static void *null_reallocate(void *pointer, size_t size) {
    (void)pointer, (void)size;
    return null_block;
}

__attribute__((noinline)) static void null_release(void *pointer) {
    // The call must not be taken away, as one without any effect would be.
    __asm__ volatile("" : : "r"(pointer) : "memory");
}

static char *null_region;

void ht_calls_enter_thread(ht_session *session, uint64_t stream) {
    if (session->request->null_allocator) null_block = null_region + (stream % NULL_THREADS) * (NULL_BYTES + 4096);
}

// Whether the function lies in the library that was asked for.
static bool is_of_library(const char *function, const char *library) {
    Dl_info found;
    void *address = dlsym(RTLD_DEFAULT, function);
    if (!address || !dladdr(address, &found) || !found.dli_fname) return false;
    if (library) {
        struct stat asked, had;
        return stat(library, &asked) == 0 && stat(found.dli_fname, &had) == 0 && asked.st_dev == had.st_dev &&
               asked.st_ino == had.st_ino;
    }
    const char *slash = strrchr(found.dli_fname, '/');
    return strncmp(slash ? slash + 1 : found.dli_fname, "libc", 4) == 0;
}

void ht_calls_find(ht_session *session) {
    session->touch_mask = UINT64_MAX;
    if (session->request->null_allocator) {
        null_region = ht_session_map(session, (size_t)NULL_THREADS * (NULL_BYTES + 4096));
        session->touch_mask = NULL_BYTES - 1;
        session->calls = (ht_calls){null_allocate, null_allocate_aligned, null_reallocate, null_release, NULL};
        return;
    }
    const char *library = session->request->library;
    if (!is_of_library("malloc", library) || !is_of_library("free", library)) {
        ht_session_fail(session, HT_REPLAY_WRONG_LIBRARY, 0, 0, 0);
    }
    session->calls = (ht_calls){malloc, posix_memalign, realloc, free, NULL};
    if (is_of_library("malloc_usable_size", library)) session->calls.usable = malloc_usable_size;
    session->result->has_usable = session->calls.usable != NULL;
}
