// The shapes of a unit's DIEs: for each abbreviation its tag and the steps that pass over a DIE's attributes, those of
// fixed sizes as one. Read once a unit, through libdw, which knows where each kind of file keeps them.
#include "array.h"
#include "internal.h"

#include <dwarf.h>
#include <stdlib.h>

enum { MAX_ABBREVIATIONS = 1 << 16, MAX_ATTRIBUTES = 256 };

// The bytes that an attribute of that form takes; HT_VARIABLE where its content tells.
uint8_t ht_form_bytes(unsigned form, const ht_tree *tree) {
    switch (form) {
        case DW_FORM_flag_present:
        case DW_FORM_implicit_const: return 0;
        case DW_FORM_data1:
        case DW_FORM_ref1:
        case DW_FORM_flag:
        case DW_FORM_strx1:
        case DW_FORM_addrx1: return 1;
        case DW_FORM_data2:
        case DW_FORM_ref2:
        case DW_FORM_strx2:
        case DW_FORM_addrx2: return 2;
        case DW_FORM_strx3:
        case DW_FORM_addrx3: return 3;
        case DW_FORM_data4:
        case DW_FORM_ref4:
        case DW_FORM_ref_sup4:
        case DW_FORM_strx4:
        case DW_FORM_addrx4: return 4;
        case DW_FORM_data8:
        case DW_FORM_ref8:
        case DW_FORM_ref_sup8:
        case DW_FORM_ref_sig8: return 8;
        case DW_FORM_data16: return 16;
        case DW_FORM_addr: return tree->address_bytes;
        case DW_FORM_ref_addr: return tree->version < 3 ? tree->address_bytes : tree->offset_bytes;
        case DW_FORM_strp:
        case DW_FORM_sec_offset:
        case DW_FORM_line_strp:
        case DW_FORM_strp_sup:
        case DW_FORM_GNU_ref_alt:
        case DW_FORM_GNU_strp_alt: return tree->offset_bytes;
        default: return HT_VARIABLE;
    }
}

static void note_attribute(ht_abbreviation *abbreviation, unsigned name, unsigned form, uint32_t offset) {
    bool is_placed = offset < HT_VARIABLE;
    switch (name) {
        case DW_AT_low_pc:
            abbreviation->has_code = true;
            if (is_placed && form == DW_FORM_addr) abbreviation->low_at = (uint8_t)offset;
            break;
        case DW_AT_high_pc:
            if (is_placed &&
                (form == DW_FORM_data1 || form == DW_FORM_data2 || form == DW_FORM_data4 || form == DW_FORM_data8)) {
                abbreviation->high_at = (uint8_t)offset;
                abbreviation->high_bytes = (uint8_t)(form == DW_FORM_data1   ? 1
                                                     : form == DW_FORM_data2 ? 2
                                                     : form == DW_FORM_data4 ? 4
                                                                             : 8);
            }
            break;
        case DW_AT_ranges: abbreviation->has_code = true; break;
        case DW_AT_sibling:
            if (is_placed && form == DW_FORM_ref4) abbreviation->sibling_at = (uint8_t)offset;
            break;
        default: break;
    }
}

static bool add_step(ht_tree *tree, uint32_t step) {
    uint16_t *steps = ht_array_room(tree->steps, tree->step_count, &tree->step_capacity, 1024, sizeof *steps);
    if (steps == NULL) return false;
    tree->steps = steps;
    tree->steps[tree->step_count++] = (uint16_t)step;
    return true;
}

// Room for codes up to `code`. Compilers number them from 1 on; what stands in a gap has the tag 0.
static bool make_room(ht_tree *tree, unsigned code) {
    if (code == 0 || code > MAX_ABBREVIATIONS) return false;
    if (code > tree->abbreviation_capacity) {
        uint32_t capacity = tree->abbreviation_capacity == 0 ? 128 : tree->abbreviation_capacity * 2;
        if (capacity < code) capacity = code;
        ht_abbreviation *items = realloc(tree->abbreviations, capacity * sizeof *items);
        if (items == NULL) return false;
        tree->abbreviations = items;
        tree->abbreviation_capacity = capacity;
    }
    for (; tree->abbreviation_count < code; tree->abbreviation_count++)
        tree->abbreviations[tree->abbreviation_count] = (ht_abbreviation){0};
    return true;
}

static bool add_abbreviation(ht_tree *tree, Dwarf_Abbrev *source) {
    unsigned code = dwarf_getabbrevcode(source);
    if (!make_room(tree, code)) return false;
    ht_abbreviation *added = &tree->abbreviations[code - 1];
    *added = (ht_abbreviation){
        .first_step = tree->step_count,
        .has_children = dwarf_abbrevhaschildren(source) != 0,
        .low_at = HT_VARIABLE,
        .high_at = HT_VARIABLE,
        .sibling_at = HT_VARIABLE,
    };
    uint32_t place = 0, bytes = 0;
    // Up to the first that is not there: libdw 0.188 counts wrong where values stand among the forms.
    for (size_t i = 0; i < MAX_ATTRIBUTES; i++) {
        unsigned name, form;
        Dwarf_Sword value;
        Dwarf_Off offset;
        if (dwarf_getabbrevattr_data(source, i, &name, &form, &value, &offset) != 0) break;
        note_attribute(added, name, form, place);
        uint8_t size = ht_form_bytes(form, tree);
        if (size != HT_VARIABLE) {
            bytes += size;
            place = place + size < HT_VARIABLE ? place + size : HT_VARIABLE;
            continue;
        }
        if (form >= HT_FIXED_STEP || (bytes > 0 && !add_step(tree, HT_FIXED_STEP | bytes)) || !add_step(tree, form))
            return false;
        bytes = 0;
        place = HT_VARIABLE;
    }
    if (bytes > 0 && !add_step(tree, HT_FIXED_STEP | bytes)) return false;
    added->step_count = (uint16_t)(tree->step_count - added->first_step);
    added->tag = (uint16_t)dwarf_getabbrevtag(source);
    return true;
}

// Where the unit of the DIE at `offset` ends, from the unit's own header.
static bool find_end(ht_tree *tree, Dwarf *dwarf, Dwarf_Off offset) {
    Dwarf_Off unit = 0, next;
    size_t header;
    while (dwarf_next_unit(dwarf, unit, &next, &header, NULL, NULL, NULL, NULL, NULL, NULL) == 0 && next > unit) {
        if (unit + header == offset) {
            tree->end = tree->start + (next - offset);
            tree->header_bytes = header;
            return true;
        }
        unit = next;
    }
    return false;
}

bool ht_tree_load(ht_unit *unit) {
    ht_tree *tree = &unit->tree;
    if (tree->is_loaded) return tree->start != NULL;
    tree->is_loaded = true;
    Dwarf_Die *root = ht_unit_tree(unit);
    Dwarf *dwarf = dwarf_cu_getdwarf(root->cu);
    size_t size;
    const char *ident = elf_getident(dwarf_getelf(dwarf), &size);
    if (ident == NULL || size <= EI_DATA || ident[EI_DATA] != ELFDATA2LSB) return false;
    if (dwarf_cu_info(root->cu, &tree->version, NULL, NULL, NULL, NULL, &tree->address_bytes, &tree->offset_bytes) != 0)
        return false;
    tree->offset = dwarf_dieoffset(root);
    tree->start = root->addr;
    tree->unit = root->cu;
    if (tree->address_bytes > 8 || tree->offset_bytes > 8) {
        tree->start = NULL;
    } else if (root == &unit->die) {
        tree->end = tree->start + (unit->bytes - unit->header_bytes);
        tree->header_bytes = unit->header_bytes;
    } else if (!find_end(tree, dwarf, tree->offset)) {
        tree->start = NULL;
    }
    size_t length = 0;
    Dwarf_Off offset = 0;
    for (int i = 0; i < MAX_ABBREVIATIONS && tree->start != NULL; i++, offset += length) {
        Dwarf_Abbrev *source = dwarf_getabbrev(root, offset, &length);
        if (source == NULL || source == (Dwarf_Abbrev *)-1 || !add_abbreviation(tree, source)) break;
    }
    return tree->start != NULL;
}

void ht_tree_free(ht_tree *tree) {
    free(tree->abbreviations);
    free(tree->steps);
    *tree = (ht_tree){0};
}
