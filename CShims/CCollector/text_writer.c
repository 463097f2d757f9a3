// The text writer of text_writer.h. Runs on the collector's or the drain thread; no stdio, memory as anonymous pages.
#include "text_writer.h"

#include "drain.h"
#include "system.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

// A thread may lose its processor between stamp and publication: about 20 ms of a 3 GHz counter. What one call did
// before another began was published before the other's stamp, so of those two the order is right without a wait; the
// hold is for calls that overlap.
static const uint64_t hold_ticks = 60000000;
// About 5 s: how long an ALLOC waits for the FREE of the block that is still at its address.
static const uint64_t patience_ticks = 15000000000;

static void flush(ht_text_writer *text) {
    size_t done = 0;
    if (text->used > 0 && text->error == 0 && !ht_output_file_holds(&text->file, text->fd)) text->error = EBADF;
    atomic_store_explicit(&ht_output_waiting, 1, memory_order_relaxed);
    while (done < text->used && text->error == 0) {
        ssize_t count = write(text->fd, text->buffer + done, text->used - done);
        if (count > 0) done += (size_t)count;
        else if (count == 0) text->error = EIO;
        else if (errno == EAGAIN) ht_await_writable(text->fd);
        else if (errno != EINTR) text->error = errno;
    }
    atomic_store_explicit(&ht_output_waiting, 0, memory_order_relaxed);
    text->used = 0;
}

static void put(ht_text_writer *text, const char *bytes, size_t count) {
    if (count > sizeof text->buffer) return;
    if (sizeof text->buffer - text->used < count) flush(text);
    memcpy(text->buffer + text->used, bytes, count);
    text->used += count;
}

static void put_number(ht_text_writer *text, uint64_t value, unsigned base) {
    char digits[24];
    char *at = digits + sizeof digits;
    do *--at = "0123456789abcdef"[value % base];
    while ((value /= base) != 0);
    put(text, at, (size_t)(digits + sizeof digits - at));
}

// A grown copy of `old`, or the old one when there is no memory. Sizes in bytes.
static void *grown(void *old, size_t old_bytes, size_t new_bytes) {
    void *made = ht_map_pages(new_bytes);
    if (made == NULL) return NULL;
    if (old != NULL) {
        memcpy(made, old, old_bytes);
        ht_unmap_pages(old, old_bytes);
    }
    return made;
}

static size_t slot_of(const ht_text_writer *text, uint64_t address) {
    return (size_t)((address * 0x9e3779b97f4a7c15ull) >> 20) & (text->block_slots - 1);
}

static ht_text_block *find_block(ht_text_writer *text, uint64_t address) {
    if (text->block_slots == 0) return NULL;
    size_t slot = slot_of(text, address);
    while (text->blocks[slot].address != 0 && text->blocks[slot].address != address)
        slot = (slot + 1) & (text->block_slots - 1);
    return &text->blocks[slot];
}

static bool make_room(ht_text_writer *text) {
    if ((text->block_count + 1) * 2 <= text->block_slots) return true;
    size_t slots = text->block_slots == 0 ? 4096 : text->block_slots * 2;
    ht_text_block *old = text->blocks;
    size_t old_slots = text->block_slots;
    ht_text_block *made = ht_map_pages(slots * sizeof *made);
    if (made == NULL) return text->block_count + 1 < text->block_slots;
    text->blocks = made;
    text->block_slots = slots;
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i].address != 0) *find_block(text, old[i].address) = old[i];
    }
    if (old != NULL) ht_unmap_pages(old, old_slots * sizeof *old);
    return true;
}

// Deletion that leaves no marker: later entries of the run move up.
static void remove_block(ht_text_writer *text, ht_text_block *block) {
    size_t hole = (size_t)(block - text->blocks), mask = text->block_slots - 1;
    for (size_t next = (hole + 1) & mask; text->blocks[next].address != 0; next = (next + 1) & mask) {
        size_t wanted = slot_of(text, text->blocks[next].address);
        if (((next - wanted) & mask) < ((next - hole) & mask)) continue;
        text->blocks[hole] = text->blocks[next];
        hole = next;
    }
    text->blocks[hole].address = 0;
    text->block_count--;
}

static void put_line(ht_text_writer *text, const char *what, uint64_t address, uint64_t size, uint32_t tag) {
    put(text, what, strlen(what));
    put_number(text, address, 16);
    put(text, ", size ", 7);
    put_number(text, size, 10);
    for (size_t i = 0; tag != 0 && i < text->tag_count; i++) {
        if (text->tags[i].id != tag) continue;
        const ht_text_tag *entry = &text->tags[i];
        put(text, ", owner ", 8);
        put(text, entry->text, strlen(entry->text));
        if (entry->text[entry->cause_at] != 0) {
            put(text, ", cause ", 8);
            put(text, entry->text + entry->cause_at, strlen(entry->text + entry->cause_at));
        }
        break;
    }
    put(text, "\n", 1);
}

static void allocated(ht_text_writer *text, uint64_t address, uint64_t size, uint32_t stack) {
    uint32_t tag = stack < text->stack_slots ? text->stack_tags[stack] : 0;
    put_line(text, "ALLOC: 0x", address, size, tag);
    text->allocations++;
    if (!make_room(text)) return;
    ht_text_block *block = find_block(text, address);
    if (block->address == 0) text->block_count++;
    *block = (ht_text_block){.address = address, .size = size, .tag = tag};
}

static void freed(ht_text_writer *text, uint64_t address) {
    ht_text_block *block = find_block(text, address);
    bool known = block != NULL && block->address == address;
    put_line(text, "FREE: 0x", address, known ? block->size : 0, known ? block->tag : 0);
    text->frees++;
    if (known) remove_block(text, block);
}

static void define_stack(ht_text_writer *text, uint64_t id, uint32_t tag) {
    if (tag == 0) return;
    if (id >= text->stack_slots) {
        size_t slots = text->stack_slots == 0 ? 1024 : text->stack_slots;
        while (slots <= id) slots *= 2;
        uint32_t *made = grown(text->stack_tags, text->stack_slots * sizeof *made, slots * sizeof *made);
        if (made == NULL) return;
        text->stack_tags = made;
        text->stack_slots = slots;
    }
    text->stack_tags[id] = tag;
}

// The tag's text is family NUL type NUL cause NUL language.
static void define_tag(ht_text_writer *text, uint64_t id, const uint64_t *words, uint32_t word_count) {
    const char *bytes = (const char *)(words + 1);
    size_t count = (size_t)words[0];
    if (count > ((size_t)word_count - 1) * 8) return;
    size_t type = strnlen(bytes, count) + 1;
    if (type >= count) return;
    size_t cause = type + strnlen(bytes + type, count - type) + 1;
    if (text->tag_count == text->tag_slots) {
        size_t slots = text->tag_slots == 0 ? 64 : text->tag_slots * 2;
        ht_text_tag *made = grown(text->tags, text->tag_slots * sizeof *made, slots * sizeof *made);
        if (made == NULL) return;
        text->tags = made;
        text->tag_slots = slots;
    }
    ht_text_tag *entry = &text->tags[text->tag_count++];
    memset(entry, 0, sizeof *entry);
    entry->id = (uint32_t)id;
    size_t length = cause - type - 1;
    if (length > sizeof entry->text - 32) length = sizeof entry->text - 32;
    memcpy(entry->text, bytes + type, length);
    entry->cause_at = (uint32_t)length + 1;
    if (cause < count)
        memcpy(entry->text + entry->cause_at, bytes + cause,
               strnlen(bytes + cause, count - cause < 24 ? count - cause : 24));
}

static uint64_t delta_of(uint64_t word) { return (word >> HT_DELTA_SHIFT) & ((1u << HT_DELTA_BITS) - 1); }
static uint64_t address_of(uint64_t word) { return word >> HT_ADDRESS_SHIFT << 3; }
static uint32_t stack_of(uint64_t word) { return (uint32_t)(word >> HT_STACK_SHIFT) & ((1u << HT_STACK_BITS) - 1); }

static void define(ht_text_writer *text, ht_home *home, const uint64_t *words, uint32_t length) {
    uint64_t argument = words[0] >> HT_EXTENDED_ARGUMENT_SHIFT;
    switch ((words[0] >> HT_EXTENDED_SUB_SHIFT) & ((1u << HT_EXTENDED_SUB_BITS) - 1)) {
        case HT_EXTENDED_STACK:
            if (length >= 3) define_stack(text, argument & ((1u << HT_STACK_BITS) - 1), (uint32_t)words[2]);
            break;
        case HT_EXTENDED_TAG:
            if (length >= 2) define_tag(text, argument, words + 1, length - 1);
            break;
        case HT_EXTENDED_WIDE_FREE:
            if (length >= 2) freed(text, words[1]);
            break;
        case HT_EXTENDED_WIDE_ALLOC:
            if (length >= 4) allocated(text, words[1], words[2], (uint32_t)words[3]);
            break;
        case HT_EXTENDED_WIDE_REALLOC:
            if (length < 6) break;
            freed(text, words[1]);
            home->time = words[2];
            allocated(text, words[3], words[4], (uint32_t)words[5]);
            break;
        default: break;
    }
}

// When the record at `words` happens, given its stream's time so far.
static uint64_t time_of(const uint64_t *words, uint32_t length, uint64_t time) {
    uint32_t kind = words[0] & 7;
    if (kind != HT_RECORD_EXTENDED) return time + delta_of(words[0]);
    bool sets = ((words[0] >> HT_EXTENDED_SUB_SHIFT) & ((1u << HT_EXTENDED_SUB_BITS) - 1)) == HT_EXTENDED_TIME;
    return sets && length > 1 ? words[1] : time;
}

// The process executed another image: addresses and ids mean other things from here on.
static void forget(ht_text_writer *text) {
    if (text->blocks != NULL) ht_unmap_pages(text->blocks, text->block_slots * sizeof *text->blocks);
    if (text->stack_tags != NULL) ht_unmap_pages(text->stack_tags, text->stack_slots * sizeof *text->stack_tags);
    text->blocks = NULL;
    text->stack_tags = NULL;
    text->block_slots = text->block_count = text->stack_slots = text->tag_count = 0;
}

static void emit(ht_text_writer *text, ht_home *home, const uint64_t *words, uint32_t length) {
    if (home->image != text->image) {
        forget(text);
        text->image = home->image;
    }
    home->time = time_of(words, length, home->time);
    switch (words[0] & 7) {
        case HT_RECORD_FREE: freed(text, address_of(words[0])); break;
        case HT_RECORD_ALLOC:
        case HT_RECORD_ALLOC_TYPED:
        case HT_RECORD_ALLOC_SAMPLE:
            allocated(text, address_of(words[0]), (uint32_t)words[1], stack_of(words[1]));
            break;
        case HT_RECORD_REALLOC:
            home->time += delta_of(words[1]);
            freed(text, address_of(words[0]));
            allocated(text, address_of(words[1]), (uint32_t)words[2], stack_of(words[2]));
            break;
        case HT_RECORD_EXTENDED: define(text, home, words, length); break;
        default: break;
    }
}

// The address that the record at `words` allocates, 0 for none. A REALLOC's own old block goes with it.
static uint64_t allocated_by(const uint64_t *words, uint32_t length) {
    uint64_t old, made;
    switch (words[0] & 7) {
        case HT_RECORD_ALLOC:
        case HT_RECORD_ALLOC_TYPED:
        case HT_RECORD_ALLOC_SAMPLE: return address_of(words[0]);
        case HT_RECORD_REALLOC:
            old = address_of(words[0]);
            made = address_of(words[1]);
            return made == old ? 0 : made;
        case HT_RECORD_EXTENDED:
            switch ((words[0] >> HT_EXTENDED_SUB_SHIFT) & ((1u << HT_EXTENDED_SUB_BITS) - 1)) {
                case HT_EXTENDED_WIDE_ALLOC: return length >= 2 ? words[1] : 0;
                case HT_EXTENDED_WIDE_REALLOC: return length < 4 || words[3] == words[1] ? 0 : words[3];
                default: return 0;
            }
        default: return 0;
    }
}

// Whether the block at the address that the record allocates was freed by somebody who has not said so yet: a
// reallocation that moved, which is published after its old block is anyone's. It is earlier than this record, so
// nothing is written before it is there. No wait for one that was lost: where threads wait for room, or for long.
static bool is_early(ht_text_writer *text, ht_region *region, const ht_home *home, const uint64_t *words,
                     uint32_t length, uint64_t time) {
    uint64_t address = allocated_by(words, length);
    if (address == 0 || home->image != text->image || (region->options & HT_OPTION_DROP) != 0) return false;
    const ht_text_block *block = find_block(text, address);
    if (block == NULL || block->address != address) return false;
    return atomic_load_explicit(&region->room_waiters, memory_order_relaxed) == 0 && ht_now() - time < patience_ticks;
}

uint64_t ht_text_round(ht_text_writer *text, ht_region *region, bool everything) {
    uint64_t limit = everything ? UINT64_MAX : ht_now() - hold_ticks;
    uint64_t taken = 0;
    for (;;) {
        ht_home *best = NULL;
        ht_stream_view chosen = {0};
        uint32_t chosen_length = 0;
        uint64_t best_time = UINT64_MAX;
        uint32_t homes = ht_region_homes(region);
        for (uint32_t i = 0; i < homes; i++) {
            ht_home *home = ht_region_home(region, i);
            if (atomic_load_explicit(&home->state, memory_order_acquire) != HT_HOME_LIVE) continue;
            ht_stream_view view = ht_stream_look(region, home);
            if (view.words != NULL && view.count == 0 && view.next != 0) {
                ht_stream_next(region, home, view.next);
                view = ht_stream_look(region, home);
            }
            if (view.words == NULL || view.count == 0) continue;
            uint32_t length = ht_record_words(view.words, view.count);
            if (length == 0) {
                home->read_words += view.count;  // damaged: the rest of the segment makes no sense
                continue;
            }
            uint64_t time = time_of(view.words, length, home->time);
            if (best != NULL && time >= best_time) continue;
            best = home;
            best_time = time;
            chosen = view;
            chosen_length = length;
        }
        if (best == NULL || best_time > limit) break;
        if (!everything && is_early(text, region, best, chosen.words, chosen_length, best_time)) break;
        emit(text, best, chosen.words, chosen_length);
        best->read_words += chosen_length;
        taken += chosen_length;
    }
    flush(text);
    return taken;
}
