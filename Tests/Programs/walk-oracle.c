// What libunwind makes of each call stack that allocates, for comparison with what a trace says. To be preloaded after the recorder:
// the allocation then comes through its hook, and the stack behind that hook is the one it records. Everything under the recorder's
// own frames is the same for both; the recorder's frames are marked, for its entry function of threads ends its walks.
//   WALK_ORACLE_FILE    where records of the last executed image go, each with one write: address, clock, size, number of frames, frames (64 bits each)
//   WALK_ORACLE_EVERY   looks at every n-th allocation of a thread alone (1 when it is not set)
// Frames as in a trace: return addresses, innermost first; code that a signal interrupted, its address + 1; the recorder's own are 1.
// Silent where the recorder is not loaded. Built with -shared -fPIC -l:libunwind.so.8.
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

enum { FRAMES_MAX = 2048, HEAD = 4 };

// libunwind for the own process on x86-64, by the names that its library has: the package with its header and the one with
// libc++'s exclude each other in Debian.
typedef ucontext_t unw_context_t;
typedef uint64_t unw_word_t;
typedef struct {
    unw_word_t opaque[127];
} unw_cursor_t;
enum { UNW_REG_IP = 16 };
extern int unw_getcontext(unw_context_t *context) __asm__("_Ux86_64_getcontext");
extern int unw_init_local(unw_cursor_t *cursor, unw_context_t *context) __asm__("_ULx86_64_init_local");
extern int unw_get_reg(unw_cursor_t *cursor, int number, unw_word_t *value) __asm__("_ULx86_64_get_reg");
extern int unw_is_signal_frame(unw_cursor_t *cursor) __asm__("_ULx86_64_is_signal_frame");
extern int unw_step(unw_cursor_t *cursor) __asm__("_ULx86_64_step");

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static uintptr_t recorder_start, recorder_end, own_start, own_end;
static int file = -1;
static pid_t process;  // forked children are not looked at
static unsigned every = 1;
static __thread unsigned seen __attribute__((tls_model("initial-exec")));
static __thread int inside __attribute__((tls_model("initial-exec")));

static int find(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    (void)context;
    uintptr_t start = UINTPTR_MAX, end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
        uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        if (from < start) start = from;
        if (from + info->dlpi_phdr[i].p_memsz > end) end = from + info->dlpi_phdr[i].p_memsz;
    }
    if (start <= (uintptr_t)find && (uintptr_t)find < end) own_start = start, own_end = end;
    if (strstr(info->dlpi_name, "libheaptrail") != NULL) recorder_start = start, recorder_end = end;
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("WALK_ORACLE_FILE"), *step = getenv("WALK_ORACLE_EVERY");
    if (step != NULL) every = (unsigned)strtoul(step, NULL, 10);
    dl_iterate_phdr(find, NULL);
    process = getpid();
    if (path == NULL || recorder_start == 0) return;
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
}

__attribute__((noinline)) static void look(const void *block, size_t size) {
    if (file < 0 || block == NULL || inside > 1 || seen++ % every != 0 || getpid() != process) return;
    int saved = errno;
    inside++;  // a signal handler may allocate while we look: one such
    uint64_t record[HEAD + FRAMES_MAX];
    uint64_t count = 0;
    unw_context_t context;
    unw_cursor_t cursor;
    bool beyond = false;
    uint64_t now = __rdtsc();
    unw_getcontext(&context);
    unw_init_local(&cursor, &context);
    do {
        unw_word_t pc = 0;
        unw_get_reg(&cursor, UNW_REG_IP, &pc);
        if (pc == 0) break;
        bool recorder = recorder_start <= pc && pc < recorder_end;
        bool own = own_start <= pc && pc < own_end;
        // Ours, then the recorder's hook, then what both see.
        if (!beyond && !own && !recorder) break;
        if (!beyond && recorder) beyond = true;
        bool interrupted = unw_is_signal_frame(&cursor) > 0;  // by a signal, right here
        if (beyond) record[HEAD + count++] = recorder ? 1 : pc + interrupted;
    } while (count < FRAMES_MAX && unw_step(&cursor) > 0);
    if (beyond) {
        record[0] = (uint64_t)(uintptr_t)block;
        record[1] = now;
        record[2] = size;
        record[3] = count;
        if (write(file, record, (HEAD + count) * sizeof record[0]) < 0) file = -1;
    }
    inside--;
    errno = saved;
}

void *malloc(size_t size) {
    void *block = __libc_malloc(size);
    look(block, size);
    return block;
}

void *calloc(size_t count, size_t size) {
    void *block = __libc_calloc(count, size);
    look(block, count * size);
    return block;
}

void *realloc(void *old, size_t size) {
    void *block = __libc_realloc(old, size);
    look(block, size);
    return block;
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    void *block = __libc_memalign(alignment, size);
    if (block == NULL) return ENOMEM;
    *result = block;
    look(block, size);
    return 0;
}

void *aligned_alloc(size_t alignment, size_t size) {
    void *block = __libc_memalign(alignment, size);
    look(block, size);
    return block;
}

void *memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }
