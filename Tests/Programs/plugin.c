// A plugin for plugin-host.c, built once for each name; SIZE and PLUGIN_FUNCTION, set by the build, tell them apart.
#include <stdlib.h>

__attribute__((noinline)) void *PLUGIN_FUNCTION(void) {
    char *block = malloc(SIZE);
    *(volatile char *)block = 1;
    return block;
}

__attribute__((visibility("default"))) void plugin_run(void) {
    void *block = PLUGIN_FUNCTION();
    __asm__ volatile("" : : "r"(block) : "memory");
    free(block);
}
