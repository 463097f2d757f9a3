// Allocates before main, where a recorder may not be up: in an IFUNC resolver while the loader relocates, in
// constructors of every priority, in .preinit_array, and after main in destructors and exit handlers. 10 blocks of
// 23003 in the resolver (kept: nothing may be freed that early), of 23011 in the first constructor, 23017 in the last,
// 23021 in .preinit_array, 23027 in main, 23029 in an exit handler, 23039 in a destructor; each but the first freed.
// Prints "ok".
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void use(size_t size) {
    for (int i = 0; i < 10; i++) {
        char *volatile block = malloc(size);
        *block = 1;
        free(block);
    }
}

static int resolved(void) { return 7; }
static int (*resolve(void))(void) {
    for (int i = 0; i < 10; i++) {
        char *volatile block = malloc(23003);
        if (block) *block = 1;
    }
    return resolved;
}
int chosen(void) __attribute__((ifunc("resolve")));

__attribute__((constructor(101))) static void first(void) { use(23011); }
__attribute__((constructor)) static void last(void) { use(23017); }
static void before_all(int count, char **arguments, char **environment) {
    (void)count;
    (void)arguments;
    (void)environment;
    use(23021);
}
__attribute__((section(".preinit_array"), used)) static void (*preinit)(int, char **, char **) = before_all;
__attribute__((destructor)) static void destruct(void) { use(23039); }
static void at_exit(void) { use(23029); }

int main(void) {
    atexit(at_exit);
    use(23027);
    puts(chosen() == 7 ? "ok" : "not ok");
}
