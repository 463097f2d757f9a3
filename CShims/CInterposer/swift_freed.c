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
    HEADER_BYTES = 16,
    OFFSET_MAX = 4096,
    KIND_CLASS = 0,
    KIND_CONTEXT = 0x400,
    KIND_BOX = 0x500,
    KIND_ERROR = 0x501,
    IS_TYPE = 1,
    IS_NONE = 2,
    IS_ERROR = 3,
    REMEMBERED_MAX = 1 << 16,
};

_Atomic uint32_t ht_type_looks;
_Atomic uint64_t ht_type_of_errors;

// First words that were looked at, and what they are. Only words that point into modules: a bounded number.
static ht_table seen = {.first_lines = 64};
static _Atomic uint32_t seen_count;

// Whether `count` bytes lie in one loaded module.
static bool is_loaded(uint64_t at, size_t count) {
    struct dl_find_object module;
    return at >> 47 == 0 && _dl_find_object((void *)at, &module) == 0 && at + count <= (uintptr_t)module.dlfo_map_end;
}

// A context, or a box: where the first value lies in it, then the address of what describes it.
static bool is_layout(uint64_t offset, uint64_t described, bool is_optional) {
    offset &= UINT32_MAX;
    return offset >= HEADER_BYTES && offset <= OFFSET_MAX && (offset & 7) == 0 && (described & 3) == 0 &&
           (described == 0 ? is_optional : described >> 47 == 0);
}

// What the words of a loaded module at `at` are: the metadata of objects has the function that destroys them two words
// before its start.
static uint32_t kind_of(uint64_t at) {
    const uint64_t *words = (const uint64_t *)at;
    if (!is_loaded(at - 16, (DESCRIPTOR_WORD + 3) * 8) || !is_loaded(words[-2], 1)) return IS_NONE;
    switch (words[0]) {
        case KIND_CLASS: {
            uint64_t descriptor = words[DESCRIPTOR_WORD];
            bool is_class = (descriptor & 3) == 0 && is_loaded(descriptor, 4) &&
                            (*(const uint32_t *)descriptor & DESCRIPTOR_KIND) == DESCRIPTOR_CLASS;
            return is_class ? IS_TYPE : IS_NONE;
        }
        case KIND_CONTEXT: return is_layout(words[1], words[2], true) ? IS_TYPE : IS_NONE;
        case KIND_BOX: return is_layout(words[1], words[2], false) ? IS_TYPE : IS_NONE;
        case KIND_ERROR: return IS_ERROR;
        default: return IS_NONE;
    }
}

static uint32_t judge(uint64_t word) {
    if ((word & 7) != 0 || word < 4096 || !is_loaded(word, 8)) return IS_NONE;
    uint64_t hash = ht_type_hash(word);
    uint32_t known = ht_table_find(&seen, hash);
    if (known != 0) return known;
    known = kind_of(word);
    if (atomic_load_explicit(&seen_count, memory_order_relaxed) < REMEMBERED_MAX && ht_table_insert(&seen, hash, known))
        atomic_fetch_add_explicit(&seen_count, 1, memory_order_relaxed);
    return known;
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
    bool is_error = words[0] == atomic_load_explicit(&ht_type_of_errors, memory_order_relaxed) && words[0] != 0;
    uint32_t what = is_error ? IS_ERROR : always ? judge(words[0]) : IS_NONE;
    if (what == IS_NONE) return 0;
    if (is_error) forget_error();
    if (ht_options & HT_OPTION_NO_SWIFT_TYPES) return 0;
    uint64_t type = words[what == IS_ERROR ? ERROR_TYPE_WORD : 0];
    if (type != 0 && ht_table_find(&ht_types_known, ht_type_hash(type)) == 0) ht_type_describe(self, writer, type);
    return type;
}
