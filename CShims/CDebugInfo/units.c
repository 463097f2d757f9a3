// The index over DWARF's units: which unit covers an address, and which unit a DIE belongs to.
//
// libdw's own address tables are not used: .debug_aranges is missing from what rustc, clang and swiftc emit. Units are
// found by the ranges of their unit DIE, all of them read at the module's first lookup.
#include "array.h"
#include "internal.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

Dwarf_Die *ht_unit_tree(ht_unit *unit) { return unit->split.addr != NULL ? &unit->split : &unit->die; }

// MARK: - Units

// Code that the linker discarded keeps its DIEs, with addresses of 0, 1 or -1.
bool ht_is_text(const ht_debug_module *module, uint64_t low, uint64_t high) {
    return low < high && low >= module->text_low && high <= module->text_high;
}

bool ht_ranges_add_die(const ht_debug_module *module, Dwarf_Die *die, ht_ranges *ranges, uint64_t index,
                       uint64_t *budget) {
    ptrdiff_t cursor = 0;
    Dwarf_Addr base, low, high;
    for (int i = 0; i < HT_MAX_RANGES_PER_DIE; i++) {
        cursor = dwarf_ranges(die, cursor, &base, &low, &high);
        if (cursor <= 0) return true;
        if (*budget == 0) return false;
        *budget -= 1;
        if (ht_is_text(module, low, high) && !ht_ranges_add(ranges, low, high, index)) return false;
    }
    return true;
}

static ht_unit *append_unit(ht_debug_module *module) {
    ht_unit *units = ht_array_room(module->units, module->unit_count, &module->unit_capacity, 64, sizeof *units);
    if (units == NULL) return NULL;
    module->units = units;
    ht_unit *unit = &module->units[module->unit_count];
    *unit = (ht_unit){0};
    return unit;
}

void ht_units_load(ht_debug_module *module) {
    if (module->units_loaded || module->dwarf == NULL) return;
    module->units_loaded = true;
    uint64_t budget = 1024;
    Dwarf_Off offset = 0, next;
    size_t header_size;
    while (dwarf_next_unit(module->dwarf, offset, &next, &header_size, NULL, NULL, NULL, NULL, NULL, NULL) == 0) {
        if (next <= offset) break;
        ht_unit *unit = append_unit(module);
        if (unit == NULL) break;
        unit->offset = offset + header_size;
        unit->bytes = next - offset;
        unit->header_bytes = header_size;
        // Real units have far fewer ranges than bytes; the budget is for lists that units of a damaged file share.
        budget += unit->bytes;
        offset = next;
        if (dwarf_offdie(module->dwarf, unit->offset, &unit->die) == NULL) continue;
        uint8_t type = DW_UT_compile;
        Dwarf_Die split = {0};
        if (dwarf_cu_info(unit->die.cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 && type == DW_UT_skeleton) {
            unit->split = split;
            module->has_split_units = true;
        }
        Dwarf_Attribute attribute;
        if (dwarf_attr_integrate(&unit->die, DW_AT_comp_dir, &attribute) != NULL)
            unit->directory = ht_die_string(&attribute);
        size_t index = module->unit_count++;
        if ((type == DW_UT_compile || type == DW_UT_skeleton) &&
            !ht_ranges_add_die(module, &unit->die, &module->unit_ranges, index, &budget))
            break;
    }
    ht_ranges_finish(&module->unit_ranges);
}

void ht_units_free(ht_debug_module *module) {
    for (size_t i = 0; i < module->unit_count; i++) {
        ht_unit *unit = &module->units[i];
        for (size_t k = 0; k < unit->function_count; k++) free(unit->functions[k].calls);
        free(unit->functions);
        free(unit->scopes);
        ht_ranges_free(&unit->function_ranges);
        ht_tree_free(&unit->tree);
        ht_lines_free(&unit->lines);
    }
    free(module->units);
    ht_ranges_free(&module->unit_ranges);
}

ht_unit *ht_unit_of(ht_debug_module *module, Dwarf_Die *die) {
    Dwarf_Die root;
    if (dwarf_diecu(die, &root, NULL, NULL) == NULL) return NULL;
    Dwarf_Off offset = dwarf_dieoffset(&root);
    size_t low = 0, high = module->unit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (module->units[middle].offset <= offset) low = middle + 1;
        else high = middle;
    }
    // A type unit or a shared (dwz) file has offsets of its own: the pointer to the unit decides.
    if (low > 0 && module->units[low - 1].die.cu == die->cu) return &module->units[low - 1];
    for (size_t i = 0; module->has_split_units && i < module->unit_count; i++)
        if (module->units[i].split.addr != NULL && module->units[i].split.cu == die->cu) return &module->units[i];
    return NULL;
}
