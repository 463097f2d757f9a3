// Stacks to walk: plain ones, frames without frame pointers, realigned frames, signal handlers, recursion; and libgcc's
// unwinder as the reference.
#include "session.h"

#include "definitions.h"
#include "record.h"
#include "stack.h"
#include "walk.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unwind.h>

typedef struct job {
    uint32_t kind, depth, limit, rounds;
    ht_test_walk *walk;
    const ht_test_path *path;
    uint64_t differing;
    _Atomic uint32_t *gate;
} job;

// Calls body(context) from a frame without a frame pointer: rbp is saved and then holds garbage.
void ht_test_call_bare(void (*body)(void *), void *context) __attribute__((visibility("hidden")));
// Calls body(context) from a frame realigned the way gcc does it: the CFA is *(rbp - 8), and rbp's own word lies at
// rbp.
void ht_test_call_realigned(void (*body)(void *), void *context) __attribute__((visibility("hidden")));
__asm__(
    ".text\n"
    ".globl ht_test_call_bare\n .hidden ht_test_call_bare\n .type ht_test_call_bare, @function\n"
    "ht_test_call_bare:\n"
    " .cfi_startproc\n"
    " pushq %rbp\n .cfi_adjust_cfa_offset 8\n .cfi_offset %rbp, -16\n"
    " subq $32, %rsp\n .cfi_adjust_cfa_offset 32\n"
    " movq %rdi, %rax\n movq %rsi, %rdi\n movq $-0x1235, %rbp\n"
    " call *%rax\n"
    " addq $32, %rsp\n .cfi_adjust_cfa_offset -32\n"
    " popq %rbp\n .cfi_adjust_cfa_offset -8\n .cfi_restore %rbp\n"
    " ret\n"
    " .cfi_endproc\n .size ht_test_call_bare, . - ht_test_call_bare\n"
    ".globl ht_test_call_realigned\n .hidden ht_test_call_realigned\n .type ht_test_call_realigned, @function\n"
    "ht_test_call_realigned:\n"
    " .cfi_startproc\n"
    " leaq 8(%rsp), %r10\n .cfi_def_cfa %r10, 0\n"
    " andq $-64, %rsp\n"
    " pushq -8(%r10)\n pushq %rbp\n movq %rsp, %rbp\n .cfi_escape 0x10, 0x6, 0x2, 0x76, 0\n"
    " pushq %r10\n .cfi_escape 0xf, 0x3, 0x76, 0x78, 0x6\n"
    " subq $8, %rsp\n"
    " movq %rdi, %rax\n movq %rsi, %rdi\n"
    " call *%rax\n"
    " movq -8(%rbp), %r10\n .cfi_def_cfa %r10, 0\n"
    " leave\n .cfi_same_value %rbp\n"
    " leaq -8(%r10), %rsp\n .cfi_def_cfa %rsp, 8\n"
    " ret\n"
    " .cfi_endproc\n .size ht_test_call_realigned, . - ht_test_call_realigned\n");

// MARK: the two walks

typedef struct collection {
    ht_test_walk *walk;
    uint32_t skip;
} collection;

static _Unwind_Reason_Code collect(struct _Unwind_Context *context, void *argument) {
    collection *c = argument;
    if (c->skip > 0) {
        c->skip--;
        return _URC_NO_REASON;
    }
    int interrupted = 0;
    uintptr_t pc = _Unwind_GetIPInfo(context, &interrupted);
    if (pc == 0 || c->walk->reference_count == HT_TEST_FRAMES) return _URC_END_OF_STACK;
    c->walk->reference[c->walk->reference_count++] = pc + (interrupted != 0);
    return _URC_NO_REASON;
}

static void __attribute__((noinline)) refer(ht_test_walk *walk) {
    walk->reference_count = 0;
    collection c = {walk, 2};  // this function and its caller, which stands for the hook
    _Unwind_Backtrace(collect, &c);
}

static void __attribute__((noinline)) capture(job *work) {
    ht_test_walk *walk = work->walk;
    ht_writer *writer = ht_enter(&ht_self);
    if (ht_writer_reserve(&ht_self, writer, HT_RECORD_WORDS)) {
        ht_registers start = ht_caller_of(__builtin_frame_address(0));
        ht_walked walked = ht_walk(&ht_self, writer, &start, walk->frames, work->limit);
        walk->count = walked.count;
        walk->flags = walked.flags;
        walk->hash = walked.hash;
    }
    ht_leave(&ht_self);
    refer(walk);
}

// MARK: ways there

static __thread job *signalled;

static void handle(int signal) {
    (void)signal;
    capture(signalled);
}

static int compare(const void *a, const void *b) {
    if (signalled != NULL) {
        capture(signalled);
        signalled = NULL;
    }
    return *(const int *)a - *(const int *)b;
}

static void bare(void *context) { capture(context); }

static void raise_signal(job *work, bool other_stack) {
    enum { STACK_BYTES = 256 << 10 };
    stack_t stack = {.ss_size = STACK_BYTES}, before_stack;
    if (other_stack) {
        stack.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        sigaltstack(&stack, &before_stack);
    }
    struct sigaction action = {.sa_handler = handle, .sa_flags = other_stack ? SA_ONSTACK : 0}, before;
    sigaction(SIGUSR1, &action, &before);
    sigset_t set;  // a thread made by a dispatch queue's inherits its blocked signals
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    signalled = work;
    raise(SIGUSR1);
    signalled = NULL;
    sigaction(SIGUSR1, &before, NULL);
    if (other_stack) {
        sigaltstack(&before_stack, NULL);
        munmap(stack.ss_sp, STACK_BYTES);
    }
}

static void __attribute__((noinline)) descend(job *work, uint32_t depth);

static void go_on(void *context) {
    job *work = context;
    descend(work, --work->depth);
    __asm__ volatile("" ::: "memory");
}

static void __attribute__((noinline)) descend(job *work, uint32_t depth) {
    if (depth > 0) {
        work->depth = depth;
        if (work->kind == HT_TEST_WALK_WITHOUT_FRAME_POINTERS) ht_test_call_bare(go_on, work);
        else if (work->kind == HT_TEST_WALK_REALIGNED) ht_test_call_realigned(go_on, work);
        else descend(work, depth - 1);
    } else {
        switch (work->kind) {
            case HT_TEST_WALK_SIGNAL: raise_signal(work, false); break;
            case HT_TEST_WALK_SIGNAL_STACK: raise_signal(work, true); break;
            case HT_TEST_WALK_WITHOUT_FRAME_POINTERS: ht_test_call_bare(bare, work); break;
            case HT_TEST_WALK_LIBRARY: {
                int numbers[] = {5, 3, 4, 1, 2};
                signalled = work;
                qsort(numbers, 5, sizeof numbers[0], compare);
                break;
            }
            default: capture(work); break;
        }
    }
    __asm__ volatile("" ::: "memory");  // no tail calls
}

static void run_walk(void *context) {
    job *work = context;
    descend(work, work->depth);
}

void ht_test_walk_stack(uint32_t kind, uint32_t depth, uint32_t limit, bool bounded, ht_test_walk *walk) {
    job work = {.kind = kind, .depth = depth, .limit = limit, .walk = walk};
    ht_test_on_thread(run_walk, &work, bounded);
}

// MARK: many threads

// A bounded walk stops at the entry function, in which the reference goes on.
static bool agrees(const ht_test_walk *walk) {
    return walk->count > 0 && walk->count <= walk->reference_count && walk->flags == 0 &&
           memcmp(walk->frames, walk->reference, walk->count * sizeof walk->frames[0]) == 0;
}

static void *walk_often(void *context) {
    job *work = context;
    uint32_t depth = work->depth;
    ht_test_bound_stack(__builtin_frame_address(0));
    for (uint32_t i = 0; i < work->rounds; i++) {
        work->kind = i % 3 == 0   ? HT_TEST_WALK_WITHOUT_FRAME_POINTERS
                     : i % 3 == 1 ? HT_TEST_WALK_REALIGNED
                                  : HT_TEST_WALK_LIBRARY;
        descend(work, depth + i % 5);
        work->differing += !agrees(work->walk) || work->walk->count < depth;
    }
    return NULL;
}

uint64_t ht_test_walk_threads(uint32_t threads, uint32_t rounds, uint32_t depth) {
    job *jobs = calloc(threads, sizeof *jobs);
    pthread_t *ids = calloc(threads, sizeof *ids);
    if (jobs == NULL || ids == NULL) abort();
    for (uint32_t i = 0; i < threads; i++) {
        jobs[i] = (job){
            .depth = depth, .limit = HT_STACK_DEPTH_MAX, .rounds = rounds, .walk = calloc(1, sizeof(ht_test_walk))};
        if (pthread_create(&ids[i], NULL, walk_often, &jobs[i]) != 0) abort();
    }
    uint64_t differing = 0;
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        differing += jobs[i].differing;
        free(jobs[i].walk);
    }
    free(ids);
    free(jobs);
    return differing;
}

// MARK: stacks as ids

static void __attribute__((noinline)) record_here(job *work) {
    const ht_test_path *path = work->path;
    ht_record_allocation((const void *)(uintptr_t)path->address, 64, 0, __builtin_frame_address(0), NULL);
    refer(work->walk);
}

static void __attribute__((noinline)) turn(job *work, uint32_t depth);

static void __attribute__((noinline)) left(job *work, uint32_t depth) {
    turn(work, depth);
    __asm__ volatile("" ::: "memory");
}

static void __attribute__((noinline)) right(job *work, uint32_t depth) {
    turn(work, depth);
    __asm__ volatile("# another function" ::: "memory");
}

static void __attribute__((noinline)) turn(job *work, uint32_t depth) {
    if (depth == work->path->depth) record_here(work);
    else if ((work->path->path >> depth & 1) != 0) left(work, depth + 1);
    else right(work, depth + 1);
    __asm__ volatile("" ::: "memory");
}

typedef struct walk_list {
    const ht_test_path *paths;
    size_t count;
    ht_test_walk *walks;
} walk_list;

static void record_paths(void *context) {
    walk_list *list = context;
    for (size_t i = 0; i < list->count; i++) {
        const char *tag = list->paths[i].tag;
        uint32_t before = ht_self.tag;
        if (tag != NULL) {
            ht_writer *writer = ht_enter(&ht_self);
            if (ht_writer_reserve(&ht_self, writer, HT_RECORD_WORDS))
                ht_self.tag = ht_tag_intern(&ht_self, writer, "Class", tag, "construct", "c");
            ht_leave(&ht_self);
        }
        job work = {.path = &list->paths[i], .walk = &list->walks[i]};
        turn(&work, 0);
        ht_self.tag = before;
    }
}

void ht_test_record_paths(const ht_test_path *paths, size_t count, ht_test_walk *walks) {
    walk_list list = {paths, count, walks};
    ht_test_on_thread(record_paths, &list, true);
}
