// CDebugInfo: what is known about an address of one ELF file, as plain data.
//
// A small C face over libelf, libdw and libiberty for the Swift module Symbolication: open a file (and the separate
// debug file that belongs to it), ask for the frames at an address, demangle a name. Nothing here is thread-safe per
// handle; different handles may be used from different threads. Every file is treated as hostile: sizes, depths and
// counts are bounded, and what cannot be read is simply not known.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// One ELF file with its symbols and, where there is one, its debug information. Opaque.
typedef struct ht_debug_module ht_debug_module;

/// How opening a file ended.
enum {
    HT_DEBUG_OK = 0,
    HT_DEBUG_NOT_FOUND = 1,         // no file of that path, and no debug file of that build id
    HT_DEBUG_UNREADABLE = 2,        // it exists but cannot be opened or is not a regular file
    HT_DEBUG_NOT_ELF = 3,           // it opens but is no ELF file that can be read
    HT_DEBUG_BUILD_ID_DIFFERS = 4,  // it is another build than the one asked for
    HT_DEBUG_NO_MEMORY = 5,
};

/// Deepest chain of inlined calls reported at one address; deeper ones lose their middle, never their function.
enum { HT_DEBUG_MAX_FRAMES = 128 };

/// `ht_debug_frame.function` when only the symbol table knows the address.
enum { HT_DEBUG_NO_FUNCTION = -1 };

/// A function as DWARF declares it. Strings live as long as the module.
typedef struct {
    const char *name;          // DW_AT_name, or NULL
    const char *scope;         // enclosing namespaces and types joined with "::", or NULL
    const char *linkage_name;  // DW_AT_linkage_name, or NULL
    // The types of the template (generic) type parameters, `template_argument_count` strings one after the other,
    // each with its NUL; NULL when there are none.
    const char *template_arguments;
    uint32_t template_argument_count;
    uint32_t language;  // DW_AT_language of the unit that declares the function, 0: not known
} ht_debug_function;

/// One frame at an address. Strings live as long as the module.
typedef struct {
    const char *file;       // source file as DWARF joins it, or NULL
    const char *directory;  // compilation directory, for a relative `file`, or NULL
    const char *symbol;     // the symbol that covers the address, of the outermost frame only, or NULL
    int32_t function;       // for ht_debug_function_at; the same function always has the same number
    uint32_t line;          // 0: not known
    uint8_t is_inlined;
} ht_debug_frame;

/// Opens the file at `path` and the debug file that belongs to it.
///
/// `build_id` (may be empty) is what the file must carry. Separate debug files are looked for by build id under
/// `directories[i]/.build-id/` and by .gnu_debuglink beside the file, in its `.debug` folder and under `directories`.
/// Returns one of HT_DEBUG_…; `*module` is set only with HT_DEBUG_OK.
/// With `symbols_only` functions are named by the symbol table alone, which opens in a hundredth of the time where the
/// debug information is compressed.
int ht_debug_open(const char *path, const uint8_t *build_id, size_t build_id_size, const char *const *directories,
                  size_t directory_count, bool symbols_only, ht_debug_module **module);

/// Releases the module and every string it gave out. NULL is allowed.
void ht_debug_close(ht_debug_module *module);

/// Writes the frames at the ELF virtual address `address`, innermost inlined call first, and returns their number;
/// 0: nothing is known there. At most `capacity` (which should be HT_DEBUG_MAX_FRAMES) are written.
///
/// The first address of a unit reads that unit's functions and lines once; later ones cost a binary search and the
/// scan of one function's inlined calls, which are read at the function's first address.
size_t ht_debug_frames(ht_debug_module *module, uint64_t address, ht_debug_frame *frames, size_t capacity);

/// Whether functions of a unit lie in a .dwo or .dwp file; known once frames were asked for. 0 or 1.
int ht_debug_has_split_units(const ht_debug_module *module);

/// The function of that number, or NULL. The struct stays where it is until the next call of ht_debug_frames.
const ht_debug_function *ht_debug_function_at(const ht_debug_module *module, int32_t function);

/// Whether the call that returns to the ELF virtual address `return_address` was meant for another function than the
/// one that holds `inner` (0: another module's, or not known); `*target` is then where that function starts. It was
/// entered and left by a jump, so that it has no frame. False where the code does not tell: calls through pointers,
/// other machines.
bool ht_debug_call_target(ht_debug_module *module, uint64_t return_address, uint64_t inner, uint64_t *target);

/// How a name that the code around an allocation mentions belongs to the block.
enum {
    HT_HINT_PASSED = 1,  // the block is passed to this function as its argument number `argument`
    HT_HINT_STORED = 2,  // the block starts with this virtual table (_ZTV, or _ZTS and the class), or this function
    HT_HINT_NEAR = 3,    // code close to the call takes the address of this function, or calls it
    HT_HINT_CHECK = 4,   // the function has a length check with this message
    HT_HINT_CALLED = 5,  // the function calls this one of the standard library
    HT_HINT_FILLED = 6,  // what follows in the list was passed after words behind its first had been written
    HT_HINT_CONSTRUCTED =
        8,                // debug information: the constructor of this class, of that size, is inlined after the call
    HT_HINT_MANAGED = 7,  // this function, named near the call, copies values into blocks of the same size
};

/// What is known of the size that was asked for.
enum { HT_SIZE_UNKNOWN = 0, HT_SIZE_CONSTANT = 1, HT_SIZE_VARIABLE = 2, HT_SIZE_PLUS_ONE = 3 };

enum { HT_DEBUG_MAX_HINTS = 192 };

/// One name. It lives as long as the module.
typedef struct {
    const char *name;  // mangled, or a message's text
    uint16_t count;    // how often the code says it
    uint8_t kind;      // HT_HINT_…
    uint8_t argument;
} ht_debug_hint;

/// What machine code says of the block that one call of operator new returns.
typedef struct {
    ht_debug_hint hints[HT_DEBUG_MAX_HINTS];  // in the order in which the code comes to them
    size_t hint_count;
    uint64_t size;  // with HT_SIZE_CONSTANT
    uint8_t size_kind;
    uint8_t is_array;            // the call is of operator new[]
    uint8_t is_cut;              // the function says more than the list holds
    uint8_t is_filled_in_place;  // words of the block behind its first are written by the caller itself
} ht_debug_allocation;

/// Reads the code around the call of operator new that returns to the ELF virtual address `return_address`. False where
/// nothing is known: another machine's code, no such function, no file. Microseconds.
bool ht_debug_allocation_at(ht_debug_module *module, uint64_t return_address, ht_debug_allocation *result);

/// The owners of counted values in Rust.
enum { HT_RUST_RC = 1, HT_RUST_ARC = 2 };

/// What a call of Rust's allocating functions, or of its vectors' shared code, asks for.
typedef struct {
    uint64_t size;       // of the block, or of an element; where has_size
    uint64_t align;      // of the block, or of an element
    uint8_t has_size;    // whether the size is a constant
    uint8_t is_element;  // whether both are those of a vector's elements
    uint8_t is_vector;   // whether it is a vector's code that asks
    uint8_t counted;     // HT_RUST_…, where the size is that of a counted value
    uint8_t is_value;    // whether it is the code of a single value, of a constant size
} ht_debug_rust_request;

/// Reads the code before the call that returns to the ELF virtual address `return_address` in a Rust program. False
/// where it does not pass an alignment that is known: another machine's code, another function, a stripped file.
/// Microseconds.
bool ht_debug_rust_request_at(ht_debug_module *module, uint64_t return_address, ht_debug_rust_request *request);

/// Languages that an inventory lists at most, and the longest path it holds.
enum { HT_DEBUG_MAX_LANGUAGES = 16, HT_DEBUG_MAX_PATH = 4096 };

/// What debug information there is to a file.
typedef struct {
    uint32_t units;                              // units with code of the DWARF that ht_debug_open would use
    uint32_t toolchain_units;                    // of them, those of Rust's own library
    uint32_t split_units;                        // of them, those whose functions lie in a .dwo or .dwp file
    uint32_t missing_split_units;                // of those, the ones whose file cannot be opened
    uint32_t language_count;                     // distinct DW_AT_language codes
    uint32_t languages[HT_DEBUG_MAX_LANGUAGES];  // in the order they were met
    uint8_t has_types;                           // 0: lines and functions alone (-g1, line tables only)
    uint8_t debug_file_has_symbols;              // whether the separate debug file has a symbol table
    char debug_file[HT_DEBUG_MAX_PATH];          // the separate debug file in use, "" without one
    char missing_split_name[HT_DEBUG_MAX_PATH];  // one of the missing .dwo files as the unit names it, or ""
} ht_debug_inventory;

/// Says what debug information ht_debug_open would find for the file at `path`. Returns one of HT_DEBUG_….
int ht_debug_take_inventory(const char *path, const char *const *directories, size_t directory_count,
                            ht_debug_inventory *inventory);

/// Demangles an Itanium C++ name without its parameters, or NULL. The result is released with free().
char *ht_debug_demangle_cxx(const char *name);

/// Demangles a Rust name (legacy or v0) without its hash, or NULL. The result is released with free().
char *ht_debug_demangle_rust(const char *name);
