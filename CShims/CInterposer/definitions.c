// Images, threads, tags and counters (modules are in modules.c). Runs inside hooks or the tag calls; memory from the
// arena; no lock: lists are only ever pushed to, and an entry two threads make at once is defined twice under two ids,
// which readers merge by text.
#include "definitions.h"

#include "arena.h"
#include "life.h"

#include <system.h>

enum {
    IMAGE_TEXT_MAX = 24 << 10,
    NAME_MAX_BYTES = 1 << 10,
    KIND_TAG = HT_EXTENDED_TAG,
    KIND_COUNTER = HT_EXTENDED_COUNTER
};

typedef struct name {
    struct name *next;
    uint32_t kind;  // KIND_TAG or KIND_COUNTER
    uint32_t id;
    uint32_t count;
    char text[];
} name;

static _Atomic(name *) names;
static _Atomic uint32_t last_name_id;
static _Atomic uint32_t image_announced_epoch;
static int program_argc;
static char **program_argv;
// Read at the start: later the program may have forbidden itself the call.
static char executable[HT_PATH_MAX];
static size_t executable_bytes;

void ht_definitions_set_program(int argc, char **argv) {
    program_argc = argc;
    program_argv = argv;
    long length = ht_syscall(SYS_readlink, (long)"/proc/self/exe", (long)executable, sizeof executable, 0, 0, 0);
    executable_bytes = length > 0 ? (size_t)length : 0;
}

const char *ht_definitions_executable(size_t *bytes) {
    *bytes = executable_bytes;
    return executable;
}

static void put_name(ht_writer *writer, const name *entry) {
    ht_put(writer, ht_extended(entry->kind, 1 + ht_words_of(entry->count), entry->id));
    ht_put(writer, entry->count);
    ht_put_bytes(writer, entry->text, entry->count);
}

// Appends a text with its NUL. False when it does not fit.
static bool append(char *text, size_t *count, size_t limit, const char *piece, size_t length) {
    if (*count + length + 1 > limit) return false;
    memcpy(text + *count, piece, length);
    text[*count + length] = 0;
    *count += length + 1;
    return true;
}

static void put_image(ht_writer *writer) {
    // The text is composed in the stream itself: its words are reserved, and nothing else of ours is large enough.
    uint64_t *head = writer->at;
    char *text = (char *)(head + 2);
    size_t count = 0;
    memcpy(text, executable, executable_bytes);
    count = executable_bytes;
    text[count++] = 0;
    long length = ht_syscall(SYS_getcwd, (long)(text + count), HT_PATH_MAX, 0, 0, 0, 0);
    count += length > 0 ? (size_t)length - 1 : 0;
    text[count++] = 0;
    // A program that shows a title of its own in place of its arguments may have cut the list short by now.
    for (int i = 0; i < program_argc && program_argv[i] != NULL; i++) {
        if (!append(text, &count, IMAGE_TEXT_MAX, program_argv[i], strlen(program_argv[i]))) break;
    }
    size_t words = ht_words_of(count);
    memset(text + count, 0, words * 8 - count);
    head[0] = ht_extended(HT_EXTENDED_IMAGE, 1 + words, writer->home->image);
    head[1] = count;
    writer->at = head + 2 + words;
}

void ht_put_stream_start(ht_thread *self, ht_writer *writer) {
    uint32_t announced = atomic_load_explicit(&image_announced_epoch, memory_order_relaxed);
    bool first = false;
    if (announced != ht_epoch && atomic_compare_exchange_strong_explicit(&image_announced_epoch, &announced, ht_epoch,
                                                                         memory_order_relaxed, memory_order_relaxed)) {
        first = true;
        put_image(writer);
        ht_writer_publish(writer);
        for (const name *entry = atomic_load_explicit(&names, memory_order_acquire); entry != NULL;
             entry = entry->next) {
            if (!ht_writer_reserve(self, writer, 2 + ht_words_of(entry->count))) return;
            put_name(writer, entry);
        }
    }
    // The first thread's name alone is asked for, at the start: the collector reads those of the others, for a program
    // may have forbidden itself the call by then.
    if (first && self->name[0] == 0) ht_syscall(SYS_prctl, 16 /* PR_GET_NAME */, (long)self->name, 0, 0, 0, 0);
    ht_put_thread_name(self, writer);
}

void ht_put_thread_name(ht_thread *self, ht_writer *writer) {
    if (!ht_writer_reserve(self, writer, 4)) return;
    size_t count = strnlen(self->name, sizeof self->name);
    ht_put(writer, ht_extended(HT_EXTENDED_THREAD, 1 + ht_words_of(count), writer->home->thread));
    ht_put(writer, count);
    ht_put_bytes(writer, self->name, count);
    ht_writer_publish(writer);
}

static uint32_t intern(ht_thread *self, ht_writer *writer, uint32_t kind, const char *text, size_t count) {
    for (const name *entry = atomic_load_explicit(&names, memory_order_acquire); entry != NULL; entry = entry->next) {
        if (entry->kind == kind && entry->count == count && memcmp(entry->text, text, count) == 0) return entry->id;
    }
    name *made = ht_arena_take(sizeof(name) + count);
    if (made == NULL) return 0;
    made->kind = kind;
    made->id = atomic_fetch_add_explicit(&last_name_id, 1, memory_order_relaxed) + 1;
    made->count = (uint32_t)count;
    memcpy(made->text, text, count);
    if (!ht_writer_reserve(self, writer, 2 + ht_words_of(count))) return 0;
    put_name(writer, made);
    ht_writer_publish(writer);
    name *head = atomic_load_explicit(&names, memory_order_relaxed);
    do made->next = head;
    while (!atomic_compare_exchange_weak_explicit(&names, &head, made, memory_order_release, memory_order_relaxed));
    return made->id;
}

uint32_t ht_tag_intern(ht_thread *self, ht_writer *writer, const char *family, const char *type, const char *cause,
                       const char *language) {
    char text[NAME_MAX_BYTES * 2];
    size_t count = 0;
    const char *parts[4] = {family, type, cause, language};
    for (int i = 0; i < 4; i++) {
        const char *part = parts[i] == NULL ? "" : parts[i];
        if (!append(text, &count, sizeof text, part, strnlen(part, NAME_MAX_BYTES / 2))) return 0;
    }
    return intern(self, writer, KIND_TAG, text, count - 1);
}

uint32_t ht_counter_intern(ht_thread *self, ht_writer *writer, const char *counter) {
    return intern(self, writer, KIND_COUNTER, counter, strnlen(counter, NAME_MAX_BYTES));
}
