// The modules that call stacks pass through. Found by _dl_find_object: lock-free, so a thread that allocates while
// another holds the loader's lock never waits for it (dl_iterate_phdr would), and dlopen need not be wrapped (which
// would change the caller that RPATH is looked up for).
#include "definitions.h"

#include "arena.h"
#include "life.h"
#include "rule.h"
#include "stack.h"
#include "swift_types.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <system.h>

enum { BUILD_ID_MAX = HT_BUILD_ID_MAX };

static _Atomic(ht_module *) modules;
static _Atomic uint32_t last_module_id;

size_t ht_module_build_id(const uint8_t *start, const uint8_t *end, uintptr_t bias, uint8_t build_id[BUILD_ID_MAX]) {
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)(const void *)start;
    if ((size_t)(end - start) < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return 0;
    if (header->e_phoff + (uint64_t)header->e_phnum * sizeof(ElfW(Phdr)) > 4096) return 0;
    const ElfW(Phdr) *segments = (const ElfW(Phdr) *)(const void *)(start + header->e_phoff);
    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type != PT_NOTE) continue;
        const uint8_t *note = (const uint8_t *)(bias + segments[i].p_vaddr);
        const uint8_t *notes_end = note + segments[i].p_memsz;
        if (note < start || notes_end > end) continue;
        while (notes_end - note >= (ptrdiff_t)sizeof(ElfW(Nhdr))) {
            const ElfW(Nhdr) *entry = (const ElfW(Nhdr) *)(const void *)note;
            const uint8_t *text = note + sizeof *entry;
            const uint8_t *content = text + ((entry->n_namesz + 3u) & ~3u);
            const uint8_t *next = content + ((entry->n_descsz + 3u) & ~3u);
            if (next > notes_end || next <= note) break;
            if (entry->n_type == NT_GNU_BUILD_ID && entry->n_namesz == 4 && memcmp(text, "GNU", 4) == 0 &&
                entry->n_descsz <= BUILD_ID_MAX) {
                memcpy(build_id, content, entry->n_descsz);
                return entry->n_descsz;
            }
            note = next;
        }
    }
    return 0;
}

static bool put_module(ht_thread *self, ht_writer *writer, const ht_module *module, const struct link_map *map) {
    uint8_t build_id[BUILD_ID_MAX];
    size_t id_bytes =
        ht_module_build_id((const uint8_t *)module->start, (const uint8_t *)module->end, map->l_addr, build_id);
    const char *path = map->l_name;
    size_t path_bytes = path == NULL ? 0 : strnlen(path, HT_PATH_MAX);
    if (path_bytes == 0) path = ht_definitions_executable(&path_bytes);
    size_t words = 3 + 1 + ht_words_of(id_bytes) + ht_words_of(path_bytes);
    if (!ht_writer_reserve(self, writer, 3 + words)) return false;
    // The stream may have been idle for long: the module is dated by the event that met it, never later than that event
    // itself.
    if (writer->now > writer->time) {
        ht_put(writer, ht_extended(HT_EXTENDED_TIME, 1, 0));
        ht_put(writer, writer->time = writer->now);
    }
    ht_put(writer, ht_extended(HT_EXTENDED_MODULE, words, module->id));
    ht_put(writer, module->start);
    ht_put(writer, module->end);
    ht_put(writer, map->l_addr);
    ht_put(writer, id_bytes | path_bytes << 16);
    ht_put_bytes(writer, build_id, id_bytes);
    ht_put_bytes(writer, path, path_bytes);
    ht_writer_publish(writer);
    return true;
}

const ht_module *ht_module_at(ht_thread *self, ht_writer *writer, uintptr_t address, const uint8_t **eh_frame_hdr) {
    struct dl_find_object found;
    if (_dl_find_object((void *)address, &found) != 0) return NULL;
    *eh_frame_hdr = found.dlfo_eh_frame;
    uintptr_t start = (uintptr_t)found.dlfo_map_start;
    ht_module *head = atomic_load_explicit(&modules, memory_order_acquire);
    for (ht_module *known = head; known != NULL; known = known->next) {
        if (known->start == start && known->end == (uintptr_t)found.dlfo_map_end &&
            known->link_map == found.dlfo_link_map && !atomic_load_explicit(&known->gone, memory_order_relaxed))
            return known;
    }
    // Where a module is new, others may have gone that no dlclose told of: libc unloads its own (iconv, name services)
    // from within. What was compiled from them goes before anything of the new one is.
    if (head != NULL && ht_modules_check(self, writer, writer->now)) {
        ht_stacks_new_generation();
        ht_rules_flush();
    }
    ht_module *made = ht_arena_take(sizeof *made);
    if (made == NULL) return NULL;
    made->start = start;
    made->end = (uintptr_t)found.dlfo_map_end;
    made->link_map = found.dlfo_link_map;
    made->id = atomic_fetch_add_explicit(&last_module_id, 1, memory_order_relaxed) + 1;
    if (!put_module(self, writer, made, found.dlfo_link_map)) return NULL;
    do made->next = head;
    while (!atomic_compare_exchange_weak_explicit(&modules, &head, made, memory_order_release, memory_order_relaxed));
    ht_swift_module(made->link_map);
    return made;
}

bool ht_modules_check(ht_thread *self, ht_writer *writer, uint64_t now) {
    bool any = false;
    for (ht_module *known = atomic_load_explicit(&modules, memory_order_acquire); known != NULL; known = known->next) {
        if (atomic_load_explicit(&known->gone, memory_order_relaxed)) continue;
        struct dl_find_object found;
        if (_dl_find_object((void *)known->start, &found) == 0 && found.dlfo_link_map == known->link_map &&
            (uintptr_t)found.dlfo_map_start == known->start && (uintptr_t)found.dlfo_map_end == known->end) {
            continue;
        }
        any = true;
        if (atomic_exchange_explicit(&known->gone, 1, memory_order_relaxed) != 0) continue;
        if (!ht_writer_reserve(self, writer, 4)) return any;
        ht_put(writer, ht_extended(HT_EXTENDED_TIME, 1, 0));
        ht_put(writer, writer->time = now > writer->time ? now : writer->time);
        ht_put(writer, ht_extended(HT_EXTENDED_MODULE_GONE, 0, known->id));
        ht_writer_publish(writer);
    }
    return any;
}

void ht_modules_reset(void) { atomic_store_explicit(&modules, NULL, memory_order_release); }
