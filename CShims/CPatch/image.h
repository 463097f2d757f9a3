// An executable's file, as the planner needs it: its symbols of interest, its loaded bytes, its identity.
#pragma once

#include "names.h"

#include <CPatch.h>
#include <libelf.h>

// One name of an allocation function in a symbol table.
typedef struct ht_patch_symbol {
    const ht_patch_name *name;
    const char *text;  // in the file, not necessarily ended by a NUL at `count`
    uint32_t count;    // characters, a version taken off
    bool indirect;     // an IFUNC
    uint64_t address;
    uint64_t size;
    uint64_t next;  // address of the next function, 0 none
    uint64_t cold;  // address and size of its .cold piece, 0 none
    uint64_t cold_size;
} ht_patch_symbol;

enum { HT_PATCH_SYMBOL_MAX = 2048 };

typedef struct ht_patch_image {
    Elf *elf;
    const uint8_t *bytes;
    size_t count;
    bool has_insides;                                     // functions of an allocator's inside
    bool has_symbols;                                     // .symtab, beside what is exported
    bool tells_jemalloc, tells_tcmalloc, tells_mimalloc;  // a name that one allocator alone has was seen
    uint32_t present;  // families that are an allocator, a bit each; C++'s operators with them where there is any
    uint32_t operators;
    uint32_t symbols;
    ht_patch_symbol symbol[HT_PATCH_SYMBOL_MAX];  // by address, one an address
} ht_patch_image;

// Reads the symbols. False when it is no ELF file of this machine. `image` is large: not for the stack.
bool ht_patch_image_open(ht_patch_image *image, int descriptor);
void ht_patch_image_close(ht_patch_image *image);
// The file's bytes that are loaded as code at `address`; `*available` how many there are. NULL when there are none.
const uint8_t *ht_patch_image_code(const ht_patch_image *image, uint64_t address, size_t *available);
// Where the image begins and ends in memory, and its build id.
void ht_patch_image_identify(const ht_patch_image *image, ht_patch_plan *plan);
// Whether the constants hold a text by which a known allocator can be told.
bool ht_patch_image_has_traces(const ht_patch_image *image);
