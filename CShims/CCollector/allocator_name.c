// By the file's name alone: runs in the collector, and where there is none on the drain thread inside the program.
#include "allocator_name.h"

#include <stddef.h>
#include <string.h>

const char *ht_allocator_name(const char *path) {
    static const char *const known[] = {"jemalloc", "mimalloc", "tcmalloc"};
    const char *name = strrchr(path, '/');
    name = name == NULL ? path : name + 1;
    if (strncmp(name, "libc.so", 7) == 0 || strncmp(name, "libc-", 5) == 0) return "glibc";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strncmp(name, "lib", 3) == 0 && strncmp(name + 3, known[i], strlen(known[i])) == 0) return known[i];
    }
    return name;
}
