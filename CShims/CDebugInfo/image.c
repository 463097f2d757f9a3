// What a file's own bytes say of an address: its contents as loaded, relocations, imported functions, virtual tables.
//
// Read only when machine code is looked at (allocation.c), so that a module that needs none of it pays nothing.
// Everything comes from the program's file, never from its debug file, which has no contents.
#include "internal.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SEGMENTS = 64, MAX_RELOCATIONS = 1 << 23, MAX_CLASS_NAME_BYTES = 4096 };

const uint8_t *ht_image_bytes(const ht_debug_module *module, uint64_t address, size_t *room) {
    size_t file_size = 0, count = 0;
    const char *file = elf_rawfile(module->main.elf, &file_size);
    if (file == NULL || elf_getphdrnum(module->main.elf, &count) != 0) return NULL;
    for (size_t i = 0; i < count && i < MAX_SEGMENTS; i++) {
        GElf_Phdr header;
        if (gelf_getphdr(module->main.elf, (int)i, &header) == NULL || header.p_type != PT_LOAD) continue;
        if (address < header.p_vaddr || address - header.p_vaddr >= header.p_filesz) continue;
        uint64_t offset = address - header.p_vaddr;
        if (header.p_offset > file_size || offset >= file_size - header.p_offset) return NULL;
        uint64_t left = header.p_filesz - offset, in_file = file_size - header.p_offset - offset;
        *room = left < in_file ? left : in_file;
        return (const uint8_t *)file + header.p_offset + offset;
    }
    return NULL;
}

const char *ht_image_text(const ht_debug_module *module, uint64_t address) {
    size_t room = 0;
    const char *text = (const char *)ht_image_bytes(module, address, &room);
    if (text == NULL || memchr(text, '\0', room < MAX_CLASS_NAME_BYTES ? room : MAX_CLASS_NAME_BYTES) == NULL)
        return NULL;
    return text;
}

// MARK: - Relocations

static bool add_relocation(ht_image *image, const ht_relocation *relocation) {
    if (image->relocation_count == image->relocation_capacity) {
        size_t capacity = image->relocation_capacity == 0 ? 256 : image->relocation_capacity * 2;
        ht_relocation *grown =
            capacity > MAX_RELOCATIONS ? NULL : realloc(image->relocations, capacity * sizeof *grown);
        if (grown == NULL) return false;
        image->relocations = grown;
        image->relocation_capacity = capacity;
    }
    image->relocations[image->relocation_count++] = *relocation;
    return true;
}

static void read_relocations(ht_image *image, Elf *elf, Elf_Scn *section, const GElf_Shdr *header) {
    Elf_Data *data = elf_getdata(section, NULL);
    Elf_Scn *symbols = header->sh_link == 0 ? NULL : elf_getscn(elf, header->sh_link);
    GElf_Shdr symbols_header;
    Elf_Data *symbol_data = symbols == NULL ? NULL : elf_getdata(symbols, NULL);
    if (data == NULL || header->sh_entsize == 0) return;
    if (symbols != NULL && gelf_getshdr(symbols, &symbols_header) == NULL) symbol_data = NULL;
    size_t count = data->d_size / header->sh_entsize;
    for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
        GElf_Rela entry;
        GElf_Sym symbol;
        if (gelf_getrela(data, (int)i, &entry) == NULL) return;
        ht_relocation relocation = {.address = entry.r_offset, .value = (uint64_t)entry.r_addend};
        size_t number = GELF_R_SYM(entry.r_info);
        if (number != 0 && symbol_data != NULL && number <= INT32_MAX &&
            gelf_getsym(symbol_data, (int)number, &symbol) != NULL) {
            relocation.name = elf_strptr(elf, symbols_header.sh_link, symbol.st_name);
            relocation.value += symbol.st_value;
        }
        if (!add_relocation(image, &relocation)) return;
    }
}

static int compare_relocations(const void *left, const void *right) {
    const ht_relocation *a = left, *b = right;
    return a->address < b->address ? -1 : a->address > b->address;
}

static int compare_tables(const void *left, const void *right) {
    const ht_virtual_table *a = left, *b = right;
    return a->address < b->address ? -1 : a->address > b->address;
}

// The virtual tables that the symbol tables name.
static void read_virtual_tables(ht_image *image, Elf *elf) {
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL; section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL || header.sh_entsize == 0) continue;
        if (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) continue;
        Elf_Data *data = elf_getdata(section, NULL);
        for (size_t i = 0; data != NULL && i < data->d_size / header.sh_entsize && i <= INT32_MAX; i++) {
            GElf_Sym symbol;
            if (gelf_getsym(data, (int)i, &symbol) == NULL || GELF_ST_TYPE(symbol.st_info) != STT_OBJECT) continue;
            const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);
            if (name == NULL || strncmp(name, "_ZTV", 4) != 0 || symbol.st_shndx == SHN_UNDEF) continue;
            if (image->table_count == image->table_capacity) {
                size_t capacity = image->table_capacity == 0 ? 64 : image->table_capacity * 2;
                ht_virtual_table *grown = realloc(image->tables, capacity * sizeof *grown);
                if (grown == NULL) return;
                image->tables = grown;
                image->table_capacity = capacity;
            }
            image->tables[image->table_count++] =
                (ht_virtual_table){.address = symbol.st_value, .size = symbol.st_size, .name = name};
        }
    }
}

static ht_image *load(ht_debug_module *module) {
    ht_image *image = &module->image;
    if (image->loaded) return image;
    image->loaded = true;
    Elf *elf = module->main.elf;
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL; section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL || header.sh_type != SHT_RELA) continue;
        if ((header.sh_flags & SHF_ALLOC) != 0) read_relocations(image, elf, section, &header);
    }
    if (image->relocation_count > 0)
        qsort(image->relocations, image->relocation_count, sizeof *image->relocations, compare_relocations);
    read_virtual_tables(image, elf);
    if (image->table_count > 0) qsort(image->tables, image->table_count, sizeof *image->tables, compare_tables);
    return image;
}

void ht_image_free(ht_image *image) {
    free(image->relocations);
    free(image->tables);
    *image = (ht_image){0};
}

const ht_relocation *ht_image_relocation(ht_debug_module *module, uint64_t address) {
    const ht_image *image = load(module);
    size_t low = 0, high = image->relocation_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (image->relocations[middle].address < address) low = middle + 1;
        else high = middle;
    }
    return low < image->relocation_count && image->relocations[low].address == address ? &image->relocations[low]
                                                                                       : NULL;
}

bool ht_image_word(ht_debug_module *module, uint64_t address, uint64_t *word) {
    const ht_relocation *relocation = ht_image_relocation(module, address);
    size_t room = 0;
    const uint8_t *bytes = relocation == NULL ? ht_image_bytes(module, address, &room) : NULL;
    if (relocation != NULL) *word = relocation->value;
    else if (bytes != NULL && room >= sizeof *word) memcpy(word, bytes, sizeof *word);
    else return false;
    return *word != 0;
}

// MARK: - Classes

// The mangled class by the type information that stands before its virtual functions, where no symbol names the table.
static const char *class_by_type_information(ht_debug_module *module, uint64_t functions) {
    uint64_t information, name;
    if (functions < sizeof(uint64_t) || !ht_image_word(module, functions - sizeof(uint64_t), &information)) return NULL;
    const ht_relocation *kind = ht_image_relocation(module, information);
    if (kind == NULL || kind->name == NULL || strstr(kind->name, "__cxxabiv1") == NULL) return NULL;
    if (!ht_image_word(module, information + sizeof(uint64_t), &name)) return NULL;
    const char *class_name = ht_image_text(module, name);
    // A name that starts with '*' is of a class local to its file.
    if (class_name != NULL && class_name[0] == '*') class_name++;
    if (class_name == NULL || class_name[0] == '\0') return NULL;
    ht_text text = {0};
    ht_text_append(&text, "_ZTS");
    ht_text_append(&text, class_name);
    return ht_module_keep(module, &text);
}

const char *ht_image_class(ht_debug_module *module, uint64_t address) {
    const ht_image *image = load(module);
    size_t low = 0, high = image->table_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (image->tables[middle].address <= address) low = middle + 1;
        else high = middle;
    }
    if (low > 0) {
        const ht_virtual_table *table = &image->tables[low - 1];
        // Two words precede the functions of a class without virtual bases; further tables are those of other bases.
        if (address - table->address == 2 * sizeof(uint64_t) && address - table->address < table->size)
            return table->name;
    }
    return class_by_type_information(module, address);
}
