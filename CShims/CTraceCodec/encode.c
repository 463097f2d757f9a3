// From records to columns (FORMAT.md §8). Each step looks the record up in the model, writes the code of the first
// guess that is right and what that code leaves open, and updates the model as the decoder will.
#include "codec.h"

#include <heaptrail_trace.h>
#include <stdlib.h>
#include <string.h>

static uint32_t *index_slot(const ht_node_index *index, const ht_pool *pool, uint64_t address) {
    uint32_t mask = (1u << index->bits) - 1;
    uint32_t at = (uint32_t)(address * 0x9e3779b97f4a7c15ull >> (64 - index->bits));
    while (index->nodes[at] != 0 && pool->nodes[index->nodes[at]].address != address) at = (at + 1) & mask;
    return &index->nodes[at];
}

// Takes an entry out; those behind it that it had pushed on move up.
static void index_remove(ht_node_index *index, const ht_pool *pool, uint32_t *slot) {
    uint32_t mask = (1u << index->bits) - 1;
    uint32_t hole = (uint32_t)(slot - index->nodes), at = hole;
    index->nodes[hole] = 0;
    while (index->nodes[at = (at + 1) & mask] != 0) {
        uint64_t address = pool->nodes[index->nodes[at]].address;
        uint32_t home = (uint32_t)(address * 0x9e3779b97f4a7c15ull >> (64 - index->bits));
        if (((at - home) & mask) < ((at - hole) & mask)) continue;
        index->nodes[hole] = index->nodes[at];
        index->nodes[at] = 0;
        hole = at;
    }
}

static bool index_start(ht_node_index *index, size_t nodes) {
    unsigned bits = 8;
    while ((size_t)1 << bits < nodes * 2) bits++;
    if (index->room_bits < bits) {
        free(index->nodes);
        index->nodes = malloc(sizeof(uint32_t) << bits);
        index->room_bits = index->nodes != NULL ? bits : 0;
    }
    index->bits = bits;
    if (index->nodes != NULL) memset(index->nodes, 0, sizeof(uint32_t) << bits);
    return index->nodes != NULL;
}

static uint64_t delta_of(uint64_t word) { return (word >> HT_DELTA_SHIFT) & ((1u << HT_DELTA_BITS) - 1); }

static void put_code(ht_codec *codec, uint32_t code) {
    ht_column_put(&codec->columns, HT_COLUMN_CODE, code);
    ht_model_note_code(&codec->model, code);
}

static void put_time(ht_codec *codec, int column, uint64_t delta, uint32_t granularity) {
    ht_columns *columns = &codec->columns;
    codec->model.time += delta;
    if (delta % granularity != 0) {
        ht_column_put(columns, column, HT_TIME_ODD);
        ht_column_put_planes(columns, HT_COLUMN_TIME_WIDE, 1, delta);
        ht_column_put_planes(columns, HT_COLUMN_TIME_WIDE, 1, delta >> 8);
        ht_column_put_planes(columns, HT_COLUMN_TIME_WIDE, 1, delta >> 16);
        return;
    }
    uint64_t steps = delta / granularity;
    if (steps < HT_TIME_NEAR) {
        ht_column_put(columns, column, steps);
    } else if (steps < HT_TIME_NEAR + HT_TIME_MIDDLE * 256) {
        ht_column_put(columns, column, HT_TIME_NEAR + ((steps - HT_TIME_NEAR) >> 8));
        ht_column_put(columns, HT_COLUMN_TIME_LOW, steps - HT_TIME_NEAR);
    } else {
        ht_column_put(columns, column, HT_TIME_FAR);
        ht_column_put_planes(columns, HT_COLUMN_TIME_WIDE, 1, steps);
        ht_column_put_planes(columns, HT_COLUMN_TIME_WIDE, 1, steps >> 8);
        ht_column_put_planes(columns, HT_COLUMN_TIME_WIDE, 1, steps >> 16);
    }
}

static uint32_t victim_of(const ht_model *model, uint32_t slot) {
    uint32_t rank = ht_pool_rank(&model->blocks, model->newest, slot, HT_BLOCK_RANKS);
    if (rank < HT_BLOCK_RANKS) return HT_VICTIM_RANK + rank;
    if (model->near_newer == slot) return HT_VICTIM_NEWER;
    if (model->near_older == slot) return HT_VICTIM_OLDER;
    return model->successors[model->last_slot] == slot ? HT_VICTIM_SUCCESSOR : HT_VICTIM_SLOT;
}

static void put_free(ht_codec *codec, uint64_t word, uint32_t granularity) {
    ht_model *model = &codec->model;
    uint64_t address = word >> HT_ADDRESS_SHIFT;
    uint32_t *found = index_slot(&codec->block_index, &model->blocks, address);
    uint32_t slot = *found;
    if (slot == 0) {
        uint64_t *guess = &model->stranger_after[ht_context(model, model->last_stranger)];
        bool again = *guess == address;
        put_code(codec, HT_CODE_FREE + (again ? HT_VICTIM_STRANGER_AGAIN : HT_VICTIM_STRANGER));
        put_time(codec, HT_COLUMN_FREE_TIME, delta_of(word), granularity);
        if (!again)
            ht_column_put_varint(&codec->columns, HT_COLUMN_FREE_ADDRESS, ht_zigzag(address - model->last_stranger));
        *guess = address;
        model->last_stranger = address;
    } else {
        uint32_t victim = victim_of(model, slot);
        put_code(codec, HT_CODE_FREE + victim);
        put_time(codec, HT_COLUMN_FREE_TIME, delta_of(word), granularity);
        if (victim == HT_VICTIM_SLOT) ht_column_put_planes(&codec->columns, HT_COLUMN_BLOCK, 3, slot);
        index_remove(&codec->block_index, &model->blocks, found);
        uint32_t vacancy = ht_model_free_block(model, slot);
        if (vacancy != 0) *index_slot(&codec->vacancy_index, &model->vacancies, address) = vacancy;
    }
    model->last_freed = address;
}

// `vacancy` is the freed block at that address, 0 when none is known.
static uint32_t place_of(const ht_model *model, uint64_t address, uint32_t class, uint32_t vacancy) {
    const ht_size_class *own = &model->classes[class];
    if (vacancy != 0 && model->vacancies.nodes[vacancy].class == class) {
        uint32_t rank = ht_pool_rank(&model->vacancies, own->newest, vacancy, HT_VACANCY_RANKS);
        if (rank < HT_VACANCY_RANKS) return HT_PLACE_RANK + rank;
        if (own->near_newer == vacancy) return HT_PLACE_NEWER;
        if (own->near_older == vacancy) return HT_PLACE_OLDER;
        if (own->oldest == vacancy) return HT_PLACE_OLDEST;
    }
    if (ht_behind(model) == address) return HT_PLACE_BEHIND;
    if (model->address_after[ht_of_last(model, class)] == address) return HT_PLACE_AGAIN;
    if (model->last_freed == address) return HT_PLACE_FREED;
    return vacancy != 0 ? HT_PLACE_VACANCY : HT_PLACE_ADDRESS;
}

static void put_size(ht_columns *columns, uint32_t size) {
    uint32_t high = size >> 8;
    ht_column_put(columns, HT_COLUMN_SIZE, size);
    ht_column_put(columns, HT_COLUMN_SIZE + 1, high < HT_SIZE_WIDE ? high : HT_SIZE_WIDE);
    if (high >= HT_SIZE_WIDE) ht_column_put_varint(columns, HT_COLUMN_SIZE_WIDE, high);
}

// False when there are more blocks than the chunk can hold, which its own bounds rule out.
static bool put_allocation(ht_codec *codec, uint64_t word, uint64_t what, uint32_t granularity) {
    ht_model *model = &codec->model;
    uint64_t address = word >> HT_ADDRESS_SHIFT;
    uint32_t site = (uint32_t)(what >> 32), size = (uint32_t)what, class = ht_class_of(size);
    uint32_t *first_site = &model->site_after_two[ht_after_two(model)];
    uint32_t *second_site = &model->site_after_one[ht_after_one(model)];
    uint32_t *second_size = &model->size_of_site[ht_context(model, site)];
    uint32_t *first_size = &model->size_of_pair[ht_of_pair(model, site, *second_size)];
    uint32_t site_guess = *first_site == site ? HT_GUESS_FIRST : *second_site == site ? HT_GUESS_SECOND : HT_GUESS_NONE;
    uint32_t size_guess = *first_size == size ? HT_GUESS_FIRST : *second_size == size ? HT_GUESS_SECOND : HT_GUESS_NONE;
    uint32_t *found = index_slot(&codec->vacancy_index, &model->vacancies, address);
    uint32_t vacancy = *found, place = place_of(model, address, class, vacancy);

    put_code(codec, HT_CODE_ALLOC + (place * HT_GUESS_COUNT + site_guess) * HT_GUESS_COUNT + size_guess);
    put_time(codec, HT_COLUMN_ALLOC_TIME, delta_of(word), granularity);
    if (site_guess == HT_GUESS_NONE) ht_column_put_planes(&codec->columns, HT_COLUMN_SITE, 4, site);
    if (size_guess == HT_GUESS_NONE) put_size(&codec->columns, size);
    if (place == HT_PLACE_VACANCY) ht_column_put_planes(&codec->columns, HT_COLUMN_VACANCY, 3, vacancy);
    if (place == HT_PLACE_ADDRESS)
        ht_column_put_varint(&codec->columns, HT_COLUMN_ALLOC_ADDRESS, ht_zigzag(address - model->last_address));

    if (place <= HT_PLACE_OLDEST || place == HT_PLACE_VACANCY) {
        index_remove(&codec->vacancy_index, &model->vacancies, found);
        ht_model_fill_vacancy(model, vacancy);
    }
    *first_site = *second_site = site;
    *first_size = *second_size = size;
    ht_model_note_allocation(model, address, class, site);
    uint32_t slot = ht_model_add_block(model, address, class);
    if (slot != 0) *index_slot(&codec->block_index, &model->blocks, address) = slot;
    return slot != 0;
}

// An allocation with a third word: the type of its site, or the weight of its size.
static bool put_allocation_and_word(ht_codec *codec, const uint64_t *words, uint32_t granularity) {
    ht_model *model = &codec->model;
    bool typed = (words[0] & 7) == HT_RECORD_ALLOC_TYPED;
    uint64_t *guess = typed ? &model->type_of_site[ht_context(model, words[1] >> 32)]
                            : &model->weight_of_size[ht_context(model, words[1] & UINT32_MAX)];
    bool again = *guess == words[2];
    put_code(codec,
             typed ? (again ? HT_CODE_TYPED_AGAIN : HT_CODE_TYPED) : (again ? HT_CODE_SAMPLE_AGAIN : HT_CODE_SAMPLE));
    *guess = words[2];
    if (!again)
        for (int byte = 0; byte < 8; byte++) ht_column_put(&codec->columns, HT_COLUMN_WORD, words[2] >> 8 * byte);
    return put_allocation(codec, words[0], words[1], granularity);
}

static void put_stack(ht_codec *codec, const uint64_t *words, size_t followers) {
    ht_columns *columns = &codec->columns;
    ht_model *model = &codec->model;
    uint64_t id = words[0] >> HT_EXTENDED_ARGUMENT_SHIFT;
    put_code(codec, HT_CODE_STACK);
    ht_column_put_varint(columns, HT_COLUMN_EXTENDED, followers - 2);
    ht_column_put_varint(columns, HT_COLUMN_EXTENDED, ht_zigzag(id - model->last_stack));
    ht_column_put_varint(columns, HT_COLUMN_EXTENDED, ht_zigzag(id - (words[1] & UINT32_MAX)));
    ht_column_put_varint(columns, HT_COLUMN_EXTENDED, words[1] >> 32);
    ht_column_put_varint(columns, HT_COLUMN_EXTENDED, words[2]);
    for (size_t i = 3; i <= followers; i++) {
        ht_column_put_varint(columns, HT_COLUMN_FRAME, ht_zigzag(words[i] - model->last_frame));
        model->last_frame = words[i];
    }
    model->last_stack = id;
}

static void put_extended(ht_codec *codec, const uint64_t *words, size_t followers) {
    ht_columns *columns = &codec->columns;
    uint64_t sub = (words[0] >> HT_EXTENDED_SUB_SHIFT) & 31, argument = words[0] >> HT_EXTENDED_ARGUMENT_SHIFT;
    if (sub == HT_EXTENDED_TIME && followers == 1 && argument == 0) {
        put_code(codec, HT_CODE_TIME);
        ht_column_put_varint(columns, HT_COLUMN_EXTENDED, ht_zigzag(words[1] - codec->model.time));
        codec->model.time = words[1];
    } else if (sub == HT_EXTENDED_STACK && followers >= 2) {
        put_stack(codec, words, followers);
    } else {
        put_code(codec, HT_CODE_EXTENDED);
        ht_column_put_varint(columns, HT_COLUMN_EXTENDED, followers);
        ht_column_put_varint(columns, HT_COLUMN_EXTENDED, sub);
        ht_column_put_varint(columns, HT_COLUMN_EXTENDED, argument);
        for (size_t i = 1; i <= followers; i++)
            for (int byte = 0; byte < 8; byte++) ht_column_put(columns, HT_COLUMN_WORD, words[i] >> 8 * byte);
    }
}

bool ht_encode_columns(ht_codec *codec, const uint64_t *words, size_t count, uint32_t granularity) {
    ht_model *model = &codec->model;
    if (!index_start(&codec->block_index, model->blocks.limit) ||
        !index_start(&codec->vacancy_index, model->vacancies.limit))
        return false;
    for (size_t at = 0; at < count;) {
        const uint64_t *record = words + at;
        uint64_t word = record[0];
        size_t left = count - at, length = 1;
        switch (word & 7) {
            case HT_RECORD_FREE: put_free(codec, word, granularity); break;
            case HT_RECORD_ALLOC:
                length = 2;
                if (left < length || !put_allocation(codec, word, record[1], granularity)) return false;
                break;
            case HT_RECORD_REALLOC:
                length = 3;
                if (left < length || (record[1] & 7) != HT_RECORD_ALLOC) return false;
                put_code(codec, HT_CODE_REALLOC);
                put_free(codec, word, granularity);
                if (!put_allocation(codec, record[1], record[2], granularity)) return false;
                break;
            case HT_RECORD_ALLOC_TYPED:
            case HT_RECORD_ALLOC_SAMPLE:
                length = 3;
                if (left < length || !put_allocation_and_word(codec, record, granularity)) return false;
                break;
            case HT_RECORD_EXTENDED:
                length += (word >> HT_EXTENDED_WORDS_SHIFT) & 0xffff;
                if (left < length) return false;
                put_extended(codec, record, length - 1);
                break;
            default:
                if (word != 0) return false;
                put_code(codec, HT_CODE_PAD);
        }
        at += length;
    }
    return !codec->columns.failed;
}
