// The lines of a unit (.debug_line, DWARF 2 to 5): the program is measured up to the sequence that an address falls
// into, which is then decoded; paths of files are joined when they are asked for.
//
// A compiler makes a sequence of every function that has a section of its own, so that of a unit with a hundred
// thousand lines a few dozen are kept. Nothing is taken for granted: numbers are bounded by the section they lie in.
#include "internal.h"

#include <dwarf.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ENTRY_FORMATS = 32 };

// MARK: - Sections

static ht_section section_named(Elf *elf, const char *name) {
    size_t names;
    if (elf == NULL || elf_getshdrstrndx(elf, &names) != 0) return (ht_section){0};
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL; section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL || header.sh_type == SHT_NOBITS) continue;
        const char *found = elf_strptr(elf, names, header.sh_name);
        // ".zdebug_…" is what GNU tools once called compressed sections; libdw has unpacked them, either kind.
        if (found == NULL ||
            (strcmp(found, name) != 0 && (strncmp(found, ".z", 2) != 0 || strcmp(found + 2, name + 1))))
            continue;
        Elf_Data *data = elf_rawdata(section, NULL);
        if (data == NULL || data->d_buf == NULL) return (ht_section){0};
        return (ht_section){.bytes = data->d_buf, .size = data->d_size};
    }
    return (ht_section){0};
}

static void load_sections(ht_debug_module *module) {
    if (module->line_sections_loaded) return;
    module->line_sections_loaded = true;
    Elf *elf = dwarf_getelf(module->dwarf);
    module->line_section = section_named(elf, ".debug_line");
    module->line_strings = section_named(elf, ".debug_line_str");
    module->strings = section_named(elf, ".debug_str");
}

static const char *string_at(ht_section section, uint64_t offset) {
    if (offset >= section.size || memchr(section.bytes + offset, 0, section.size - offset) == NULL) return NULL;
    return (const char *)section.bytes + offset;
}

// MARK: - Header

// What is being read, and where it ends. `failed` once something did not fit.
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} ht_reader;

static uint64_t number(ht_reader *reader, size_t bytes) {
    if (bytes > sizeof(uint64_t) || bytes > (size_t)(reader->end - reader->at)) {
        reader->failed = true;
        reader->at = reader->end;
        return 0;
    }
    uint64_t value = ht_number(reader->at, bytes);
    reader->at += bytes;
    return value;
}

static uint64_t leb128(ht_reader *reader) {
    uint64_t value = 0;
    if (!ht_leb128(&reader->at, reader->end, &value)) reader->failed = true;
    return value;
}

static const char *text(ht_reader *reader) {
    const uint8_t *zero = memchr(reader->at, 0, (size_t)(reader->end - reader->at));
    const char *result = (const char *)reader->at;
    if (zero == NULL) {
        reader->failed = true;
        reader->at = reader->end;
        return "";
    }
    reader->at = zero + 1;
    return result;
}

static bool add_source(ht_lines *lines, const char *name, uint64_t directory) {
    size_t count = lines->source_count;
    if ((count & (count - 1)) == 0) {
        ht_source *sources = realloc(lines->sources, (count == 0 ? 1 : count * 2) * sizeof *sources);
        if (sources == NULL) return false;
        lines->sources = sources;
    }
    lines->sources[lines->source_count++] = (ht_source){.name = name, .directory = directory};
    return true;
}

static bool add_directory(ht_lines *lines, const char *name) {
    size_t count = lines->directory_count;
    if ((count & (count - 1)) == 0) {
        const char **directories = realloc(lines->directories, (count == 0 ? 1 : count * 2) * sizeof *directories);
        if (directories == NULL) return false;
        lines->directories = directories;
    }
    lines->directories[lines->directory_count++] = name;
    return true;
}

// Directories and files as versions 2 to 4 list them; the first directory is that of the compilation.
static bool read_old_lists(ht_lines *lines, const char *compilation_directory, ht_reader *reader) {
    if (!add_directory(lines, compilation_directory) || !add_source(lines, NULL, 0)) return false;
    while (!reader->failed) {
        const char *name = text(reader);
        if (name[0] == '\0') break;
        if (!add_directory(lines, name)) return false;
    }
    while (!reader->failed) {
        const char *name = text(reader);
        if (name[0] == '\0') break;
        uint64_t directory = leb128(reader);
        leb128(reader);  // time
        leb128(reader);  // bytes
        if (!add_source(lines, name, directory)) return false;
    }
    return !reader->failed;
}

// A value of an entry in version 5: a text, or a number, or neither, which is passed over.
static void read_value(const ht_debug_module *module, unsigned form, size_t offset_bytes, ht_reader *reader,
                       const char **name, uint64_t *value) {
    switch (form) {
        case DW_FORM_string: *name = text(reader); break;
        case DW_FORM_line_strp: *name = string_at(module->line_strings, number(reader, offset_bytes)); break;
        case DW_FORM_strp: *name = string_at(module->strings, number(reader, offset_bytes)); break;
        case DW_FORM_data1: *value = number(reader, 1); break;
        case DW_FORM_data2: *value = number(reader, 2); break;
        case DW_FORM_data4: *value = number(reader, 4); break;
        case DW_FORM_data8: *value = number(reader, 8); break;
        case DW_FORM_udata: *value = leb128(reader); break;
        case DW_FORM_data16:
            number(reader, 8);
            number(reader, 8);
            break;
        case DW_FORM_block: {
            uint64_t bytes = leb128(reader);
            if (bytes > (uint64_t)(reader->end - reader->at)) reader->failed = true;
            else reader->at += bytes;
            break;
        }
        default: reader->failed = true;
    }
}

// One of the two lists of version 5.
static bool read_new_list(const ht_debug_module *module, ht_lines *lines, size_t offset_bytes, bool is_of_files,
                          ht_reader *reader) {
    uint64_t kinds[MAX_ENTRY_FORMATS], forms[MAX_ENTRY_FORMATS];
    uint64_t formats = number(reader, 1);
    if (formats > MAX_ENTRY_FORMATS) return false;
    for (uint64_t i = 0; i < formats; i++) {
        kinds[i] = leb128(reader);
        forms[i] = leb128(reader);
    }
    uint64_t count = leb128(reader);
    // Each takes a byte at least.
    if (reader->failed || formats == 0 || count > (uint64_t)(reader->end - reader->at))
        return !reader->failed && count == 0;
    for (uint64_t i = 0; i < count && !reader->failed; i++) {
        const char *name = NULL;
        uint64_t directory = 0;
        for (uint64_t k = 0; k < formats; k++) {
            const char *found = NULL;
            uint64_t value = 0;
            read_value(module, (unsigned)forms[k], offset_bytes, reader, &found, &value);
            if (kinds[k] == DW_LNCT_path) name = found;
            if (kinds[k] == DW_LNCT_directory_index) directory = value;
        }
        if (is_of_files ? !add_source(lines, name, directory) : !add_directory(lines, name)) return false;
    }
    return !reader->failed;
}

// Reads the header at `offset`; the program is then what is left of the reader.
static bool read_header(ht_debug_module *module, ht_unit *unit, uint64_t offset, ht_reader *reader) {
    ht_lines *lines = &unit->lines;
    ht_section section = module->line_section;
    if (offset >= section.size) return false;
    *reader = (ht_reader){.at = section.bytes + offset, .end = section.bytes + section.size};
    size_t offset_bytes = 4;
    uint64_t length = number(reader, 4);
    if (length == 0xffffffff) {
        offset_bytes = 8;
        length = number(reader, 8);
    }
    if (reader->failed || length > (uint64_t)(reader->end - reader->at)) return false;
    reader->end = reader->at + length;
    uint64_t version = number(reader, 2);
    if (version < 2 || version > 5) return false;
    lines->address_bytes = unit->tree.address_bytes;
    if (version >= 5) {
        lines->address_bytes = (uint8_t)number(reader, 1);
        number(reader, 1);  // segment selectors
    }
    uint64_t header_bytes = number(reader, offset_bytes);
    if (reader->failed || header_bytes > (uint64_t)(reader->end - reader->at)) return false;
    const uint8_t *program = reader->at + header_bytes;
    lines->minimum_bytes = (uint8_t)number(reader, 1);
    lines->operations = version >= 4 ? (uint8_t)number(reader, 1) : 1;
    number(reader, 1);  // whether a row is a statement unless said otherwise
    lines->line_base = (int8_t)number(reader, 1);
    lines->line_range = (uint8_t)number(reader, 1);
    lines->opcode_base = (uint8_t)number(reader, 1);
    if (reader->failed || lines->operations == 0 || lines->line_range == 0 || lines->opcode_base == 0 ||
        lines->opcode_base - 1 > reader->end - reader->at)
        return false;
    lines->operands = reader->at - 1;
    static const uint8_t usual[] = {0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1};
    lines->is_plain = lines->minimum_bytes == 1 && lines->operations == 1 && lines->opcode_base >= 10;
    for (unsigned i = 1; i < lines->opcode_base && i < sizeof usual; i++)
        if (lines->operands[i] != usual[i]) lines->is_plain = false;
    for (unsigned i = 0; i + lines->opcode_base < 256; i++) lines->advances[i] = (uint8_t)(i / lines->line_range);
    reader->at += lines->opcode_base - 1;
    bool is_read = version < 5 ? read_old_lists(lines, unit->directory, reader)
                               : read_new_list(module, lines, offset_bytes, false, reader) &&
                                     read_new_list(module, lines, offset_bytes, true, reader);
    if (!is_read || program < reader->at) return false;
    reader->at = program;
    lines->end = reader->end;
    return true;
}

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
            uint64_t bytes = leb128(&reader);
            if (reader.failed || bytes == 0 || bytes > (uint64_t)(reader.end - reader.at)) return NULL;
            const uint8_t *next = reader.at + bytes;
            uint8_t extended = *reader.at++;
            if (extended == DW_LNE_end_sequence) {
                add_row(extent, rows, address, file, line);
                return next;
            }
            if (extended == DW_LNE_set_address) {
                address = number(&reader, bytes - 1);
                operation = 0;
            }
            reader.at = next;
        } else {
            switch (opcode) {
                case DW_LNS_copy: is_row = true; break;
                case DW_LNS_advance_pc: advance = leb128(&reader); break;
                case DW_LNS_advance_line: {
                    uint64_t value = 0, start = (uint64_t)(reader.end - reader.at);
                    value = leb128(&reader);
                    uint64_t bits = 7 * (start - (uint64_t)(reader.end - reader.at));
                    if (bits > 0 && bits < 64 && (value >> (bits - 1) & 1) != 0) value |= ~0ull << bits;
                    line = (int64_t)((uint64_t)line + value);
                    break;
                }
                case DW_LNS_set_file: file = leb128(&reader); break;
                case DW_LNS_const_add_pc: advance = (uint64_t)(255 - lines->opcode_base) / lines->line_range; break;
                case DW_LNS_fixed_advance_pc:
                    address += number(&reader, 2);
                    operation = 0;
                    break;
                default:
                    for (unsigned i = lines->operands[opcode]; i > 0; i--) leb128(&reader);
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
    if (lines->sequence_count == lines->sequence_capacity) {
        size_t capacity = lines->sequence_capacity == 0 ? 32 : lines->sequence_capacity * 2;
        ht_sequence *sequences = realloc(lines->sequences, capacity * sizeof *sequences);
        if (sequences == NULL) return false;
        lines->sequences = sequences;
        lines->sequence_capacity = capacity;
    }
    lines->sequences[lines->sequence_count] =
        (ht_sequence){.program = program, .row_count = extent->row_count, .is_ascending = extent->is_ascending};
    return ht_ranges_add(&lines->sequence_ranges, extent->low, extent->high, lines->sequence_count++);
}

static void load(ht_debug_module *module, ht_unit *unit) {
    ht_lines *lines = &unit->lines;
    if (lines->is_loaded) return;
    lines->is_loaded = true;
    load_sections(module);
    Dwarf_Attribute attribute;
    Dwarf_Word offset;
    ht_reader reader;
    if (!ht_tree_load(unit) || dwarf_formudata(dwarf_attr(&unit->die, DW_AT_stmt_list, &attribute), &offset) != 0 ||
        !read_header(module, unit, offset, &reader))
        return;
    lines->next = reader.at;
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
    load(module, unit);
    ht_lines *lines = &unit->lines;
    ht_sequence *sequence = sequence_at(module, lines, address);
    const ht_row *row = sequence == NULL ? NULL : row_at(lines, sequence, address);
    if (row == NULL) return;
    *file = ht_lines_source(module, unit, row->file);
    if (row->line > 0) *line = row->line;
}

const char *ht_lines_source(ht_debug_module *module, ht_unit *unit, uint64_t number) {
    load(module, unit);
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
