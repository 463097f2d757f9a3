// Programs that give up what a recorder may rely on; the first argument names the way. Every way checks itself and
// prints "ok". 100 blocks of 21001 before, 1,000 of 21011 (freed) and one of 4 MiB + 7 after, from two threads.
//   seccomp: only the calls that allocating, printing and ending need; any other kills
//   strict: no memory may become executable, no new privileges, not dumpable      chroot: an empty root (root only)
//   user: another user and group, no capabilities (root only)                      limits: RLIMIT_AS, NOFILE, FSIZE,
//   CORE locked: all memory, present and future, locked      fds: every descriptor but 1 and 2 closed by close_range
//   namespace: forks into a new pid namespace, where the child allocates 21013 (root only)
//   daemon: daemon(3); the daemon allocates 21017       clone: a bare clone(SIGCHLD) child, 21019
//   title: writes a title over its arguments and cuts their list short, as servers do; then forks a child of 21031
//   itself: executes itself twice more, each image 100 blocks of 21023
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                            \
    do {                                                            \
        if (!(condition)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            _exit(1);                                               \
        }                                                           \
    } while (0)

static char *program, **all_arguments;

static void *take(size_t size) {
    char *volatile block = malloc(size);
    if (block) *block = 1;
    return block;
}

static void *work(void *unused) {
    for (int i = 0; i < 500; i++) free(take(21011));
    return unused;
}

// The second thread exists before the program confines itself.
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static void *work_later(void *unused) {
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return work(unused);
}

static void confine_calls(void) {
    static const int allowed[] = {SYS_write,    SYS_futex,      SYS_mmap,    SYS_munmap,         SYS_brk,
                                  SYS_mremap,   SYS_exit,       SYS_madvise, SYS_exit_group,     SYS_rt_sigprocmask,
                                  SYS_mprotect, SYS_newfstatat, SYS_rseq,    SYS_set_robust_list};
    enum { COUNT = sizeof allowed / sizeof allowed[0] };
    struct sock_filter filter[2 * COUNT + 2];
    size_t used = 0;
    filter[used++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT; i++) {
        filter[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
        filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog all = {.len = (unsigned short)used, .filter = filter};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &all) == 0);
}

static void be_strict(void) {
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
    prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0);  // newer kernels alone
}

static void enter_empty_root(void) {
    char folder[] = "/tmp/heaptrail-root-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    CHECK(chroot(folder) == 0 && chdir("/") == 0);
}

static void become_nobody(void) { CHECK(setgid(65534) == 0 && setuid(65534) == 0 && getuid() == 65534); }

static void limit(void) {
    struct rlimit little = {3, 3}, none = {0, RLIM_INFINITY}, space = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    CHECK(setrlimit(RLIMIT_NOFILE, &little) == 0);
    CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
    CHECK(setrlimit(RLIMIT_STACK, &none) == 0 || errno == EINVAL);
    CHECK(setrlimit(RLIMIT_AS, &space) == 0);
}

static void lock_memory(void) { (void)!mlockall(MCL_CURRENT | MCL_FUTURE); }

static void close_descriptors(void) { CHECK(syscall(SYS_close_range, 3, ~0u, 0) == 0); }

static void expect_child(pid_t child) {
    int status;
    CHECK(child > 0 && waitpid(child, &status, __WALL) == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

static void enter_namespace(void) {
    CHECK(unshare(CLONE_NEWPID) == 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 10; i++) free(take(21013));
        _exit(getpid() == 1 ? 5 : 6);
    }
    expect_child(child);
}

static void become_daemon(void) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t waiting = fork();
    if (waiting == 0) {
        CHECK(daemon(0, 0) == 0);
        for (int i = 0; i < 10; i++) free(take(21017));
        (void)!write(ends[1], "x", 1);
        _exit(5);
    }
    int status;
    char byte;
    CHECK(waitpid(waiting, &status, 0) == waiting && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(ends[1]);
    CHECK(read(ends[0], &byte, 1) == 1);
    close(ends[0]);
}

static void clone_bare(void) {
    pid_t child = (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
    if (child == 0) {
        for (int i = 0; i < 10; i++) free(take(21019));
        syscall(SYS_exit_group, 5);
    }
    expect_child(child);
}

static void show_title(void) {
    size_t room = strlen(all_arguments[0]) + 1 + strlen(all_arguments[1]);
    memset(all_arguments[0], 'x', room);
    all_arguments[1] = NULL;
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 10; i++) free(take(21031));
        _exit(5);
    }
    expect_child(child);
}

static void execute_itself(void) {
    const char *left = getenv("LEFT");
    for (int i = 0; i < 100; i++) take(21023);
    if (left != NULL && *left == '0') return;
    setenv("LEFT", left == NULL ? "1" : "0", 1);
    execl(program, program, "itself", (char *)NULL);
    CHECK(!"exec");
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } ways[] = {
        {"seccomp", confine_calls},
        {"strict", be_strict},
        {"chroot", enter_empty_root},
        {"user", become_nobody},
        {"limits", limit},
        {"locked", lock_memory},
        {"fds", close_descriptors},
        {"namespace", enter_namespace},
        {"daemon", become_daemon},
        {"clone", clone_bare},
        {"itself", execute_itself},
        {"title", show_title},
    };
    program = arguments[0];
    all_arguments = arguments;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (count < 2 || strcmp(arguments[1], ways[i].name) != 0) continue;
        pthread_t thread;
        for (int j = 0; j < 100; j++) take(21001);
        pthread_mutex_lock(&gate);
        CHECK(pthread_create(&thread, NULL, work_later, NULL) == 0);
        ways[i].run();
        pthread_mutex_unlock(&gate);
        work(NULL);
        free(take((4 << 20) + 7));
        pthread_join(thread, NULL);
        puts("ok");
        return 0;
    }
    return 64;
}
