// The one list of what Heaptrail interposes. The table of real functions, their lookup and the exported-symbol check
// (scripts/build-interposer) derive from it. X(return type, name, parameters)
#pragma once

#include <dlfcn.h>
#include <pthread.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>

// clang-format off
#define HT_HOOKED_C(X)                                                 \
    X(void *, malloc, (size_t))                                        \
    X(void *, calloc, (size_t, size_t))                                \
    X(void *, realloc, (void *, size_t))                               \
    X(void *, reallocarray, (void *, size_t, size_t))                  \
    X(void, free, (void *))                                            \
    X(void, cfree, (void *))                                           \
    X(void, free_sized, (void *, size_t))                              \
    X(void, free_aligned_sized, (void *, size_t, size_t))              \
    X(int, posix_memalign, (void **, size_t, size_t))                  \
    X(void *, aligned_alloc, (size_t, size_t))                         \
    X(void *, memalign, (size_t, size_t))                              \
    X(void *, valloc, (size_t))                                        \
    X(void *, pvalloc, (size_t))

// operator new and new[]: plain, nothrow, aligned, aligned nothrow. The nothrow tag is passed by reference.
#define HT_HOOKED_NEW(X)                                               \
    X(void *, _Znwm, (size_t))                                         \
    X(void *, _Znam, (size_t))                                         \
    X(void *, _ZnwmRKSt9nothrow_t, (size_t, const void *))             \
    X(void *, _ZnamRKSt9nothrow_t, (size_t, const void *))             \
    X(void *, _ZnwmSt11align_val_t, (size_t, size_t))                  \
    X(void *, _ZnamSt11align_val_t, (size_t, size_t))                  \
    X(void *, _ZnwmSt11align_val_tRKSt9nothrow_t, (size_t, size_t, const void *)) \
    X(void *, _ZnamSt11align_val_tRKSt9nothrow_t, (size_t, size_t, const void *))

// operator delete and delete[]: plain, nothrow, sized, aligned, sized aligned, aligned nothrow.
#define HT_HOOKED_DELETE(X)                                            \
    X(void, _ZdlPv, (void *))                                          \
    X(void, _ZdaPv, (void *))                                          \
    X(void, _ZdlPvRKSt9nothrow_t, (void *, const void *))              \
    X(void, _ZdaPvRKSt9nothrow_t, (void *, const void *))              \
    X(void, _ZdlPvm, (void *, size_t))                                 \
    X(void, _ZdaPvm, (void *, size_t))                                 \
    X(void, _ZdlPvSt11align_val_t, (void *, size_t))                   \
    X(void, _ZdaPvSt11align_val_t, (void *, size_t))                   \
    X(void, _ZdlPvmSt11align_val_t, (void *, size_t, size_t))          \
    X(void, _ZdaPvmSt11align_val_t, (void *, size_t, size_t))          \
    X(void, _ZdlPvSt11align_val_tRKSt9nothrow_t, (void *, size_t, const void *)) \
    X(void, _ZdaPvSt11align_val_tRKSt9nothrow_t, (void *, size_t, const void *))

// jemalloc's extended interface.
#define HT_HOOKED_JEMALLOC(X)                                          \
    X(void *, mallocx, (size_t, int))                                  \
    X(void *, rallocx, (void *, size_t, int))                          \
    X(size_t, xallocx, (void *, size_t, size_t, int))                  \
    X(void, sdallocx, (void *, size_t, int))                           \
    X(void, dallocx, (void *, int))

// Where recording continues, begins or changes: threads, modules, processes.
#define HT_HOOKED_PROCESS(X)                                           \
    X(int, pthread_create, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)) \
    X(int, pthread_setname_np, (pthread_t, const char *))              \
    X(int, dlclose, (void *))                                          \
    X(void *, dlopen, (const char *, int))                             \
    X(void *, dlmopen, (Lmid_t, const char *, int))                    \
    X(pid_t, fork, (void))                                             \
    X(int, execve, (const char *, char *const *, char *const *))       \
    X(int, execv, (const char *, char *const *))                       \
    X(int, execvp, (const char *, char *const *))                      \
    X(int, execvpe, (const char *, char *const *, char *const *))      \
    X(int, fexecve, (int, char *const *, char *const *))               \
    X(int, execl, (const char *, const char *, ...))                   \
    X(int, execlp, (const char *, const char *, ...))                  \
    X(int, execle, (const char *, const char *, ...))                  \
    X(int, posix_spawn, (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *, char *const *)) \
    X(int, posix_spawnp, (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *, char *const *)) \
    X(int, system, (const char *))                                     \
    X(FILE *, popen, (const char *, const char *))                     \
    X(void, _exit, (int))                                              \
    X(void, _Exit, (int))

#define HT_HOOKED(X) HT_HOOKED_C(X) HT_HOOKED_NEW(X) HT_HOOKED_DELETE(X) HT_HOOKED_JEMALLOC(X) HT_HOOKED_PROCESS(X)
// clang-format on
