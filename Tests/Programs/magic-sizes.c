// Blocks of sizes nothing else asks for, so that a trace can be held to exact counts.
//   1009 bytes: 300 allocated, 299 freed     2003 to 2011: one realloc pair     3001: calloc, 50, all freed
//   4001: reallocated 9 times in place or not, ends freed; 4001 + 16 each time
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    void *blocks[300];
    for (int i = 0; i < 300; i++) blocks[i] = memset(malloc(1009), 1, 1009);
    for (int i = 1; i < 300; i++) free(blocks[i]);

    void *block = malloc(2003);
    block = realloc(block, 2011);
    free(block);

    for (int i = 0; i < 50; i++) free(calloc(1, 3001));

    char *grown = malloc(4001);
    for (size_t i = 1; i < 10; i++) grown = realloc(grown, 4001 + 16 * i);
    free(grown);
    puts("done");
    return 3;
}
