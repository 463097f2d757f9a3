// The drain of drain.h. Everything in the region was written by the traced process and may be damaged by its bugs:
// indices are checked before use, and a stream that makes no sense is dropped, not followed.
#include "drain.h"

#include "system.h"
#include "text_writer.h"

#include <string.h>

enum { PART_WORDS = 2048 };                          // a part-filled segment is worth a chunk from here
static const uint64_t part_interval_ns = 100000000;  // or after this long
enum {
    STREAM_SEGMENTS = 64
};  // taken of one stream before the others have their turn: a thread may write as fast as we read
static const uint64_t clock_interval_ns = 1000000000;

uint32_t ht_record_words(const uint64_t *words, uint32_t count) {
    static const uint8_t fixed[8] = {1, 1, 2, 3, 3, 3, 0, 1};
    uint32_t length = fixed[words[0] & 7];
    if ((words[0] & 7) == HT_RECORD_EXTENDED)
        length += (words[0] >> HT_EXTENDED_WORDS_SHIFT) & ((1u << HT_EXTENDED_WORDS_BITS) - 1);
    return length <= count ? length : 0;
}

static uint64_t delta_of(uint64_t word) { return (word >> HT_DELTA_SHIFT) & ((1u << HT_DELTA_BITS) - 1); }

// The commonest records, FREE, ALLOC and ALLOC_TYPED in any order, without a branch on which it is: no processor
// predicts that. Stops before anything else, and before the last three words. Returns the words walked.
static uint32_t survey_plain(const uint64_t *words, uint32_t count, ht_chunk_header *header, uint64_t *time) {
    uint64_t sum = *time;
    uint32_t at = 0, records = 0, allocations = 0;
    enum { PLAIN = 1 << HT_RECORD_FREE | 1 << HT_RECORD_ALLOC | 1 << HT_RECORD_ALLOC_TYPED };
    while (at + 2 < count) {
        uint64_t first = words[at];
        uint32_t kind = first & 7;
        if (__builtin_expect((PLAIN >> kind & 1) == 0, 0)) break;
        sum += delta_of(first);
        allocations += kind != HT_RECORD_FREE;
        records++;
        at += kind - (kind >> 2);  // 1, 2 and, of kind 4, 3 words
    }
    header->allocations += allocations;
    header->frees += records - allocations;
    header->records += records;
    *time = sum;
    return at;
}

// Walks whole records, adding up time and counts. Returns the words that make sense.
static uint32_t survey(const ht_drain *drain, const uint64_t *words, uint32_t count, ht_chunk_header *header,
                       uint64_t *time) {
    uint32_t at = 0;
    while (at < count) {
        at += survey_plain(words + at, count - at, header, time);
        if (at == count) break;
        uint32_t length = ht_record_words(words + at, count - at);
        if (length == 0) break;
        uint64_t first = words[at];
        switch (first & 7) {
            case HT_RECORD_FREE:
                *time += delta_of(first);
                header->frees++;
                break;
            case HT_RECORD_ALLOC:
            case HT_RECORD_ALLOC_TYPED:
            case HT_RECORD_ALLOC_SAMPLE:
                *time += delta_of(first);
                header->allocations++;
                break;
            case HT_RECORD_REALLOC:
                *time += delta_of(first) + delta_of(words[at + 1]);
                header->frees++;
                header->allocations++;
                break;
            case HT_RECORD_EXTENDED:
                switch ((first >> HT_EXTENDED_SUB_SHIFT) & ((1u << HT_EXTENDED_SUB_BITS) - 1)) {
                    case HT_EXTENDED_TIME:
                        if (length > 1) *time = words[at + 1];
                        break;
                    case HT_EXTENDED_WIDE_FREE: header->frees++; break;
                    case HT_EXTENDED_WIDE_ALLOC: header->allocations++; break;
                    case HT_EXTENDED_WIDE_REALLOC:
                        if (length > 2) *time = words[at + 2];
                        header->frees++;
                        header->allocations++;
                        break;
                    case HT_EXTENDED_MODULE:
                        if (drain->note_module != NULL) drain->note_module(drain->note_context, words + at, length);
                        break;
                    default: break;
                }
                break;
            default: break;
        }
        header->records += (first & 7) != HT_RECORD_PAD;
        at += length;
    }
    return at;
}

// Writes words of one stream as a chunk.
static void take_words(ht_drain *drain, ht_home *home, const uint64_t *words, uint32_t count) {
    ht_chunk_header header = {.kind = HT_CHUNK_EVENTS,
                              .thread = home->serial,
                              .lane = home->lane,
                              .image = home->image,
                              .first_time = home->time};
    uint64_t time = home->time;
    uint32_t sound = survey(drain, words, count, &header, &time);
    header.last_time = time;
    home->time = time;
    drain->allocations += header.allocations;
    drain->frees += header.frees;
    if (drain->writer != NULL && sound > 0) ht_trace_put_chunk(drain->writer, header, words, (size_t)sound * 8);
}

static char *append_decimal(char *out, uint32_t value) {
    char digits[12];
    char *at = digits + sizeof digits;
    do *--at = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    size_t length = (size_t)(digits + sizeof digits - at);
    memcpy(out, at, length);
    return out + length;
}

// Writes a THREAD record with the name the system has for the thread now. The thread itself cannot be relied on for it:
// the call may be forbidden to it.
static void put_thread_name(ht_drain *drain, ht_home *home) {
    home->named++;
    if (drain->writer == NULL || home->lane != 0) return;
    char path[64] = "/proc/";
    char *at = append_decimal(path + 6, atomic_load_explicit(&drain->region->pid, memory_order_relaxed));
    memcpy(at, "/task/", 6);
    at = append_decimal(at + 6, home->thread);
    memcpy(at, "/comm", 6);
    long fd = ht_syscall(SYS_openat, -100 /* AT_FDCWD */, (long)path, 02000000 /* O_CLOEXEC */, 0, 0, 0);
    if (fd < 0) return;
    uint64_t record[4] = {0};
    long count = ht_syscall(SYS_read, fd, (long)(record + 2), 16, 0, 0, 0);
    ht_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    if (count <= 1) return;
    ((char *)(record + 2))[--count] = 0;  // its newline
    uint64_t words = 1 + ((uint64_t)count + 7) / 8;
    record[0] = HT_RECORD_EXTENDED | (uint64_t)HT_EXTENDED_THREAD << HT_EXTENDED_SUB_SHIFT |
                words << HT_EXTENDED_WORDS_SHIFT | (uint64_t)home->thread << HT_EXTENDED_ARGUMENT_SHIFT;
    record[1] = (uint64_t)count;
    ht_chunk_header header = {.kind = HT_CHUNK_DEFINITIONS, .thread = home->serial, .image = home->image, .records = 1};
    ht_trace_put_chunk(drain->writer, header, record, (size_t)(1 + words) * 8);
}

// Exact totals of a thread (0: of all threads that had no home), where they have grown since they were last written.
// Returns the events they count.
static uint64_t put_totals(ht_drain *drain, const ht_totals *totals, uint64_t written, uint32_t thread,
                           uint16_t image) {
    uint64_t record[5] = {HT_RECORD_EXTENDED | (uint64_t)HT_EXTENDED_TOTALS << HT_EXTENDED_SUB_SHIFT |
                              (uint64_t)4 << HT_EXTENDED_WORDS_SHIFT,
                          atomic_load_explicit(&totals->allocations, memory_order_relaxed),
                          atomic_load_explicit(&totals->frees, memory_order_relaxed),
                          atomic_load_explicit(&totals->bytes, memory_order_relaxed),
                          atomic_load_explicit(&totals->reallocations, memory_order_relaxed)};
    uint64_t events = record[1] + record[2];
    if (events == written || drain->writer == NULL) return events;
    ht_chunk_header header = {.kind = HT_CHUNK_DEFINITIONS, .thread = thread, .image = image, .records = 1};
    ht_trace_put_chunk(drain->writer, header, record, sizeof record);
    return events;
}

static void put_home_totals(ht_drain *drain, ht_home *home, bool is_last) {
    if (drain->region->sample_bytes == 0) return;
    home->totals_written = put_totals(drain, &home->totals, home->totals_written, home->serial, home->image);
    if (!is_last) return;
    drain->exact_allocations += atomic_load_explicit(&home->totals.allocations, memory_order_relaxed);
    drain->exact_frees += atomic_load_explicit(&home->totals.frees, memory_order_relaxed);
}

// The totals of all threads that have not ended, for a trace that is cut from here on.
static void put_all_totals(ht_drain *drain, bool are_last) {
    ht_region *region = drain->region;
    if (region->sample_bytes == 0) return;
    uint32_t homes = ht_region_homes(region);
    for (uint32_t i = 0; i < homes; i++) {
        ht_home *home = ht_region_home(region, i);
        if (atomic_load_explicit(&home->state, memory_order_acquire) == HT_HOME_LIVE)
            put_home_totals(drain, home, are_last);
    }
    if (!are_last) return;
    put_totals(drain, &region->unplaced, 0, 0, (uint16_t)atomic_load_explicit(&region->image, memory_order_relaxed));
    drain->exact_allocations += atomic_load_explicit(&region->unplaced.allocations, memory_order_relaxed);
    drain->exact_frees += atomic_load_explicit(&region->unplaced.frees, memory_order_relaxed);
}

static void give_segment(ht_region *region, uint32_t index_plus_one) {
    ht_region_give_segment(region, index_plus_one);
    // Release pairs with the waiter's acquire load of `room`; sequentially consistent against its waiters' count. One
    // segment, one waiter: waking all of thousands for each would leave no time to drain.
    atomic_fetch_add_explicit(&region->room, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&region->room_waiters, memory_order_seq_cst) != 0) ht_futex_wake(&region->room, 1);
}

static bool segment_in_range(ht_region *region, uint32_t index_plus_one) {
    return index_plus_one > 0 && index_plus_one <= atomic_load_explicit(&region->segment_limit, memory_order_acquire) &&
           (index_plus_one <= HT_SEGMENT_COUNT ||
            (index_plus_one <= HT_SEGMENT_COUNT + HT_MORE_SEGMENTS && ht_region_extension(region) != NULL));
}

ht_stream_view ht_stream_look(ht_region *region, ht_home *home) {
    ht_stream_view view = {0};
    if (home->read_segment == 0) {
        home->read_segment = home->first_segment;
        home->read_words = 0;
    }
    if (!segment_in_range(region, home->read_segment)) return view;
    ht_segment *segment = ht_region_segment(region, home->read_segment - 1);
    // `next` before `used`: once there is a successor, `used` is final.
    view.next = atomic_load_explicit(&segment->next, memory_order_acquire);
    uint32_t used = atomic_load_explicit(&segment->used, memory_order_acquire);
    if (used > HT_SEGMENT_WORDS) used = HT_SEGMENT_WORDS;
    view.words = segment->words + home->read_words;
    view.count = used > home->read_words ? used - home->read_words : 0;
    return view;
}

void ht_stream_next(ht_region *region, ht_home *home, uint32_t next) {
    uint32_t old = home->read_segment;
    home->read_segment = next;
    home->read_words = 0;
    give_segment(region, old);
}

// `*cut` when the stream had more than its turn's worth. The last round takes all there is: at most every segment once,
// for a damaged chain cannot hold us.
static uint64_t take_stream(ht_drain *drain, ht_home *home, bool everything, bool *cut) {
    ht_region *region = drain->region;
    uint64_t taken = 0;
    uint32_t limit = everything ? HT_SEGMENT_COUNT + HT_MORE_SEGMENTS : STREAM_SEGMENTS;
    for (uint32_t steps = 0; steps <= limit; steps++) {
        ht_stream_view view = ht_stream_look(region, home);
        if (view.words == NULL) return taken;
        uint64_t now = 0;
        bool worth = view.next != 0 || everything || view.count >= PART_WORDS;
        if (!worth && view.count > 0 && (now = ht_monotonic_ns()) - home->flushed_at_ns > part_interval_ns)
            worth = true;
        if (view.count > 0 && worth) {
            take_words(drain, home, view.words, view.count);
            if (home->named == 0) put_thread_name(drain, home);
            home->read_words += view.count;
            home->flushed_at_ns = now != 0 ? now : ht_monotonic_ns();
            taken += view.count;
            view.count = 0;
        }
        if (view.next == 0 || view.count != 0) return taken;
        ht_stream_next(region, home, view.next);
    }
    *cut = true;
    return taken;
}

static void put_losses(ht_drain *drain) {
    ht_region *region = drain->region;
    uint64_t allocations = atomic_load_explicit(&region->lost_allocations, memory_order_relaxed);
    uint64_t frees = atomic_load_explicit(&region->lost_frees, memory_order_relaxed);
    if (allocations + frees == drain->reported_losses || drain->writer == NULL) return;
    drain->reported_losses = allocations + frees;
    uint64_t payload[4] = {allocations, frees, atomic_load_explicit(&region->lost_bytes, memory_order_relaxed),
                           atomic_load_explicit(&region->lost_reason, memory_order_relaxed)};
    ht_trace_put_chunk(drain->writer, (ht_chunk_header){.kind = HT_CHUNK_LOSSES}, payload, sizeof payload);
}

uint64_t ht_drain_round(ht_drain *drain, bool everything) {
    ht_region *region = drain->region;
    uint64_t watermark = ht_now();
    uint64_t taken = 0;
    atomic_fetch_add_explicit(&region->heartbeat, 1, memory_order_relaxed);
    if (drain->text != NULL) taken = ht_text_round(drain->text, region, everything);
    ht_region_serve_extension(region);
    bool cut = false;
    uint32_t homes = ht_region_homes(region);
    for (uint32_t i = 0; i < homes && drain->text == NULL; i++) {
        ht_home *home = ht_region_home(region, i);
        if (atomic_load_explicit(&home->state, memory_order_acquire) == HT_HOME_LIVE)
            taken += take_stream(drain, home, everything, &cut);
    }
    put_losses(drain);
    if (drain->writer == NULL) return taken;
    uint64_t now = ht_monotonic_ns();
    if (now - drain->totals_at_ns > clock_interval_ns) {
        drain->totals_at_ns = now;
        put_all_totals(drain, false);
    }
    if (taken > 0) {
        ht_chunk_header header = {.kind = HT_CHUNK_ROUND, .flags = HT_CHUNK_SKIPPABLE};
        if (now - drain->clock_at_ns > clock_interval_ns) {
            drain->clock_at_ns = now;
            ht_trace_put_clock(drain->writer);
            if (!cut) ht_trace_put_chunk(drain->writer, header, &watermark, sizeof watermark);
        }
    }
    if (everything) ht_trace_flush(drain->writer);
    if (drain->writer->error != 0) {
        atomic_store_explicit(&region->off_reason, HT_LOSS_WRITE_FAILED, memory_order_relaxed);
        atomic_store_explicit(&region->state, HT_STATE_OFF, memory_order_release);
    }
    return taken;
}

void ht_drain_reap(ht_drain *drain, bool (*alive)(uint32_t thread, void *context), void *context) {
    ht_region *region = drain->region;
    uint32_t homes = ht_region_homes(region);
    uint32_t image = atomic_load_explicit(&region->image, memory_order_acquire);
    for (uint32_t i = 0; i < homes; i++) {
        ht_home *home = ht_region_home(region, i);
        if (atomic_load_explicit(&home->state, memory_order_acquire) != HT_HOME_LIVE) continue;
        if (home->image == image && alive(home->thread, context)) {
            if (home->named == 1)
                put_thread_name(drain, home);  // once more, when it has had time to give itself a name
            continue;
        }
        // The thread is gone: nothing follows what is there now. Lines of text wait for their turn among the other
        // streams'.
        bool cut = false;
        if (drain->text == NULL) take_stream(drain, home, true, &cut);
        ht_stream_view left = ht_stream_look(region, home);
        if (left.words != NULL && (left.count != 0 || left.next != 0)) continue;
        if (left.words != NULL) give_segment(region, home->read_segment);
        put_home_totals(drain, home, true);
        atomic_store_explicit(&home->state, HT_HOME_FREE, memory_order_relaxed);
        ht_region_give_home(region, i + 1);
    }
    // Release: who sees the new count sees the homes given back before it.
    atomic_fetch_add_explicit(&region->reaps, 1, memory_order_release);
    if (atomic_exchange_explicit(&region->homes_wanted, 0, memory_order_relaxed) != 0)
        ht_futex_wake(&region->reaps, 1 << 30);
}

static void put_warning(ht_drain *drain, const char *before, const char *middle, const char *after) {
    char text[HT_PATH_MAX + 256];
    size_t count = 0;
    const char *parts[3] = {before, middle, after};
    for (int i = 0; i < 3; i++) {
        size_t length = strnlen(parts[i], sizeof text - count);
        memcpy(text + count, parts[i], length);
        count += length;
    }
    ht_info_entry entry = {HT_INFO_WARNING, text, count};
    ht_trace_put_info(drain->writer, 0, &entry, 1);
}

static const char *decimal(char *end, uint64_t value) {
    *--end = 0;
    do *--end = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    return end;
}

void ht_drain_finish(ht_drain *drain, uint32_t how, uint32_t status) {
    ht_region *region = drain->region;
    while (ht_drain_round(drain, true) > 0) {
    }
    if (drain->writer == NULL) return;
    put_all_totals(drain, true);
    char digits[24];
    uint32_t unfollowed = atomic_load_explicit(&region->unfollowed, memory_order_relaxed);
    if (atomic_load_explicit(&region->exec_pending, memory_order_relaxed)) {
        put_warning(drain, "the program then executed ", region->exec_path, ", which could not be recorded");
    }
    if (unfollowed > 0) {
        bool follows = (region->options & HT_OPTION_FOLLOW) != 0;
        put_warning(drain, "", decimal(digits + sizeof digits, unfollowed),
                    unfollowed == 1 ? follows ? " child process could not be recorded"
                                              : " child process was not recorded (--follow records it)"
                    : follows       ? " child processes could not be recorded"
                                    : " child processes were not recorded (--follow records them)");
    }
    if (atomic_load_explicit(&region->other_heaps, memory_order_relaxed) > 0) {
        put_warning(
            drain,
            "what was loaded by dlmopen into a namespace of its own has a heap of its own, which was not recorded", "",
            "");
    }
    if (atomic_load_explicit(&region->no_swift_hook, memory_order_relaxed) != 0) {
        put_warning(drain,
                    "the Swift runtime's allocation hook could not be used: types are those that blocks told as they "
                    "were freed, and what was not freed has none",
                    "", "");
    }
    ht_trace_put_clock(drain->writer);
    if (atomic_load_explicit(&region->state, memory_order_acquire) == HT_STATE_OFF) {
        how = HT_END_TURNED_OFF;
        status = atomic_load_explicit(&region->off_reason, memory_order_relaxed);
    }
    struct {
        uint64_t allocations, frees;
        uint32_t how, status;
        uint64_t ticks;
    } end = {drain->allocations, drain->frees, how, status, ht_now()};
    ht_trace_put_chunk(drain->writer, (ht_chunk_header){.kind = HT_CHUNK_END}, &end, sizeof end);
    ht_trace_flush(drain->writer);
}
