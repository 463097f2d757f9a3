// What streams define besides events: the image, threads, owner tags, counters, modules. Cold; each is written to the
// defining thread's own stream before anything refers to it.
#pragma once

#include "ring.h"

// Opens a stream: the image (its first stream alone, with the tags and counters known already), then the thread. Room
// for it was reserved by the caller.
void ht_put_stream_start(ht_thread *self, ht_writer *writer);

// The THREAD record with the name that the thread gave itself, in its own stream.
void ht_put_thread_name(ht_thread *self, ht_writer *writer);

// Owner tags and counters: equal texts give the same id, from 1. 0 when memory for them cannot be had.
uint32_t ht_tag_intern(ht_thread *self, ht_writer *writer, const char *family, const char *type, const char *cause,
                       const char *language);
uint32_t ht_counter_intern(ht_thread *self, ht_writer *writer, const char *name);

// A loaded module that has appeared in a call stack.
typedef struct ht_module {
    struct ht_module *next;
    uintptr_t start, end;
    const void *link_map;
    uint32_t id;
    _Atomic uint32_t gone;
} ht_module;

// The module at `address`, defined in this stream if it is new; NULL when no module is loaded there. `eh_frame_hdr`
// receives its unwind index.
const ht_module *ht_module_at(ht_thread *self, ht_writer *writer, uintptr_t address, const uint8_t **eh_frame_hdr);
// Marks modules that are no longer loaded, as gone since `now` at the latest. Returns whether there was any.
bool ht_modules_check(ht_thread *self, ht_writer *writer, uint64_t now);
enum { HT_BUILD_ID_MAX = 64 };
// The build id in the notes of an image mapped from its first page. Reads only what lies in [start, end). 0 bytes when
// there is none.
size_t ht_module_build_id(const uint8_t *start, const uint8_t *end, uintptr_t bias, uint8_t build_id[HT_BUILD_ID_MAX]);
// For a followed child: forgets which modules its parent defined.
void ht_modules_reset(void);

// What the first stream of an image says of the program; set once at the start. Strings live as long as the process.
void ht_definitions_set_program(int argc, char **argv);
// The executable's path, not terminated.
const char *ht_definitions_executable(size_t *bytes);
