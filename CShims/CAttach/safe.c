// Judged by the thread's call stack, walked by libdw. Borrowed is a thread that runs the program's own code, or that
// is in a system call that libc makes on the program's behalf. What libc does beside that is not looked into: the
// thread is asked again a moment later.
#include "safe.h"

#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

// libc's functions that hold, somewhere inside, a lock that dlopen takes.
// clang-format off
static const char *const locking[] = {
    "malloc", "calloc", "realloc", "free", "memalign", "aligned_alloc", "posix_memalign", "valloc", "pvalloc",
    "reallocarray", "malloc_trim", "malloc_info", "mallinfo", "mallinfo2", "mallopt", "malloc_stats",
    "malloc_usable_size", "dlopen", "dlclose", "dlsym", "dlvsym", "dlerror", "dladdr", "dladdr1", "dlinfo", "dlmopen",
    "dl_iterate_phdr", "__libc_dlopen_mode", "__libc_dlsym", "__libc_dlclose", "pthread_create", "pthread_exit",
    "pthread_getattr_np", "pthread_attr_setstacksize", "fork", "_Fork", "vfork", "__libc_freeres",
    "__libc_thread_freeres", "__lll_lock_wait_private", "__cxa_thread_atexit_impl",
};
// clang-format on
enum { LOCKING_COUNT = sizeof locking / sizeof locking[0], FRAMES_MAX = 2048 };

// System calls by which memory, threads and programs come and go: libc makes them under its locks.
static const uint16_t changing[] = {
    SYS_mmap,    SYS_munmap,     SYS_mremap,       SYS_brk,        SYS_mprotect,
    SYS_madvise, SYS_clone,      SYS_clone3,       SYS_fork,       SYS_vfork,
    SYS_execve,  SYS_exit,       SYS_execveat,     SYS_exit_group, SYS_set_robust_list,
    SYS_rseq,    SYS_arch_prctl, SYS_rt_sigreturn,
};

struct ht_judge {
    Dwfl *unwinder;
    const ht_image *libc, *loader, *allocator;  // the last: NULL where libc is the allocator
    ht_images images;
    ht_function functions[LOCKING_COUNT];
};

typedef struct frames {
    uint64_t pc[FRAMES_MAX];
    size_t count;
} frames;

static int find_nothing(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, const char *file,
                        const char *link, GElf_Word checksum, char **found) {
    (void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)checksum, (void)found;
    return -1;  // unwind tables are in the modules themselves
}

static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = find_nothing};

ht_judge *ht_judge_make(const ht_images *images, pid_t pid) {
    ht_judge *judge = calloc(1, sizeof *judge);
    if (judge == NULL) return NULL;
    judge->images = *images;
    judge->libc = ht_images_named(images, "libc");
    judge->loader = ht_images_named(images, "ld-linux-x86-64");
    if (judge->loader == NULL) judge->loader = ht_images_named(images, "ld");
    if (judge->libc != NULL) ht_image_functions(images, judge->libc, locking, LOCKING_COUNT, judge->functions);
    // An allocator in a library of its own: nothing of it is borrowed.
    static const char *const name[] = {"malloc"};
    for (size_t i = 0; i < images->count && judge->allocator == NULL; i++) {
        const ht_image *image = &images->all[i];
        ht_function found;
        if (image == judge->libc || image == judge->loader || strstr(image->path, ".so") == NULL ||
            strstr(image->path, "/libheaptrail.so") != NULL)
            continue;
        if (ht_image_functions(images, image, name, 1, &found) && found.address != 0) judge->allocator = image;
    }
    judge->unwinder = dwfl_begin(&callbacks);
    if (judge->libc == NULL || judge->unwinder == NULL || dwfl_linux_proc_report(judge->unwinder, pid) != 0 ||
        dwfl_report_end(judge->unwinder, NULL, NULL) != 0 || dwfl_linux_proc_attach(judge->unwinder, pid, true) != 0) {
        ht_judge_free(judge);
        return NULL;
    }
    return judge;
}

void ht_judge_free(ht_judge *judge) {
    if (judge == NULL) return;
    if (judge->unwinder != NULL) dwfl_end(judge->unwinder);
    free(judge);
}

static int note_frame(Dwfl_Frame *frame, void *context) {
    frames *seen = context;
    Dwarf_Addr pc;
    bool active;
    if (seen->count == FRAMES_MAX || !dwfl_frame_pc(frame, &pc, &active)) return DWARF_CB_ABORT;
    seen->pc[seen->count++] = pc - (active ? 0 : 1);
    return DWARF_CB_OK;
}

static bool is_inside(const ht_image *image, uint64_t pc) {
    return image != NULL && pc >= image->start && pc < image->end;
}

static bool locks(const ht_judge *judge, uint64_t pc) {
    if (is_inside(judge->loader, pc) || is_inside(judge->allocator, pc)) return true;
    if (!is_inside(judge->libc, pc)) return false;
    for (size_t i = 0; i < LOCKING_COUNT; i++) {
        if (pc - judge->functions[i].address < judge->functions[i].size) return true;
    }
    return false;
}

static bool is_changing(uint64_t number) {
    for (size_t i = 0; i < sizeof changing / sizeof changing[0]; i++) {
        if (changing[i] == number) return true;
    }
    return false;
}

bool ht_judge_is_clear(ht_judge *judge, pid_t thread) {
    frames *seen = calloc(1, sizeof *seen);
    if (seen == NULL) return false;
    dwfl_getthread_frames(judge->unwinder, thread, note_frame, seen);
    // Where the walk ended early (code without unwind tables) what is farther out called that code: it is not the
    // allocator, which calls nobody.
    bool allowed = seen->count > 0;
    for (size_t i = 0; i < seen->count && allowed; i++) allowed = !locks(judge, seen->pc[i]);
    free(seen);
    return allowed;
}

// About to make a system call: a wait that is begun again.
static bool is_at_call(const ht_tracee *tracee, const struct user_regs_struct *registers) {
    uint8_t code[2];
    return ht_tracee_read(tracee, registers->rip, code, 2) && code[0] == 0x0f && code[1] == 0x05;
}

bool ht_judge_allows(ht_judge *judge, const ht_tracee *tracee, pid_t thread) {
    struct user_regs_struct registers;
    if (!ht_tracee_registers(thread, &registers)) return false;
    bool waiting = (int64_t)registers.orig_rax >= 0 || is_at_call(tracee, &registers);
    if (waiting && is_changing((int64_t)registers.orig_rax >= 0 ? registers.orig_rax : registers.rax)) return false;
    if (!waiting && (is_inside(judge->libc, registers.rip) || ht_images_at(&judge->images, registers.rip) == NULL))
        return false;
    if (ht_tracee_in_sequence(tracee, thread, registers.rip)) return false;
    return ht_judge_is_clear(judge, thread);
}
