// The functions of a unit, its scopes, and the calls inlined into each function.
//
// A unit is read when the first address falls into it: one pass that enters namespaces, modules and types and skips
// functions' bodies. A function's body is read when the first address falls into the function. Functions nested in
// functions (C, local classes) are looked for only when an address of the unit is in no other.
#include "array.h"
#include "internal.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

static bool is_scope(int tag) {
    switch (tag) {
        case DW_TAG_namespace:
        case DW_TAG_module:
        case DW_TAG_class_type:
        case DW_TAG_structure_type:
        case DW_TAG_union_type:
        case DW_TAG_enumeration_type:
        case DW_TAG_interface_type: return true;
        default: return false;
    }
}

static bool is_block(int tag) {
    return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

// Returns the index of the new scope + 1, or 0.
static uint32_t add_scope(ht_unit *unit, Dwarf_Off start, uint32_t parent) {
    if (unit->scope_count == unit->scope_capacity) {
        size_t capacity = unit->scope_capacity == 0 ? 64 : unit->scope_capacity * 2;
        ht_scope *scopes = capacity > UINT32_MAX ? NULL : realloc(unit->scopes, capacity * sizeof *scopes);
        if (scopes == NULL) return 0;
        unit->scopes = scopes;
        unit->scope_capacity = capacity;
    }
    unit->scopes[unit->scope_count] = (ht_scope){.start = start, .end = UINT64_MAX, .parent = parent};
    return (uint32_t)++unit->scope_count;
}

static bool add_function(ht_debug_module *module, ht_unit *unit, const ht_cursor *cursor, uint64_t *budget) {
    if (!cursor->shape->has_code) return true;
    size_t before = unit->function_ranges.count;
    uint64_t low, high;
    Dwarf_Die die = ht_cursor_die(cursor);
    if (ht_cursor_range(cursor, &low, &high)) {
        if (ht_is_text(module, low, high) && !ht_ranges_add(&unit->function_ranges, low, high, unit->function_count))
            return false;
    } else if (!ht_ranges_add_die(module, &die, &unit->function_ranges, unit->function_count, budget)) {
        return false;
    }
    if (unit->function_ranges.count == before) return true;  // a declaration, or discarded code
    if (unit->function_count == unit->function_capacity) {
        size_t capacity = unit->function_capacity == 0 ? 64 : unit->function_capacity * 2;
        ht_function *functions = realloc(unit->functions, capacity * sizeof *functions);
        if (functions == NULL) {
            unit->function_ranges.count = before;
            return false;
        }
        unit->functions = functions;
        unit->function_capacity = capacity;
    }
    unit->functions[unit->function_count++] = (ht_function){.die = die};
    return true;
}

static void forget_functions(ht_unit *unit) {
    for (size_t i = 0; i < unit->function_count; i++) free(unit->functions[i].calls);
    unit->function_count = 0;
    unit->function_ranges.count = 0;
}

void ht_unit_index(ht_debug_module *module, ht_unit *unit, bool deeply) {
    if (unit->indexed && (!deeply || unit->indexed_deeply)) return;
    // Scopes are recorded by the first, shallow pass.
    bool records_scopes = !unit->indexed;
    unit->indexed = true;
    unit->indexed_deeply = deeply;
    forget_functions(unit);

    // Real units have far fewer ranges than bytes; the budget is for lists that many DIEs of a damaged file share.
    uint64_t budget = unit->bytes + HT_MAX_RANGES_PER_DIE;
    uint32_t open[HT_MAX_DIE_DEPTH + 1] = {0};  // the scope whose children stand at that depth
    unsigned deepest = 1;
    ht_cursor cursor;
    bool more = ht_cursor_start(&cursor, unit, ht_unit_tree(unit));
    while (more) {
        Dwarf_Off offset = ht_cursor_offset(&cursor);
        for (; deepest > cursor.depth; deepest--)
            if (records_scopes && open[deepest] != 0 && open[deepest] != open[deepest - 1])
                unit->scopes[open[deepest] - 1].end = offset;
        int tag = cursor.tag;
        bool enters = false;
        uint32_t scope = open[cursor.depth];
        if (tag == DW_TAG_subprogram) {
            if (!add_function(module, unit, &cursor, &budget)) break;
            enters = deeply;
        } else if (is_scope(tag) && cursor.shape->has_children) {
            enters = true;
            if (records_scopes) scope = add_scope(unit, offset, scope);
        } else {
            enters = deeply && (is_block(tag) || tag == DW_TAG_inlined_subroutine);
        }
        if (enters && cursor.depth < HT_MAX_DIE_DEPTH) {
            open[cursor.depth + 1] = scope;
            deepest = cursor.depth + 1;
        }
        more = ht_cursor_next(&cursor, enters);
    }
    ht_ranges_finish(&unit->function_ranges);
}

// MARK: - Inlined calls

static bool add_call(ht_function *function, const ht_inlined_call *call) {
    ht_inlined_call *calls =
        ht_array_room(function->calls, function->call_count, &function->call_capacity, 16, sizeof *calls);
    if (calls == NULL) return false;
    function->calls = calls;
    function->calls[function->call_count++] = *call;
    return true;
}

// Adds the ranges of the inlined call at the cursor.
static bool add_calls(ht_function *function, const ht_cursor *cursor, uint64_t *budget) {
    ht_inlined_call call = {.die = ht_cursor_die(cursor), .depth = cursor->depth};
    if (ht_cursor_range(cursor, &call.low, &call.high)) return call.low >= call.high || add_call(function, &call);
    if (!cursor->shape->has_code) return true;
    Dwarf_Addr base;
    ptrdiff_t next = 0;
    for (int i = 0; i<HT_MAX_RANGES_PER_DIE && * budget> 0; i++, (*budget)--) {
        next = dwarf_ranges(&call.die, next, &base, &call.low, &call.high);
        if (next <= 0) break;
        if (call.low < call.high && !add_call(function, &call)) return false;
    }
    return true;
}

static void index_function(ht_unit *unit, ht_function *function) {
    function->indexed = true;
    uint64_t budget = unit->bytes + HT_MAX_RANGES_PER_DIE;
    ht_cursor cursor;
    bool more = ht_cursor_start(&cursor, unit, &function->die);
    while (more) {
        int tag = cursor.tag;
        if (tag == DW_TAG_inlined_subroutine && !add_calls(function, &cursor, &budget)) return;
        more = budget > 0 && ht_cursor_next(&cursor, tag == DW_TAG_inlined_subroutine || is_block(tag));
    }
}

ht_function *ht_unit_function(ht_debug_module *module, ht_unit *unit, uint64_t address) {
    ht_unit_index(module, unit, false);
    size_t found = ht_ranges_find(&unit->function_ranges, address, SIZE_MAX);
    if (found == SIZE_MAX) {
        ht_unit_index(module, unit, true);
        found = ht_ranges_find(&unit->function_ranges, address, SIZE_MAX);
    }
    if (found == SIZE_MAX) return NULL;
    ht_function *function = &unit->functions[unit->function_ranges.items[found].index];
    if (!function->indexed) index_function(unit, function);
    return function;
}
