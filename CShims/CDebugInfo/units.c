// The indexes over DWARF's units: which unit covers an address, and within a unit which function and which scopes.
//
// libdw's own address tables are not used: .debug_aranges is missing from what rustc, clang and swiftc emit. Units are
// found by the ranges of their unit DIE; a unit's functions are read when the first address falls into it. Each walk
// has a budget of one visit per byte of the unit, so that references that loop in a damaged file end.
#include "internal.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    ht_debug_module *module;
    ht_unit *unit;
    uint64_t budget;
    bool deeply;
} unit_walk;

Dwarf_Die *ht_unit_tree(ht_unit *unit)
{
    return unit->split.addr != NULL ? &unit->split : &unit->die;
}

// MARK: - Units

// Code that the linker discarded keeps its DIEs, with addresses of 0, 1 or -1.
static bool is_text(const ht_debug_module *module, Dwarf_Addr low, Dwarf_Addr high)
{
    return low < high && low >= module->text_low && high <= module->text_high;
}

// Adds every range of `die`. Returns false when the budget or memory ends.
static bool add_ranges(
    const ht_debug_module *module, Dwarf_Die *die, ht_ranges *ranges, uint64_t index, uint64_t *budget)
{
    ptrdiff_t cursor = 0;
    Dwarf_Addr base, low, high;
    for (int i = 0; i < HT_MAX_RANGES_PER_DIE; i++) {
        cursor = dwarf_ranges(die, cursor, &base, &low, &high);
        if (cursor <= 0)
            return true;
        if (*budget == 0)
            return false;
        *budget -= 1;
        if (is_text(module, low, high) && !ht_ranges_add(ranges, low, high, index))
            return false;
    }
    return true;
}

static ht_unit *append_unit(ht_debug_module *module)
{
    if (module->unit_count == module->unit_capacity) {
        size_t capacity = module->unit_capacity == 0 ? 64 : module->unit_capacity * 2;
        ht_unit *units = realloc(module->units, capacity * sizeof *units);
        if (units == NULL)
            return NULL;
        module->units = units;
        module->unit_capacity = capacity;
    }
    ht_unit *unit = &module->units[module->unit_count];
    *unit = (ht_unit){0};
    return unit;
}

void ht_units_load(ht_debug_module *module)
{
    if (module->units_loaded || module->dwarf == NULL)
        return;
    module->units_loaded = true;
    uint64_t budget = 1024;
    Dwarf_Off offset = 0, next;
    size_t header_size;
    while (dwarf_next_unit(module->dwarf, offset, &next, &header_size, NULL, NULL, NULL, NULL, NULL, NULL) == 0) {
        if (next <= offset)
            break;
        ht_unit *unit = append_unit(module);
        if (unit == NULL)
            break;
        unit->offset = offset + header_size;
        unit->bytes = next - offset;
        // Every range list entry costs some bytes of the file; sixteen a byte of the unit is far above any real one.
        budget += unit->bytes;
        offset = next;
        if (dwarf_offdie(module->dwarf, unit->offset, &unit->die) == NULL)
            continue;
        uint8_t type = DW_UT_compile;
        Dwarf_Die split = {0};
        if (dwarf_cu_info(unit->die.cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 && type == DW_UT_skeleton)
            unit->split = split;
        size_t index = module->unit_count++;
        if ((type == DW_UT_compile || type == DW_UT_skeleton)
            && !add_ranges(module, &unit->die, &module->unit_ranges, index, &budget))
            break;
    }
    ht_ranges_finish(&module->unit_ranges);
}

void ht_units_free(ht_debug_module *module)
{
    for (size_t i = 0; i < module->unit_count; i++) {
        ht_ranges_free(&module->units[i].functions);
        free(module->units[i].scopes);
    }
    free(module->units);
    ht_ranges_free(&module->unit_ranges);
}

ht_unit *ht_unit_of(ht_debug_module *module, Dwarf_Die *die)
{
    Dwarf_Die root;
    if (dwarf_diecu(die, &root, NULL, NULL) == NULL)
        return NULL;
    Dwarf_Off offset = dwarf_dieoffset(&root);
    size_t low = 0, high = module->unit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (module->units[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    // A type unit or a shared (dwz) file has offsets of its own: the pointer to the unit decides.
    if (low > 0 && module->units[low - 1].die.cu == die->cu)
        return &module->units[low - 1];
    for (size_t i = 0; i < module->unit_count; i++)
        if (module->units[i].split.addr != NULL && module->units[i].split.cu == die->cu)
            return &module->units[i];
    return NULL;
}

// MARK: - Functions and scopes of a unit

static uint32_t add_scope(ht_unit *unit, Dwarf_Off start, uint32_t parent)
{
    if (unit->scope_count == unit->scope_capacity) {
        size_t capacity = unit->scope_capacity == 0 ? 64 : unit->scope_capacity * 2;
        ht_scope *scopes = capacity > UINT32_MAX ? NULL : realloc(unit->scopes, capacity * sizeof *scopes);
        if (scopes == NULL)
            return 0;
        unit->scopes = scopes;
        unit->scope_capacity = capacity;
    }
    unit->scopes[unit->scope_count] = (ht_scope){.start = start, .end = UINT64_MAX, .parent = parent};
    return (uint32_t)++unit->scope_count;
}

static bool is_scope(int tag)
{
    switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_interface_type:
        return true;
    default:
        return false;
    }
}

static bool walk_children(unit_walk *walk, Dwarf_Die *parent, uint32_t scope, unsigned depth)
{
    Dwarf_Die die;
    if (depth > HT_MAX_DIE_DEPTH || dwarf_child(parent, &die) != 0)
        return true;
    int more;
    do {
        if (walk->budget == 0)
            return false;
        walk->budget -= 1;
        int tag = dwarf_tag(&die);
        Dwarf_Off offset = dwarf_dieoffset(&die);
        uint32_t opened = 0;
        bool go_on = true;
        if (tag == DW_TAG_subprogram) {
            go_on = add_ranges(walk->module, &die, &walk->unit->functions, offset, &walk->budget);
            if (go_on && walk->deeply)
                go_on = walk_children(walk, &die, scope, depth + 1);
        } else if (is_scope(tag) && dwarf_haschildren(&die) == 1) {
            // Scopes are recorded once, by the first, shallow walk.
            opened = walk->deeply ? scope : add_scope(walk->unit, offset, scope);
            go_on = walk_children(walk, &die, opened, depth + 1);
        } else if (walk->deeply && (tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine)) {
            go_on = walk_children(walk, &die, scope, depth + 1);
        }
        if (!go_on)
            return false;
        more = dwarf_siblingof(&die, &die);
        // A last child ends with its parent, see settle_scopes.
        if (more == 0 && opened != 0 && !walk->deeply)
            walk->unit->scopes[opened - 1].end = dwarf_dieoffset(&die);
    } while (more == 0);
    return true;
}

// Gives each scope that ended with its parent the parent's end; parents stand before their children.
static void settle_scopes(ht_unit *unit)
{
    for (size_t i = 0; i < unit->scope_count; i++) {
        ht_scope *scope = &unit->scopes[i];
        if (scope->end == UINT64_MAX && scope->parent != 0)
            scope->end = unit->scopes[scope->parent - 1].end;
    }
}

void ht_unit_index(ht_debug_module *module, ht_unit *unit, bool deeply)
{
    if (unit->indexed && (!deeply || unit->indexed_deeply))
        return;
    unit_walk walk = {.module = module, .unit = unit, .budget = unit->bytes, .deeply = deeply};
    Dwarf_Die *tree = ht_unit_tree(unit);
    if (tree == &unit->split) {
        // The budget of a split unit is that of the .dwo file's tree, whose size only its last DIE would tell.
        walk.budget = UINT32_MAX;
    }
    if (deeply)
        ht_ranges_free(&unit->functions);
    walk_children(&walk, tree, 0, 0);
    ht_ranges_finish(&unit->functions);
    settle_scopes(unit);
    unit->indexed = true;
    unit->indexed_deeply = deeply;
}
