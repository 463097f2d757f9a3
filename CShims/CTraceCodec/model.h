// What encoder and decoder both know of the events before the one at hand, and guess of it: the blocks that are live
// and those that were freed, in order, and what followed what. Both make the same updates, so they guess alike
// (FORMAT.md §8). Addresses are in units of 8 bytes here, as in the records.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HT_CONTEXT_BITS_MIN = 8,
    HT_CONTEXT_BITS_MAX = 16,
    HT_CLASS_COUNT = 2048,
    HT_BLOCK_RANKS = 16,   // live blocks, newest first, that have a code of their own
    HT_VACANCY_RANKS = 8,  // freed blocks of a class, likewise
};

// How the block of a FREE is told (its code).
enum ht_victim {
    HT_VICTIM_RANK = 0,                // to 15: so many live blocks are newer
    HT_VICTIM_NEWER = HT_BLOCK_RANKS,  // the live block allocated after the last one freed
    HT_VICTIM_OLDER,                   // and before
    HT_VICTIM_SUCCESSOR,               // freed after that slot's block the last time, too
    HT_VICTIM_SLOT,                    // by slot
    HT_VICTIM_STRANGER_AGAIN,          // not allocated in this chunk; followed the last such address before, too
    HT_VICTIM_STRANGER,                // by address
    HT_VICTIM_COUNT,
};

// Where a block was put (part of an allocation's code).
enum ht_place {
    HT_PLACE_RANK = 0,                  // to 7: so many freed blocks of its class are newer
    HT_PLACE_NEWER = HT_VACANCY_RANKS,  // the one freed after the last one that was used again
    HT_PLACE_OLDER,                     // and before
    HT_PLACE_OLDEST,
    HT_PLACE_BEHIND,   // behind the last block
    HT_PLACE_AGAIN,    // followed the class's last address before, too
    HT_PLACE_FREED,    // where the last FREE was
    HT_PLACE_VACANCY,  // a freed block, by number
    HT_PLACE_ADDRESS,
    HT_PLACE_COUNT,
};

// Which of two guesses of a site or a size was right.
enum { HT_GUESS_FIRST, HT_GUESS_SECOND, HT_GUESS_NONE, HT_GUESS_COUNT };

// One byte a record, prefix or half of a reallocation, in the column of codes.
enum {
    HT_CODE_FREE = 0,                 // + victim
    HT_CODE_ALLOC = HT_VICTIM_COUNT,  // + (place * 3 + site) * 3 + size
    HT_CODE_REALLOC =
        HT_CODE_ALLOC + HT_PLACE_COUNT * HT_GUESS_COUNT * HT_GUESS_COUNT,  // then a free and an allocation
    HT_CODE_TYPED_AGAIN,   // then an allocation; its site had the same type before
    HT_CODE_TYPED,         // then an allocation
    HT_CODE_SAMPLE_AGAIN,  // then an allocation; its size had the same weight before
    HT_CODE_SAMPLE,        // then an allocation
    HT_CODE_TIME,
    HT_CODE_STACK,
    HT_CODE_EXTENDED,
    HT_CODE_PAD,
};

// A list node: a live block (list by allocation), or a freed one (list by free, one a class).
typedef struct ht_node {
    uint64_t address;
    uint32_t older, newer;  // 0 at the ends
    uint32_t class;
    uint32_t linked;  // 0 while the node waits to be used again, chained by `newer`
} ht_node;

typedef struct ht_pool {
    ht_node *nodes;  // from 1
    uint32_t used, limit;
    uint32_t spare;  // first node to be used again
} ht_pool;

typedef struct ht_size_class {
    uint32_t newest, oldest;
    uint32_t near_newer, near_older;  // beside the last one that was used again
    uint64_t last;                    // address last allocated
} ht_size_class;

typedef struct ht_model {
    ht_pool blocks, vacancies;
    uint32_t *successors;  // by slot
    uint32_t newest;       // live block
    uint32_t near_newer, near_older, last_slot;
    uint64_t last_address, last_stranger, last_freed;
    uint32_t last_class;
    uint32_t site, earlier_site;  // of the last two allocations
    uint32_t code, earlier_code;  // the last two
    uint64_t time;
    uint64_t last_stack, last_frame;  // of the last STACK record
    unsigned context_bits;
    size_t node_room;  // of the pools' and successors' arrays
    ht_size_class classes[HT_CLASS_COUNT];
    uint32_t site_after_two[1 << HT_CONTEXT_BITS_MAX], site_after_one[1 << HT_CONTEXT_BITS_MAX];
    uint32_t size_of_pair[1 << HT_CONTEXT_BITS_MAX], size_of_site[1 << HT_CONTEXT_BITS_MAX];
    uint64_t address_after[1 << HT_CONTEXT_BITS_MAX], stranger_after[1 << HT_CONTEXT_BITS_MAX];
    uint64_t type_of_site[1 << HT_CONTEXT_BITS_MAX], weight_of_size[1 << HT_CONTEXT_BITS_MAX];
} ht_model;

// Ready for a chunk of so many words. False without memory. O(words).
bool ht_model_start(ht_model *model, size_t words, uint64_t first_time);
void ht_model_destroy(ht_model *model);

static inline uint32_t ht_context(const ht_model *model, uint64_t key) {
    return (uint32_t)(key * 0x9e3779b97f4a7c15ull >> (64 - model->context_bits));
}

// Blocks of one class are interchangeable to glibc: sizes that need the same multiple of 16 bytes. Large ones are
// hashed.
static inline uint32_t ht_class_of(uint32_t size) {
    uint64_t class = ((uint64_t)size + 23) >> 4;
    if (class < 2) class = 2;
    if (class < HT_CLASS_COUNT / 2) return (uint32_t) class;
    return HT_CLASS_COUNT / 2 + (uint32_t)((uint64_t)(size >> 4) * 0x9e3779b97f4a7c15ull >> 54);
}

// A node off the pool; 0 when it has no more, which only a damaged chunk brings about.
static inline uint32_t ht_pool_take(ht_pool *pool) {
    uint32_t index = pool->spare;
    if (index != 0) pool->spare = pool->nodes[index].newer;
    else if (pool->used < pool->limit) index = ++pool->used;
    return index;
}

static inline void ht_pool_give(ht_pool *pool, uint32_t index) {
    pool->nodes[index].linked = 0;
    pool->nodes[index].newer = pool->spare;
    pool->spare = index;
}

static inline bool ht_pool_holds(const ht_pool *pool, uint64_t index) {
    return index != 0 && index <= pool->used && pool->nodes[index].linked != 0;
}

// The node `rank` steps older than `newest`, 0 where the list is shorter.
static inline uint32_t ht_pool_ranked(const ht_pool *pool, uint32_t newest, uint32_t rank) {
    for (; rank > 0 && newest != 0; rank--) newest = pool->nodes[newest].older;
    return newest;
}

// The rank of a node among the newest `ranks`; `ranks` when it is not among them.
static inline uint32_t ht_pool_rank(const ht_pool *pool, uint32_t newest, uint32_t node, uint32_t ranks) {
    uint32_t rank = 0;
    while (rank < ranks && newest != 0 && newest != node) {
        newest = pool->nodes[newest].older;
        rank++;
    }
    return newest == node ? rank : ranks;
}

// A block of this class was allocated. Returns its slot, 0 when there is none to be had.
static inline uint32_t ht_model_add_block(ht_model *model, uint64_t address, uint32_t class) {
    bool fresh = model->blocks.spare == 0;
    uint32_t slot = ht_pool_take(&model->blocks);
    if (slot == 0) return 0;
    if (fresh) model->successors[slot] = 0;
    model->blocks.nodes[slot] = (ht_node){address, model->newest, 0, class, 1};
    if (model->newest != 0) model->blocks.nodes[model->newest].newer = slot;
    model->newest = slot;
    return slot;
}

// The block in a slot was freed: it leaves the live ones and is the newest vacancy of its class. Returns that, 0 when
// there is none to be had.
static inline uint32_t ht_model_free_block(ht_model *model, uint32_t slot) {
    ht_node block = model->blocks.nodes[slot];
    model->near_newer = block.newer;
    model->near_older = block.older;
    if (block.older != 0) model->blocks.nodes[block.older].newer = block.newer;
    if (block.newer != 0) model->blocks.nodes[block.newer].older = block.older;
    else model->newest = block.older;
    ht_pool_give(&model->blocks, slot);
    model->successors[model->last_slot] = slot;
    model->last_slot = slot;
    uint32_t vacancy = ht_pool_take(&model->vacancies);
    if (vacancy == 0) return 0;
    ht_size_class *class = &model->classes[block.class];
    model->vacancies.nodes[vacancy] = (ht_node){block.address, class->newest, 0, block.class, 1};
    if (class->newest != 0) model->vacancies.nodes[class->newest].newer = vacancy;
    else class->oldest = vacancy;
    class->newest = vacancy;
    return vacancy;
}

// A vacancy was used again.
static inline void ht_model_fill_vacancy(ht_model *model, uint32_t index) {
    ht_node vacancy = model->vacancies.nodes[index];
    ht_size_class *class = &model->classes[vacancy.class];
    class->near_newer = vacancy.newer;
    class->near_older = vacancy.older;
    if (vacancy.older != 0) model->vacancies.nodes[vacancy.older].newer = vacancy.newer;
    else class->oldest = vacancy.newer;
    if (vacancy.newer != 0) model->vacancies.nodes[vacancy.newer].older = vacancy.older;
    else class->newest = vacancy.older;
    ht_pool_give(&model->vacancies, index);
}

static inline uint32_t ht_after_two(const ht_model *model) {
    return ht_context(model, ((uint64_t)model->earlier_site << 32) + model->site * 0x10001ull + model->code * 7919ull);
}
static inline uint32_t ht_after_one(const ht_model *model) {
    return ht_context(model, model->site + ((uint64_t)(model->code | model->earlier_code << 8) << 32));
}
static inline uint32_t ht_of_pair(const ht_model *model, uint32_t site, uint32_t last_size) {
    return ht_context(model, site + ((uint64_t)last_size << 32) + (uint64_t)model->site * 31);
}
static inline uint32_t ht_of_last(const ht_model *model, uint32_t class) {
    return ht_context(model, model->classes[class].last + class);
}
// Where a block lies that follows the last one without a gap.
static inline uint64_t ht_behind(const ht_model *model) {
    return model->last_address + 2 * (uint64_t)model->last_class;
}

// What follows of an allocation once it is known: where and what it was.
static inline void ht_model_note_allocation(ht_model *model, uint64_t address, uint32_t class, uint32_t site) {
    model->address_after[ht_of_last(model, class)] = address;
    model->classes[class].last = address;
    model->last_address = address;
    model->last_class = class;
    model->earlier_site = model->site;
    model->site = site;
}

static inline void ht_model_note_code(ht_model *model, uint32_t code) {
    model->earlier_code = model->code;
    model->code = code;
}
