// Allocations on call stacks that unwinders get wrong, for comparison with libunwind (walk-oracle.c). usage: walk-shapes SHAPE
//   calls       PLT, tail calls, callbacks from libc, variable arguments      frames    alloca, variable arrays, realigned frames
//   deep        300 and 100,000 frames, each depth met again and again         jumps     longjmp, siglongjmp out of a handler
//   profile     a timer's signal at 1 kHz that allocates                       steps     a signal after each instruction that allocates
//   altstack    the same on an alternate signal stack                          contexts  swapcontext coroutines, switched at every depth
//   releases    the same after each instruction of free, the recorder's and the allocator's
//   threads     pthread_create; clone without it                               switches  coroutines switched by hand, without terminator
// To be built at several optimisation levels, with and without frame pointers. Prints "ok".
#include <alloca.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define PLAIN __attribute__((noinline, noclone))
#if defined(__clang__)
#undef PLAIN
#define PLAIN __attribute__((noinline))
#endif

static volatile int zero;
static void *volatile kept;

PLAIN static int take(size_t size) {
    void *block = malloc(size);
    kept = block;
    free(block);
    return zero;
}

// MARK: calls

PLAIN int tail_called(int n) { return take((size_t)n + 100); }
PLAIN int tail_caller(int n) { return tail_called(n + 1); }  // a jump where it is optimised: the caller's frame is gone

static int order(const void *a, const void *b) {
    take(200);
    return *(const int *)a - *(const int *)b;
}

PLAIN static int sum(int count, ...) {
    va_list list;
    va_start(list, count);
    double total = 0;
    for (int i = 0; i < count; i++) total += va_arg(list, double);
    va_end(list);
    return take(300) + (int)total;
}

static void calls(void) {
    for (int i = 0; i < 20; i++) {
        tail_caller(i);
        int numbers[] = {4, 2, 9, 1, 7};
        qsort(numbers, 5, sizeof numbers[0], order);
        bsearch(&numbers[2], numbers, 5, sizeof numbers[0], order);
        sum(3, 1.0, 2.0, 3.0);
        free(strdup("from within libc"));
        char *text = NULL;
        if (asprintf(&text, "%d %s", i, "formatted") > 0) free(text);
    }
}

// MARK: frames

PLAIN static int with_alloca(int n) {
    char *room = alloca((size_t)n * 37 + 1);
    memset(room, n, (size_t)n + 1);
    return take(400) + room[n];
}

PLAIN static int with_array(int n) {
    volatile char room[n + 1];
    room[n] = 0;
    return take(401) + room[n] + (n > 0 ? with_array(n / 2) : 0);
}

PLAIN static int realigned(int n) {
    volatile char room[64] __attribute__((aligned(64)));
    room[n & 63] = 0;
    return take(402) + room[n & 63] + (n > 0 ? realigned(n - 1) : 0);
}

PLAIN static int realigned_and_variable(int n) {
    volatile char aligned[128] __attribute__((aligned(128)));
    volatile char *room = alloca((size_t)n + 1);
    aligned[n & 127] = room[n] = 0;
    int result = take(403) + aligned[n & 127] + room[n];
    if (n > 0) result += (n & 1) != 0 ? realigned_and_variable(n - 1) : with_alloca(n);
    return result;
}

PLAIN static int many_arguments(int a, int b, int c, int d, int e, int f, int g, int h) {
    return take((size_t)(a + b + c + d + e + f + g + h)) + g;
}

static void frames(void) {
    for (int i = 0; i < 30; i++) {
        with_alloca(i);
        with_array(i);
        realigned(i);
        realigned_and_variable(i);
        many_arguments(i, 2, 3, 4, 5, 6, 7, 8);
    }
}

// MARK: deep

PLAIN static int down(int depth) {
    int result = depth % 50 == 0 ? take(500) : 0;
    if (depth > 0) result += down(depth - 1) + 1;
    if (depth % 70 == 0) result += take(501);
    return result;
}

PLAIN static int straight_down(int depth) {
    if (depth == 0) return take(502) + take(503);
    return straight_down(depth - 1) + 1 + zero;
}

static void *deep_thread(void *context) {
    straight_down(100000);
    take(504);
    straight_down(100);
    straight_down(951);
    return context;
}

static void deep(void) {
    for (int i = 0; i < 20; i++) down(300 + i % 3);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)64 << 20);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, deep_thread, NULL) != 0) abort();
    pthread_join(thread, NULL);
}

// MARK: jumps

static jmp_buf landing;
static sigjmp_buf signal_landing;

PLAIN static int jump_from(int depth) {
    take(600);
    if (depth == 0) longjmp(landing, 1);
    return jump_from(depth - 1) + zero;
}

static void jump_handler(int number) {
    take(601);
    siglongjmp(signal_landing, number);
}

static void jumps(void) {
    signal(SIGUSR1, jump_handler);
    for (volatile int i = 0; i < 50; i++) {
        if (setjmp(landing) == 0) jump_from(i % 20);
        take(602);
        if (sigsetjmp(signal_landing, 1) == 0) raise(SIGUSR1);
        take(603);
    }
}

// MARK: signals

static volatile long handled;
static volatile bool quiet;  // while the stack pointer is moved behind the unwind tables' back

static void allocating_handler(int number) {
    if (quiet) return;
    take(number == SIGTRAP ? 700 : 701);
    handled = handled + 1;
}

// A handler that interrupts the allocator must not need more of it than a thread's own cache of blocks, filled here.
static void handle(int number, int flags) {
    void *volatile blocks[8];
    for (int i = 0; i < 8; i++) blocks[i] = malloc(700 + (size_t)i % 2);
    for (int i = 0; i < 8; i++) free(blocks[i]);
    struct sigaction action = {.sa_handler = allocating_handler, .sa_flags = flags | SA_RESTART};
    sigaction(number, &action, NULL);
}

PLAIN static int leaf(int n) { return n * 3 + zero; }

PLAIN static int work(int depth) {
    int numbers[] = {4, depth, 9, 1, 7};
    char text[64];
    int result = leaf(depth) + snprintf(text, sizeof text, "%d %s %g", depth, "words", depth * 0.5);
    qsort(numbers, 5, sizeof numbers[0], order);
    result += with_alloca(depth) + realigned(depth & 1) + many_arguments(1, 2, 3, 4, 5, 6, 7, depth);
    if (depth > 0) result += work(depth - 1);
    return result + leaf(result);
}

static void profile(void) {
    handle(SIGPROF, 0);
    struct itimerval interval = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_PROF, &interval, NULL);
    while (handled < 300) work(8);
    interval = (struct itimerval){0};
    setitimer(ITIMER_PROF, &interval, NULL);
}

static void set_trap_flag(void) {
    quiet = false;
    __asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::: "cc", "memory");
}

static void clear_trap_flag(void) {
    quiet = true;
    __asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n andq $-0x101, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::: "cc", "memory");
}

// The allocator itself is not stepped through: a handler that allocates inside it would deadlock.
static void steps(void) {
    handle(SIGTRAP, 0);
    char text[64];
    for (int i = 0; i < 3; i++) {
        set_trap_flag();
        zero += leaf(i) - leaf(i);
        snprintf(text, sizeof text, "%d %s", i, "words");
        int numbers[] = {4, i, 9};
        zero += (int)strlen(text) * 0 + abs(numbers[i]) * 0;
        clear_trap_flag();
    }
    if (handled < 500) abort();
}

static void releases(void) {
    handle(SIGTRAP, 0);
    void *volatile blocks[20];
    for (int i = 0; i < 20; i++) blocks[i] = malloc(64);
    set_trap_flag();
    for (int i = 0; i < 20; i++) free(blocks[i]);
    clear_trap_flag();
    if (handled < 1000) abort();
}

static void altstack(void) {
    enum { BYTES = 128 << 10 };
    stack_t stack = {.ss_sp = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = BYTES};
    sigaltstack(&stack, NULL);
    handle(SIGPROF, SA_ONSTACK);
    handle(SIGUSR2, SA_ONSTACK);
    struct itimerval interval = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_PROF, &interval, NULL);
    for (int i = 0; handled < 300; i++) {
        work(8);
        if (i % 4 == 0) raise(SIGUSR2);
    }
    interval = (struct itimerval){0};
    setitimer(ITIMER_PROF, &interval, NULL);
}

// MARK: contexts

enum { COROUTINES = 40, STACK_BYTES = 64 << 10 };

static ucontext_t scheduler, coroutines[COROUTINES];
static int running;

PLAIN static int wander(int number, int depth) {
    int result = take(800 + (size_t)number);
    if (depth % 3 == 1) swapcontext(&coroutines[number], &scheduler);
    result += take(900 + (size_t)number);
    if (depth > 0) result += wander(number, depth - 1) + take(901);
    return result + (depth % 4 == 2 ? realigned(2) : 0);
}

static void coroutine(int number) {
    wander(number, 5 + number);
    running--;
}

// A stack that ends where its mapping does, between pages that cannot be touched.
static char *new_stack(size_t bytes) {
    char *memory = mmap(NULL, bytes + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + 4096, bytes, PROT_READ | PROT_WRITE) != 0) abort();
    return memory + 4096;
}

static void contexts(void) {
    for (int i = 0; i < COROUTINES; i++) {
        getcontext(&coroutines[i]);
        coroutines[i].uc_stack.ss_sp = i % 2 == 0 ? new_stack(STACK_BYTES) : malloc(STACK_BYTES);
        coroutines[i].uc_stack.ss_size = STACK_BYTES;
        coroutines[i].uc_link = &scheduler;
        makecontext(&coroutines[i], (void (*)(void))coroutine, 1, i);
    }
    running = COROUTINES;
    static bool ended[COROUTINES];
    while (running > 0) {
        for (int i = 0; i < COROUTINES; i++) {
            if (ended[i]) continue;
            int before = running;
            swapcontext(&scheduler, &coroutines[i]);
            if (running < before) ended[i] = true;
            take(999);
        }
    }
}

// MARK: switches

// Saves the registers that calls keep and goes on where `to` stopped, as fibre libraries do.
void switch_stacks(void **from, void *to);
__asm__(
    ".text\n.globl switch_stacks\n.type switch_stacks, @function\nswitch_stacks:\n .cfi_startproc\n"
    " pushq %rbp\n .cfi_adjust_cfa_offset 8\n .cfi_offset %rbp, -16\n"
    " pushq %rbx\n .cfi_adjust_cfa_offset 8\n pushq %r12\n .cfi_adjust_cfa_offset 8\n"
    " pushq %r13\n .cfi_adjust_cfa_offset 8\n pushq %r14\n .cfi_adjust_cfa_offset 8\n pushq %r15\n .cfi_adjust_cfa_offset 8\n"
    " movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
    " popq %r15\n .cfi_adjust_cfa_offset -8\n popq %r14\n .cfi_adjust_cfa_offset -8\n popq %r13\n .cfi_adjust_cfa_offset -8\n"
    " popq %r12\n .cfi_adjust_cfa_offset -8\n popq %rbx\n .cfi_adjust_cfa_offset -8\n popq %rbp\n .cfi_adjust_cfa_offset -8\n"
    " ret\n .cfi_endproc\n.size switch_stacks, . - switch_stacks\n");

static void *main_stack, *fibres[COROUTINES];
static int fibre_now;

PLAIN static int fibre_wander(int depth) {
    int result = take(1000 + (size_t)depth);
    if (depth % 2 == 0) switch_stacks(&fibres[fibre_now], main_stack);
    result += take(1100);
    if (depth > 0) result += fibre_wander(depth - 1) + take(1101);
    return result;
}

// Entered by a return from switch_stacks: no word above its frame is a return address.
__attribute__((used)) void fibre_body(void);
// Calls fibre_body from the very end of the mapping, without unwind table.
void fibre_start(void);
__asm__(".text\n.globl fibre_start\n.type fibre_start, @function\nfibre_start: call fibre_body\n ud2\n");

void fibre_body(void) {
    fibre_wander(9);
    switch_stacks(&fibres[fibre_now], main_stack);
    abort();
}

// The first frame's return address is 0, a number that is no address, a word of text, kernel space, an address where nothing is,
// or lies in code that called from the very end of the mapping.
static void switches(void) {
    for (int i = 0; i < COROUTINES; i++) {
        char *memory = new_stack(STACK_BYTES);
        uint64_t *top = (uint64_t *)(void *)(memory + STACK_BYTES);
        static const uint64_t ends[] = {0, 1, 0x6162636465666768, 0xfffffffffffffff8, 0x7fff12345678};
        if (i % 6 != 5) *--top = ends[i % 6];
        *--top = (uint64_t)(uintptr_t)(i % 6 != 5 ? fibre_body : fibre_start);
        for (int reg = 0; reg < 6; reg++) *--top = i % 4 == 0 ? 0 : (uint64_t)(uintptr_t)(memory + STACK_BYTES - (i % 4 - 1) * 8);
        fibres[i] = top;
    }
    for (int round = 0; round < 6; round++) {
        for (fibre_now = 0; fibre_now < COROUTINES; fibre_now++) {
            switch_stacks(&main_stack, fibres[fibre_now]);
            take(1200);
        }
    }
}

// MARK: threads

static void *thread_body(void *context) {
    for (int i = 0; i < 20; i++) {
        work(4);
        down(60);
    }
    return context;
}

static int clone_body(void *context) {
    (void)context;
    for (int i = 0; i < 20; i++) down(20);
    return 0;
}

static void threads(void) {
    pthread_t ids[4];
    for (int i = 0; i < 4; i++) {
        if (pthread_create(&ids[i], NULL, thread_body, NULL) != 0) abort();
    }
    for (int i = 0; i < 4; i++) pthread_join(ids[i], NULL);
    // Shares memory and this thread's TLS, while this thread waits, as vfork's children do, on a stack of its own.
    char *stack = new_stack(STACK_BYTES);
    int child = clone(clone_body, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    if (child < 0 || waitpid(child, NULL, 0) != child) abort();
    down(20);
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } shapes[] = {{"calls", calls},       {"frames", frames},     {"deep", deep},         {"jumps", jumps},     {"profile", profile},
                  {"steps", steps},       {"releases", releases}, {"altstack", altstack}, {"contexts", contexts}, {"switches", switches}, {"threads", threads}};
    for (size_t i = 0; count > 1 && i < sizeof shapes / sizeof shapes[0]; i++) {
        if (strcmp(arguments[1], shapes[i].name) != 0) continue;
        shapes[i].run();
        puts("ok");
        return 0;
    }
    return 64;
}
