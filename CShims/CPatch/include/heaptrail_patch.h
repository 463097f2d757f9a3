// A plan to redirect the functions of an allocator, as plain data: made by the launcher or the collector (plan.c),
// which decode machine code, and carried out inside the traced program (or from outside, by ptrace), which decode
// nothing.
//
//   entry:  jmp stub           5 bytes, then traps up to the end of the last instruction they replace
//   stub:   lea slot(%rip), %r9 ; jmp *slot.hook
//   moved:  the replaced instructions, put right for their new place ; jmp entry + replaced
//
// The hook of an entry gets the function's own arguments and, as the sixth, the slot: no allocator function has six.
// The original function is slot->real, the address of `moved`. Until a hook is there, slot->hook is the same address.
// A plan holds addresses as the ELF file has them; ht_patch_place adds where the image lies and where the slot is to
// be.
#pragma once

#include <stdint.h>

// What an entry does, and so which hook serves it: X(name). The arguments are those of the comment, in order.
// clang-format off
#define HT_PATCH_KINDS(X)                                                                          \
    X(MALLOC)              /* (size) */                                                            \
    X(CALLOC)              /* (count, size) */                                                     \
    X(REALLOC)             /* (block, size) */                                                     \
    X(REALLOCARRAY)        /* (block, count, size) */                                              \
    X(FREE)                /* (block, anything) */                                                 \
    X(POSIX_MEMALIGN)      /* (out, alignment, size), an error number */                           \
    X(ALIGNED_ALLOC)       /* (alignment, size) */                                                 \
    X(MALLOC_ALIGNED)      /* (size, alignment, anything) */                                       \
    X(CALLOC_ALIGNED)      /* (count, size, alignment, anything) */                                \
    X(REALLOC_ALIGNED)     /* (block, size, alignment, anything) */                                \
    X(VALLOC)              /* (size), to a page */                                                 \
    X(PVALLOC)             /* (size), to a page, whole pages */                                    \
    X(REALLOCF)            /* (block, size), frees the block when it fails */                      \
    X(HEAP_MALLOC)         /* (heap, size) */                                                      \
    X(HEAP_CALLOC)         /* (heap, count, size) */                                               \
    X(HEAP_REALLOC)        /* (heap, block, size) */                                               \
    X(HEAP_MALLOC_ALIGNED) /* (heap, size, alignment, anything) */                                 \
    X(MALLOCX)             /* (size, flags) */                                                     \
    X(RALLOCX)             /* (block, size, flags) */                                              \
    X(XALLOCX)             /* (block, size, extra, flags), a size */                               \
    X(STRDUP)              /* (text) */                                                            \
    X(STRNDUP)             /* (text, most) */                                                      \
    X(NEW)                 /* operator new: (size, anything) */                                    \
    X(NEW_ALIGNED)         /* operator new: (size, alignment, anything) */                         \
    X(DELETE)              /* operator delete: (block, anything) */                                \
    X(USABLE_SIZE)         /* (block): not redirected, asked by the recorder */
// clang-format on

#define HT_PATCH_KIND_NAME(name) HT_PATCH_##name,
enum ht_patch_kind { HT_PATCH_KINDS(HT_PATCH_KIND_NAME) HT_PATCH_KIND_COUNT };
#undef HT_PATCH_KIND_NAME

enum {
    HT_PATCH_JUMP_BYTES = 5,
    HT_PATCH_REPLACED_MAX = 24,  // bytes at an entry that a plan may replace
    HT_PATCH_MOVED_MAX = 104,    // the moved instructions with their jump back
    HT_PATCH_FIXUP_MAX = 8,
    HT_PATCH_STUB_BYTES = 16,
    HT_PATCH_CODE_BYTES = 128,  // of one slot: the stub, then `moved`
    HT_PATCH_DATA_BYTES = 64,   // of one slot: ht_patch_slot
    HT_PATCH_NAME_BYTES = 48,
    HT_PATCH_BUILD_ID_BYTES = 64,
    HT_PATCH_NOT_MOVED = 0xff,
};

// A 32-bit distance in `moved` that depends on where the code lies: at `at`, counted from `end`, to `target`.
typedef struct ht_patch_fixup {
    uint64_t target;  // address in the file's own terms
    uint16_t at;
    uint16_t end;
    uint32_t reserved;
} ht_patch_fixup;

// One function to be redirected.
typedef struct ht_patch_entry {
    uint64_t address;  // first byte replaced, in the file's own terms: after an endbr64, which stays
    uint32_t kind;     // ht_patch_kind
    uint8_t replaced;  // bytes replaced: whole instructions
    uint8_t moved_bytes;
    uint8_t fixups;
    uint8_t reserved;
    uint8_t expected[HT_PATCH_REPLACED_MAX];  // what must stand there before
    // Where in `moved` the instruction at each replaced byte begins, HT_PATCH_NOT_MOVED inside one: for a thread that
    // is stopped there.
    uint8_t moved_at[HT_PATCH_REPLACED_MAX];
    uint8_t moved[HT_PATCH_MOVED_MAX];
    ht_patch_fixup fixup[HT_PATCH_FIXUP_MAX];
    char name[HT_PATCH_NAME_BYTES];  // cut where it is longer
} ht_patch_entry;

// What the hook gets. Lies in writable memory of the traced program, within 2 GiB of the entry.
typedef struct ht_patch_slot {
    uint64_t hook;    // where the stub goes
    uint64_t real;    // `moved`
    uint64_t entry;   // address of the function, its endbr64 included where it has one
    uint64_t usable;  // the allocator's own function that gives a block's usable size; 0 where it has none
    uint32_t kind;
    uint32_t index;  // of the entry in its plan
    uint64_t reserved[3];
} ht_patch_slot;

_Static_assert(sizeof(ht_patch_slot) == HT_PATCH_DATA_BYTES, "slot");

// The bytes of one redirected entry: `code` for the slot's code at `code_address`, `jump` (entry->replaced bytes) for
// entry->address + bias. `bias` is where the image lies less where its file says; the slot's data lies at
// `data_address`. Returns 0, or 1 when something is more than 2 GiB from the other. Plain C, no libc.
int ht_patch_place(const ht_patch_entry *entry, uint64_t bias, uint64_t data_address, uint64_t code_address,
                   uint8_t code[HT_PATCH_CODE_BYTES], uint8_t jump[HT_PATCH_REPLACED_MAX]);
