// An allocator that gives a thousand blocks of 1,234 bytes and no more of them: a replay's failure, made on purpose.
// To be preloaded: cc -shared -fPIC -fno-builtin failing-allocator.c -o libfailing.so
#include <errno.h>
#include <stddef.h>
#include <string.h>

static _Alignas(16) char space[16 << 20];
static size_t used;
static int given;

void *malloc(size_t size) {
    if (size == 1234 && given++ >= 1000) {
        errno = ENOMEM;
        return NULL;
    }
    if (size > sizeof space - used - 16) return NULL;
    void *block = space + used;
    used += (size + 15) & ~(size_t)15;
    return block;
}

void free(void *block) { (void)block; }

void *calloc(size_t count, size_t size) { return malloc(count * size); }

void *realloc(void *block, size_t size) {
    void *moved = malloc(size);
    if (moved && block) memcpy(moved, block, size);
    return moved;
}
