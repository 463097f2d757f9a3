// Copying what the Swift runtime's metadata says of a type into the stream: METADATA records (FORMAT.md §4). Runs
// inside hooks, once for each type of a process. Layouts are the Swift ABI's (swift/ABI/Metadata.h), as compiled
// without Objective-C. Every word is asked for before it is read, nothing of the runtime is called, and depth and
// number of what one type brings along are bounded. No names: those are made from the module files later.
#include "definitions.h"
#include "readable.h"
#include "ring.h"
#include "swift_types.h"

#include <heaptrail_trace.h>
#include <string.h>

enum {
    DEPTH_MAX = 8,       // of types within types
    TYPES_MAX = 64,      // that one new type brings along
    ARGUMENTS_MAX = 24,  // of one type
};

// The runtime's kind words (swift/ABI/MetadataKind.def). A class has 0, or the address of another metadata.
enum {
    KIND_CLASS = 0,
    KIND_STRUCT = 0x200,
    KIND_ENUM = 0x201,
    KIND_OPTIONAL = 0x202,
    KIND_FOREIGN_CLASS = 0x203,
    KIND_FOREIGN_REFERENCE = 0x204,
    KIND_OPAQUE = 0x300,
    KIND_TUPLE = 0x301,
    KIND_FUNCTION = 0x302,
    KIND_EXISTENTIAL = 0x303,
    KIND_METATYPE = 0x304,
    KIND_EXISTENTIAL_METATYPE = 0x306,
    KIND_CONTEXT = 0x400,
    KIND_BOX = 0x500,
    KIND_ERROR = 0x501,
    KIND_LAST = 0x7ff,
};

// Of a nominal type descriptor: kinds in bits 0 to 4 of its flags, and what else the flags say.
enum {
    DESCRIPTOR_KIND = 31,
    DESCRIPTOR_CLASS = 16,
    DESCRIPTOR_STRUCT = 17,
    DESCRIPTOR_ENUM = 18,
    IS_GENERIC = 1 << 7,
    NEGATIVE_MEMBERS = 1 << 28,
    RESILIENT_SUPERCLASS = 1 << 29,
    CLASS_BYTES = 44,
    VALUE_BYTES = 28,
    INSTANTIATION_BYTES = 8,
    REQUIREMENT_BYTES = 12,
    HAS_PACKS = 1,          // flags of a generic signature
    PARAMETER_KIND = 0x3f,  // 0 is a type
    PARAMETER_IS_KEY = 0x80,
    HAS_SUPERCLASS = 1 << 30,  // flags of an existential
};

ht_table ht_types_known = {.first_lines = 64};

typedef struct copying {
    ht_thread *self;
    ht_writer *writer;
    ht_span data, statics;  // what was found readable lately: metadata, and descriptors
    uint32_t left;          // types that may still be described
} copying;

typedef struct description {
    uint32_t class_of, kind;
    uint64_t flags, descriptor;
    uint32_t count;
    uint32_t types;  // bit i: argument i is a type id
    uint64_t arguments[ARGUMENTS_MAX];
} description;

static bool load(ht_span *span, uintptr_t at, uint64_t *word) {
    if ((at & 7) != 0 || !ht_span_reaches(span, at)) return false;
    *word = *(const uint64_t *)at;
    return true;
}

static bool load_half(ht_span *span, uintptr_t at, uint32_t *half) {
    if ((at & 3) != 0 || !ht_span_reaches(span, at & ~(uintptr_t)7)) return false;
    *half = *(const uint32_t *)at;
    return true;
}

static bool load_byte(ht_span *span, uintptr_t at, uint8_t *byte) {
    if (!ht_span_reaches(span, at & ~(uintptr_t)7)) return false;
    *byte = *(const uint8_t *)at;
    return true;
}

static void add(description *of, uint64_t word, bool is_type) {
    if (of->count == ARGUMENTS_MAX) return;
    if (is_type) of->types |= 1u << of->count;
    of->arguments[of->count++] = word;
}

// The generic arguments: words in the metadata from `at` on, described behind the descriptor's own fields. Lengths of
// packs come first, one for each shape; then a word for each key parameter.
static void add_generic_arguments(copying *copy, uintptr_t header, uintptr_t at, description *of) {
    uint32_t counts, keys;
    if (!load_half(&copy->statics, header, &counts) || !load_half(&copy->statics, header + 4, &keys)) return;
    uint32_t parameters = counts & 0xffff, requirements = counts >> 16;
    uintptr_t first = header + 8;
    if ((keys >> 16 & HAS_PACKS) != 0) {
        uint32_t shapes;
        uintptr_t behind = first + ((parameters + 3) & ~3u) + (uintptr_t)requirements * REQUIREMENT_BYTES;
        if (!load_half(&copy->statics, behind, &shapes)) return;
        at += (uintptr_t)(shapes >> 16) * 8;
    }
    for (uint32_t i = 0; i < parameters && of->count < ARGUMENTS_MAX; i++) {
        uint8_t parameter;
        uint64_t word;
        if (!load_byte(&copy->statics, first + i, &parameter)) return;
        if ((parameter & PARAMETER_IS_KEY) == 0) continue;
        if (!load(&copy->data, at, &word)) return;
        add(of, word, (parameter & PARAMETER_KIND) == 0);
        at += 8;
    }
}

// Whether a descriptor of this kind lies there; its flags.
static bool is_descriptor(copying *copy, uintptr_t at, uint32_t kind, uint32_t *flags) {
    return at != 0 && load_half(&copy->statics, at, flags) && (*flags & DESCRIPTOR_KIND) == kind;
}

static void describe_value(copying *copy, uintptr_t type, uint32_t kind, description *of) {
    uint64_t descriptor;
    uint32_t flags;
    if (!load(&copy->data, type + 8, &descriptor) || !is_descriptor(copy, descriptor, kind, &flags)) return;
    of->descriptor = descriptor;
    if (flags & IS_GENERIC) add_generic_arguments(copy, descriptor + VALUE_BYTES + INSTANTIATION_BYTES, type + 16, of);
}

// Where a class keeps its generic arguments. A superclass of another module leaves that to be found at run time.
static bool class_arguments(copying *copy, uintptr_t type, uintptr_t descriptor, uint32_t flags, uintptr_t *at) {
    uint32_t negative, positive, members;
    if (!load_half(&copy->statics, descriptor + 24, &negative) ||
        !load_half(&copy->statics, descriptor + 28, &positive) || !load_half(&copy->statics, descriptor + 32, &members))
        return false;
    if (flags & RESILIENT_SUPERCLASS) {
        uint64_t offset;
        ht_span bounds = {0, 0};
        if (!load(&bounds, descriptor + 24 + (uintptr_t)(intptr_t)(int32_t)negative, &offset)) return false;
        *at = type + offset;
    } else if (flags & NEGATIVE_MEMBERS) {
        *at = type - (uintptr_t)negative * 8;
    } else {
        *at = type + ((uintptr_t)positive - members) * 8;
    }
    return true;
}

static void describe_class(copying *copy, uintptr_t type, description *of) {
    // Behind kind, superclass and three words of sizes; three more words lie between where the compiler leaves room for
    // Objective-C.
    static const uintptr_t places[] = {40, 64};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint64_t descriptor;
        uint32_t flags;
        uintptr_t at;
        if (!load(&copy->data, type + places[i], &descriptor)) return;
        if (!is_descriptor(copy, descriptor, DESCRIPTOR_CLASS, &flags)) continue;
        of->descriptor = descriptor;
        if ((flags & IS_GENERIC) && class_arguments(copy, type, descriptor, flags, &at))
            add_generic_arguments(copy, descriptor + CLASS_BYTES + INSTANTIATION_BYTES, at, of);
        return;
    }
}

static void add_words(copying *copy, uintptr_t at, uintptr_t step, uint64_t count, bool are_types, description *of) {
    for (uint64_t i = 0; i < count && i < ARGUMENTS_MAX; i++) {
        uint64_t word;
        if (!load(&copy->data, at + i * step, &word)) return;
        add(of, word, are_types);
    }
}

static void describe_existential(copying *copy, uintptr_t type, description *of) {
    uint64_t word;
    if (!load(&copy->data, type + 8, &word)) return;
    of->flags = word & 0xffffffff;
    bool has_superclass = (of->flags & HAS_SUPERCLASS) != 0;
    add_words(copy, type + 16, 8, has_superclass, true, of);
    add_words(copy, type + 16 + (has_superclass ? 8 : 0), 8, word >> 32, false, of);
}

static void describe_function(copying *copy, uintptr_t type, description *of) {
    uint64_t word;
    if (!load(&copy->data, type + 8, &word)) return;
    of->flags = word & 0xffffffff;
    add_words(copy, type + 16, 8, 1 + (word & 0xffff), true, of);
}

// Reads the metadata at `type`. What cannot be read is left out.
static void describe(copying *copy, uintptr_t type, description *of) {
    uint64_t word = 0;
    *of = (description){.class_of = HT_METADATA_OTHER};
    if (!load(&copy->data, type, &word)) return;
    of->kind = word > KIND_LAST ? KIND_CLASS : (uint32_t)word;
    switch (of->kind) {
        case KIND_CLASS:
            of->class_of = HT_METADATA_CLASS;
            describe_class(copy, type, of);
            break;
        case KIND_STRUCT:
            of->class_of = HT_METADATA_STRUCT;
            describe_value(copy, type, DESCRIPTOR_STRUCT, of);
            break;
        case KIND_ENUM:
        case KIND_OPTIONAL:
            of->class_of = HT_METADATA_ENUM;
            describe_value(copy, type, DESCRIPTOR_ENUM, of);
            break;
        case KIND_FOREIGN_CLASS:
        case KIND_FOREIGN_REFERENCE:
            of->class_of = HT_METADATA_OPAQUE;
            load(&copy->data, type + 8, &of->descriptor);
            break;
        case KIND_OPAQUE: of->class_of = HT_METADATA_OPAQUE; break;
        case KIND_TUPLE:
            of->class_of = HT_METADATA_TUPLE;
            if (load(&copy->data, type + 8, &word)) add_words(copy, type + 24, 16, word, true, of);
            break;
        case KIND_FUNCTION:
            of->class_of = HT_METADATA_FUNCTION;
            describe_function(copy, type, of);
            break;
        case KIND_EXISTENTIAL:
            of->class_of = HT_METADATA_EXISTENTIAL;
            describe_existential(copy, type, of);
            break;
        case KIND_METATYPE:
        case KIND_EXISTENTIAL_METATYPE:
            of->class_of = HT_METADATA_METATYPE;
            add_words(copy, type + 8, 8, 1, true, of);
            break;
        case KIND_CONTEXT:
            of->class_of = HT_METADATA_CONTEXT;
            load(&copy->data, type + 16, &of->descriptor);
            break;
        case KIND_BOX:
            of->class_of = HT_METADATA_BOX;
            add_words(copy, type + 16, 8, 1, true, of);
            break;
        case KIND_ERROR: of->class_of = HT_METADATA_ERROR; break;
        default: break;
    }
}

// Sees that the module at an address is defined, so that a reader finds the bytes of its file.
static void define_module(copying *copy, uintptr_t address) {
    const uint8_t *tables;
    if (address != 0) ht_module_at(copy->self, copy->writer, address, &tables);
}

static bool put(copying *copy, uint64_t type, const description *of) {
    ht_writer *writer = copy->writer;
    if (of->class_of == HT_METADATA_OPAQUE && of->descriptor == 0) define_module(copy, type);
    else define_module(copy, of->descriptor);
    for (uint32_t i = 0; of->class_of == HT_METADATA_EXISTENTIAL && i < of->count; i++) {
        if ((of->types >> i & 1) == 0) define_module(copy, of->arguments[i]);
    }
    if (!ht_writer_reserve(copy->self, writer, 4 + of->count + HT_RECORD_WORDS)) return false;
    ht_put(writer, ht_extended(HT_EXTENDED_METADATA, 3 + of->count, of->flags));
    ht_put(writer, type);
    ht_put(writer, (1 + of->count) | (uint64_t)of->class_of << HT_METADATA_CLASS_SHIFT |
                       (uint64_t)of->kind << HT_METADATA_KIND_SHIFT);
    ht_put(writer, of->descriptor);
    memcpy(writer->at, of->arguments, of->count * sizeof of->arguments[0]);
    writer->at += of->count;
    ht_writer_publish(writer);
    return true;
}

static uint32_t copy_type(copying *copy, uint64_t type, uint32_t depth) {
    uint64_t hash = ht_type_hash(type);
    uint32_t known = ht_table_find(&ht_types_known, hash);
    if (known != 0 || depth == DEPTH_MAX || copy->left == 0) return known;
    copy->left--;
    description of;
    describe(copy, type, &of);
    for (uint32_t i = 0; i < of.count; i++) {
        if (of.types >> i & 1) copy_type(copy, of.arguments[i], depth + 1);
    }
    if (!put(copy, type, &of)) return 0;
    known = of.class_of == HT_METADATA_ERROR ? HT_TYPE_ERROR : HT_TYPE_KNOWN;
    ht_table_insert(&ht_types_known, hash, known);
    return known;
}

uint32_t ht_type_describe(ht_thread *self, ht_writer *writer, uint64_t type) {
    copying copy = {.self = self, .writer = writer, .left = TYPES_MAX};
    return copy_type(&copy, type, 0);
}

void ht_type_define(ht_thread *self, ht_writer *writer, uint64_t type) {
    uint32_t known = ht_table_find(&ht_types_known, ht_type_hash(type));
    if (known == 0) known = ht_type_describe(self, writer, type);
    if (known == HT_TYPE_ERROR) atomic_store_explicit(&ht_type_of_errors, type, memory_order_relaxed);
}

void ht_types_reset(void) { ht_table_reset(&ht_types_known); }
