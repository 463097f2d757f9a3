// The Swift runtime inside an executable (-static-stdlib): its symbols are local, so they are read from the symbol
// table in the executable's file. Runs before main, or in a process that is attached to; nothing is allocated.
#include "swift_runtime.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <system.h>

typedef struct file {
    const uint8_t *bytes;
    uint64_t count;
} file;

static bool map_executable(file *mapped) {
    struct stat status;
    long fd = ht_syscall(SYS_openat, AT_FDCWD, (long)"/proc/self/exe", O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (fd < 0) return false;
    long at = -1;
    if (ht_syscall(SYS_fstat, fd, (long)&status, 0, 0, 0, 0) == 0 && status.st_size > 0)
        at = ht_syscall(SYS_mmap, 0, (long)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    ht_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    if (at < 0 && at > -4096) return false;
    *mapped = (file){(const uint8_t *)at, (uint64_t)status.st_size};
    return true;
}

// A table of `size` bytes at an offset of the file, NULL when it does not lie in it.
static const void *table_at(const file *mapped, uint64_t offset, uint64_t size) {
    return size > mapped->count || offset > mapped->count - size || (offset & 7) != 0 ? NULL : mapped->bytes + offset;
}

static const char *text_at(const file *mapped, const Elf64_Shdr *texts, uint32_t offset) {
    if (texts->sh_size > mapped->count || texts->sh_offset > mapped->count - texts->sh_size || offset >= texts->sh_size)
        return "";
    const char *text = (const char *)mapped->bytes + texts->sh_offset + offset;
    return memchr(text, 0, texts->sh_size - offset) == NULL ? "" : text;
}

static void note_symbol(ht_swift_runtime *runtime, const char *name, uintptr_t address) {
#define NOTE(field, symbol) \
    if (strcmp(name, #symbol) == 0) runtime->field = (void *)address;
    HT_SWIFT_SYMBOLS(NOTE)
#undef NOTE
}

static void read_symbols(const file *mapped, const Elf64_Shdr *sections, uint32_t section_count, uint32_t index,
                         uintptr_t bias, ht_swift_runtime *runtime) {
    const Elf64_Shdr *section = &sections[index];
    const Elf64_Sym *symbols = table_at(mapped, section->sh_offset, section->sh_size);
    if (symbols == NULL || section->sh_link >= section_count) return;
    const Elf64_Shdr *texts = &sections[section->sh_link];
    if (texts->sh_size > mapped->count || texts->sh_offset > mapped->count - texts->sh_size) return;
    const char *text = (const char *)mapped->bytes + texts->sh_offset;
    for (uint64_t i = 0; i < section->sh_size / sizeof *symbols; i++) {
        // Nearly every name is mangled ($s…, _Z…): one comparison passes it by.
        uint64_t name = symbols[i].st_name;
        if (name + 7 >= texts->sh_size || symbols[i].st_shndx == SHN_UNDEF) continue;
        if (memcmp(text + name + (text[name] == '_'), "swift", 5) != 0) continue;
        note_symbol(runtime, text_at(mapped, texts, symbols[i].st_name), bias + symbols[i].st_value);
    }
}

bool ht_swift_find_static(ht_swift_runtime *runtime, bool *has_swift) {
    file mapped;
    *has_swift = false;
    *runtime = (ht_swift_runtime){0};
    if (!map_executable(&mapped)) return false;
    // The executable is the loader's first module.
    uintptr_t bias = _r_debug.r_map == NULL ? 0 : _r_debug.r_map->l_addr;
    const Elf64_Ehdr *header = table_at(&mapped, 0, sizeof *header);
    const Elf64_Shdr *sections = NULL;
    uint32_t count = 0;
    if (header != NULL && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_shentsize == sizeof *sections) {
        count = header->e_shnum;
        sections = table_at(&mapped, header->e_shoff, (uint64_t)count * sizeof *sections);
    }
    if (sections != NULL && header->e_shstrndx < count) {
        const Elf64_Shdr *names = &sections[header->e_shstrndx];
        for (uint32_t i = 0; i < count; i++)
            *has_swift |= strncmp(text_at(&mapped, names, sections[i].sh_name), "swift5_", 7) == 0;
        for (uint32_t i = 0; *has_swift && i < count; i++) {
            if (sections[i].sh_type == SHT_SYMTAB) read_symbols(&mapped, sections, count, i, bias, runtime);
        }
    }
    ht_syscall(SYS_munmap, (long)mapped.bytes, (long)mapped.count, 0, 0, 0, 0);
    return runtime->allocate_hook != NULL;
}
