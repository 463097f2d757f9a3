// The shapes that CDebugInfo's files share: the module, its symbol table, its units with their indexes, its text arena.
//
// Read in this order: file.c opens, symbols.c and units.c index, functions.c reads a unit (with abbreviations.c and
// cursor.c), line_header.c and lines.c its lines, names.c describes a function, frames.c answers, calls.c reads what a
// call was meant for. libdw's own lookups are not used, each for a measured reason: dwfl_module_addrdie needs
// .debug_aranges, dwfl_module_addrinfo takes 0.6 ms an address, dwarf_getscopes finds nothing below namespaces; a step
// from DIE to DIE costs it two lock operations and a look-up, and the lines of a unit are sorted as a whole: walking
// and decoding them here made a first address of Rust's library five times as fast.
//
// Ownership: a module owns everything below it; nothing here outlives ht_debug_close. Strings that libdw returns point
// into its mappings; strings composed here live in the module's arena; both live as long as the module.
#pragma once

#include "CDebugInfo.h"

#include <elfutils/libdw.h>
#include <stdbool.h>

enum {
    HT_MAX_DIE_DEPTH = 256,         // nesting of DIEs followed
    HT_MAX_ORIGIN_CHAIN = 16,       // abstract_origin / specification references followed
    HT_MAX_RANGES_PER_DIE = 65536,  // address ranges read of one DIE
    HT_MAX_NAME_BYTES = 65536,      // longest name composed or demangled
    HT_MAX_SYMBOL_BYTES = 32768,    // symbols with longer names are left out
    HT_MAX_TEMPLATE_ARGUMENTS = 32,
    HT_MAX_SCOPES = 64,
};

/// A half-open address range that belongs to entry `index` of some table. `reach` is the highest end of this and every
/// earlier range, which tells a backward scan when it may stop.
typedef struct {
    uint64_t low;
    uint64_t high;
    uint64_t reach;
    uint64_t index;
} ht_range;

/// Ranges sorted by start.
typedef struct {
    ht_range *items;
    size_t count;
    size_t capacity;
} ht_ranges;

/// A DIE that gives its name to what it contains (namespace, module, class, …). Sorted by `start`, properly nested.
typedef struct {
    Dwarf_Off start;
    Dwarf_Off end;
    uint32_t parent;   // index + 1, 0: the unit
    const char *path;  // its name and those around it, each with "::" behind it; NULL until it is asked for
} ht_scope;

/// An inlined call's address range. A call with several ranges has several entries.
typedef struct {
    uint64_t low;
    uint64_t high;
    Dwarf_Die die;
    uint32_t depth;  // of its DIE below the function's
} ht_inlined_call;

enum {
    HT_VARIABLE = 255,  // a size or place that is not the same in every DIE
    HT_FIXED_STEP = 0x8000,
};

/// The shape of the DIEs with one abbreviation code.
typedef struct {
    uint32_t first_step;  // in the tree's `steps`
    uint16_t step_count;
    uint16_t tag;  // 0: there are no such DIEs
    bool has_children;
    bool has_code;    // DW_AT_low_pc or DW_AT_ranges
    uint8_t low_at;   // where DW_AT_low_pc, DW_AT_high_pc, DW_AT_sibling stand in forms that are read directly,
    uint8_t high_at;  // or HT_VARIABLE
    uint8_t high_bytes;
    uint8_t sibling_at;
} ht_abbreviation;

/// What it takes to walk the DIEs of a unit.
typedef struct {
    bool is_loaded;
    uint8_t address_bytes;
    uint8_t offset_bytes;
    Dwarf_Half version;
    Dwarf_CU *unit;
    const uint8_t *start;  // the unit DIE; NULL: the unit cannot be read
    const uint8_t *end;
    Dwarf_Off offset;                // of the unit DIE
    uint64_t header_bytes;           // before it
    ht_abbreviation *abbreviations;  // by code - 1
    uint32_t abbreviation_count;
    uint32_t abbreviation_capacity;
    uint16_t *steps;  // forms whose content tells their size, or HT_FIXED_STEP with the bytes of all up to the next
    uint32_t step_count;
    size_t step_capacity;
} ht_tree;

/// Bytes of a section.
typedef struct {
    const uint8_t *bytes;
    size_t size;
} ht_section;

/// A row of the line table.
typedef struct {
    uint64_t address;
    uint32_t file;
    uint32_t line;
} ht_row;

/// A run of rows, nearly always with ascending addresses; `rows` are decoded when an address asks for them.
typedef struct {
    const uint8_t *program;
    ht_row *rows;
    uint32_t row_count;
    bool is_ascending;
    bool is_decoded;
} ht_sequence;

/// A source file as the line table names it. `path` is joined when it is asked for.
typedef struct {
    const char *name;
    const char *path;
    uint64_t directory;
} ht_source;

/// The line table of a unit.
typedef struct {
    bool is_loaded;
    uint8_t minimum_bytes, operations, line_range, opcode_base, address_bytes;
    int8_t line_base;
    bool is_plain;              // measured by addresses alone: bytes are steps, opcodes take what they usually do
    uint8_t advances[256];      // of the address, by each special opcode
    const uint8_t *operands;    // of each standard opcode, from 1 on
    const uint8_t *end;         // of the program
    const uint8_t *next;        // what of it was not measured yet; NULL: nothing that can be read
    ht_ranges sequence_ranges;  // index: index in `sequences`
    ht_sequence *sequences;
    size_t sequence_count;
    size_t sequence_capacity;
    const char **directories;
    size_t directory_count;
    ht_source *sources;
    size_t source_count;
} ht_lines;

/// A function and the calls inlined into it, in the order of their DIEs: a caller before what is inlined into it.
typedef struct {
    Dwarf_Die die;
    ht_inlined_call *calls;
    size_t call_count;
    size_t call_capacity;
    bool indexed;
} ht_function;

/// A unit of .debug_info and, once an address asked for it, its functions and scopes.
typedef struct {
    Dwarf_Die die;    // the unit DIE (the skeleton with split DWARF); its line table is used
    Dwarf_Die split;  // the unit DIE of the .dwo file, addr NULL when not split
    Dwarf_Off offset;
    uint64_t bytes;         // size of the unit
    uint64_t header_bytes;  // of them, those before the unit DIE
    ht_tree tree;
    ht_lines lines;
    bool indexed;
    bool indexed_deeply;        // functions nested in functions were looked for too
    const char *directory;      // DW_AT_comp_dir
    ht_ranges function_ranges;  // index: index in `functions`
    ht_function *functions;
    size_t function_count;
    size_t function_capacity;
    ht_scope *scopes;
    size_t scope_count;
    size_t scope_capacity;
} ht_unit;

/// A function symbol. The name is fetched only when asked for.
typedef struct {
    uint64_t address;
    uint64_t end;
    uint32_t name;  // offset in the string section
    uint8_t rank;   // lower is preferred at the same address
    uint8_t sized;  // 0: the symbol had no size, `end` is where the next one starts
    uint16_t section;
} ht_symbol;

/// From the address of a DIE to the number of its function.
typedef struct {
    const void *die;  // NULL: free
    int32_t function;
} ht_slot;

/// Whether the vectors of a Rust program report failed allocations by a function of their own.
enum { HT_REPORTS_UNKNOWN = 0, HT_REPORTS_APART = 1, HT_REPORTS_TOGETHER = 2 };

/// A string section; empty or ending in a NUL.
typedef struct {
    const char *bytes;
    size_t size;
} ht_strings;

/// A word of the file that the loader fills in.
typedef struct {
    uint64_t address;
    uint64_t value;    // addend and value of the symbol, 0: the symbol is another module's
    const char *name;  // of the symbol, or NULL
} ht_relocation;

/// A symbol of a virtual table.
typedef struct {
    uint64_t address;
    uint64_t size;
    const char *name;
} ht_virtual_table;

/// What image.c has read of a file; sorted by address.
typedef struct {
    ht_relocation *relocations;
    size_t relocation_count;
    size_t relocation_capacity;
    ht_virtual_table *tables;
    size_t table_count;
    size_t table_capacity;
    bool loaded;
} ht_image;

/// An open ELF file.
typedef struct {
    int descriptor;
    Elf *elf;
} ht_file;

/// A word of the file that the loader fills with an address of the same file.
typedef struct {
    uint64_t slot;
    uint64_t value;
} ht_slot_value;

struct ht_debug_module {
    ht_file main;
    ht_file debug;  // elf NULL when there is no separate file

    ht_strings symbol_strings;
    ht_symbol *symbols;
    size_t symbol_count;
    uint64_t text_low;  // span of executable sections
    uint64_t text_high;

    ht_image image;

    Dwarf *dwarf;
    bool line_sections_loaded;
    ht_section line_section;
    ht_section line_strings;
    ht_section strings;
    bool units_loaded;
    bool has_split_units;
    ht_unit *units;
    size_t unit_count;
    size_t unit_capacity;
    ht_ranges unit_ranges;  // index: index in `units`

    ht_debug_function *declarations;  // by the number that frames carry
    size_t declaration_count;
    size_t declaration_capacity;
    ht_slot *slots;  // open addressing, a power of two
    size_t slot_count;

    uint8_t vector_reports;  // HT_REPORTS_…: of Rust, read when first asked for
    bool slots_loaded;
    ht_slot_value *slot_values;  // sorted by slot
    size_t slot_value_count;

    char **arena;  // composed strings
    size_t arena_count;
    size_t arena_capacity;
};

/// A string under construction that never grows past HT_MAX_NAME_BYTES.
typedef struct {
    char *bytes;
    size_t count;
    size_t capacity;
    bool failed;
} ht_text;

// file.c
int ht_file_open(const char *path, ht_file *file);
void ht_file_close(ht_file *file);
bool ht_file_has_section(const ht_file *file, const char *name);
bool ht_file_find_debug(const ht_file *main, const char *path, const char *const *directories, size_t count,
                        ht_file *debug);
bool ht_file_find_by_build_id(const uint8_t *id, size_t size, const char *const *directories, size_t count,
                              ht_file *debug);
bool ht_file_build_id_equals(const ht_file *file, const uint8_t *id, size_t size);

// symbols.c
void ht_symbols_load(ht_debug_module *module);
/// The symbol whose function holds the address, or NULL.
const ht_symbol *ht_symbols_covering(const ht_debug_module *module, uint64_t address);
const char *ht_symbols_find(const ht_debug_module *module, uint64_t address);
/// The name of the function that starts at `address`, or NULL.
const char *ht_symbols_start(const ht_debug_module *module, uint64_t address);
/// The address of the function whose name is this very pointer, as the other calls gave it.
bool ht_symbols_named(const ht_debug_module *module, const char *name, uint64_t *address);
/// The span of the function that holds `address`: its symbol's, else from one unwinding entry to the next.
bool ht_symbols_bounds(const ht_debug_module *module, uint64_t address, uint64_t *low, uint64_t *high);

// image.c
/// The bytes that are loaded at `address`, and how many of them follow; NULL where the file has none.
const uint8_t *ht_image_bytes(const ht_debug_module *module, uint64_t address, size_t *room);
/// The NUL-ended text at `address`, or NULL.
const char *ht_image_text(const ht_debug_module *module, uint64_t address);
/// The word at `address` as loaded, relative to the load bias. False where it is not known or 0.
bool ht_image_word(ht_debug_module *module, uint64_t address, uint64_t *word);
const ht_relocation *ht_image_relocation(ht_debug_module *module, uint64_t address);
/// The mangled name (_ZTV…, _ZTS…) of the class whose objects start with `address`, or NULL.
const char *ht_image_class(ht_debug_module *module, uint64_t address);
void ht_image_free(ht_image *image);

// sort.c
typedef int ht_compare(const void *left, const void *right);
/// Sorts entries that begin with an address, by which `compare` goes first.
void ht_sort_by_address(void *items, size_t count, size_t size, ht_compare *compare);

// ranges.c
bool ht_ranges_add(ht_ranges *ranges, uint64_t low, uint64_t high, uint64_t index);
void ht_ranges_finish(ht_ranges *ranges);
/// Position of the innermost range that holds `address` at or before position `from` (SIZE_MAX: search), or SIZE_MAX.
size_t ht_ranges_find(const ht_ranges *ranges, uint64_t address, size_t from);
void ht_ranges_free(ht_ranges *ranges);

// abbreviations.c
/// Bytes of an attribute of a form, HT_VARIABLE where its content tells.
uint8_t ht_form_bytes(unsigned form, const ht_tree *tree);
/// Reads the shapes of a unit's DIEs, once. False where the unit cannot be read.
bool ht_tree_load(ht_unit *unit);
void ht_tree_free(ht_tree *tree);

// cursor.c
/// A walk of the DIEs below one, in their order in the file; see cursor.c.
typedef struct {
    const ht_tree *tree;
    const uint8_t *entry;       // the current DIE
    const uint8_t *attributes;  // of it
    const uint8_t *next;
    const ht_abbreviation *shape;
    int tag;
    unsigned depth;  // 1: a child of the DIE the walk started at
} ht_cursor;
bool ht_cursor_start(ht_cursor *cursor, ht_unit *unit, const Dwarf_Die *parent);
/// Moves on: into the children of the current DIE if `descend`, else past them. False at the end.
bool ht_cursor_next(ht_cursor *cursor, bool descend);
/// The current DIE, and where it stands in the file.
Dwarf_Die ht_cursor_die(const ht_cursor *cursor);
Dwarf_Off ht_cursor_offset(const ht_cursor *cursor);
/// The current DIE's only range of code, where it stands in the DIE itself; else it is to be asked of libdw.
bool ht_cursor_range(const ht_cursor *cursor, uint64_t *low, uint64_t *high);
bool ht_leb128(const uint8_t **at, const uint8_t *end, uint64_t *value);
/// `bytes` (at most 8) as a number, little-endian.
uint64_t ht_number(const uint8_t *at, size_t bytes);

// lines.c
/// The source file and line of `address`; both stay as they are where nothing is known.
void ht_lines_find(ht_debug_module *module, ht_unit *unit, uint64_t address, const char **file, uint32_t *line);
/// The file of that number, or NULL.
const char *ht_lines_source(ht_debug_module *module, ht_unit *unit, uint64_t number);
void ht_lines_free(ht_lines *lines);

// units.c
void ht_units_load(ht_debug_module *module);
void ht_units_free(ht_debug_module *module);
ht_unit *ht_unit_of(ht_debug_module *module, Dwarf_Die *die);
/// The unit DIE whose tree holds the functions: that of the .dwo file when there is one.
Dwarf_Die *ht_unit_tree(ht_unit *unit);
/// Whether a range is of code that is loaded.
bool ht_is_text(const ht_debug_module *module, uint64_t low, uint64_t high);
/// Adds every range of `die` that lies in executable sections. False when `budget` or memory ends.
bool ht_ranges_add_die(const ht_debug_module *module, Dwarf_Die *die, ht_ranges *ranges, uint64_t index,
                       uint64_t *budget);

// functions.c
void ht_unit_index(ht_debug_module *module, ht_unit *unit, bool deeply);
/// The function of `unit` that holds `address`, with its inlined calls; NULL when there is none.
ht_function *ht_unit_function(ht_debug_module *module, ht_unit *unit, uint64_t address);

// names.c
const char *ht_die_string(Dwarf_Attribute *attribute);
/// The number of the function that `die` (a function or an inlined call) is an instance of.
int32_t ht_function_number(ht_debug_module *module, Dwarf_Die *die);
/// The size of the class whose constructor `die` is an instance of; 0: it is no constructor, or not known.
uint64_t ht_constructed_size(ht_debug_module *module, Dwarf_Die *die);

// text.c
void ht_text_append(ht_text *text, const char *string);
void ht_text_free(ht_text *text);
/// Hands the text to the module and empties it. NULL when it is empty or has failed.
char *ht_module_keep(ht_debug_module *module, ht_text *text);
