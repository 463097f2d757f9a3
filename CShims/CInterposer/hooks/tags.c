// The tag interface of CHeaptrailTags, as the preload implements it. A program links none of this: it finds the names
// here when it runs under the recorder.
#include "definitions.h"
#include "life.h"
#include "real.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT uint32_t heaptrail_tag_intern(const char *family, const char *type, const char *cause, const char *language);
EXPORT void heaptrail_tag_push(uint32_t tag);
EXPORT void heaptrail_tag_pop(void);
EXPORT uint32_t heaptrail_counter_intern(const char *name);
EXPORT void heaptrail_count(uint32_t counter, uint64_t amount);

uint32_t heaptrail_tag_intern(const char *family, const char *type, const char *cause, const char *language) {
    if (!ht_ready() || !ht_recording() || family == NULL || type == NULL) return 0;
    ht_thread *self = &ht_self;
    ht_writer *writer = ht_enter(self);
    if (writer == NULL) return 0;
    uint32_t tag = ht_writer_reserve(self, writer, HT_RECORD_WORDS)
                       ? ht_tag_intern(self, writer, family, type, cause, language)
                       : 0;
    ht_leave(self);
    return tag;
}

void heaptrail_tag_push(uint32_t tag) {
    ht_thread *self = &ht_self;
    if (self->tag_depth < HT_TAG_DEPTH) self->tags[self->tag_depth] = self->tag;
    self->tag_depth++;
    if (self->tag_depth <= HT_TAG_DEPTH) self->tag = tag;
}

void heaptrail_tag_pop(void) {
    ht_thread *self = &ht_self;
    if (self->tag_depth == 0) return;
    self->tag_depth--;
    if (self->tag_depth < HT_TAG_DEPTH) self->tag = self->tags[self->tag_depth];
}

uint32_t heaptrail_counter_intern(const char *name) {
    if (!ht_ready() || !ht_recording() || name == NULL) return 0;
    ht_thread *self = &ht_self;
    ht_writer *writer = ht_enter(self);
    if (writer == NULL) return 0;
    uint32_t counter = ht_writer_reserve(self, writer, HT_RECORD_WORDS) ? ht_counter_intern(self, writer, name) : 0;
    ht_leave(self);
    return counter;
}

void heaptrail_count(uint32_t counter, uint64_t amount) {
    if (counter == 0 || !ht_recording()) return;
    ht_thread *self = &ht_self;
    ht_writer *writer = ht_enter(self);
    if (writer == NULL) return;
    if (ht_writer_reserve(self, writer, HT_RECORD_WORDS)) {
        ht_put(writer, ht_extended(HT_EXTENDED_COUNT, 1, counter));
        ht_put(writer, amount);
        ht_writer_publish(writer);
    }
    ht_leave(self);
}
