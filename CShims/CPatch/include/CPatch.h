// Planning how to redirect an allocator's functions: finds them in an ELF file's symbol tables, decodes their first
// instructions and moves these. Used by the launcher and the collector, never inside a traced program. What comes out
// is the plain data of heaptrail_patch.h.
#pragma once

#include "heaptrail_patch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Why a function cannot be redirected.
enum ht_patch_refusal {
    HT_PATCH_OK = 0,
    HT_PATCH_UNDECODABLE = 1,  // its first bytes are no instructions
    HT_PATCH_TOO_SHORT = 2,    // it ends within the jump, and what follows is no padding
    HT_PATCH_BRANCH_INTO = 3,  // a branch of its own lands among the instructions that would move
    HT_PATCH_UNMOVABLE = 4,    // an instruction works at its place alone
    HT_PATCH_INDIRECT = 5,     // the symbol names a resolver (IFUNC), not the function
    HT_PATCH_NO_MEMORY = 6,
};

// Why, in words that follow "malloc: ".
const char *ht_patch_refusal_text(enum ht_patch_refusal refusal);

// A function as its file has it.
typedef struct ht_patch_function {
    const uint8_t *bytes;  // from its first byte on
    size_t size;           // its symbol's, 0 when that is not known
    size_t available;      // bytes from its first to the next function's, or to the end of the section
    uint64_t address;      // its symbol's value
    // Another piece of the same function (NAME.cold), whose branches may come back; NULL for none.
    const uint8_t *cold;
    size_t cold_size;
    uint64_t cold_address;
} ht_patch_function;

// Plans one entry: fills all of `entry` but kind and name. Complexity: one pass over the function's instructions.
enum ht_patch_refusal ht_patch_plan_entry(const ht_patch_function *function, ht_patch_entry *entry);
