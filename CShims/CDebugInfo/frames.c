// The life of a module and the frames at one address: function, chain of inlined calls, source lines.
#include "internal.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CANDIDATE_UNITS = 8 };

// MARK: - Opening

int ht_debug_open(
    const char *path, const uint8_t *build_id, size_t build_id_size, const char *const *directories,
    size_t directory_count, ht_debug_module **result)
{
    *result = NULL;
    ht_debug_module *module = calloc(1, sizeof *module);
    if (module == NULL)
        return HT_DEBUG_NO_MEMORY;
    int status = ht_file_open(path, &module->main);
    if (status == HT_DEBUG_OK && build_id_size > 0
        && !ht_file_build_id_equals(&module->main, build_id, build_id_size)) {
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
    module->dwarf = dwarf_begin_elf(module->debug.elf != NULL ? module->debug.elf : module->main.elf, DWARF_C_READ, NULL);
    *result = module;
    return HT_DEBUG_OK;
}

static void forget_strings(ht_debug_module *module)
{
    for (size_t i = 0; i < module->arena_count; i++)
        free(module->arena[i]);
    module->arena_count = 0;
}

void ht_debug_close(ht_debug_module *module)
{
    if (module == NULL)
        return;
    forget_strings(module);
    free(module->arena);
    ht_units_free(module);
    free(module->symbols);
    if (module->dwarf != NULL)
        dwarf_end(module->dwarf);
    ht_file_close(&module->debug);
    ht_file_close(&module->main);
    free(module);
}

int ht_debug_has_dwarf(ht_debug_module *module)
{
    ht_units_load(module);
    return module->unit_ranges.count > 0;
}

size_t ht_debug_symbol_count(const ht_debug_module *module)
{
    return module->symbol_count;
}

// MARK: - Inlined calls

typedef struct {
    Dwarf_Die dies[HT_DEBUG_MAX_FRAMES];  // function first, then each inlined call inside the one before
    size_t count;
} inline_chain;

// Appends the inlined calls below `parent` that hold `address`, outermost first, and returns whether there was any
// block or call that does. `budget` bounds the DIEs visited: references in a damaged file may make them repeat.
static bool collect_chain(Dwarf_Die *parent, Dwarf_Addr address, unsigned depth, uint64_t *budget, inline_chain *chain)
{
    Dwarf_Die die;
    if (depth > HT_MAX_INLINE_DEPTH || dwarf_child(parent, &die) != 0)
        return false;
    do {
        if (*budget == 0)
            return false;
        *budget -= 1;
        int tag = dwarf_tag(&die);
        bool is_call = tag == DW_TAG_inlined_subroutine;
        if (!is_call && tag != DW_TAG_lexical_block && tag != DW_TAG_try_block && tag != DW_TAG_catch_block)
            continue;
        if (dwarf_haspc(&die, address) == 1) {
            if (is_call && chain->count < HT_DEBUG_MAX_FRAMES)
                chain->dies[chain->count++] = die;
            else if (is_call)
                chain->dies[HT_DEBUG_MAX_FRAMES - 1] = die;
            collect_chain(&die, address, depth + 1, budget, chain);
            return true;
        }
        // gcc leaves the range out of some blocks; what they contain has its own.
        if (!is_call && dwarf_hasattr(&die, DW_AT_low_pc) == 0 && dwarf_hasattr(&die, DW_AT_ranges) == 0
            && collect_chain(&die, address, depth + 1, budget, chain))
            return true;
    } while (dwarf_siblingof(&die, &die) == 0);
    return false;
}

// MARK: - Lines

static const char *compilation_directory(Dwarf_Die *unit)
{
    Dwarf_Attribute attribute;
    return dwarf_attr_integrate(unit, DW_AT_comp_dir, &attribute) == NULL ? NULL : ht_die_string(&attribute);
}

static void line_at(Dwarf_Die *unit, Dwarf_Addr address, ht_debug_frame *frame)
{
    Dwarf_Line *line = dwarf_getsrc_die(unit, address);
    int number = 0;
    if (line == NULL)
        return;
    frame->file = dwarf_linesrc(line, NULL, NULL);
    frame->directory = compilation_directory(unit);
    if (dwarf_lineno(line, &number) == 0 && number > 0)
        frame->line = (uint32_t)number;
}

// Where the inlined `call` stands in its caller.
static void call_site(Dwarf_Die *call, ht_debug_frame *caller)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value;
    Dwarf_Die unit;
    if (dwarf_diecu(call, &unit, NULL, NULL) == NULL)
        return;
    if (dwarf_formudata(dwarf_attr(call, DW_AT_call_line, &attribute), &value) == 0 && value <= INT32_MAX)
        caller->line = (uint32_t)value;
    Dwarf_Files *files;
    size_t count;
    if (dwarf_formudata(dwarf_attr(call, DW_AT_call_file, &attribute), &value) == 0
        && dwarf_getsrcfiles(&unit, &files, &count) == 0 && value < count) {
        caller->file = dwarf_filesrc(files, value, NULL, NULL);
        caller->directory = compilation_directory(&unit);
    }
}

// MARK: - Lookup

// The function of `unit` that holds `address`.
static bool find_function(ht_debug_module *module, ht_unit *unit, Dwarf_Addr address, Dwarf_Die *function)
{
    ht_unit_index(module, unit, false);
    size_t found = ht_ranges_find(&unit->functions, address, SIZE_MAX);
    if (found == SIZE_MAX) {
        ht_unit_index(module, unit, true);
        found = ht_ranges_find(&unit->functions, address, SIZE_MAX);
    }
    if (found == SIZE_MAX)
        return false;
    Dwarf *dwarf = dwarf_cu_getdwarf(ht_unit_tree(unit)->cu);
    return dwarf_offdie(dwarf, unit->functions.items[found].index, function) != NULL;
}

static size_t frames_of_function(
    ht_debug_module *module, ht_unit *unit, Dwarf_Die *function, Dwarf_Addr address, ht_debug_frame *frames,
    size_t capacity)
{
    inline_chain chain;
    uint64_t budget = unit->split.addr != NULL ? UINT32_MAX : unit->bytes;
    chain.dies[0] = *function;
    chain.count = 1;
    collect_chain(function, address, 0, &budget, &chain);
    size_t count = chain.count < capacity ? chain.count : capacity;
    for (size_t i = 0; i < count; i++) {
        // frames[0] is innermost, chain.dies[0] outermost.
        Dwarf_Die *die = &chain.dies[chain.count - 1 - i];
        frames[i] = (ht_debug_frame){.is_inlined = i + 1 < chain.count};
        ht_frame_names(module, die, &frames[i]);
        if (i == 0)
            line_at(&unit->die, address, &frames[i]);
        else
            call_site(&chain.dies[chain.count - i], &frames[i]);
    }
    return count;
}

size_t ht_debug_frames(ht_debug_module *module, uint64_t address, ht_debug_frame *frames, size_t capacity)
{
    forget_strings(module);
    if (capacity == 0)
        return 0;
    ht_units_load(module);
    const char *symbol = ht_symbols_find(module, address);
    size_t count = 0;
    ht_unit *line_unit = NULL;
    size_t position = ht_ranges_find(&module->unit_ranges, address, SIZE_MAX);
    for (int tried = 0; position != SIZE_MAX && tried < MAX_CANDIDATE_UNITS && count == 0; tried++) {
        ht_unit *unit = &module->units[module->unit_ranges.items[position].index];
        Dwarf_Die function;
        if (line_unit == NULL)
            line_unit = unit;
        if (find_function(module, unit, address, &function))
            count = frames_of_function(module, unit, &function, address, frames, capacity);
        position = position == 0 ? SIZE_MAX : ht_ranges_find(&module->unit_ranges, address, position - 1);
    }
    if (count == 0) {
        frames[0] = (ht_debug_frame){0};
        if (line_unit != NULL)
            line_at(&line_unit->die, address, &frames[0]);
        if (symbol == NULL && frames[0].file == NULL)
            return 0;
        count = 1;
    }
    ht_debug_frame *outermost = &frames[count - 1];
    if (symbol != NULL && outermost->linkage_name == NULL && !outermost->is_inlined) {
        outermost->linkage_name = symbol;
        outermost->linkage_from_symbol = 1;
    }
    return count;
}
