// dlopen and dlmopen, for the two ways of loading that keep a library's calls from us. Every other call jumps on to the
// real function with its return address untouched: the loader takes from it whose RPATH to search.
//
// RTLD_DEEPBIND binds a library to its own dependencies first, libc among them, before any preload. Such a library's
// slots that would reach the real functions are pointed at our hooks once it is loaded, which is what any other library
// has. What its constructors allocated by then was not seen. A library that brings an allocator of its own keeps it.
// dlmopen with a new namespace brings a second libc with a heap of its own, which stays unseen; the trace says so.
#include "life.h"
#include "real.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <system.h>

#define EXPORT __attribute__((visibility("default")))

// Not all have prototypes in C, and their addresses alone are wanted.
#define DECLARE(type, name, parameters) extern type name parameters;
HT_HOOKED_C(DECLARE)
HT_HOOKED_NEW(DECLARE)
HT_HOOKED_DELETE(DECLARE)
HT_HOOKED_JEMALLOC(DECLARE)

typedef struct slot_kind {
    const char *name;
    const void *hook;
    const void *const *real;
} slot_kind;

#define KIND(type, name, parameters) \
    {#name, (const void *)(uintptr_t)name, (const void *const *)(const void *)&ht_real.name},
static const slot_kind *kind_of(const char *name) {
    static const slot_kind kinds[] = {HT_HOOKED_C(KIND) HT_HOOKED_NEW(KIND) HT_HOOKED_DELETE(KIND)
                                          HT_HOOKED_JEMALLOC(KIND)};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    }
    return NULL;
}

static void point(uintptr_t place, const void *hook) {
    enum { PAGE = 4096 };
    void *page = (void *)(place & ~(uintptr_t)(PAGE - 1));
    // The table is read-only where it was bound at once; it becomes so again.
    if (ht_syscall(SYS_mprotect, (long)page, PAGE, PROT_READ | PROT_WRITE, 0, 0, 0) != 0) return;
    *(const void *volatile *)place = hook;
}

static void point_slots(const struct link_map *map, void *handle, const ElfW(Rela) * relocations, size_t bytes,
                        const ElfW(Sym) * symbols, const char *strings) {
    for (size_t i = 0; i < bytes / sizeof *relocations; i++) {
        const ElfW(Rela) *entry = &relocations[i];
        uint32_t type = ELF64_R_TYPE(entry->r_info);
        if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) continue;
        const ElfW(Sym) *symbol = &symbols[ELF64_R_SYM(entry->r_info)];
        const slot_kind *kind = kind_of(strings + symbol->st_name);
        if (kind == NULL || *kind->real == NULL || symbol->st_shndx != SHN_UNDEF) continue;
        if (dlsym(handle, kind->name) != *kind->real) continue;
        point(map->l_addr + entry->r_offset, kind->hook);
    }
}

static void point_module(const struct link_map *map, void *handle) {
    const ElfW(Rela) *relocations = NULL, *jumps = NULL;
    size_t relocation_bytes = 0, jump_bytes = 0;
    const ElfW(Sym) *symbols = NULL;
    const char *strings = NULL;
    uintptr_t relro = 0, relro_end = 0;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        switch (entry->d_tag) {
            case DT_RELA: relocations = (const void *)entry->d_un.d_ptr; break;
            case DT_RELASZ: relocation_bytes = entry->d_un.d_val; break;
            case DT_JMPREL: jumps = (const void *)entry->d_un.d_ptr; break;
            case DT_PLTRELSZ: jump_bytes = entry->d_un.d_val; break;
            case DT_SYMTAB: symbols = (const void *)entry->d_un.d_ptr; break;
            case DT_STRTAB: strings = (const char *)entry->d_un.d_ptr; break;
            default: break;
        }
    }
    if (symbols == NULL || strings == NULL) return;
    const ElfW(Ehdr) *header = NULL;
    struct dl_find_object found;
    if (_dl_find_object(map->l_ld, &found) == 0) header = found.dlfo_map_start;
    if (relocations != NULL) point_slots(map, handle, relocations, relocation_bytes, symbols, strings);
    if (jumps != NULL) point_slots(map, handle, jumps, jump_bytes, symbols, strings);
    if (header == NULL || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return;
    const ElfW(Phdr) *segments = (const void *)((const char *)header + header->e_phoff);
    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type != PT_GNU_RELRO) continue;
        relro = map->l_addr + segments[i].p_vaddr;
        relro_end = (relro + segments[i].p_memsz) & ~(uintptr_t)4095;
        relro &= ~(uintptr_t)4095;
        if (relro_end > relro) ht_syscall(SYS_mprotect, (long)relro, (long)(relro_end - relro), PROT_READ, 0, 0, 0);
    }
}

// The library and what was loaded with it, which follow it in the loader's list.
static void point_all(void *handle) {
    const struct link_map *own = NULL;
    struct dl_find_object found;
    if (_dl_find_object((void *)(uintptr_t)&point_all, &found) == 0) own = found.dlfo_link_map;
    for (const struct link_map *map = handle; map != NULL; map = map->l_next) {
        if (map != own) point_module(map, handle);
    }
}

EXPORT void *dlopen(const char *file, int mode) {
    if (!ht_ready()) return NULL;
    // By a path nobody's RPATH is searched, so the call can be ours.
    if (!(mode & RTLD_DEEPBIND) || (mode & RTLD_NOLOAD) || file == NULL || strchr(file, '/') == NULL || !ht_recording())
        __attribute__((musttail)) return ht_real.dlopen(file, mode);
    void *handle = ht_real.dlopen(file, mode);
    int saved = errno;
    if (handle != NULL) point_all(handle);
    errno = saved;
    return handle;
}

EXPORT void *dlmopen(Lmid_t space, const char *file, int mode) {
    if (!ht_ready()) return NULL;
    if (space == LM_ID_NEWLM && ht_recording())
        atomic_fetch_add_explicit(&ht_region_shared->other_heaps, 1, memory_order_relaxed);
    __attribute__((musttail)) return ht_real.dlmopen(space, file, mode);
}
