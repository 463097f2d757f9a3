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

// The module whose malloc the program gets, and ours.
typedef struct places {
    const struct link_map *first, *ours;
} places;

static places find_places(void) {
    places found = {0};
    struct dl_find_object own;
    if (_dl_find_object((void *)(uintptr_t)again, &own) != 0) return found;
    found.ours = own.dlfo_link_map;
    const struct link_map *module = found.ours;
    while (module->l_prev != NULL) module = module->l_prev;
    // The kernel's own library has no such name, and its addresses are not relocated.
    while (module != found.ours &&
           (strncmp(module->l_name, "linux-vdso", 10) == 0 || !ht_module_may_define(module, "malloc")))
        module = module->l_next;
    found.first = module;
    return found;
}

static bool is_allocator(const struct link_map *module) {
    static const char *const names[] = {"mallctl",  "mi_malloc",         "tc_malloc", "rpmalloc",
                                        "snmalloc", "hoard_malloc_init", "je_malloc", "scalable_malloc"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (ht_module_may_define(module, names[i])) return true;
    }
    return false;
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
    uintptr_t *top = __libc_stack_end;
    char **arguments = (char **)(top + 1);
    char **environment = arguments + (int)top[0] + 1;
    const char *output = ht_environment_get(environment, "HEAPTRAIL_OUTPUT");
    const char *format = ht_environment_get(environment, "HEAPTRAIL_FORMAT");
    if ((output == NULL || *output == 0) && (format == NULL || strcmp(format, "text") != 0)) return;
    places place = find_places();
    // The executable comes before every preload: its own malloc is redirected, not overtaken.
    if (place.ours == NULL || place.first == place.ours || place.first->l_prev == NULL || !is_allocator(place.first))
        return;
    if (ht_environment_get(environment, "HEAPTRAIL_AGAIN") == NULL)
        execute_again(place.ours->l_name, arguments, environment);
    say("heaptrail: nothing is recorded: ");
    say(place.first->l_name);
    say(" was preloaded first and serves malloc; put libheaptrail.so before it\n");
}
