// The table of function symbols: .symtab of the file, else of its debug file, else .dynsym; sorted by address.
//
// 32 bytes a symbol, names stay in the mapping. A symbol without a size reaches to the next one or to the end of its
// section. Of several symbols at one address the one a reader would expect is kept: sized functions before labels,
// exported before local, fewer leading underscores, shorter names, then by name.
#include "internal.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BACKWARD_STEPS = 64 };

// The names of a table. Checked once: the last byte is a NUL, so that every offset below `size` starts a string.
static ht_strings read_strings(Elf *elf, size_t section_index) {
    Elf_Scn *section = elf_getscn(elf, section_index);
    Elf_Data *data = section == NULL ? NULL : elf_getdata(section, NULL);
    if (data == NULL || data->d_buf == NULL) return (ht_strings){0};
    ht_strings strings = {.bytes = data->d_buf, .size = data->d_size};
    while (strings.size > 0 && strings.bytes[strings.size - 1] != '\0') strings.size--;
    return strings;
}

static const char *string_at(const ht_strings *strings, uint32_t offset) {
    return offset < strings->size ? strings->bytes + offset : NULL;
}

typedef struct {
    ht_symbol *items;
    size_t count;
    size_t capacity;
} symbol_list;

static Elf_Scn *find_table(Elf *elf, GElf_Word type, GElf_Shdr *header) {
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL; section = elf_nextscn(elf, section))
        if (gelf_getshdr(section, header) != NULL && header->sh_type == type && header->sh_size > 0) return section;
    return NULL;
}

static bool is_wanted(const GElf_Sym *symbol) {
    int type = GELF_ST_TYPE(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx < SHN_LORESERVE &&
           (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

// AArch64, ARM and RISC-V mark code and data with symbols that name nothing.
static bool is_mapping_symbol(const char *name) {
    return name[0] == '\0' ||
           (name[0] == '$' && strchr("xdat", name[1]) != NULL && (name[2] == '\0' || name[2] == '.'));
}

static uint8_t rank_of(const GElf_Sym *symbol) {
    uint8_t rank = GELF_ST_TYPE(symbol->st_info) == STT_NOTYPE ? 4 : 0;
    if (symbol->st_size == 0) rank = (uint8_t)(rank + 2);
    if (GELF_ST_BIND(symbol->st_info) == STB_LOCAL) rank = (uint8_t)(rank + 1);
    return rank;
}

static int compare_symbols(const void *left, const void *right) {
    const ht_symbol *a = left, *b = right;
    if (a->address != b->address) return a->address < b->address ? -1 : 1;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    return a->name < b->name ? -1 : a->name > b->name;
}

static size_t leading_underscores(const char *name) {
    // In mangled names the underscores are the scheme's.
    if (strncmp(name, "_Z", 2) == 0 || strncmp(name, "_R", 2) == 0) return 0;
    return strspn(name, "_");
}

static size_t rank_of_new(const char *name) {
    if (strncmp(name, "_Znw", 4) == 0) return 0;
    return strncmp(name, "_Zna", 4) == 0 ? 1 : 2;
}

static bool is_better_name(const char *candidate, const char *current) {
    size_t a = leading_underscores(candidate), b = leading_underscores(current);
    if (a != b) return a < b;
    // An allocator's one function for `operator new`, `new[]` and its own `tc_new`: what most callers mean.
    size_t a_new = rank_of_new(candidate), b_new = rank_of_new(current);
    if (a_new != b_new) return a_new < b_new;
    // `fopen@@GLIBC_2.2.5` before `fopen64`.
    size_t a_length = strcspn(candidate, "@"), b_length = strcspn(current, "@");
    return a_length != b_length ? a_length < b_length : strcmp(candidate, current) < 0;
}

// Collects the functions of one table; executable sections only.
static void collect(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, const ht_strings *strings, symbol_list *list) {
    Elf_Data *data = elf_getdata(section, NULL);
    if (data == NULL || header->sh_entsize == 0) return;
    size_t entry = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
    size_t count = entry == 0 ? 0 : data->d_size / entry;

    size_t section_count = 0;
    if (elf_getshdrnum(elf, &section_count) != 0) return;
    GElf_Shdr home = {0};
    size_t home_index = 0;
    for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
        GElf_Sym symbol;
        if (gelf_getsym(data, (int)i, &symbol) == NULL || !is_wanted(&symbol) || symbol.st_shndx >= section_count)
            continue;
        if (symbol.st_shndx != home_index) {
            Elf_Scn *home_section = elf_getscn(elf, symbol.st_shndx);
            home_index = symbol.st_shndx;
            if (home_section == NULL || gelf_getshdr(home_section, &home) == NULL) home.sh_flags = 0;
        }
        if ((home.sh_flags & SHF_EXECINSTR) == 0) continue;
        const char *name = string_at(strings, symbol.st_name);
        if (name == NULL || is_mapping_symbol(name) || strnlen(name, HT_MAX_SYMBOL_BYTES) == HT_MAX_SYMBOL_BYTES)
            continue;
        uint64_t section_end = home.sh_addr + home.sh_size;
        if (symbol.st_value < home.sh_addr || symbol.st_value >= section_end) continue;
        uint64_t room = section_end - symbol.st_value;
        uint64_t size = symbol.st_size == 0 || symbol.st_size > room ? room : symbol.st_size;
        if (list->count == list->capacity) {
            size_t capacity = list->capacity == 0 ? 1024 : list->capacity * 2;
            ht_symbol *items = realloc(list->items, capacity * sizeof *items);
            if (items == NULL) return;
            list->items = items;
            list->capacity = capacity;
        }
        list->items[list->count++] = (ht_symbol){
            .address = symbol.st_value,
            .end = symbol.st_value + size,
            .name = symbol.st_name,
            .rank = rank_of(&symbol),
            .sized = symbol.st_size != 0,
            .section = (uint16_t)symbol.st_shndx,
        };
    }
}

// Keeps one symbol an address, and ends unsized symbols where the next one starts.
static size_t settle(const ht_strings *strings, ht_symbol *items, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count;) {
        size_t best = i, next = i + 1;
        const char *best_name = string_at(strings, items[i].name);
        for (; next < count && items[next].address == items[i].address; next++) {
            const char *name = string_at(strings, items[next].name);
            if (items[next].rank == items[best].rank && name != NULL && best_name != NULL &&
                is_better_name(name, best_name)) {
                best = next;
                best_name = name;
            }
        }
        items[kept++] = items[best];
        i = next;
    }
    for (size_t i = 0; i + 1 < kept; i++)
        if (!items[i].sized && items[i].section == items[i + 1].section && items[i + 1].address < items[i].end)
            items[i].end = items[i + 1].address;
    return kept;
}

static void measure_text(ht_debug_module *module, Elf *elf) {
    module->text_low = UINT64_MAX;
    module->text_high = 0;
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL; section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL || (header.sh_flags & SHF_EXECINSTR) == 0) continue;
        if (header.sh_addr < module->text_low) module->text_low = header.sh_addr;
        if (header.sh_addr + header.sh_size > module->text_high) module->text_high = header.sh_addr + header.sh_size;
    }
    if (module->text_high <= module->text_low) {
        // No section table (some packers drop it): nothing is filtered.
        module->text_low = 1;
        module->text_high = UINT64_MAX;
    }
}

void ht_symbols_load(ht_debug_module *module) {
    measure_text(module, module->main.elf);
    Elf *candidates[] = {module->main.elf, module->debug.elf, module->main.elf};
    const GElf_Word types[] = {SHT_SYMTAB, SHT_SYMTAB, SHT_DYNSYM};
    for (size_t i = 0; i < 3; i++) {
        GElf_Shdr header;
        Elf_Scn *section = candidates[i] == NULL ? NULL : find_table(candidates[i], types[i], &header);
        if (section == NULL) continue;
        symbol_list list = {0};
        ht_strings strings = read_strings(candidates[i], header.sh_link);
        collect(candidates[i], section, &header, &strings, &list);
        if (list.count == 0) {
            free(list.items);
            continue;
        }
        ht_sort_by_address(list.items, list.count, sizeof *list.items, compare_symbols);
        list.count = settle(&strings, list.items, list.count);
        ht_symbol *fitted = realloc(list.items, list.count * sizeof *list.items);
        module->symbols = fitted == NULL ? list.items : fitted;
        module->symbol_count = list.count;
        module->symbol_strings = strings;
        return;
    }
}

const ht_symbol *ht_symbols_covering(const ht_debug_module *module, uint64_t address) {
    size_t low = 0, high = module->symbol_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (module->symbols[middle].address <= address) low = middle + 1;
        else high = middle;
    }
    // A label inside a function hides it only up to the label's own end.
    for (size_t steps = 0; low > 0 && steps < MAX_BACKWARD_STEPS; low--, steps++) {
        const ht_symbol *symbol = &module->symbols[low - 1];
        if (symbol->end > address) return symbol;
    }
    return NULL;
}

const char *ht_symbols_find(const ht_debug_module *module, uint64_t address) {
    const ht_symbol *symbol = ht_symbols_covering(module, address);
    return symbol == NULL ? NULL : string_at(&module->symbol_strings, symbol->name);
}

// MARK: - Functions

static const ht_symbol *last_at_or_before(const ht_debug_module *module, uint64_t address) {
    size_t low = 0, high = module->symbol_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (module->symbols[middle].address <= address) low = middle + 1;
        else high = middle;
    }
    return low == 0 ? NULL : &module->symbols[low - 1];
}

const char *ht_symbols_start(const ht_debug_module *module, uint64_t address) {
    const ht_symbol *symbol = last_at_or_before(module, address);
    return symbol != NULL && symbol->address == address ? string_at(&module->symbol_strings, symbol->name) : NULL;
}

bool ht_symbols_named(const ht_debug_module *module, const char *name, uint64_t *address) {
    const char *strings = module->symbol_strings.bytes;
    if (strings == NULL || name < strings || name >= strings + module->symbol_strings.size) return false;
    uint64_t offset = (uint64_t)(name - strings);
    for (size_t i = 0; i < module->symbol_count; i++)
        if (module->symbols[i].name == offset) {
            *address = module->symbols[i].address;
            return true;
        }
    return false;
}

// The unwinding table's index, sorted by function: version, encodings, where .eh_frame is, count, pairs of offsets.
static bool unwinding_bounds(const ht_debug_module *module, uint64_t address, uint64_t *low, uint64_t *high) {
    Elf *elf = module->main.elf;
    enum { HEADER_BYTES = 12, DATA_RELATIVE_INT32 = 0x3b, UINT32 = 0x03, PAIR_BYTES = 8 };
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL; section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        size_t names;
        if (gelf_getshdr(section, &header) == NULL || elf_getshdrstrndx(elf, &names) != 0) continue;
        const char *name = elf_strptr(elf, names, header.sh_name);
        if (name == NULL || strcmp(name, ".eh_frame_hdr") != 0) continue;
        Elf_Data *data = elf_rawdata(section, NULL);
        if (data == NULL || data->d_size < HEADER_BYTES) return false;
        const uint8_t *bytes = data->d_buf;
        if (bytes[0] != 1 || bytes[2] != UINT32 || bytes[3] != DATA_RELATIVE_INT32) return false;
        size_t count = (data->d_size - HEADER_BYTES) / PAIR_BYTES, first = 0, end = count;
        while (first < end) {
            size_t middle = first + (end - first) / 2;
            int32_t offset;
            memcpy(&offset, bytes + HEADER_BYTES + middle * PAIR_BYTES, sizeof offset);
            if (header.sh_addr + (uint64_t)(int64_t)offset <= address) first = middle + 1;
            else end = middle;
        }
        if (first == 0 || first == count) return false;
        int32_t start, next;
        memcpy(&start, bytes + HEADER_BYTES + (first - 1) * PAIR_BYTES, sizeof start);
        memcpy(&next, bytes + HEADER_BYTES + first * PAIR_BYTES, sizeof next);
        *low = header.sh_addr + (uint64_t)(int64_t)start;
        *high = header.sh_addr + (uint64_t)(int64_t)next;
        return true;
    }
    return false;
}

bool ht_symbols_bounds(const ht_debug_module *module, uint64_t address, uint64_t *low, uint64_t *high) {
    const ht_symbol *symbol = last_at_or_before(module, address);
    if (symbol != NULL && symbol->sized && address < symbol->end) {
        *low = symbol->address;
        *high = symbol->end;
        return true;
    }
    return unwinding_bounds(module, address, low, high);
}
