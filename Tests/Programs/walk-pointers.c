// Two walks that look alike where they begin: the same return addresses at the same stack pointers, and every word that the first walk read
// still in its place. They differ in a register or in one saved word alone, through which the frame further out is found:
//   by_register   the frame pointer itself, which the innermost frame passes on     by_word   its saved copy
//   by_address    the address of the caller's frame that a realigned frame keeps
// Each is called by `near` and by `far` in turn, from one place. `far` has room where `near`'s words lie and leaves them there. For comparison
// with libunwind (walk-oracle.c). Prints "ok".
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef void body(void *innermost);
void by_register(void *innermost), by_word(void *innermost), by_address(void *innermost);
void near(void *innermost, body *call), far(void *innermost, body *call);

#define FUNCTION(name, text) \
    __asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n .cfi_startproc\n" text " ret\n .cfi_endproc\n.size " #name ", . - " #name "\n")
#define MAKE_BLOCK " movl $15401, %edi\n call malloc@PLT\n movq %rax, %rdi\n call free@PLT\n"

FUNCTION(near, " subq $8, %rsp\n .cfi_adjust_cfa_offset 8\n call *%rsi\n addq $8, %rsp\n .cfi_adjust_cfa_offset -8\n");
FUNCTION(far, " subq $104, %rsp\n .cfi_adjust_cfa_offset 104\n call *%rsi\n addq $104, %rsp\n .cfi_adjust_cfa_offset -104\n");

FUNCTION(passes_on, " subq $8, %rsp\n .cfi_adjust_cfa_offset 8\n" MAKE_BLOCK " addq $8, %rsp\n .cfi_adjust_cfa_offset -8\n");
FUNCTION(saves, " pushq %rbp\n .cfi_adjust_cfa_offset 8\n .cfi_offset %rbp, -16\n movq $-77, %rbp\n" MAKE_BLOCK
                " popq %rbp\n .cfi_adjust_cfa_offset -8\n .cfi_restore %rbp\n");

#define FROM_FIXED_PLACE(callee)                                                                                               \
    " pushq %rbp\n .cfi_adjust_cfa_offset 8\n .cfi_offset %rbp, -16\n movq %rsp, %rbp\n .cfi_def_cfa_register %rbp\n"           \
    " movq %rdi, %rsp\n call " callee "\n leave\n .cfi_def_cfa %rsp, 8\n .cfi_restore %rbp\n"
FUNCTION(by_register, FROM_FIXED_PLACE("passes_on"));
FUNCTION(by_word, FROM_FIXED_PLACE("saves"));

// What gcc writes for a realigned frame: the caller's frame is found through the word below the one that rbp points to.
FUNCTION(by_address,
         " leaq 8(%rsp), %r10\n .cfi_def_cfa %r10, 0\n andq $-4096, %rsp\n pushq -8(%r10)\n pushq %rbp\n movq %rsp, %rbp\n"
         " .cfi_escape 0x10, 0x6, 0x2, 0x76, 0\n pushq %r10\n .cfi_escape 0xf, 0x3, 0x76, 0x78, 0x6\n subq $8, %rsp\n call passes_on\n"
         " movq -8(%rbp), %r10\n .cfi_def_cfa %r10, 0\n leave\n .cfi_same_value %rbp\n leaq -8(%r10), %rsp\n .cfi_def_cfa %rsp, 8\n");

int main(void) {
    void (*volatile ways[])(void *, body *) = {near, far};
    body *volatile bodies[] = {by_register, by_word, by_address};
    void *innermost = (char *)__builtin_frame_address(0) - 16384;
    innermost = (void *)((uintptr_t)innermost & ~(uintptr_t)15);
    for (volatile int i = 0; i < 300; i = i + 1) ways[i & 1](innermost, bodies[i / 100]);
    puts("ok");
}
