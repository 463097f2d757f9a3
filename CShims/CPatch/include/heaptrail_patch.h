// A plan to redirect the functions of an allocator, as plain data: made by the launcher or the collector (plan.c),
// which decode machine code, and carried out inside the traced program (or from outside, by ptrace), which decode
// nothing.
//
//   entry:  jmp thunk          5 bytes, then traps up to the end of the last instruction they replace
//   thunk:  lea slot(%rip), %r9 ; jmp *slot.hook
//   moved:  the replaced instructions, put right for their new place ; jmp entry + replaced
//
// The hook of an entry gets the function's own arguments and, as the sixth, the slot: no allocator function has six.
// The original function is slot->real, the address of `moved`. Until a hook is there, slot->hook is the same address.
// A plan holds addresses as the ELF file has them; ht_patch_place adds where the image lies and where the slot is to
// be.
#pragma once

#include <stdint.h>

// The shapes of allocation functions: what becomes of their call.
enum ht_patch_shape {
    HT_PATCH_ALLOCATES = 0,  // returns a new block
    HT_PATCH_MAKES = 1,      // the same, as C++'s operator new: it shows in stacks
    HT_PATCH_RESIZES = 2,    // returns the block in its new size, a new one where it was given none
    HT_PATCH_RELEASES = 3,   // takes a block back
    HT_PATCH_STORES = 4,     // posix_memalign: stores the block, returns an error number
    HT_PATCH_EXTENDS = 5,    // xallocx: resizes in place, returns a size
    HT_PATCH_TELLS = 6,      // a block's usable size: not redirected, asked by the recorder
};

// Alignment of a page, in place of an argument's number.
#define HT_PATCH_PAGE 9

// What an entry does, and so which hook serves it: X(name, shape, block, count, size, alignment, flags), each the
// number of the argument that says it, 0 for none. A text that is duplicated says its size itself.
// clang-format off
#define HT_PATCH_KINDS(X)                          \
    X(MALLOC, ALLOCATES, 0, 0, 1, 0, 0)            \
    X(CALLOC, ALLOCATES, 0, 1, 2, 0, 0)            \
    X(ALIGNED_ALLOC, ALLOCATES, 0, 0, 2, 1, 0)     \
    X(MALLOC_ALIGNED, ALLOCATES, 0, 0, 1, 2, 0)    \
    X(CALLOC_ALIGNED, ALLOCATES, 0, 1, 2, 3, 0)    \
    X(ALIGNED_CALLOC, ALLOCATES, 0, 2, 3, 1, 0)    \
    X(VALLOC, ALLOCATES, 0, 0, 1, HT_PATCH_PAGE, 0) \
    X(MALLOCX, ALLOCATES, 0, 0, 1, 0, 2)           \
    X(TEXT, ALLOCATES, 0, 0, 0, 0, 0)              \
    X(HEAP_MALLOC, ALLOCATES, 0, 0, 2, 0, 0)       \
    X(HEAP_CALLOC, ALLOCATES, 0, 2, 3, 0, 0)       \
    X(HEAP_MALLOC_ALIGNED, ALLOCATES, 0, 0, 2, 3, 0) \
    X(HEAP_CALLOC_ALIGNED, ALLOCATES, 0, 2, 3, 4, 0) \
    X(NEW, MAKES, 0, 0, 1, 0, 0)                   \
    X(NEW_ALIGNED, MAKES, 0, 0, 1, 2, 0)           \
    X(NEW_COUNTED, MAKES, 0, 1, 2, 0, 0)           \
    X(REALLOC, RESIZES, 1, 0, 2, 0, 0)             \
    X(REALLOCARRAY, RESIZES, 1, 2, 3, 0, 0)        \
    X(REALLOC_ALIGNED, RESIZES, 1, 0, 2, 3, 0)     \
    X(RECALLOC_ALIGNED, RESIZES, 1, 2, 3, 4, 0)    \
    X(RALLOCX, RESIZES, 1, 0, 2, 0, 3)             \
    X(REALLOC_SIZED, RESIZES, 1, 0, 4, 2, 0)       \
    X(HEAP_REALLOC, RESIZES, 2, 0, 3, 0, 0)        \
    X(HEAP_REALLOCARRAY, RESIZES, 2, 3, 4, 0, 0)   \
    X(HEAP_REALLOC_ALIGNED, RESIZES, 2, 0, 3, 4, 0) \
    X(REALLOCF, RESIZES, 1, 0, 2, 0, 0)            \
    X(FREE, RELEASES, 1, 0, 0, 0, 0)               \
    X(POSIX_MEMALIGN, STORES, 1, 0, 3, 2, 0)       \
    X(XALLOCX, EXTENDS, 1, 0, 2, 0, 4)             \
    X(USABLE_SIZE, TELLS, 1, 0, 0, 0, 0)
// clang-format on

#define HT_PATCH_KIND_NAME(name, shape, block, count, size, alignment, flags) HT_PATCH_##name,
enum ht_patch_kind { HT_PATCH_KINDS(HT_PATCH_KIND_NAME) HT_PATCH_KIND_COUNT };
#undef HT_PATCH_KIND_NAME

enum {
    HT_PATCH_JUMP_BYTES = 5,
    HT_PATCH_REPLACED_MAX = 24,  // bytes at an entry that a plan may replace
    HT_PATCH_MOVED_MAX = 104,    // the moved instructions with their jump back
    HT_PATCH_FIXUP_MAX = 8,
    HT_PATCH_THUNK_BYTES = 16,
    HT_PATCH_CODE_BYTES = 128,  // of one slot: the thunk, then `moved`
    HT_PATCH_DATA_BYTES = 64,   // of one slot: ht_patch_slot
    HT_PATCH_NAME_BYTES = 48,
    HT_PATCH_ENTRY_MAX = 512,  // entries of a plan
    HT_PATCH_BUILD_ID_BYTES = 64,
    HT_PATCH_NOT_MOVED = 0xff,
    HT_PATCH_PLAN_VERSION = 1,
};

#define HT_PATCH_PLAN_MAGIC 0x6e616c5068637461ull  // "atchPlan"

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
    uint64_t start;    // the function's own address
    uint64_t usable;   // address of the allocator's function that gives a block's usable size; 0 where it has none
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

// The plan for an executable: this, then its entries. `device` to `bytes` name the file it was made for, and the build
// id where it has one: it is carried out on no other.
typedef struct ht_patch_plan {
    uint64_t magic;
    uint32_t version;
    uint32_t count;
    uint64_t device;
    uint64_t inode;
    uint64_t changed_ns;
    uint64_t bytes;
    uint64_t first;  // lowest address of the image, in the file's own terms, at a page
    uint64_t end;    // past its highest
    uint32_t build_id_bytes;
    uint32_t reserved;
    uint8_t build_id[HT_PATCH_BUILD_ID_BYTES];
    char allocator[HT_PATCH_NAME_BYTES];
} ht_patch_plan;

// What the hook gets. Lies in writable memory of the traced program, within 2 GiB of the entry.
typedef struct ht_patch_slot {
    uint64_t hook;    // where the thunk goes
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
