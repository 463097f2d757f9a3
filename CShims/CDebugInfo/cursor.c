// One pass over the DIEs below a DIE, by the shapes that abbreviations.c has read.
//
// libdw reads the same, at two lock operations and a look-up of the abbreviation a step; a unit of Rust's library has
// a hundred thousand DIEs, of which an address needs a dozen. What is found is handed out as libdw's own DIEs, so that
// everything that is asked of few of them is libdw's. Offsets only grow and stay within the unit, whatever a damaged
// file says, so a walk ends after at most one step a byte of the unit.
#include "internal.h"

#include <dwarf.h>
#include <string.h>

bool ht_leb128(const uint8_t **at, const uint8_t *end, uint64_t *value) {
    uint64_t result = 0;
    for (unsigned shift = 0; *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        if (shift < 64) result |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *value = result;
            return true;
        }
    }
    return false;
}

uint64_t ht_number(const uint8_t *at, size_t bytes) {
    uint64_t value = 0;
    memcpy(&value, at, bytes);  // little-endian, which ht_tree_load made sure of
    return value;
}

// Moves past `bytes`; false where the unit ends before.
static bool skip(const uint8_t **at, const uint8_t *end, uint64_t bytes) {
    if (bytes > (uint64_t)(end - *at)) return false;
    *at += bytes;
    return true;
}

static bool skip_form(const ht_tree *tree, unsigned form, const uint8_t **at) {
    const uint8_t *end = tree->end;
    uint64_t value;
    switch (form) {
        case DW_FORM_string: {
            const uint8_t *zero = memchr(*at, 0, (size_t)(end - *at));
            return zero != NULL && skip(at, end, (uint64_t)(zero - *at) + 1);
        }
        case DW_FORM_sdata:
        case DW_FORM_udata:
        case DW_FORM_ref_udata:
        case DW_FORM_strx:
        case DW_FORM_addrx:
        case DW_FORM_loclistx:
        case DW_FORM_rnglistx:
        case DW_FORM_GNU_addr_index:
        case DW_FORM_GNU_str_index: return ht_leb128(at, end, &value);
        case DW_FORM_exprloc:
        case DW_FORM_block: return ht_leb128(at, end, &value) && skip(at, end, value);
        case DW_FORM_block1: return end > *at && skip(at, end, 1 + ht_number(*at, 1));
        case DW_FORM_block2: return end - *at >= 2 && skip(at, end, 2 + ht_number(*at, 2));
        case DW_FORM_block4: return end - *at >= 4 && skip(at, end, 4 + ht_number(*at, 4));
        case DW_FORM_indirect:
            return ht_leb128(at, end, &value) && value <= UINT16_MAX && value != DW_FORM_indirect &&
                   skip_form(tree, (unsigned)value, at);
        default: {
            uint8_t size = ht_form_bytes(form, tree);
            return size != HT_VARIABLE && skip(at, end, size);
        }
    }
}

// Reads the code of the entry at `at`: its shape, NULL at the end of a list. False where nothing can be read.
static inline bool read_code(const ht_tree *tree, const uint8_t **at, const ht_abbreviation **shape) {
    uint64_t code;
    if (*at < tree->end && **at < 0x80) code = *(*at)++;
    else if (!ht_leb128(at, tree->end, &code)) return false;
    *shape = NULL;
    if (code == 0) return true;
    if (code > tree->abbreviation_count) return false;
    *shape = &tree->abbreviations[code - 1];
    return (*shape)->tag != 0;
}

static inline bool skip_attributes(const ht_tree *tree, const ht_abbreviation *shape, const uint8_t **at) {
    const uint16_t *steps = tree->steps + shape->first_step;
    for (unsigned i = 0; i < shape->step_count; i++) {
        bool is_inside = (steps[i] & HT_FIXED_STEP) != 0 ? skip(at, tree->end, steps[i] & (HT_FIXED_STEP - 1))
                                                         : skip_form(tree, steps[i], at);
        if (!is_inside) return false;
    }
    return true;
}

// Reads the entry at `next`: 1 a DIE, which becomes the current one; 0 the end of a list; -1 nothing that can be read.
static int read_entry(ht_cursor *cursor) {
    const uint8_t *at = cursor->next;
    const ht_abbreviation *shape;
    cursor->entry = at;
    if (!read_code(cursor->tree, &at, &shape)) return -1;
    if (shape != NULL) {
        cursor->attributes = at;
        cursor->shape = shape;
        cursor->tag = shape->tag;
        if (!skip_attributes(cursor->tree, shape, &at)) return -1;
    }
    cursor->next = at;
    return shape != NULL;
}

// Moves behind the children of the current DIE, which are next.
static bool pass_children(ht_cursor *cursor) {
    const ht_tree *tree = cursor->tree;
    if (cursor->shape->sibling_at != HT_VARIABLE) {
        // Offsets of references count from the unit's header.
        uint64_t offset = ht_number(cursor->attributes + cursor->shape->sibling_at, 4);
        uint64_t start = tree->header_bytes;
        if (offset >= start && offset - start < (uint64_t)(tree->end - tree->start) &&
            tree->start + (offset - start) > cursor->next) {
            cursor->next = tree->start + (offset - start);
            return true;
        }
    }
    const uint8_t *at = cursor->next;
    for (size_t open = 1; open > 0;) {
        const ht_abbreviation *shape;
        if (!read_code(tree, &at, &shape)) return false;
        if (shape == NULL) open--;
        else if (!skip_attributes(tree, shape, &at)) return false;
        else open += shape->has_children;
    }
    cursor->next = at;
    return true;
}

// The next DIE, at the depth that is reached when the lists that end before it are closed.
static bool advance(ht_cursor *cursor) {
    for (;;) {
        int kind = read_entry(cursor);
        if (kind < 0) return false;
        if (kind > 0) return true;
        if (--cursor->depth == 0) return false;
    }
}

bool ht_cursor_start(ht_cursor *cursor, ht_unit *unit, const Dwarf_Die *parent) {
    if (!ht_tree_load(unit)) return false;
    *cursor = (ht_cursor){.tree = &unit->tree, .next = parent->addr, .depth = 1};
    if (cursor->next < unit->tree.start || cursor->next >= unit->tree.end) return false;
    return read_entry(cursor) > 0 && cursor->shape->has_children && advance(cursor);
}

bool ht_cursor_next(ht_cursor *cursor, bool descend) {
    if (cursor->shape->has_children) {
        if (descend && cursor->depth < HT_MAX_DIE_DEPTH) cursor->depth++;
        else if (!pass_children(cursor)) return false;
    }
    return advance(cursor);
}

Dwarf_Die ht_cursor_die(const ht_cursor *cursor) {
    return (Dwarf_Die){.addr = (void *)(uintptr_t)cursor->entry, .cu = cursor->tree->unit};
}

Dwarf_Off ht_cursor_offset(const ht_cursor *cursor) {
    return cursor->tree->offset + (Dwarf_Off)(cursor->entry - cursor->tree->start);
}

bool ht_cursor_range(const ht_cursor *cursor, uint64_t *low, uint64_t *high) {
    const ht_abbreviation *shape = cursor->shape;
    if (shape->low_at == HT_VARIABLE || shape->high_at == HT_VARIABLE) return false;
    *low = ht_number(cursor->attributes + shape->low_at, cursor->tree->address_bytes);
    *high = *low + ht_number(cursor->attributes + shape->high_at, shape->high_bytes);
    return true;
}
