// The names through which a program makes threads, drops modules and becomes another program. Each wrapper keeps its
// function's contract to the letter; what they add is said beside it. dlopen is deepbind.c's.
#include "alone.h"
#include "definitions.h"
#include "environment.h"
#include "life.h"
#include "patch.h"
#include "readable.h"
#include "real.h"
#include "rule.h"
#include "shell.h"
#include "stack.h"
#include "swift_types.h"

#include <alloca.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <system.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { START_SLOTS = 4096 };

// What a new thread is to run, on its way through our entry function. Slots are taken with one exchange; when all are
// taken the thread starts without us and its stack is walked without bounds.
typedef struct thread_start {
    _Atomic uint32_t taken;
    void *(*run)(void *);
    void *argument;
    size_t stack_bytes;
} thread_start;

static thread_start starts[START_SLOTS];
static _Atomic uint32_t next_start;

// The outermost frame of every thread: marks where its stack ends for the walker.
static void *enter_thread(void *context) {
    thread_start *slot = context;
    void *(*run)(void *) = slot->run;
    void *argument = slot->argument;
    size_t stack_bytes = slot->stack_bytes;
    atomic_store_explicit(&slot->taken, 0, memory_order_release);
    // The thread's own block lies at the end of its stack, less than a page from it. Where libc gave a larger stack
    // than was asked for, the part below counts as another stack.
    uintptr_t low = (uintptr_t)__builtin_thread_pointer() + HT_PAGE - stack_bytes;
    ht_self.stack_top = (uintptr_t)__builtin_frame_address(0);
    ht_self.stack_low = low < ht_self.stack_top ? low : ht_self.stack_top;
    return run(argument);
}

// Bytes of stack that a thread made with these attributes has at least.
static size_t stack_bytes_of(const pthread_attr_t *attributes) {
    pthread_attr_t usual;
    size_t bytes = 0;
    // Neither call allocates, and there is nothing to destroy in attributes that were not changed.
    if (attributes == NULL && pthread_attr_init(&usual) != 0) return 0;
    if (pthread_attr_getstacksize(attributes == NULL ? &usual : attributes, &bytes) != 0) return 0;
    return bytes;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    if (!ht_ready()) return EAGAIN;
    if (ht_recording()) {
        for (int attempt = 0; attempt < 64; attempt++) {
            thread_start *slot = &starts[atomic_fetch_add_explicit(&next_start, 1, memory_order_relaxed) % START_SLOTS];
            if (atomic_exchange_explicit(&slot->taken, 1, memory_order_acquire) != 0) continue;
            slot->run = run;
            slot->argument = argument;
            slot->stack_bytes = stack_bytes_of(attributes);
            int status = ht_real.pthread_create(thread, attributes, enter_thread, slot);
            if (status != 0) atomic_store_explicit(&slot->taken, 0, memory_order_release);
            return status;
        }
    }
    return ht_real.pthread_create(thread, attributes, run, argument);
}

// A thread may be gone before the collector has read its name: it is noted as it is given, when it is the thread's own.
EXPORT int pthread_setname_np(pthread_t thread, const char *name) {
    if (!ht_ready()) return EAGAIN;
    int status = ht_real.pthread_setname_np(thread, name);
    if (status != 0 || !ht_recording() || !pthread_equal(thread, pthread_self())) return status;
    ht_thread *self = &ht_self;
    memset(self->name, 0, sizeof self->name);
    memcpy(self->name, name, strnlen(name, sizeof self->name - 1));
    if (self->epoch != ht_epoch || self->lane[0].segment == NULL) return status;  // its stream will open with it
    ht_writer *writer = ht_enter(self);
    if (writer == NULL) return status;
    if (writer == self->lane) ht_put_thread_name(self, writer);
    ht_leave(self);
    return status;
}

// After it, addresses may hold other code: rules are dropped and stacks of the same addresses get new ids.
EXPORT int dlclose(void *handle) {
    if (!ht_ready()) return -1;
    int status = ht_real.dlclose(handle);
    if (!ht_recording() || (ht_options & HT_OPTION_NO_STACKS)) return status;
    ht_thread *self = &ht_self;
    ht_writer *writer = ht_enter(self);
    if (writer == NULL) return status;
    if (ht_writer_reserve(self, writer, HT_RECORD_WORDS) && ht_modules_check(self, writer, ht_now())) {
        ht_stacks_new_generation();
        ht_rules_flush();
    }
    ht_leave(self);
    return status;
}

int ht_hook_dlclose(void *handle) __attribute__((alias("dlclose")));

// Inside the guard: an attached recorder's region goes away when nobody is.
static void count_child(void) {
    ht_thread *self = &ht_self;
    if (ht_enter(self) == NULL) return;
    ht_region *region = ht_region_shared;
    if (region != NULL) atomic_fetch_add_explicit(&region->unfollowed, 1, memory_order_relaxed);
    ht_leave(self);
}

EXPORT pid_t fork(void) {
    if (!ht_ready()) return -1;
    bool unfollowed = ht_recording() && !(ht_options & HT_OPTION_FOLLOW);
    bool outer = ht_self.forking;
    ht_self.forking = true;  // in the child, too, until its copy of this call returns
    pid_t child = ht_real.fork();
    ht_self.forking = outer;
    if (child > 0 && unfollowed) count_child();
    // The child is counted: its first event need not.
    if (child == 0 && unfollowed) atomic_store_explicit(&ht_follow_forks, HT_FORKS_PASSED, memory_order_relaxed);
    return child;
}

pid_t ht_hook_fork(void) __attribute__((alias("fork")));

// Whether an exec in this process goes on recording, and as what. Outside a recorded process, and in children that are
// not followed, the call passes unchanged.
static bool continues(enum ht_environment_role *role, bool spawned) {
    ht_region *region = ht_region_shared;
    if (region == NULL || region->collector_pid == 0 || ht_environment_library()[0] == 0) return false;
    if (atomic_load_explicit(&region->state, memory_order_relaxed) == HT_STATE_OFF) return false;
    bool own = !spawned && (uint32_t)ht_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) == ht_own_pid;
    if (own) {
        *role = HT_ROLE_IMAGE;
        return true;
    }
    *role = HT_ROLE_CHILD;
    if (ht_options & HT_OPTION_FOLLOW) return true;
    // vfork and spawn; a forked child was counted at its fork, one made by a bare clone was not.
    if (ht_recording()) count_child();
    else ht_life_follow();
    return false;
}

static void note_exec(enum ht_environment_role role, const char *path) {
    ht_region *region = ht_region_shared;
    if (role != HT_ROLE_IMAGE) {
        atomic_fetch_add_explicit(&region->announced, 1, memory_order_relaxed);
        return;
    }
    size_t length = strnlen(path, HT_PATH_MAX - 1);
    memcpy(region->exec_path, path, length);
    region->exec_path[length] = 0;
    atomic_store_explicit(&region->exec_pending, 1, memory_order_release);
}

static void exec_failed(enum ht_environment_role role) {
    if (role == HT_ROLE_IMAGE) atomic_store_explicit(&ht_region_shared->exec_pending, 0, memory_order_relaxed);
    else atomic_fetch_sub_explicit(&ht_region_shared->announced, 1, memory_order_relaxed);
}

// What ldd runs: the loader only prints what it would load, which must not be us.
static bool is_listing(char *const *environment) {
    const char *listing = ht_environment_get(environment, "LD_TRACE_LOADED_OBJECTS");
    return listing != NULL && *listing != 0;
}

// Runs `call` with `environment` replaced by one that carries our variables, when recording goes on. The copy lies on
// the stack: exec never returns, and in a vfork child the heap is the parent's.
#define WITH_ENVIRONMENT(path, spawned, call)                                                      \
    enum ht_environment_role role;                                                                 \
    char *const *inherited = environment;                                                          \
    if (environment == NULL || is_listing(environment) || !continues(&role, spawned)) return call; \
    ht_environment_size size = ht_environment_measure(inherited);                                  \
    char **copy = alloca(size.pointers * sizeof(char *));                                          \
    char *text = alloca(size.bytes);                                                               \
    ht_environment_fill(inherited, role, copy, text);                                              \
    environment = copy;                                                                            \
    note_exec(role, path);                                                                         \
    int status = call;                                                                             \
    if (status != 0) exec_failed(role);                                                            \
    return status

static int exec_path(const char *path, char *const *arguments, char *const *environment) {
    WITH_ENVIRONMENT(path, false, ht_real.execve(path, arguments, environment));
}

static int exec_search(const char *file, char *const *arguments, char *const *environment) {
    WITH_ENVIRONMENT(file, false, ht_real.execvpe(file, arguments, environment));
}

EXPORT int execve(const char *path, char *const *arguments, char *const *environment) {
    if (!ht_ready()) return -1;
    return exec_path(path, arguments, environment);
}

EXPORT int execv(const char *path, char *const *arguments) { return execve(path, arguments, environ); }

EXPORT int execvpe(const char *file, char *const *arguments, char *const *environment) {
    if (!ht_ready()) return -1;
    return exec_search(file, arguments, environment);
}

EXPORT int execvp(const char *file, char *const *arguments) { return execvpe(file, arguments, environ); }

EXPORT int fexecve(int fd, char *const *arguments, char *const *environment) {
    if (!ht_ready()) return -1;
    WITH_ENVIRONMENT("a program given by descriptor", false, ht_real.fexecve(fd, arguments, environment));
}

// The list forms gather their arguments on the stack. `first` counts as the first of them.
#define GATHER(list, first)                                  \
    size_t count = 1;                                        \
    va_list list;                                            \
    va_start(list, first);                                   \
    while (va_arg(list, const char *) != NULL) count++;      \
    va_end(list);                                            \
    char **arguments = alloca((count + 1) * sizeof(char *)); \
    arguments[0] = (char *)(uintptr_t)first;                 \
    va_start(list, first);                                   \
    for (size_t i = 1; i <= count; i++) arguments[i] = va_arg(list, char *)

EXPORT int execl(const char *path, const char *first, ...) {
    GATHER(list, first);
    va_end(list);
    return execve(path, arguments, environ);
}

EXPORT int execlp(const char *file, const char *first, ...) {
    GATHER(list, first);
    va_end(list);
    return execvpe(file, arguments, environ);
}

EXPORT int execle(const char *path, const char *first, ...) {
    GATHER(list, first);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return execve(path, arguments, environment);
}

static int spawn_path(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment) {
    WITH_ENVIRONMENT(path, true, ht_real.posix_spawn(child, path, actions, attributes, arguments, environment));
}

static int spawn_search(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment) {
    WITH_ENVIRONMENT(file, true, ht_real.posix_spawnp(child, file, actions, attributes, arguments, environment));
}

EXPORT int posix_spawn(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment) {
    if (!ht_ready()) return ENOMEM;
    return spawn_path(child, path, actions, attributes, arguments, environment);
}

EXPORT int posix_spawnp(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment) {
    if (!ht_ready()) return ENOMEM;
    return spawn_search(child, file, actions, attributes, arguments, environment);
}

EXPORT int system(const char *command) {
    if (!ht_ready()) return -1;
    enum ht_environment_role role;
    if (command == NULL || environ == NULL || !continues(&role, true)) return ht_real.system(command);
    return ht_shell_run(command);
}

EXPORT FILE *popen(const char *command, const char *mode) {
    if (!ht_ready()) return NULL;
    enum ht_environment_role role;
    if (command == NULL || environ == NULL || !continues(&role, true)) return ht_real.popen(command, mode);
    size_t bytes;
    char *wrapped = ht_shell_wrap(command, &bytes);
    if (wrapped == NULL) {
        count_child();
        return ht_real.popen(command, mode);
    }
    note_exec(role, "");
    FILE *result = ht_real.popen(wrapped, mode);
    int saved = errno;
    ht_unmap_pages(wrapped, bytes);
    if (result == NULL) exec_failed(role);
    errno = saved;
    return result;
}

// Where a thread of the program's own drains, what it has not written yet is written now. Not in a vfork child, which
// leaves its parent's memory this way.
static void finish_here(void) {
    // First of all whether there is such a thread: the program may have forbidden itself any other call by now.
    if (!ht_alone_runs()) return;
    int saved = errno;
    if ((uint32_t)ht_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) == ht_own_pid) ht_alone_finish();
    errno = saved;
}

EXPORT void _exit(int status) {
    finish_here();
    for (;;) ht_syscall(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

EXPORT void _Exit(int status) { _exit(status); }

// A program that never allocates before main is recorded from here on. In a process that ran already nothing happens
// until the launcher calls (attached.c).
extern void *__libc_stack_end;

// Constructors run after libc's own, but ours comes before every other's: what is called from it, an allocator that
// reads its settings (MALLOC_CONF), another preload, must find the environment that libc is about to set.
static void set_environment(void) {
    uintptr_t *top = __libc_stack_end;
    if (environ == NULL) environ = (char **)(top + 1) + (int)top[0] + 1;
}

__attribute__((constructor)) static void construct(void) {
    if (ht_life_is_late()) return;
    int saved = errno;
    set_environment();
    ht_alone_go_first();
    ht_ready();
    ht_patch_start(ht_patched_hook);
    ht_swift_start();
    ht_alone_constructed();
    // The first stream is opened now: what it opens with takes system calls that the program may forbid itself later.
    ht_thread *self = &ht_self;
    ht_writer *writer = ht_recording() ? ht_enter(self) : NULL;
    if (writer != NULL) {
        ht_writer_reserve(self, writer, HT_RECORD_WORDS);
        ht_leave(self);
    }
    errno = saved;
}

__attribute__((destructor)) static void destruct(void) { ht_alone_finish(); }
