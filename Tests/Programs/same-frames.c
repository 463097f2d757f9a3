// Frames that look alike above callers that differ: `shared` and `block` are entered at the same stack pointer and return to the same
// places, first under `first`, then under `second`, in turn. A walk that reuses its predecessor without looking at the words further
// out shows every block under whoever came first. To be built with -O2 -fomit-frame-pointer. Blocks of 15101 bytes, 50 under each.
// Prints "ok".
#include <stdio.h>
#include <stdlib.h>

#define PLAIN __attribute__((noinline))

static volatile int one = 1;

PLAIN static int block(void) {
    void *made = malloc(15101);
    *(volatile char *)made = 1;
    free(made);
    return one;
}

PLAIN static int shared(void) { return block() + one; }

// Equal in everything but their address.
PLAIN static int first(void) { return shared() + one; }
PLAIN static int second(void) { return shared() + one + one; }

int main(void) {
    int sum = 0;
    for (int i = 0; i < 50; i++) {
        sum += first();
        sum += second();
    }
    puts(sum == 350 ? "ok" : "wrong");
    return 0;
}
