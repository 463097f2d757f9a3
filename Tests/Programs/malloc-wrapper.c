// A library to be preloaded that serves malloc, by libc's own: what the program runs on is this file.
#include <stddef.h>

void *__libc_malloc(size_t size);

void *malloc(size_t size) { return __libc_malloc(size); }
