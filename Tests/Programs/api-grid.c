// Calls every allocation function of the C library and checks what it promises: alignment, contents, errno, usable
// size. Each has a size of its own, which a trace can be held to. Prints one line a usable size, the same on every run
// of one allocator, and "ok"; the first broken promise ends it with status 1. Events it makes, by size:
//   malloc 10007: 1, 1    calloc 10009: 1, 1    realloc(NULL) 10037 -> 10039: pair, 10039 freed by realloc(p, 0)
//   reallocarray(NULL) 3*3347=10041 -> 3*3349=10047: pair    posix_memalign 10061    aligned_alloc 10112
//   memalign 10067    valloc 10069    pvalloc 10079    free_sized 10091    free_aligned_sized 10176    cfree 10093
//   10099: a block whose reallocs fail and are no events
// The calls that succeed leave errno alone; of those that fail, one line each tells the errno, which is the C library's
// own.
#include "check.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile size_t huge = SIZE_MAX / 2 + 1, most = SIZE_MAX;  // more than an allocator can give

static int is_aligned(const void *block, size_t alignment) { return ((uintptr_t)block & (alignment - 1)) == 0; }

static void fill(void *block, size_t size) { memset(block, 0x5a, size); }

static int is_filled(const unsigned char *block, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (block[i] != 0x5a) return 0;
    return 1;
}

static void say(const char *name, void *block, size_t size) {
    size_t usable = malloc_usable_size(block);
    CHECK(usable >= size);
    // Read and write all of it: a recorder that took some of the block for itself shows here.
    fill(block, usable);
    printf("%s %zu\n", name, usable);
}

static void plain(void) {
    errno = 77;
    void *block = malloc(10007);
    CHECK(block && errno == 77 && is_aligned(block, 16));
    say("malloc", block, 10007);
    errno = 78;
    free(block);
    CHECK(errno == 78);
    errno = 79;
    free(NULL);
    CHECK(errno == 79);

    unsigned char *zeroed = calloc(10009, 1);
    CHECK(zeroed && errno == 79);
    for (int i = 0; i < 10009; i++) CHECK(zeroed[i] == 0);
    say("calloc", zeroed, 10009);
    free(zeroed);

    errno = 0;
    CHECK(malloc(huge) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(calloc(huge, 4) == NULL && errno == ENOMEM);
    block = malloc(0);
    CHECK(block);
    free(block);
}

static void reallocations(void) {
    errno = 81;
    unsigned char *block = realloc(NULL, 10037);
    CHECK(block && errno == 81);
    fill(block, 10037);
    block = realloc(block, 10039);
    CHECK(block && errno == 81 && is_filled(block, 10037));
    say("realloc", block, 10039);
    CHECK(realloc(block, 0) == NULL);

    block = reallocarray(NULL, 3, 3347);
    CHECK(block);
    fill(block, 10041);
    block = reallocarray(block, 3, 3349);
    CHECK(block && is_filled(block, 10041));
    say("reallocarray", block, 10047);
    errno = 0;
    CHECK(reallocarray(block, huge, 4) == NULL && errno == ENOMEM && is_filled(block, 10047));
    free(block);

    block = malloc(10099);
    fill(block, 10099);
    errno = 0;
    CHECK(realloc(block, huge) == NULL && errno == ENOMEM && is_filled(block, 10099));
    CHECK(realloc(block, huge) == NULL && is_filled(block, 10099));
    free(block);
}

static void aligned(void) {
    void *block = NULL;
    errno = 83;
    CHECK(posix_memalign(&block, 256, 10061) == 0 && is_aligned(block, 256) && errno == 83);
    say("posix_memalign", block, 10061);
    free(block);
    void *untouched = &block;
    CHECK(posix_memalign(&untouched, 24, 10061) == EINVAL && untouched == &block && errno == 83);
    block = aligned_alloc(128, 10112);
    CHECK(block && is_aligned(block, 128));
    say("aligned_alloc", block, 10112);
    free(block);
    block = memalign(64, 10067);
    CHECK(block && is_aligned(block, 64));
    say("memalign", block, 10067);
    free(block);
    block = valloc(10069);
    CHECK(block && is_aligned(block, 4096));
    say("valloc", block, 10069);
    free(block);
    block = pvalloc(10079);
    CHECK(block && is_aligned(block, 4096) && malloc_usable_size(block) >= 12288);
    printf("pvalloc %zu\n", malloc_usable_size(block));
    free(block);
}

// Functions that not every C library has: looked up, as a program built for a newer one would find them.
static void looked_up(void) {
    void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    void (*free_aligned_sized)(void *, size_t, size_t) =
        (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");
    void (*cfree)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "cfree");
    void *block = malloc(10091);
    errno = 85;
    if (free_sized) free_sized(block, 10091);
    else free(block);
    block = aligned_alloc(64, 10176);
    if (free_aligned_sized) free_aligned_sized(block, 64, 10176);
    else free(block);
    block = malloc(10093);
    if (cfree) cfree(block);
    else free(block);
    CHECK(errno == 85);
}

// A call that must succeed must also leave errno as it was.
#define QUIET(call)           \
    do {                      \
        errno = 91;           \
        void *block = (call); \
        CHECK(block != NULL); \
        CHECK(errno == 91);   \
        free(block);          \
        CHECK(errno == 91);   \
    } while (0)

static void leave_errno(void) {
    QUIET(malloc(1));
    QUIET(malloc(1 << 20));  // a mapping of its own
    QUIET(calloc(3, 5));
    QUIET(realloc(malloc(8), 3000));
    QUIET(realloc(malloc(1 << 20), 2 << 20));
    QUIET(reallocarray(NULL, 7, 9));
    QUIET(reallocarray(malloc(8), 70, 90));
    QUIET(aligned_alloc(64, 128));
    QUIET(memalign(1024, 10));
    QUIET(valloc(1));
    QUIET(pvalloc(1));
    void *block = malloc(100);
    errno = 92;
    CHECK(realloc(block, 0) == NULL && errno == 92);
    CHECK(malloc_usable_size(NULL) == 0 && errno == 92);
    CHECK(posix_memalign(&block, 32, 64) == 0 && errno == 92 && malloc_usable_size(block) >= 64 && errno == 92);
    free(block);
    CHECK(errno == 92);
}

// What a call that fails returns and leaves in errno.
#define FAILING(call)                                                         \
    do {                                                                      \
        errno = 93;                                                           \
        const void *block = (call);                                           \
        printf("%s: %s, errno %d\n", #call, block ? "block" : "null", errno); \
    } while (0)

static void fail(void) {
    FAILING(malloc(huge));
    FAILING(malloc(most));
    FAILING(calloc(huge, 4));
    FAILING(calloc(most, most));
    FAILING(calloc(1, huge));
    FAILING(realloc(NULL, huge));
    FAILING(reallocarray(NULL, huge, 4));
    FAILING(reallocarray(NULL, most, 1));
    FAILING(aligned_alloc(64, huge));
    FAILING(aligned_alloc(huge, 64));
    FAILING(memalign(64, huge));
    FAILING(memalign(most, 64));
    FAILING(valloc(huge));
    FAILING(valloc(most));
    FAILING(pvalloc(huge));
    FAILING(pvalloc(most));
    const size_t alignments[] = {0, 1, 4, 7, 24, huge}, sizes[] = {64, huge, most};
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 3; j++) {
            void *block = &block;
            errno = 94;
            int status = posix_memalign(&block, alignments[i], sizes[j]);
            printf("posix_memalign %zu %zu: %d, errno %d\n", alignments[i], sizes[j], status, errno);
            CHECK(status != 0 && block == &block);
        }
    }
}

int main(void) {
    plain();
    reallocations();
    aligned();
    looked_up();
    leave_errno();
    fail();
    puts("ok");
}
