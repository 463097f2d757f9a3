// What debug information there is to one ELF file, without reading it: which file holds it, which languages its units
// are in, whether they describe types or lines alone, and whether parts of it lie in .dwo files that are not there.
#include "internal.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_UNITS = 200000,         // looked at; what lies beyond is like what comes before
    MAX_TYPE_UNITS = 64,        // units searched for types
    MAX_DIES_PER_UNIT = 20000,  // read of one of them
    MAX_TYPE_DEPTH = 3,         // namespaces and modules entered in that search
};

static bool is_type(int tag) {
    return tag == DW_TAG_base_type || tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
           tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type;
}

static bool has_types(Dwarf_Die *parent, int depth, size_t *budget) {
    Dwarf_Die die;
    if (dwarf_child(parent, &die) != 0) return false;
    do {
        if (*budget == 0) return false;
        (*budget)--;
        int tag = dwarf_tag(&die);
        if (is_type(tag)) return true;
        bool holds = tag == DW_TAG_namespace || tag == DW_TAG_module;
        if (holds && depth < MAX_TYPE_DEPTH && has_types(&die, depth + 1, budget)) return true;
    } while (dwarf_siblingof(&die, &die) == 0);
    return false;
}

static void note_language(Dwarf_Die *unit, ht_debug_inventory *inventory) {
    Dwarf_Attribute attribute;
    Dwarf_Word code;
    if (dwarf_attr(unit, DW_AT_language, &attribute) == NULL || dwarf_formudata(&attribute, &code) != 0) return;
    for (uint32_t i = 0; i < inventory->language_count; i++) {
        if (inventory->languages[i] == (uint32_t)code) return;
    }
    if (inventory->language_count < HT_DEBUG_MAX_LANGUAGES)
        inventory->languages[inventory->language_count++] = (uint32_t)code;
}

static bool has_prefix(Dwarf_Die *unit, unsigned name, const char *prefix) {
    Dwarf_Attribute attribute;
    const char *text = dwarf_attr(unit, name, &attribute) == NULL ? NULL : dwarf_formstring(&attribute);
    return text != NULL && strncmp(text, prefix, strlen(prefix)) == 0;
}

// Rust's standard library comes with line tables, whatever the program was built with.
static bool is_toolchain(Dwarf_Die *unit) {
    return has_prefix(unit, DW_AT_comp_dir, "/rustc/") || has_prefix(unit, DW_AT_name, "/rustc/") ||
           has_prefix(unit, DW_AT_name, "/rust/deps/");
}

static bool has_code(Dwarf_Die *unit) {
    return dwarf_hasattr(unit, DW_AT_low_pc) != 0 || dwarf_hasattr(unit, DW_AT_ranges) != 0;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

// A skeleton unit names the .dwo file that holds the rest; where it cannot be opened, only lines and symbols are known.
static bool note_split(Dwarf_Die *unit, Dwarf_Die *split, ht_debug_inventory *inventory) {
    Dwarf_Attribute attribute;
    Dwarf_Attribute *found = dwarf_attr(unit, DW_AT_dwo_name, &attribute);
    if (found == NULL) found = dwarf_attr(unit, DW_AT_GNU_dwo_name, &attribute);
    const char *name = found == NULL ? NULL : dwarf_formstring(found);
    // swiftc names the compiled modules it imported in the same way.
    if (name == NULL || ends_with(name, ".pcm")) return false;
    inventory->split_units++;
    uint8_t type = 0;
    if (dwarf_cu_info(unit->cu, NULL, &type, NULL, split, NULL, NULL, NULL) == 0 && split->addr != NULL) return true;
    if (inventory->missing_split_units++ == 0) snprintf(inventory->missing_split_name, HT_DEBUG_MAX_PATH, "%s", name);
    return false;
}

static void note_units(Dwarf *dwarf, ht_debug_inventory *inventory) {
    Dwarf_CU *unit = NULL;
    Dwarf_Half version;
    uint8_t type;
    Dwarf_Die die, split;
    while (inventory->units < MAX_UNITS && dwarf_get_units(dwarf, unit, &unit, &version, &type, &die, &split) == 0) {
        if ((type != DW_UT_compile && type != DW_UT_skeleton) || !has_code(&die)) continue;
        inventory->units++;
        if (is_toolchain(&die)) {
            inventory->toolchain_units++;
            continue;
        }
        note_language(&die, inventory);
        memset(&split, 0, sizeof split);
        bool has_split = note_split(&die, &split, inventory);
        if (has_split) note_language(&split, inventory);
        if (inventory->has_types || inventory->units > MAX_TYPE_UNITS) continue;
        size_t budget = MAX_DIES_PER_UNIT;
        inventory->has_types = has_types(has_split ? &split : &die, 0, &budget);
    }
}

static void note_path(const ht_file *file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file->descriptor);
    ssize_t length = readlink(link, path, HT_DEBUG_MAX_PATH - 1);
    path[length > 0 ? length : 0] = 0;
}

int ht_debug_take_inventory(const char *path, const char *const *directories, size_t directory_count,
                            ht_debug_inventory *inventory) {
    memset(inventory, 0, sizeof *inventory);
    ht_file file, debug = {.descriptor = -1, .elf = NULL};
    int status = ht_file_open(path, &file);
    if (status != HT_DEBUG_OK) return status;
    // As ht_debug_open has it: a separate file is looked for only where the file itself has nothing.
    bool has_own = ht_file_has_section(&file, ".debug_info");
    if (!has_own && ht_file_find_debug(&file, path, directories, directory_count, &debug)) {
        note_path(&debug, inventory->debug_file);
        inventory->debug_file_has_symbols = ht_file_has_section(&debug, ".symtab");
    }
    Dwarf *dwarf = dwarf_begin_elf(debug.elf == NULL ? file.elf : debug.elf, DWARF_C_READ, NULL);
    if (dwarf != NULL) {
        note_units(dwarf, inventory);
        dwarf_end(dwarf);
    }
    ht_file_close(&debug);
    ht_file_close(&file);
    return HT_DEBUG_OK;
}
