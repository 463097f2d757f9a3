// The header of a unit's line table (.debug_line, DWARF 2 to 5): directories, files, and how the program is written.
// Nothing is taken for granted: numbers are bounded by the section they lie in.
#include "lines.h"

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

// MARK: - Directories and files

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
        const char *name = ht_read_text(reader);
        if (name[0] == '\0') break;
        if (!add_directory(lines, name)) return false;
    }
    while (!reader->failed) {
        const char *name = ht_read_text(reader);
        if (name[0] == '\0') break;
        uint64_t directory = ht_read_leb128(reader);
        ht_read_leb128(reader);  // time
        ht_read_leb128(reader);  // bytes
        if (!add_source(lines, name, directory)) return false;
    }
    return !reader->failed;
}

// A value of an entry in version 5: a text, or a number, or neither, which is passed over.
static void read_value(const ht_debug_module *module, unsigned form, size_t offset_bytes, ht_reader *reader,
                       const char **name, uint64_t *value) {
    switch (form) {
        case DW_FORM_string: *name = ht_read_text(reader); break;
        case DW_FORM_line_strp: *name = string_at(module->line_strings, ht_read_number(reader, offset_bytes)); break;
        case DW_FORM_strp: *name = string_at(module->strings, ht_read_number(reader, offset_bytes)); break;
        case DW_FORM_data1: *value = ht_read_number(reader, 1); break;
        case DW_FORM_data2: *value = ht_read_number(reader, 2); break;
        case DW_FORM_data4: *value = ht_read_number(reader, 4); break;
        case DW_FORM_data8: *value = ht_read_number(reader, 8); break;
        case DW_FORM_udata: *value = ht_read_leb128(reader); break;
        case DW_FORM_data16:
            ht_read_number(reader, 8);
            ht_read_number(reader, 8);
            break;
        case DW_FORM_block: {
            uint64_t bytes = ht_read_leb128(reader);
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
    uint64_t formats = ht_read_number(reader, 1);
    if (formats > MAX_ENTRY_FORMATS) return false;
    for (uint64_t i = 0; i < formats; i++) {
        kinds[i] = ht_read_leb128(reader);
        forms[i] = ht_read_leb128(reader);
    }
    uint64_t count = ht_read_leb128(reader);
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
    uint64_t length = ht_read_number(reader, 4);
    if (length == 0xffffffff) {
        offset_bytes = 8;
        length = ht_read_number(reader, 8);
    }
    if (reader->failed || length > (uint64_t)(reader->end - reader->at)) return false;
    reader->end = reader->at + length;
    uint64_t version = ht_read_number(reader, 2);
    if (version < 2 || version > 5) return false;
    lines->address_bytes = unit->tree.address_bytes;
    if (version >= 5) {
        lines->address_bytes = (uint8_t)ht_read_number(reader, 1);
        ht_read_number(reader, 1);  // segment selectors
    }
    uint64_t header_bytes = ht_read_number(reader, offset_bytes);
    if (reader->failed || header_bytes > (uint64_t)(reader->end - reader->at)) return false;
    const uint8_t *program = reader->at + header_bytes;
    lines->minimum_bytes = (uint8_t)ht_read_number(reader, 1);
    lines->operations = version >= 4 ? (uint8_t)ht_read_number(reader, 1) : 1;
    ht_read_number(reader, 1);  // whether a row is a statement unless said otherwise
    lines->line_base = (int8_t)ht_read_number(reader, 1);
    lines->line_range = (uint8_t)ht_read_number(reader, 1);
    lines->opcode_base = (uint8_t)ht_read_number(reader, 1);
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

void ht_lines_load(ht_debug_module *module, ht_unit *unit) {
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
