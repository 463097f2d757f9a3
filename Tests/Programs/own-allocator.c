// A program with an allocator of its own: one linked statically (a .a file), or with -DOWN one written here, whose
// functions are made of each other as simple allocators' are, or with -DWRAPPER one that counts and calls libc's.
// Every function of the grid is called 100 times on each of `argv[1]` threads, with sizes nothing else asks for, and
// counted here: the program prints one line a size, "SIZE ALLOCATIONS FREES", then "resized N".
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef NAME
#define NAME(name) name
#endif

void *NAME(malloc)(size_t);
void *NAME(calloc)(size_t, size_t);
void *NAME(realloc)(void *, size_t);
void NAME(free)(void *);
void *NAME(memalign)(size_t, size_t);
void *NAME(aligned_alloc)(size_t, size_t);
int NAME(posix_memalign)(void **, size_t, size_t);
void *NAME(valloc)(size_t);

#ifdef OWN
// A bump allocator: a header before each block, nothing given back.
typedef struct header {
    size_t size;
    size_t pad;
} header;

static char arena[512 << 20] __attribute__((aligned(4096)));
static _Atomic size_t used;

void *NAME(malloc)(size_t size) {
    size_t need = (size + sizeof(header) + 15) & ~(size_t)15;
    if (need > sizeof arena || atomic_load(&used) > sizeof arena - need) {
        errno = ENOMEM;
        return NULL;
    }
    header *made = (header *)(arena + atomic_fetch_add(&used, need));
    made->size = size;
    return made + 1;
}

void NAME(free)(void *block) {
    if (block != NULL) ((header *)block)[-1].pad = 1;
}

void *NAME(calloc)(size_t count, size_t size) {
    void *block = NAME(malloc)(count * size);
    return block == NULL ? NULL : memset(block, 0, count * size);
}

void *NAME(realloc)(void *block, size_t size) {
    if (block == NULL) return NAME(malloc)(size);
    if (size == 0) {
        NAME(free)(block);
        return NULL;
    }
    void *moved = NAME(malloc)(size);
    if (moved == NULL) return NULL;
    size_t old = ((header *)block)[-1].size;
    memcpy(moved, block, old < size ? old : size);
    NAME(free)(block);
    return moved;
}

void *NAME(memalign)(size_t alignment, size_t size) {
    char *block = NAME(malloc)(size + alignment + sizeof(header));
    if (block == NULL) return NULL;
    uintptr_t at = ((uintptr_t)block + sizeof(header) + alignment - 1) & ~(uintptr_t)(alignment - 1);
    ((header *)at)[-1].size = size;
    return (void *)at;
}

void *NAME(aligned_alloc)(size_t alignment, size_t size) { return NAME(memalign)(alignment, size); }

int NAME(posix_memalign)(void **out, size_t alignment, size_t size) {
    void *block = NAME(memalign)(alignment, size);
    if (block != NULL) *out = block;
    return block == NULL ? ENOMEM : 0;
}

void *NAME(valloc)(size_t size) { return NAME(memalign)(4096, size); }
#endif

#ifdef WRAPPER
#define REAL(type, name, parameters) \
    static type(*real_##name) parameters; \
    if (real_##name == NULL) *(void **)&real_##name = dlsym(RTLD_NEXT, #name);

void *malloc(size_t size) {
    REAL(void *, malloc, (size_t))
    return real_malloc(size);
}
void free(void *block) {
    REAL(void, free, (void *))
    real_free(block);
}
void *calloc(size_t count, size_t size) {
    REAL(void *, calloc, (size_t, size_t))
    return real_calloc(count, size);
}
void *realloc(void *block, size_t size) {
    REAL(void *, realloc, (void *, size_t))
    return real_realloc(block, size);
}
#endif

// Through pointers that the compiler cannot see through, so that no call is inlined.
static void *(*volatile call_malloc)(size_t) = NAME(malloc);
static void *(*volatile call_calloc)(size_t, size_t) = NAME(calloc);
static void *(*volatile call_realloc)(void *, size_t) = NAME(realloc);
static void (*volatile call_free)(void *) = NAME(free);
static void *(*volatile call_memalign)(size_t, size_t) = NAME(memalign);
static void *(*volatile call_aligned_alloc)(size_t, size_t) = NAME(aligned_alloc);
static int (*volatile call_posix_memalign)(void **, size_t, size_t) = NAME(posix_memalign);
static void *(*volatile call_valloc)(size_t) = NAME(valloc);

enum { SIZES = 1 << 17, ROUNDS = 100 };
static _Atomic int made_of[SIZES], freed_of[SIZES], resized;

static void *made(void *block, size_t size, size_t alignment) {
    if (block == NULL || ((uintptr_t)block & (alignment - 1)) != 0) _exit(9);
    memset(block, 0x5a, size);
    atomic_fetch_add(&made_of[size], 1);
    return block;
}

static void freed(void *block, size_t size) {
    if (block == NULL || ((unsigned char *)block)[size - 1] != 0x5a) _exit(8);
    atomic_fetch_add(&freed_of[size], 1);
    call_free(block);
}

static void *resize(void *block, size_t old, size_t size) {
    void *moved = call_realloc(block, size);
    if (moved == NULL) _exit(7);
    if (((unsigned char *)moved)[(old < size ? old : size) - 1] != 0x5a) _exit(6);
    atomic_fetch_add(&freed_of[old], 1);
    atomic_fetch_add(&resized, 1);
    return made(moved, size, 8);
}

#ifdef EXTENDED
void *mallocx(size_t, int);
void *rallocx(void *, size_t, int);
size_t xallocx(void *, size_t, size_t, int);
void sdallocx(void *, size_t, int);
void dallocx(void *, int);

static void extended(void) {
    void *plain = made(mallocx(30011, 0), 30011, 8);
    void *aligned = made(mallocx(30013, 7), 30013, 128);
    atomic_fetch_add(&freed_of[30011], 1);
    atomic_fetch_add(&resized, 1);
    plain = made(rallocx(plain, 30029, 0), 30029, 8);
    xallocx(aligned, 30013, 0, 7);  // stays: no event
    atomic_fetch_add(&freed_of[30029], 1);
    sdallocx(plain, 30029, 0);
    atomic_fetch_add(&freed_of[30013], 1);
    dallocx(aligned, 7);
}
#else
static void extended(void) {}
#endif

static void *grid(void *unused) {
    for (int round = 0; round < ROUNDS; round++) {
        void *plain = made(call_malloc(20011), 20011, 8);
        void *zeroed = call_calloc(3, 6691);
        if (zeroed == NULL || *(char *)zeroed != 0 || ((char *)zeroed)[20072] != 0) _exit(5);
        zeroed = made(zeroed, 20073, 8);
        plain = resize(plain, 20011, 20021);
        plain = resize(plain, 20021, 20001);
        void *fresh = made(call_realloc(NULL, 20023), 20023, 8);
        void *aligned = made(call_memalign(64, 20029), 20029, 64);
        void *standard = made(call_aligned_alloc(256, 20224), 20224, 256);
        void *stored = NULL;
        if (call_posix_memalign(&stored, 4096, 20047) != 0) _exit(4);
        stored = made(stored, 20047, 4096);
        void *paged = made(call_valloc(20051), 20051, 4096);
        if (call_malloc((size_t)1 << 62) != NULL || call_calloc((size_t)1 << 62, 2) != NULL) _exit(3);
        if (call_realloc(fresh, (size_t)1 << 62) != NULL) _exit(3);
        call_free(NULL);
        extended();
        freed(plain, 20001);
        freed(zeroed, 20073);
        freed(fresh, 20023);
        freed(aligned, 20029);
        freed(standard, 20224);
        freed(stored, 20047);
        freed(paged, 20051);
    }
    return unused;
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? argv[1][0] - '0' : 1;
    pthread_t thread[9];
    for (int i = 1; i < threads; i++) pthread_create(&thread[i], NULL, grid, NULL);
    grid(NULL);
    for (int i = 1; i < threads; i++) pthread_join(thread[i], NULL);
    for (int size = 1; size < SIZES; size++) {
        if (made_of[size] != 0) printf("%d %d %d\n", size, made_of[size], freed_of[size]);
    }
    printf("resized %d\n", resized);
    return 0;
}
