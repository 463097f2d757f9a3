// The life of a module and the frames at one address: function, chain of inlined calls, source lines.
#include "internal.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CANDIDATE_UNITS = 8 };

// MARK: - Opening

int ht_debug_open(const char *path, const uint8_t *build_id, size_t build_id_size, const char *const *directories,
                  size_t directory_count, bool symbols_only, ht_debug_module **result) {
    *result = NULL;
    ht_debug_module *module = calloc(1, sizeof *module);
    if (module == NULL) return HT_DEBUG_NO_MEMORY;
    int status = ht_file_open(path, &module->main);
    if (status == HT_DEBUG_OK && build_id_size > 0 &&
        !ht_file_build_id_equals(&module->main, build_id, build_id_size)) {
        ht_file_close(&module->main);
        status = HT_DEBUG_BUILD_ID_DIFFERS;
    }
    if (status != HT_DEBUG_OK) {
        // The program is gone or another one, but its debug file may still be there.
        if (!ht_file_find_by_build_id(build_id, build_id_size, directories, directory_count, &module->main)) {
            free(module);
            return status;
        }
    } else if (!ht_file_has_section(&module->main, ".debug_info")) {
        ht_file_find_debug(&module->main, path, directories, directory_count, &module->debug);
    }
    ht_symbols_load(module);
    if (!symbols_only)
        module->dwarf =
            dwarf_begin_elf(module->debug.elf != NULL ? module->debug.elf : module->main.elf, DWARF_C_READ, NULL);
    *result = module;
    return HT_DEBUG_OK;
}

void ht_debug_close(ht_debug_module *module) {
    if (module == NULL) return;
    for (size_t i = 0; i < module->arena_count; i++) free(module->arena[i]);
    free(module->arena);
    free(module->declarations);
    free(module->slots);
    ht_units_free(module);
    free(module->symbols);
    free(module->slot_values);
    ht_image_free(&module->image);
    if (module->dwarf != NULL) dwarf_end(module->dwarf);
    ht_file_close(&module->debug);
    ht_file_close(&module->main);
    free(module);
}

const ht_debug_function *ht_debug_function_at(const ht_debug_module *module, int32_t function) {
    if (function < 0 || (size_t)function >= module->declaration_count) return NULL;
    return &module->declarations[function];
}

int ht_debug_has_split_units(const ht_debug_module *module) { return module->has_split_units ? 1 : 0; }

// MARK: - Lines

static void line_at(ht_debug_module *module, ht_unit *unit, Dwarf_Addr address, ht_debug_frame *frame) {
    ht_lines_find(module, unit, address, &frame->file, &frame->line);
    if (frame->file != NULL) frame->directory = unit->directory;
}

// Where the inlined `call` stands in its caller.
static void call_site(ht_debug_module *module, ht_unit *unit, Dwarf_Die *call, ht_debug_frame *caller) {
    Dwarf_Attribute attribute;
    Dwarf_Word value;
    if (dwarf_formudata(dwarf_attr(call, DW_AT_call_line, &attribute), &value) == 0 && value <= INT32_MAX)
        caller->line = (uint32_t)value;
    if (dwarf_formudata(dwarf_attr(call, DW_AT_call_file, &attribute), &value) != 0) return;
    if (unit->split.addr != NULL) {
        // The .dwo file has a table of its own.
        Dwarf_Files *files;
        size_t count;
        if (dwarf_getsrcfiles(&unit->split, &files, &count) == 0 && value < count)
            caller->file = dwarf_filesrc(files, value, NULL, NULL);
    } else {
        caller->file = ht_lines_source(module, unit, value);
    }
    if (caller->file != NULL) caller->directory = unit->directory;
}

// MARK: - Lookup

// The frames of `function` at `address`: its DIE and, inside it, the inlined calls that hold the address.
static size_t frames_of_function(ht_debug_module *module, ht_unit *unit, ht_function *function, Dwarf_Addr address,
                                 ht_debug_frame *frames, size_t capacity) {
    Dwarf_Die *chain[HT_DEBUG_MAX_FRAMES] = {&function->die};
    size_t count = 1;
    uint32_t depth = 0;
    for (size_t i = 0; i < function->call_count; i++) {
        ht_inlined_call *call = &function->calls[i];
        // Depths grow along a chain; overlapping siblings of a damaged file do not get in.
        if (call->low > address || address >= call->high || call->depth <= depth) continue;
        depth = call->depth;
        if (count < HT_DEBUG_MAX_FRAMES) chain[count++] = &call->die;
        else chain[HT_DEBUG_MAX_FRAMES - 1] = &call->die;
    }
    size_t written = count < capacity ? count : capacity;
    for (size_t i = 0; i < written; i++) {
        // frames[0] is innermost, chain[0] outermost.
        frames[i] = (ht_debug_frame){.is_inlined = i + 1 < count};
        frames[i].function = ht_function_number(module, chain[count - 1 - i]);
        if (i == 0) line_at(module, unit, address, &frames[i]);
        else call_site(module, unit, chain[count - i], &frames[i]);
    }
    return written;
}

size_t ht_debug_frames(ht_debug_module *module, uint64_t address, ht_debug_frame *frames, size_t capacity) {
    if (capacity == 0) return 0;
    ht_units_load(module);
    const char *symbol = ht_symbols_find(module, address);
    size_t count = 0;
    ht_unit *line_unit = NULL;
    size_t position = ht_ranges_find(&module->unit_ranges, address, SIZE_MAX);
    for (int tried = 0; position != SIZE_MAX && tried < MAX_CANDIDATE_UNITS && count == 0; tried++) {
        ht_unit *unit = &module->units[module->unit_ranges.items[position].index];
        ht_function *function = ht_unit_function(module, unit, address);
        if (line_unit == NULL) line_unit = unit;
        if (function != NULL) count = frames_of_function(module, unit, function, address, frames, capacity);
        position = position == 0 ? SIZE_MAX : ht_ranges_find(&module->unit_ranges, address, position - 1);
    }
    if (count == 0) {
        frames[0] = (ht_debug_frame){.function = HT_DEBUG_NO_FUNCTION};
        if (line_unit != NULL) line_at(module, line_unit, address, &frames[0]);
        if (symbol == NULL && frames[0].file == NULL) return 0;
        count = 1;
    }
    if (!frames[count - 1].is_inlined) frames[count - 1].symbol = symbol;
    return count;
}
