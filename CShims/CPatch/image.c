// Reading an executable. The file is anyone's: every offset is checked before use, counts are bounded.
#include "image.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum { TRACES_LOOKED_THROUGH = 32 << 20 };

static const Elf64_Phdr *segments(const ht_patch_image *image, size_t *count) {
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)image->bytes;
    *count = header->e_phnum;
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phoff > image->count ||
        (image->count - header->e_phoff) / sizeof(Elf64_Phdr) < *count || header->e_phoff % 8 != 0)
        *count = 0;
    return (const Elf64_Phdr *)(const void *)(image->bytes + header->e_phoff);
}

const uint8_t *ht_patch_image_code(const ht_patch_image *image, uint64_t address, size_t *available) {
    size_t count;
    const Elf64_Phdr *segment = segments(image, &count);
    for (size_t i = 0; i < count; i++) {
        if (segment[i].p_type != PT_LOAD || !(segment[i].p_flags & PF_X) || address < segment[i].p_vaddr ||
            address - segment[i].p_vaddr >= segment[i].p_filesz || segment[i].p_offset > image->count ||
            segment[i].p_filesz > image->count - segment[i].p_offset)
            continue;
        *available = segment[i].p_filesz - (address - segment[i].p_vaddr);
        return image->bytes + segment[i].p_offset + (address - segment[i].p_vaddr);
    }
    return NULL;
}

void ht_patch_image_identify(const ht_patch_image *image, ht_patch_plan *plan) {
    size_t count;
    const Elf64_Phdr *segment = segments(image, &count);
    plan->first = ~0ull;
    for (size_t i = 0; i < count; i++) {
        if (segment[i].p_type == PT_LOAD) {
            if (segment[i].p_vaddr < plan->first) plan->first = segment[i].p_vaddr & ~0xfffull;
            if (segment[i].p_vaddr + segment[i].p_memsz > plan->end)
                plan->end = segment[i].p_vaddr + segment[i].p_memsz;
        }
        if (segment[i].p_type != PT_NOTE || segment[i].p_offset > image->count ||
            segment[i].p_filesz > image->count - segment[i].p_offset)
            continue;
        const uint8_t *note = image->bytes + segment[i].p_offset, *end = note + segment[i].p_filesz;
        while (end - note >= (ptrdiff_t)sizeof(Elf64_Nhdr)) {
            Elf64_Nhdr entry;
            memcpy(&entry, note, sizeof entry);
            size_t name = ((size_t)entry.n_namesz + 3) & ~(size_t)3,
                   content = ((size_t)entry.n_descsz + 3) & ~(size_t)3;
            size_t left = (size_t)(end - note) - sizeof entry;
            if (name > left || content > left - name) break;
            const uint8_t *text = note + sizeof entry;
            if (entry.n_type == NT_GNU_BUILD_ID && entry.n_namesz == 4 && memcmp(text, "GNU", 4) == 0 &&
                entry.n_descsz <= sizeof plan->build_id) {
                plan->build_id_bytes = entry.n_descsz;
                memcpy(plan->build_id, text + name, entry.n_descsz);
            }
            note = text + name + content;
        }
    }
}

// A symbol's name up to its version or to what the compiler added.
static size_t bare_length(const char *text, bool *cold) {
    size_t count = strcspn(text, "@");
    const char *dot = memchr(text, '.', count);
    *cold = dot != NULL && strncmp(dot, ".cold", 5) == 0;
    return *cold ? (size_t)(dot - text) : count;
}

static void note_telling(ht_patch_image *image, const char *text) {
    if (strcmp(text, "mallctl") == 0) image->tells_jemalloc = true;
    if (strcmp(text, "tc_version") == 0 || strcmp(text, "MallocExtension_Initialize") == 0)
        image->tells_tcmalloc = true;
    if (strcmp(text, "mi_version") == 0) image->tells_mimalloc = true;
}

// Functions that only an allocator's inside has: where they are and its entries are not, those were inlined (-flto).
static bool is_inside(const char *text) {
    static const char *const insides[] = {"_rjem_je_", "je_arena_", "je_tcache_",
                                          "_mi_page_", "mi_heap_",  "_ZN8tcmalloc"};
    if (text[0] != '_' && text[0] != 'j' && text[0] != 'm') return false;
    for (size_t i = 0; i < sizeof insides / sizeof insides[0]; i++) {
        if (strncmp(text, insides[i], strlen(insides[i])) == 0) return true;
    }
    return false;
}

// Whether the name may be one that is_inside or note_telling know, beside those of functions to be redirected.
static bool may_tell(const char *text) {
    return text[0] == 'M' || (text[0] == '_' && (text[1] == 'm' || strncmp(text, "_ZN8", 4) == 0));
}

static void add_symbol(ht_patch_image *image, const char *text, const Elf64_Sym *symbol) {
    if (text[0] == 'm' || text[0] == 't' || text[0] == 'M') note_telling(image, text);
    bool cold;
    size_t count = bare_length(text, &cold);
    const ht_patch_name *name = ht_patch_name_find(text, count);
    if (name == NULL) {
        image->has_insides |= is_inside(text);
        return;
    }
    if (cold) {
        for (uint32_t i = 0; i < image->symbols; i++) {
            if (image->symbol[i].name == name) {
                image->symbol[i].cold = symbol->st_value;
                image->symbol[i].cold_size = symbol->st_size;
            }
        }
        return;
    }
    if (image->symbols == HT_PATCH_SYMBOL_MAX) return;
    if (ht_patch_name_is_operator(name)) image->operators |= 1u << name->family;
    else if (ht_patch_name_is_first(name)) image->present |= 1u << name->family;
    image->symbol[image->symbols++] = (ht_patch_symbol){.name = name,
                                                        .text = text,
                                                        .count = (uint32_t)count,
                                                        .indirect = ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC,
                                                        .address = symbol->st_value,
                                                        .size = symbol->st_size};
}

typedef struct symbol_table {
    const Elf64_Sym *symbols;
    size_t count;
    const char *texts;  // ends with a NUL
    size_t texts_bytes;
} symbol_table;

static bool find_table(Elf *elf, Elf64_Word type, symbol_table *table) {
    Elf_Scn *section = NULL;
    while ((section = elf_nextscn(elf, section)) != NULL) {
        const Elf64_Shdr *header = elf64_getshdr(section);
        if (header == NULL || header->sh_type != type) continue;
        Elf_Data *symbols = elf_getdata(section, NULL);
        Elf_Data *texts = elf_getdata(elf_getscn(elf, header->sh_link), NULL);
        if (symbols == NULL || texts == NULL || symbols->d_buf == NULL || texts->d_buf == NULL || texts->d_size == 0 ||
            ((const char *)texts->d_buf)[texts->d_size - 1] != 0)
            continue;
        *table = (symbol_table){.symbols = symbols->d_buf,
                                .count = symbols->d_size / sizeof(Elf64_Sym),
                                .texts = texts->d_buf,
                                .texts_bytes = texts->d_size};
        return true;
    }
    return false;
}

static bool is_function(const Elf64_Sym *symbol) {
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0;
}

static void read_symbols(ht_patch_image *image, const symbol_table *table) {
    for (int cold = 0; cold < 2; cold++) {
        for (size_t i = 0; i < table->count; i++) {
            const Elf64_Sym *symbol = &table->symbols[i];
            if (!is_function(symbol) || symbol->st_name >= table->texts_bytes) continue;
            const char *text = table->texts + symbol->st_name;
            if (!ht_patch_name_may_be(text) && !may_tell(text)) continue;
            // Pieces come after the functions they are of, wherever they stand in the table.
            if (cold == 0 ? strstr(text, ".cold") == NULL : strstr(text, ".cold") != NULL)
                add_symbol(image, text, symbol);
        }
        if (image->symbols == 0) return;
    }
}

static int by_address(const void *left, const void *right) {
    const ht_patch_symbol *a = left, *b = right;
    if (a->address != b->address) return a->address < b->address ? -1 : 1;
    // One name an address: the family that comes first tells most.
    return a->name->family != b->name->family ? (a->name->family < b->name->family ? -1 : 1)
                                              : strcmp(a->name->base, b->name->base);
}

static void find_next(ht_patch_image *image, const symbol_table *table) {
    for (size_t i = 0; i < table->count; i++) {
        const Elf64_Sym *symbol = &table->symbols[i];
        if (!is_function(symbol)) continue;
        // The last entry before this function.
        uint32_t low = 0, high = image->symbols;
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (image->symbol[middle].address < symbol->st_value) low = middle + 1;
            else high = middle;
        }
        if (low == 0) continue;
        ht_patch_symbol *before = &image->symbol[low - 1];
        if (before->next == 0 || symbol->st_value < before->next) before->next = symbol->st_value;
    }
}

bool ht_patch_image_open(ht_patch_image *image, int descriptor) {
    memset(image, 0, offsetof(ht_patch_image, symbol));
    if (elf_version(EV_CURRENT) == EV_NONE) return false;
    image->elf = elf_begin(descriptor, ELF_C_READ_MMAP_PRIVATE, NULL);
    if (image->elf == NULL) return false;
    image->bytes = (const uint8_t *)elf_rawfile(image->elf, &image->count);
    const Elf64_Ehdr *header = elf_kind(image->elf) == ELF_K_ELF ? elf64_getehdr(image->elf) : NULL;
    if (image->bytes == NULL || header == NULL || header->e_machine != EM_X86_64) {
        ht_patch_image_close(image);
        return false;
    }
    symbol_table full, exported;
    image->has_symbols = find_table(image->elf, SHT_SYMTAB, &full);
    bool exports = find_table(image->elf, SHT_DYNSYM, &exported);
    if (image->has_symbols) read_symbols(image, &full);
    if (exports) read_symbols(image, &exported);
    if (image->present != 0) image->present |= image->operators;
    qsort(image->symbol, image->symbols, sizeof image->symbol[0], by_address);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < image->symbols; i++) {
        if (kept > 0 && image->symbol[kept - 1].address == image->symbol[i].address) {
            if (image->symbol[kept - 1].cold == 0) {
                image->symbol[kept - 1].cold = image->symbol[i].cold;
                image->symbol[kept - 1].cold_size = image->symbol[i].cold_size;
            }
            continue;
        }
        image->symbol[kept++] = image->symbol[i];
    }
    image->symbols = kept;
    if (kept > 0 && image->has_symbols) find_next(image, &full);
    if (kept > 0 && exports) find_next(image, &exported);
    return true;
}

void ht_patch_image_close(ht_patch_image *image) {
    if (image->elf != NULL) elf_end(image->elf);
    image->elf = NULL;
}

bool ht_patch_image_has_traces(const ht_patch_image *image) {
    static const char *const traces[] = {"<jemalloc>", "mimalloc: ", "TCMALLOC_"};
    size_t names;
    Elf_Scn *section = NULL;
    if (elf_getshdrstrndx(image->elf, &names) != 0) return false;
    while ((section = elf_nextscn(image->elf, section)) != NULL) {
        const Elf64_Shdr *header = elf64_getshdr(section);
        const char *name = header == NULL ? NULL : elf_strptr(image->elf, names, header->sh_name);
        if (name == NULL || strncmp(name, ".rodata", 7) != 0 || header->sh_offset > image->count ||
            header->sh_size > image->count - header->sh_offset || header->sh_size > TRACES_LOOKED_THROUGH)
            continue;
        for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++) {
            if (memmem(image->bytes + header->sh_offset, header->sh_size, traces[i], strlen(traces[i])) != NULL)
                return true;
        }
    }
    return false;
}
