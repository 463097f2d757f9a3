// A signal after every single instruction of the allocation functions, and of whatever recorder lies around them; the first argument
// names the way. Every way checks itself.
//   allocates: each signal's handler allocates and frees a block of 1001, while a new thread makes 10 each of 23003 (malloc),
//     23007 (realloc of those), 23017 (calloc), 23021 (posix_memalign); prints how many signals there were
//   jumps: the handler leaves the recorder's code by siglongjmp, at every instruction of it once; then 1,000 blocks of 23027;
//     prints how many jumps there were
// A handler that interrupts glibc's malloc gets its block from the thread's cache, which is filled behind the recorder's back.
#include "check.h"

#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

enum { CACHED = 4, HANDLED_SIZE = 1000, ROUNDS = 10 };

extern void *__libc_malloc(size_t size);
extern void __libc_free(void *block);

static volatile long signals;
static uintptr_t recorder_start, recorder_end;
static sigjmp_buf out;
static volatile long instructions_left, jumps;

static void set_trap_flag(void) {
    __asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::: "cc", "memory");
}

static void clear_trap_flag(void) {
    __asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n andq $-0x101, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::: "cc", "memory");
}

static void fill_cache(void) {
    void *blocks[CACHED];
    for (int i = 0; i < CACHED; i++) CHECK((blocks[i] = __libc_malloc(HANDLED_SIZE + 7)) != NULL);
    for (int i = 0; i < CACHED; i++) __libc_free(blocks[i]);
}

// MARK: allocates

static void allocate(int number) {
    void *volatile block = malloc(HANDLED_SIZE + 1);
    free(block);
    signals += number == SIGTRAP;
}

static void *stepped(void *context) {
    fill_cache();
    set_trap_flag();
    for (int i = 0; i < ROUNDS; i++) {
        void *volatile block = malloc(23003);
        block = realloc(block, 23007);
        free(block);
        block = calloc(1, 23017);
        free(block);
        void *aligned = NULL;
        if (posix_memalign(&aligned, 64, 23021) != 0) abort();
        free(aligned);
    }
    clear_trap_flag();
    return context;
}

static void allocates(void) {
    struct sigaction action = {.sa_handler = allocate};
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, stepped, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(signals > 1000);
    printf("%ld\n", signals);
}

// MARK: jumps

static int find_recorder(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    (void)context;
    if (strstr(info->dlpi_name, "libheaptrail") == NULL) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || (header->p_flags & PF_X) == 0) continue;
        recorder_start = info->dlpi_addr + header->p_vaddr;
        recorder_end = recorder_start + header->p_memsz;
    }
    return 1;
}

static void jump(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    ucontext_t *interrupted = context;
    uintptr_t pc = (uintptr_t)interrupted->uc_mcontext.gregs[REG_RIP];
    if (pc < recorder_start || pc >= recorder_end || --instructions_left != 0) return;
    interrupted->uc_mcontext.gregs[REG_EFL] &= ~0x100ll;
    siglongjmp(out, 1);
}

static void jumps_out(void) {
    dl_iterate_phdr(find_recorder, NULL);
    struct sigaction action = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    fill_cache();
    for (volatile long instruction = 1;; instruction++) {
        instructions_left = instruction;
        if (sigsetjmp(out, 1) == 0) {
            set_trap_flag();
            void *volatile block = malloc(HANDLED_SIZE);
            free(block);
            clear_trap_flag();
            break;
        }
        jumps = jumps + 1;
    }
    for (int i = 0; i < 1000; i++) {
        void *volatile block = malloc(23027);
        CHECK(block != NULL);
        free(block);
    }
    printf("%ld\n", jumps);
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "allocates") == 0) allocates();
    else if (count > 1 && strcmp(arguments[1], "jumps") == 0) jumps_out();
    else return 64;
    return 0;
}
