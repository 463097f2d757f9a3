// Allocations 10 to 60 frames deep, without frame pointers: two mutually recursive functions, a pair of blocks made and
// freed at the bottom. usage: bench-deep DESCENTS

#include <stdio.h>
#include <stdlib.h>

static volatile unsigned long sink;

__attribute__((noinline)) static unsigned long odd(int depth, unsigned long seed);

__attribute__((noinline)) static unsigned long even(int depth, unsigned long seed) {
    if (depth == 0) {
        char *one = malloc(16 + seed % 200);
        char *two = malloc(16 + seed % 90);
        one[0] = (char)seed;
        two[0] = one[0];
        unsigned long value = (unsigned long)(unsigned char)two[0];
        free(one);
        free(two);
        return value;
    }
    // The addition after the call keeps it from being turned into a jump.
    return odd(depth - 1, seed * 7 + 1) + 1;
}

__attribute__((noinline)) static unsigned long odd(int depth, unsigned long seed) {
    if (depth == 0) return even(0, seed);
    return even(depth - 1, seed * 3 + 1) + 2;
}

int main(int argc, char **argv) {
    long descents = argc > 1 ? atol(argv[1]) : 300000;
    unsigned long total = 0;
    for (long i = 0; i < descents; i++) total += even(10 + (int)(i * 7 % 51), (unsigned long)i);
    sink = total;
    printf("%lu\n", total);
    return 0;
}
