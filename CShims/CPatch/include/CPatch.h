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

// What was found in an executable.
enum ht_patch_outcome {
    HT_PATCH_NO_ALLOCATOR = 0,  // it defines no allocator of its own, as far as its symbols tell
    HT_PATCH_PLANNED = 1,
    HT_PATCH_REFUSED = 2,     // it does, and one of its functions cannot be redirected
    HT_PATCH_UNREADABLE = 3,  // no ELF file of this machine
};

// An allocator in an executable.
typedef struct ht_patch_survey {
    uint32_t found;    // functions of it
    uint32_t planned;  // those that can be redirected
    bool has_symbols;  // a full symbol table, not only what the file exports
    // Texts or inner functions of a known allocator without one of its entries: stripped of its symbols, or inlined by
    // link-time optimisation.
    bool traces;
    enum ht_patch_refusal refusal;           // of `refused_name`
    char refused_name[HT_PATCH_NAME_BYTES];  // first function that cannot be redirected, "" for none
    char first_name[HT_PATCH_NAME_BYTES];    // the most telling function
    char allocator[HT_PATCH_NAME_BYTES];     // "jemalloc", ..., "" where it is none that is known
} ht_patch_survey;

// Looks for an allocator in the executable open at `descriptor` and plans all its functions. `*plan` is an
// ht_patch_plan and its entries, to be freed by the caller, NULL unless the outcome is PLANNED. Functions of the rarer
// kind that cannot be redirected are left out and named in the survey; one without which counts would be wrong (those
// that allocate, resize and free in the ordinary way) refuses the whole. Complexity: one pass over the symbols; without
// an allocator nothing is decoded.
enum ht_patch_outcome ht_patch_plan_file(int descriptor, ht_patch_survey *survey, ht_patch_plan **plan);
// Bytes of a plan with its entries.
size_t ht_patch_plan_bytes(const ht_patch_plan *plan);
// The entries of a plan.
static inline const ht_patch_entry *ht_patch_plan_entries(const ht_patch_plan *plan) {
    return (const ht_patch_entry *)(const void *)(plan + 1);
}
// The kind of an allocation function by its name, HT_PATCH_KIND_COUNT for any other name.
uint32_t ht_patch_kind_of(const char *name);
