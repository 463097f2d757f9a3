// The names that people use for allocators.
#pragma once

// An allocator's name by its library's path: glibc for libc, jemalloc, mimalloc or tcmalloc for theirs, else the
// file's name. A constant, or the end of `path`. O(length).
const char *ht_allocator_name(const char *path);
