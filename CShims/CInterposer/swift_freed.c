// What a block says of its type as it is freed. An error box holds its type in its third word, which nobody had written
// when it was allocated. Where the runtime's hook cannot be had, the first word of every object is its metadata still:
// a class in the data of a loaded module, told by its descriptor, or a context. Runs inside hooks, before the real
// free; blocks have 16 bytes at least where the first word is a type.
#include "ring.h"
#include "swift_types.h"

#include <dlfcn.h>

enum {
    ERROR_TYPE_WORD = 2,
    DESCRIPTOR_WORD = 5,
    DESCRIPTOR_KIND = 31,
    DESCRIPTOR_CLASS = 16,
    KIND_CONTEXT = 0x400,
    KIND_BOX = 0x500,
    KIND_ERROR = 0x501,
    IS_TYPE = 1,
    IS_NONE = 2,
    IS_ERROR = 3,
    REMEMBERED_MAX = 1 << 16,
};

_Atomic uint32_t ht_type_looks;

// The metadata of all error boxes, once one was made.
static _Atomic uint64_t error_type;
// First words that were looked at, and what they are. Only words that point into modules: a bounded number.
static ht_table seen = {.first_lines = 64};
static _Atomic uint32_t seen_count;

// Whether metadata lies at an address inside a loaded module.
static bool is_metadata(const struct dl_find_object *module, uint64_t at) {
    uintptr_t start = (uintptr_t)module->dlfo_map_start, end = (uintptr_t)module->dlfo_map_end;
    const uint64_t *words = (const uint64_t *)at;
    if (at < start || at + (DESCRIPTOR_WORD + 1) * 8 > end) return false;
    if (words[0] == KIND_CONTEXT || words[0] == KIND_BOX || words[0] == KIND_ERROR) return true;
    uint64_t descriptor = words[DESCRIPTOR_WORD];
    return words[0] == 0 && descriptor >= start && descriptor + 4 <= end && (descriptor & 3) == 0 &&
           (*(const uint32_t *)descriptor & DESCRIPTOR_KIND) == DESCRIPTOR_CLASS;
}

static uint32_t judge(uint64_t word) {
    struct dl_find_object module;
    if ((word & 7) != 0 || word < 4096 || word >> 47 != 0 || _dl_find_object((void *)word, &module) != 0)
        return IS_NONE;
    uint64_t hash = ht_type_hash(word);
    uint32_t known = ht_table_find(&seen, hash);
    if (known != 0) return known;
    known = !is_metadata(&module, word) ? IS_NONE : *(const uint64_t *)word == KIND_ERROR ? IS_ERROR : IS_TYPE;
    if (atomic_load_explicit(&seen_count, memory_order_relaxed) < REMEMBERED_MAX && ht_table_insert(&seen, hash, known))
        atomic_fetch_add_explicit(&seen_count, 1, memory_order_relaxed);
    return known;
}

void ht_type_note_error(uint64_t type) {
    atomic_store_explicit(&error_type, type, memory_order_relaxed);
    atomic_fetch_add_explicit(&ht_type_looks, 1, memory_order_relaxed);
}

static void forget_error(void) {
    uint32_t looks = atomic_load_explicit(&ht_type_looks, memory_order_relaxed);
    while ((looks & ~(uint32_t)HT_TYPE_LOOKS_ALWAYS) != 0 &&
           !atomic_compare_exchange_weak_explicit(&ht_type_looks, &looks, looks - 1, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

uint64_t ht_type_of_freed(ht_thread *self, ht_writer *writer, const void *block) {
    const uint64_t *words = block;
    uint32_t looks = atomic_load_explicit(&ht_type_looks, memory_order_relaxed);
    bool always = (looks & HT_TYPE_LOOKS_ALWAYS) != 0;
    bool is_error = words[0] == atomic_load_explicit(&error_type, memory_order_relaxed) && words[0] != 0;
    uint32_t what = is_error ? IS_ERROR : always ? judge(words[0]) : IS_NONE;
    if (what == IS_NONE) return 0;
    if (is_error) forget_error();
    uint64_t type = words[what == IS_ERROR ? ERROR_TYPE_WORD : 0];
    if (type != 0 && ht_table_find(&ht_types_known, ht_type_hash(type)) == 0) ht_type_describe(self, writer, type);
    return type;
}
