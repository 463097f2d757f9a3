// Blocks that nobody frees, by three functions whose names are alike, for suppressions; and one that is freed late.
//   1009 bytes: 3 live, by cache_fill     2003: 1, by cache_fill     3001: 5, by table_fill     4001: 1, by
//   table_fill_more 5003: freed by an exit handler        "abort" ends the program by a signal before any handler runs
#include <stdlib.h>
#include <string.h>

static void *volatile last;

__attribute__((noinline)) static void *take(size_t size) { return last = malloc(size); }

__attribute__((noinline)) static void cache_fill(void) {
    for (int i = 0; i < 3; i++) take(1009);
    take(2003);
}

__attribute__((noinline)) static void table_fill(void) {
    for (int i = 0; i < 5; i++) take(3001);
}

__attribute__((noinline)) static void table_fill_more(void) { take(4001); }

static void *late;

static void release(void) { free(late); }

int main(int count, char **arguments) {
    cache_fill();
    table_fill();
    table_fill_more();
    late = malloc(5003);
    atexit(release);
    last = NULL;
    if (count > 1 && strcmp(arguments[1], "abort") == 0) abort();
    return 0;
}
