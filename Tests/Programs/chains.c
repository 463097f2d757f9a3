// Buffers that grow by realloc, each kind in a function of its own. Lines: `growth FUNCTION steps=N in_place=N moved=BYTES`, as the addresses tell.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *volatile kept;

// Another block behind each, so that no buffer can stay where it is.
__attribute__((noinline)) static void grow_moving(void) {
    size_t size = 24;
    char *buffer = malloc(size);
    void *behind[16];
    int blocks = 0;
    int steps = 0;
    size_t moved = 0;
    int in_place = 0;
    while (size < 40000) {
        behind[blocks++] = malloc(24);
        uintptr_t old = (uintptr_t)buffer;
        buffer = realloc(buffer, size * 2);
        if ((uintptr_t)buffer == old) {
            in_place++;
        } else {
            moved += size;
        }
        size *= 2;
        steps++;
    }
    memset(buffer, 1, size);
    kept = buffer;
    free(buffer);
    while (blocks > 0) free(behind[--blocks]);
    printf("growth grow_moving steps=%d in_place=%d copied=%zu final=%zu\n", steps, in_place, moved, size);
}

// At the end of the heap: it stays where it is.
__attribute__((noinline)) static void grow_in_place(void) {
    size_t size = 70000;
    char *buffer = malloc(size);
    int steps = 0;
    int in_place = 0;
    size_t moved = 0;
    while (size < 100000) {
        uintptr_t old = (uintptr_t)buffer;
        buffer = realloc(buffer, size + 5000);
        if ((uintptr_t)buffer == old) {
            in_place++;
        } else {
            moved += size;
        }
        size += 5000;
        steps++;
    }
    kept = buffer;
    free(buffer);
    printf("growth grow_in_place steps=%d in_place=%d copied=%zu final=%zu\n", steps, in_place, moved, size);
}

// Larger than what glibc keeps in its heap: it moves pages.
__attribute__((noinline)) static void grow_pages(void) {
    size_t size = 1 << 20;
    char *buffer = malloc(size);
    int steps = 0;
    while (size < (size_t)64 << 20) {
        buffer = realloc(buffer, size * 2);
        size *= 2;
        steps++;
    }
    kept = buffer;
    free(buffer);
    printf("growth grow_pages steps=%d copied=0 final=%zu\n", steps, size);
}

__attribute__((noinline)) static void shrink(void) {
    for (int number = 0; number < 9; number++) {
        void *buffer = malloc(4000);
        buffer = realloc(buffer, 100);
        kept = buffer;
        free(buffer);
    }
    printf("growth shrink steps=0\n");
}

// A larger block for a smaller one, nothing copied: no growth.
__attribute__((noinline)) static void replace(void) {
    void *last = malloc(16);
    for (size_t number = 2; number < 30; number++) {
        void *next = malloc(number * 16);
        free(last);
        last = next;
    }
    kept = last;
    free(last);
    printf("growth replace steps=0\n");
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    grow_moving();
    grow_in_place();
    grow_pages();
    shrink();
    replace();
    return 0;
}
