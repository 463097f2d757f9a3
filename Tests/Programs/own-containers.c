// Containers and allocator wrappers of a program's own, for rules of a user's own
// (Sources/HeapAnalysis/Rules/README.md). The arena takes 4 blocks of 4099 bytes for 100 nodes of 128; 7 texts of 1013
// bytes come from the same wrapper of malloc.

#include <stdlib.h>
#include <string.h>

struct arena {
    char *block;
    size_t used, size;
};

__attribute__((noinline)) static void *checked_malloc(size_t size) {
    void *block = malloc(size);
    if (!block) abort();
    return block;
}

__attribute__((noinline)) static void arena_grow(struct arena *arena, size_t size) {
    arena->block = checked_malloc(size);
    arena->size = size;
    arena->used = 0;
}

__attribute__((noinline)) static void *arena_alloc(struct arena *arena, size_t size) {
    if (arena->used + size > arena->size) arena_grow(arena, 4099);
    void *node = arena->block + arena->used;
    arena->used += size;
    return node;
}

__attribute__((noinline)) static char *copy_text(const char *text) {
    char *copy = checked_malloc(1013);
    return strcpy(copy, text);
}

__attribute__((noinline)) static void parse(struct arena *arena) {
    for (int i = 0; i < 100; i++) *(int *)arena_alloc(arena, 128) = i;
}

int main(void) {
    static struct arena arena;
    static char *texts[7];
    parse(&arena);
    for (int i = 0; i < 7; i++) texts[i] = copy_text("text");
    for (int i = 0; i < 5; i++) free(texts[i]);
    return texts[6][0] == 't' ? 0 : 1;
}
