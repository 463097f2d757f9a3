// From columns to records (FORMAT.md §8), the mirror of encode.c. The columns may hold anything: whatever names a block
// is checked against the model, each step writes at least one word, and no word is written behind the last.
#include "codec.h"

#include <heaptrail_trace.h>

typedef struct decoder {
    ht_columns *columns;
    ht_model *model;
    uint64_t *at;
    const uint64_t *end;
    uint32_t granularity;
} decoder;

static inline uint32_t take_code(decoder *decoder) {
    uint32_t code = ht_column_take(decoder->columns, HT_COLUMN_CODE);
    ht_model_note_code(decoder->model, code);
    return code;
}

static uint64_t take_far_time(decoder *decoder, uint32_t byte) {
    ht_columns *columns = decoder->columns;
    uint64_t wide = ht_column_take(columns, HT_COLUMN_TIME_WIDE);
    wide |= (uint64_t)ht_column_take(columns, HT_COLUMN_TIME_WIDE) << 8;
    wide |= (uint64_t)ht_column_take(columns, HT_COLUMN_TIME_WIDE) << 16;
    return byte == HT_TIME_ODD ? wide : wide * decoder->granularity;
}

// A delta, in its place in an event's first word. What has no room there fails.
static inline uint64_t take_time(decoder *decoder, int column) {
    uint64_t byte = ht_column_take(decoder->columns, column), delta;
    if (__builtin_expect(byte < HT_TIME_NEAR, 1)) {
        delta = byte * decoder->granularity;
    } else if (byte < HT_TIME_FAR) {
        byte = HT_TIME_NEAR + ((byte - HT_TIME_NEAR) << 8) + ht_column_take(decoder->columns, HT_COLUMN_TIME_LOW);
        delta = byte * decoder->granularity;
    } else {
        delta = take_far_time(decoder, (uint32_t)byte);
    }
    if (__builtin_expect(delta >> HT_DELTA_BITS != 0, 0)) decoder->columns->failed = true;
    decoder->model->time += delta;
    return (delta & ((1u << HT_DELTA_BITS) - 1)) << HT_DELTA_SHIFT;
}

static uint64_t take_word(decoder *decoder) {
    uint64_t word = 0;
    for (int byte = 0; byte < 8; byte++) word |= (uint64_t)ht_column_take(decoder->columns, HT_COLUMN_WORD) << 8 * byte;
    return word;
}

static inline uint64_t event_word(uint64_t kind, uint64_t delta, uint64_t address) {
    return kind | delta | address << HT_ADDRESS_SHIFT;
}

// Writes the one word of a FREE, or the first of a REALLOC.
static inline bool take_free(decoder *decoder, uint32_t victim, uint64_t kind) {
    ht_model *model = decoder->model;
    uint64_t delta = take_time(decoder, HT_COLUMN_FREE_TIME), address;
    if (victim >= HT_VICTIM_STRANGER_AGAIN) {
        uint64_t *guess = &model->stranger_after[ht_context(model, model->last_stranger)];
        address = *guess;
        if (victim == HT_VICTIM_STRANGER) {
            address =
                model->last_stranger + ht_unzigzag(ht_column_take_varint(decoder->columns, HT_COLUMN_FREE_ADDRESS));
            if (address >> HT_ADDRESS_BITS != 0) return false;
        }
        *guess = address;
        model->last_stranger = address;
    } else {
        uint32_t slot;
        if (victim < HT_BLOCK_RANKS) slot = ht_pool_ranked(&model->blocks, model->newest, victim);
        else if (victim == HT_VICTIM_NEWER) slot = model->near_newer;
        else if (victim == HT_VICTIM_OLDER) slot = model->near_older;
        else if (victim == HT_VICTIM_SUCCESSOR) slot = model->successors[model->last_slot];
        else slot = (uint32_t)ht_column_take_planes(decoder->columns, HT_COLUMN_BLOCK, 3);
        if (!ht_pool_holds(&model->blocks, slot)) return false;
        address = model->blocks.nodes[slot].address;
        if (ht_model_free_block(model, slot) == 0) return false;
    }
    model->last_freed = address;
    *decoder->at++ = event_word(kind, delta, address);
    return true;
}

static inline uint32_t take_size(ht_columns *columns) {
    uint64_t low = ht_column_take(columns, HT_COLUMN_SIZE);
    uint64_t high = ht_column_take(columns, HT_COLUMN_SIZE + 1);
    if (high == HT_SIZE_WIDE) high = ht_column_take_varint(columns, HT_COLUMN_SIZE_WIDE);
    if (high >> 24 != 0) columns->failed = true;
    return (uint32_t)(high << 8 | low);
}

// Writes the two words of an allocation.
static inline bool take_allocation(decoder *decoder, uint32_t code, uint64_t kind) {
    ht_model *model = decoder->model;
    ht_columns *columns = decoder->columns;
    // The guesses are made before the code is part of what they look at.
    uint32_t *first_site = &model->site_after_two[ht_after_two(model)];
    uint32_t *second_site = &model->site_after_one[ht_after_one(model)];
    ht_model_note_code(model, code);
    code -= HT_CODE_ALLOC;
    uint32_t size_guess = code % HT_GUESS_COUNT, site_guess = code / HT_GUESS_COUNT % HT_GUESS_COUNT;
    uint32_t place = code / (HT_GUESS_COUNT * HT_GUESS_COUNT);
    uint64_t delta = take_time(decoder, HT_COLUMN_ALLOC_TIME);
    uint32_t site = site_guess == HT_GUESS_FIRST    ? *first_site
                    : site_guess == HT_GUESS_SECOND ? *second_site
                                                    : (uint32_t)ht_column_take_planes(columns, HT_COLUMN_SITE, 4);
    uint32_t *second_size = &model->size_of_site[ht_context(model, site)];
    uint32_t *first_size = &model->size_of_pair[ht_of_pair(model, site, *second_size)];
    uint32_t size = size_guess == HT_GUESS_FIRST    ? *first_size
                    : size_guess == HT_GUESS_SECOND ? *second_size
                                                    : take_size(columns);
    uint32_t class = ht_class_of(size), vacancy = 0;
    const ht_size_class *own = &model->classes[class];
    uint64_t address = 0;
    switch (place) {
        case HT_PLACE_NEWER: vacancy = own->near_newer; break;
        case HT_PLACE_OLDER: vacancy = own->near_older; break;
        case HT_PLACE_OLDEST: vacancy = own->oldest; break;
        case HT_PLACE_BEHIND: address = ht_behind(model); break;
        case HT_PLACE_AGAIN: address = model->address_after[ht_of_last(model, class)]; break;
        case HT_PLACE_FREED: address = model->last_freed; break;
        case HT_PLACE_VACANCY: vacancy = (uint32_t)ht_column_take_planes(columns, HT_COLUMN_VACANCY, 3); break;
        case HT_PLACE_ADDRESS:
            address = model->last_address + ht_unzigzag(ht_column_take_varint(columns, HT_COLUMN_ALLOC_ADDRESS));
            break;
        default: vacancy = ht_pool_ranked(&model->vacancies, own->newest, place);
    }
    if (place <= HT_PLACE_OLDEST || place == HT_PLACE_VACANCY) {
        if (!ht_pool_holds(&model->vacancies, vacancy)) return false;
        address = model->vacancies.nodes[vacancy].address;
        ht_model_fill_vacancy(model, vacancy);
    }
    if (address >> HT_ADDRESS_BITS != 0) return false;
    *first_site = *second_site = site;
    *first_size = *second_size = size;
    ht_model_note_allocation(model, address, class, site);
    if (ht_model_add_block(model, address, class) == 0) return false;
    decoder->at[0] = event_word(kind, delta, address);
    decoder->at[1] = (uint64_t)site << 32 | size;
    decoder->at += 2;
    return true;
}

// The next code, which must be an allocation's. It enters the model with the allocation.
static bool take_allocation_part(decoder *decoder, uint64_t kind) {
    uint32_t code = ht_column_take(decoder->columns, HT_COLUMN_CODE);
    return code >= HT_CODE_ALLOC && code < HT_CODE_REALLOC && take_allocation(decoder, code, kind);
}

static bool take_reallocation(decoder *decoder) {
    uint32_t code = take_code(decoder);
    return code < HT_CODE_ALLOC && take_free(decoder, code, HT_RECORD_REALLOC) &&
           take_allocation_part(decoder, HT_RECORD_ALLOC);
}

static bool take_allocation_and_word(decoder *decoder, uint32_t code) {
    ht_model *model = decoder->model;
    bool typed = code <= HT_CODE_TYPED, again = code == HT_CODE_TYPED_AGAIN || code == HT_CODE_SAMPLE_AGAIN;
    uint64_t word = again ? 0 : take_word(decoder);
    if (!take_allocation_part(decoder, typed ? HT_RECORD_ALLOC_TYPED : HT_RECORD_ALLOC_SAMPLE)) return false;
    uint64_t what = decoder->at[-1];
    uint64_t *guess = typed ? &model->type_of_site[ht_context(model, what >> 32)]
                            : &model->weight_of_size[ht_context(model, what & UINT32_MAX)];
    if (!again) *guess = word;
    *decoder->at++ = *guess;
    return true;
}

static uint64_t extended_word(uint64_t sub, uint64_t followers, uint64_t argument) {
    return HT_RECORD_EXTENDED | sub << HT_EXTENDED_SUB_SHIFT | followers << HT_EXTENDED_WORDS_SHIFT |
           argument << HT_EXTENDED_ARGUMENT_SHIFT;
}

static bool take_stack(decoder *decoder) {
    ht_columns *columns = decoder->columns;
    ht_model *model = decoder->model;
    uint64_t frames = ht_column_take_varint(columns, HT_COLUMN_EXTENDED);
    uint64_t id = model->last_stack + ht_unzigzag(ht_column_take_varint(columns, HT_COLUMN_EXTENDED));
    uint64_t base = id - ht_unzigzag(ht_column_take_varint(columns, HT_COLUMN_EXTENDED));
    uint64_t kept = ht_column_take_varint(columns, HT_COLUMN_EXTENDED);
    uint64_t tag = ht_column_take_varint(columns, HT_COLUMN_EXTENDED);
    if (id >> 40 != 0 || base >> 32 != 0 || kept >> 32 != 0 || frames > 0xffff - 2 ||
        (uint64_t)(decoder->end - decoder->at) < 3 + frames)
        return false;
    decoder->at[0] = extended_word(HT_EXTENDED_STACK, frames + 2, id);
    decoder->at[1] = base | kept << 32;
    decoder->at[2] = tag;
    decoder->at += 3;
    for (; frames > 0; frames--) {
        model->last_frame += ht_unzigzag(ht_column_take_varint(columns, HT_COLUMN_FRAME));
        *decoder->at++ = model->last_frame;
    }
    model->last_stack = id;
    return true;
}

static bool take_extended(decoder *decoder) {
    uint64_t followers = ht_column_take_varint(decoder->columns, HT_COLUMN_EXTENDED);
    uint64_t sub = ht_column_take_varint(decoder->columns, HT_COLUMN_EXTENDED);
    uint64_t argument = ht_column_take_varint(decoder->columns, HT_COLUMN_EXTENDED);
    if (followers > 0xffff || sub > 31 || argument >> 40 != 0 || (uint64_t)(decoder->end - decoder->at) < 1 + followers)
        return false;
    *decoder->at++ = extended_word(sub, followers, argument);
    for (; followers > 0; followers--) *decoder->at++ = take_word(decoder);
    return true;
}

static bool take_other(decoder *decoder, uint32_t code) {
    ptrdiff_t left = decoder->end - decoder->at;
    switch (code) {
        case HT_CODE_REALLOC: return left >= 3 && take_reallocation(decoder);
        case HT_CODE_TYPED_AGAIN:
        case HT_CODE_TYPED:
        case HT_CODE_SAMPLE_AGAIN:
        case HT_CODE_SAMPLE: return left >= 3 && take_allocation_and_word(decoder, code);
        case HT_CODE_TIME:
            if (left < 2) return false;
            decoder->model->time += ht_unzigzag(ht_column_take_varint(decoder->columns, HT_COLUMN_EXTENDED));
            decoder->at[0] = extended_word(HT_EXTENDED_TIME, 1, 0);
            decoder->at[1] = decoder->model->time;
            decoder->at += 2;
            return true;
        case HT_CODE_STACK: return take_stack(decoder);
        case HT_CODE_EXTENDED: return take_extended(decoder);
        case HT_CODE_PAD: *decoder->at++ = 0; return true;
        default: return false;
    }
}

bool ht_decode_columns(ht_codec *codec, uint64_t *words, size_t count, uint32_t granularity) {
    decoder decoder = {&codec->columns, &codec->model, words, words + count, granularity};
    while (decoder.at < decoder.end && !codec->columns.failed) {
        uint32_t code = ht_column_take(&codec->columns, HT_COLUMN_CODE);
        bool sound;
        if (code >= HT_CODE_ALLOC && code < HT_CODE_REALLOC) {
            sound = decoder.end - decoder.at >= 2 && take_allocation(&decoder, code, HT_RECORD_ALLOC);
        } else {
            ht_model_note_code(&codec->model, code);
            sound = code < HT_CODE_ALLOC ? take_free(&decoder, code, HT_RECORD_FREE) : take_other(&decoder, code);
        }
        if (!sound) return false;
    }
    return !codec->columns.failed;
}
