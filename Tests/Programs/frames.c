// Frames that no unwind table explains, or too many of them; the first argument names which. To be built with
// -O2 -fomit-frame-pointer. Every way checks itself and prints "ok".
//   jit: functions written into anonymous memory call malloc, 500 times with a frame pointer (blocks of 21001) and 500
//     times without (21011), by turns at the same address; then one more each from a page of its own that is unmapped
//     before the block is freed (21013, 21017)
//   deep: a block of 21019 at every 1,000th of 100,000 frames of recursion on the way down, another of 21023 on the way
//   up narrow: 64 threads with 16 KiB of stack that use all but 4 KiB of it before they allocate a block of 21031
#include "check.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PLAIN __attribute__((noinline))

typedef void *(*allocate)(size_t);

// A function that hands its argument to malloc and returns what that does.
static void write_code(unsigned char *at, int with_frame_pointer) {
    static const unsigned char enter[] = {0x55, 0x48, 0x89, 0xe5}, leave[] = {0x5d, 0xc3};  // push, mov; pop
    static const unsigned char lower[] = {0x48, 0x83, 0xec, 8}, raise[] = {0x48, 0x83, 0xc4, 8, 0xc3};  // sub; add
    static const unsigned char load[] = {0x48, 0xb8}, call[] = {0xff, 0xd0};                            // through rax
    uintptr_t target = (uintptr_t)malloc;
    memcpy(at, with_frame_pointer ? enter : lower, 4);
    memcpy(at + 4, load, sizeof load);
    memcpy(at + 6, &target, sizeof target);
    memcpy(at + 14, call, sizeof call);
    if (with_frame_pointer) memcpy(at + 16, leave, sizeof leave);
    else memcpy(at + 16, raise, sizeof raise);
}

static unsigned char *map_code(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    return page;
}

PLAIN void *call_generated(unsigned char *code, size_t size) {
    errno = 77;
    char *block = ((allocate)(uintptr_t)code)(size);
    CHECK(block != NULL && errno == 77 && ((uintptr_t)block & 15) == 0);
    memset(block, 0x5a, size);
    return block;
}

static void jit(void) {
    unsigned char *code = map_code();
    for (int i = 0; i < 1000; i++) {
        write_code(code, i % 2);
        free(call_generated(code, i % 2 ? 21001 : 21011));
    }
    munmap(code, 4096);
    for (int i = 0; i < 2; i++) {
        unsigned char *passing = map_code();
        write_code(passing, i);
        void *block = call_generated(passing, i ? 21013 : 21017);
        munmap(passing, 4096);
        free(block);
    }
}

static volatile int zero;

PLAIN static void take_and_free(size_t size) {
    unsigned char *block = malloc(size);
    CHECK(block != NULL);
    memset(block, 0x5a, size);
    free(block);
}

PLAIN int descend(int depth) {
    if (depth % 1000 == 0) take_and_free(21019);
    int below = depth == 100000 ? 0 : descend(depth + 1) + zero;
    if (depth % 1000 == 0) take_and_free(21023);
    return below + 1;
}

static void *descend_from_one(void *frames) {
    *(int *)frames = descend(1);
    return NULL;
}

static void on_stack(size_t size, int count, void *(*body)(void *), void *argument) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstacksize(&attributes, size) == 0);
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, &attributes, body, argument) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
}

static void deep(void) {
    int frames = 0;
    on_stack(64 << 20, 1, descend_from_one, &frames);
    CHECK(frames == 100000);
}

static void *use_most(void *unused) {
    // The thread's block and thread-local memory lie on the stack, too: what is left is measured from its lower end.
    pthread_attr_t attributes;
    void *low;
    size_t size;
    CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
    CHECK(pthread_attr_getstack(&attributes, &low, &size) == 0);
    pthread_attr_destroy(&attributes);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), room = here - (uintptr_t)low;
    volatile char *used = room > 4096 + 512 ? __builtin_alloca(room - 4096 - 256) : NULL;
    if (used != NULL) used[0] = 1;
    take_and_free(21031);
    return unused;
}

int main(int count, char **arguments) {
    const char *how = count > 1 ? arguments[1] : "";
    if (strcmp(how, "jit") == 0) jit();
    else if (strcmp(how, "deep") == 0) deep();
    else if (strcmp(how, "narrow") == 0)
        on_stack(PTHREAD_STACK_MIN > 16384 ? (size_t)PTHREAD_STACK_MIN : 16384, 64, use_most, NULL);
    else return 64;
    puts("ok");
    return 0;
}
