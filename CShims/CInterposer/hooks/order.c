// Where another allocator was preloaded in front of us (LD_PRELOAD="libjemalloc.so.2 libheaptrail.so"), the program's
// calls end there and no hook is ever reached. Runs once, in the constructor, before main: finds that out and executes
// the program again with ourselves first, in the same process. A library in front that hands its calls on is left where
// it is.
#include "alone.h"
#include "environment.h"
#include "real.h"

#include <alloca.h>
#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <system.h>

extern void *__libc_stack_end;

static const char again[] = "HEAPTRAIL_AGAIN=1";

static struct link_map *module_of(const void *address) {
    struct dl_find_object found;
    return _dl_find_object((void *)(uintptr_t)address, &found) == 0 ? found.dlfo_link_map : NULL;
}

// Whether calls come to us. Nobody has called a hook so far, so whoever is in front gets one call to hand on; it fails,
// silently, and so is no event.
static bool is_reached(void **first) {
    *first = dlsym(RTLD_DEFAULT, "malloc");
    if (*first == NULL || module_of(*first) == module_of(again)) return true;
    // The executable's own malloc comes before every preload: its functions are redirected instead (patch.h).
    struct link_map *front = module_of(*first);
    if (front == NULL || front->l_name[0] == 0) return true;
    void *(*make)(size_t, size_t) = NULL;
    *(void **)(void *)&make = dlsym(RTLD_DEFAULT, "calloc");
    if (module_of((const void *)(uintptr_t)make) == module_of(again)) return false;  // in front, but not of all
    if (make != NULL) (void)!make(SIZE_MAX, SIZE_MAX);
    return ht_boot_state != HT_BOOT_UNBORN;
}

static void say(const char *text) { ht_syscall(SYS_write, 2, (long)text, (long)strlen(text), 0, 0, 0); }

// The path to execute: as it was, so that the process keeps its name, where that still is this program; else the
// executable itself (a script's interpreter). NULL where there is none to be had, or the loader was called by name.
static const char *own_path(char *buffer, size_t size) {
    struct stat named, running;
    const char *path = (const char *)getauxval(AT_EXECFN);
    long length = ht_syscall(SYS_readlink, (long)"/proc/self/exe", (long)buffer, (long)size - 1, 0, 0, 0);
    if (length <= 0 || stat("/proc/self/exe", &running) != 0) return NULL;
    buffer[length] = 0;
    if (getauxval(AT_BASE) == 0) return NULL;
    return path != NULL && stat(path, &named) == 0 && named.st_dev == running.st_dev && named.st_ino == running.st_ino
               ? path
               : buffer;
}

// Executes the program with `ours` at the head of LD_PRELOAD. Returns only where that failed.
static void execute_again(const char *ours, char **arguments, char **environment) {
    char path_buffer[4096];
    const char *path = own_path(path_buffer, sizeof path_buffer);
    if (path == NULL) return;
    const char *preloads = ht_environment_get(environment, "LD_PRELOAD");
    size_t count = 0;
    while (environment[count] != NULL) count++;
    char **copy = alloca((count + 3) * sizeof *copy);
    char *text = alloca(sizeof "LD_PRELOAD=:" + strlen(ours) + (preloads == NULL ? 0 : strlen(preloads)));
    char *out = stpcpy(stpcpy(text, "LD_PRELOAD="), ours);
    if (preloads != NULL && *preloads != 0) stpcpy(stpcpy(out, ":"), preloads);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environment[i], "LD_PRELOAD=", 11) != 0) copy[used++] = environment[i];
    }
    copy[used++] = text;
    copy[used++] = (char *)(uintptr_t)again;
    copy[used] = NULL;
    ht_syscall(SYS_execve, (long)path, (long)arguments, (long)copy, 0, 0, 0);
}

void ht_alone_go_first(void) {
    if (ht_boot_state != HT_BOOT_UNBORN) return;
    uintptr_t *top = __libc_stack_end;
    char **arguments = (char **)(top + 1);
    char **environment = arguments + (int)top[0] + 1;
    const char *output = ht_environment_get(environment, "HEAPTRAIL_OUTPUT");
    const char *format = ht_environment_get(environment, "HEAPTRAIL_FORMAT");
    if ((output == NULL || *output == 0) && (format == NULL || strcmp(format, "text") != 0)) return;
    void *first;
    if (is_reached(&first)) return;
    struct link_map *front = module_of(first), *ours = module_of(again);
    // Whoever came first a second time is where it is for a reason of its own.
    bool movable = ours != NULL && ht_environment_get(environment, "HEAPTRAIL_AGAIN") == NULL;
    if (movable) execute_again(ours->l_name, arguments, environment);
    say("heaptrail: nothing is recorded: malloc is ");
    say(front->l_name);
    say("'s, which was preloaded first; put libheaptrail.so before it\n");
}
