// One pass over the DIEs below a DIE.
//
// dwarf_siblingof on the last child answers "none" and leaves its result at the entry that ends the children, so the
// parent's next sibling is the byte after it: nothing is read twice. (Asking for the sibling of the parent instead
// would read all its descendants again, for most compilers leave DW_AT_sibling out.) Offsets only grow, whatever a
// damaged file says, so a walk ends after at most one step a byte of the unit.
#include "internal.h"

#include <dwarf.h>

bool ht_cursor_start(ht_cursor *cursor, Dwarf_Die *parent) {
    cursor->dwarf = dwarf_cu_getdwarf(parent->cu);
    cursor->depth = 1;
    return dwarf_child(parent, &cursor->die) == 0;
}

// The DIE after the entry at `offset` that ended a list of children; climbs while further lists end.
static bool climb(ht_cursor *cursor, Dwarf_Off offset) {
    while (--cursor->depth > 0) {
        Dwarf_Die next;
        offset++;
        if (dwarf_offdie(cursor->dwarf, offset, &next) == NULL || next.cu != cursor->die.cu) return false;
        if (*(const unsigned char *)next.addr != 0) {
            cursor->die = next;
            return true;
        }
    }
    return false;
}

bool ht_cursor_next(ht_cursor *cursor, bool descend) {
    Dwarf_Die next;
    if (descend && cursor->depth < HT_MAX_DIE_DEPTH && dwarf_haschildren(&cursor->die) == 1 &&
        dwarf_child(&cursor->die, &next) == 0) {
        cursor->die = next;
        cursor->depth++;
        return true;
    }
    next = cursor->die;
    int end = dwarf_siblingof(&cursor->die, &next);
    if (end == 0) {
        cursor->die = next;
        return true;
    }
    if (end < 0 || next.addr == cursor->die.addr) return false;
    next.cu = cursor->die.cu;
    return climb(cursor, dwarf_dieoffset(&next));
}
