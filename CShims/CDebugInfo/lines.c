// The lines of a unit: the program of its line table is measured up to the sequence that an address falls into, which
// is then decoded; paths of files are joined when they are asked for.
//
// A compiler makes a sequence of every function that has a section of its own, so that of a unit with a hundred
// thousand lines a few dozen are kept.
#include "array.h"
#include "lines.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

// MARK: - Program

// What one sequence came to.
typedef struct {
    uint64_t low;
    uint64_t high;
    uint32_t row_count;
    bool is_ascending;
} ht_extent;

// Where rows go; `items` NULL: they are counted only.
typedef struct {
    ht_row *items;
    uint32_t capacity;
} ht_rows;

static void add_row(ht_extent *extent, ht_rows rows, uint64_t address, uint64_t file, int64_t line) {
    if (extent->row_count == 0) extent->low = extent->high = address;
    if (address < extent->high) extent->is_ascending = false;
    if (address < extent->low) extent->low = address;
    if (address > extent->high) extent->high = address;
    if (extent->row_count == UINT32_MAX) return;
    // The file may change between the count and now.
    if (extent->row_count < rows.capacity)
        rows.items[extent->row_count] = (ht_row){
            .address = address,
            .file = file > UINT32_MAX ? UINT32_MAX : (uint32_t)file,
            .line = line > 0 && line <= INT32_MAX ? (uint32_t)line : 0,
        };
    extent->row_count++;
}

// Runs the program from `at` to the end of a sequence; its rows go to `rows`, unless that is NULL. Returns where the
// next one begins, NULL where the program cannot be read on.
static const uint8_t *run_sequence(const ht_lines *lines, const uint8_t *at, ht_extent *extent, ht_rows rows) {
    ht_reader reader = {.at = at, .end = lines->end};
    uint64_t address = 0, operation = 0, file = 1;
    int64_t line = 1;
    *extent = (ht_extent){.is_ascending = true};
    while (reader.at < reader.end && !reader.failed) {
        uint8_t opcode = *reader.at++;
        uint64_t advance = 0;
        bool is_row = false;
        if (opcode >= lines->opcode_base) {
            uint8_t adjusted = (uint8_t)(opcode - lines->opcode_base);
            line += lines->line_base + adjusted % lines->line_range;
            advance = adjusted / lines->line_range;
            is_row = true;
        } else if (opcode == 0) {
            uint64_t bytes = ht_read_leb128(&reader);
            if (reader.failed || bytes == 0 || bytes > (uint64_t)(reader.end - reader.at)) return NULL;
            const uint8_t *next = reader.at + bytes;
            uint8_t extended = *reader.at++;
            if (extended == DW_LNE_end_sequence) {
                add_row(extent, rows, address, file, line);
                return next;
            }
            if (extended == DW_LNE_set_address) {
                address = ht_read_number(&reader, bytes - 1);
                operation = 0;
            }
            reader.at = next;
        } else {
            switch (opcode) {
                case DW_LNS_copy: is_row = true; break;
                case DW_LNS_advance_pc: advance = ht_read_leb128(&reader); break;
                case DW_LNS_advance_line: {
                    uint64_t value = 0, start = (uint64_t)(reader.end - reader.at);
                    value = ht_read_leb128(&reader);
                    uint64_t bits = 7 * (start - (uint64_t)(reader.end - reader.at));
                    if (bits > 0 && bits < 64 && (value >> (bits - 1) & 1) != 0) value |= ~0ull << bits;
                    line = (int64_t)((uint64_t)line + value);
                    break;
                }
                case DW_LNS_set_file: file = ht_read_leb128(&reader); break;
                case DW_LNS_const_add_pc: advance = (uint64_t)(255 - lines->opcode_base) / lines->line_range; break;
                case DW_LNS_fixed_advance_pc:
                    address += ht_read_number(&reader, 2);
                    operation = 0;
                    break;
                default:
                    for (unsigned i = lines->operands[opcode]; i > 0; i--) ht_read_leb128(&reader);
            }
        }
        if (advance != 0) {
            address += lines->minimum_bytes * ((operation + advance) / lines->operations);
            operation = (operation + advance) % lines->operations;
        }
        if (is_row) add_row(extent, rows, address, file, line);
    }
    return reader.failed ? NULL : reader.end;
}

// As run_sequence without rows, of programs as compilers write them for machines with instructions of any length, by
// addresses alone; NULL where there is something else to it.
static const uint8_t *measure_sequence(const ht_lines *lines, const uint8_t *at, ht_extent *extent) {
    enum { LONGEST = 24 };  // bytes that an instruction takes at most, as far as this goes
    if (!lines->is_plain || lines->end - at < LONGEST) return NULL;
    const uint8_t *last = lines->end - LONGEST;
    uint64_t address = 0, low = 0;
    uint32_t count = 0;
    uint8_t base = lines->opcode_base, constant = (uint8_t)((255 - base) / lines->line_range);
    while (at < last) {
        uint8_t opcode = *at++;
        if (opcode >= base) {
            address += lines->advances[opcode - base];
        } else if (opcode == DW_LNS_copy) {
        } else if (opcode == DW_LNS_advance_pc || opcode == DW_LNS_advance_line || opcode == DW_LNS_set_file ||
                   opcode == DW_LNS_set_column) {
            uint64_t value = *at & 0x7f;
            for (unsigned shift = 7; (*at++ & 0x80) != 0; shift += 7) {
                if (shift > 56) return NULL;
                value |= (uint64_t)(*at & 0x7f) << shift;
            }
            if (opcode == DW_LNS_advance_pc) address += value;
            continue;
        } else if (opcode == DW_LNS_negate_stmt || opcode == DW_LNS_set_basic_block ||
                   opcode == DW_LNS_set_prologue_end || opcode == DW_LNS_set_epilogue_begin) {
            continue;
        } else if (opcode == DW_LNS_const_add_pc) {
            address += constant;
            continue;
        } else if (opcode == 0 && *at > 0 && *at < LONGEST - 2) {
            uint8_t bytes = *at++, extended = *at;
            if (extended == DW_LNE_set_address) {
                // Rows before the first address, or after a second, are for run_sequence to sort out.
                if (count > 0 || bytes > 9) return NULL;
                address = ht_number(at + 1, bytes - 1u);
            }
            at += bytes;
            if (extended != DW_LNE_end_sequence) continue;
            if (count == 0) low = address;
            *extent = (ht_extent){.low = low, .high = address, .row_count = count + 1, .is_ascending = true};
            return at;
        } else {
            return NULL;
        }
        if (count++ == 0) low = address;
    }
    return NULL;
}

static bool add_sequence(ht_lines *lines, const uint8_t *program, const ht_extent *extent) {
    ht_sequence *sequences =
        ht_array_room(lines->sequences, lines->sequence_count, &lines->sequence_capacity, 32, sizeof *sequences);
    if (sequences == NULL) return false;
    lines->sequences = sequences;
    lines->sequences[lines->sequence_count] =
        (ht_sequence){.program = program, .row_count = extent->row_count, .is_ascending = extent->is_ascending};
    return ht_ranges_add(&lines->sequence_ranges, extent->low, extent->high, lines->sequence_count++);
}

// The sequence that holds `address`, or NULL. The program is measured as far as it takes to find it.
static ht_sequence *sequence_at(ht_debug_module *module, ht_lines *lines, uint64_t address) {
    size_t position = ht_ranges_find(&lines->sequence_ranges, address, SIZE_MAX);
    if (position == SIZE_MAX && lines->next != NULL) {
        // At least twice as many as before, so that sorting them again does not add up.
        size_t least = lines->sequence_count * 2;
        bool is_found = false;
        while ((!is_found || lines->sequence_count < least) && lines->next != NULL && lines->next < lines->end) {
            ht_extent extent;
            const uint8_t *program = lines->next;
            lines->next = measure_sequence(lines, program, &extent);
            if (lines->next == NULL) lines->next = run_sequence(lines, program, &extent, (ht_rows){0});
            // Code that the linker discarded keeps its lines, at addresses where there is none.
            if (!ht_is_text(module, extent.low, extent.high)) continue;
            if (!add_sequence(lines, program, &extent)) lines->next = NULL;
            if (extent.low <= address && address < extent.high) is_found = true;
        }
        ht_ranges_finish(&lines->sequence_ranges);
        position = ht_ranges_find(&lines->sequence_ranges, address, SIZE_MAX);
    }
    return position == SIZE_MAX ? NULL : &lines->sequences[lines->sequence_ranges.items[position].index];
}

// MARK: - Lookup

static const ht_row *row_at(const ht_lines *lines, ht_sequence *sequence, uint64_t address) {
    if (!sequence->is_decoded) {
        ht_extent extent;
        sequence->is_decoded = true;
        sequence->rows = calloc(sequence->row_count, sizeof *sequence->rows);
        if (sequence->rows != NULL) {
            run_sequence(lines, sequence->program, &extent, (ht_rows){sequence->rows, sequence->row_count});
            if (extent.row_count < sequence->row_count) sequence->row_count = extent.row_count;
            if (!extent.is_ascending) sequence->is_ascending = false;
        }
    }
    if (sequence->rows == NULL) return NULL;
    // The last row at or before the address; the very last one ends the sequence.
    const ht_row *best = NULL;
    if (sequence->is_ascending) {
        size_t low = 0, high = sequence->row_count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (sequence->rows[middle].address <= address) low = middle + 1;
            else high = middle;
        }
        return low == 0 || low == sequence->row_count ? NULL : &sequence->rows[low - 1];
    }
    for (uint32_t i = 0; i + 1 < sequence->row_count; i++) {
        const ht_row *row = &sequence->rows[i];
        if (row->address <= address && (best == NULL || row->address >= best->address)) best = row;
    }
    return best;
}

void ht_lines_find(ht_debug_module *module, ht_unit *unit, uint64_t address, const char **file, uint32_t *line) {
    ht_lines_load(module, unit);
    ht_lines *lines = &unit->lines;
    ht_sequence *sequence = sequence_at(module, lines, address);
    const ht_row *row = sequence == NULL ? NULL : row_at(lines, sequence, address);
    if (row == NULL) return;
    *file = ht_lines_source(module, unit, row->file);
    if (row->line > 0) *line = row->line;
}

const char *ht_lines_source(ht_debug_module *module, ht_unit *unit, uint64_t number) {
    ht_lines_load(module, unit);
    ht_lines *lines = &unit->lines;
    if (number >= lines->source_count) return NULL;
    ht_source *source = &lines->sources[number];
    if (source->path != NULL || source->name == NULL || source->directory >= lines->directory_count)
        return source->path;
    const char *directory = lines->directories[source->directory];
    if (source->name[0] == '/' || directory == NULL) return source->path = source->name;
    ht_text path = {0};
    ht_text_append(&path, directory);
    ht_text_append(&path, "/");
    ht_text_append(&path, source->name);
    return source->path = ht_module_keep(module, &path);
}

void ht_lines_free(ht_lines *lines) {
    for (size_t i = 0; i < lines->sequence_count; i++) free(lines->sequences[i].rows);
    free(lines->sequences);
    free(lines->directories);
    free(lines->sources);
    ht_ranges_free(&lines->sequence_ranges);
    *lines = (ht_lines){0};
}
