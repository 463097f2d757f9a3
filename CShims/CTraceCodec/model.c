// Memory of model.h.
#include "model.h"

#include <stdlib.h>
#include <string.h>

void ht_model_destroy(ht_model *model) {
    free(model->blocks.nodes);
    free(model->vacancies.nodes);
    free(model->successors);
}

bool ht_model_start(ht_model *model, size_t words, uint64_t first_time) {
    // Two words make a block, three a block and its free.
    size_t blocks = words / 2, vacancies = words / 3;
    if (model->node_room < words) {
        ht_model_destroy(model);
        model->node_room = 0;
        model->blocks.nodes = malloc((blocks + 1) * sizeof(ht_node));
        model->vacancies.nodes = malloc((vacancies + 1) * sizeof(ht_node));
        model->successors = malloc((blocks + 1) * sizeof(uint32_t));
        if (model->blocks.nodes == NULL || model->vacancies.nodes == NULL || model->successors == NULL) {
            ht_model_destroy(model);
            model->blocks.nodes = model->vacancies.nodes = NULL;
            model->successors = NULL;
            return false;
        }
        model->node_room = words;
    }
    model->blocks = (ht_pool){model->blocks.nodes, 0, (uint32_t)blocks, 0};
    model->vacancies = (ht_pool){model->vacancies.nodes, 0, (uint32_t)vacancies, 0};
    model->successors[0] = 0;
    model->newest = model->near_newer = model->near_older = model->last_slot = 0;
    model->last_address = model->last_stranger = model->last_freed = 0;
    model->last_class = 0;
    model->site = model->earlier_site = model->code = model->earlier_code = 0;
    model->time = first_time;
    model->last_stack = model->last_frame = 0;
    unsigned bits = HT_CONTEXT_BITS_MIN;
    while (bits < HT_CONTEXT_BITS_MAX && (size_t)1 << bits < words) bits++;
    model->context_bits = bits;
    size_t narrow = sizeof(uint32_t) << bits, wide = sizeof(uint64_t) << bits;
    memset(model->classes, 0, sizeof model->classes);
    memset(model->site_after_two, 0, narrow);
    memset(model->site_after_one, 0, narrow);
    memset(model->size_of_pair, 0, narrow);
    memset(model->size_of_site, 0, narrow);
    memset(model->address_after, 0, wide);
    memset(model->stranger_after, 0, wide);
    memset(model->type_of_site, 0, wide);
    memset(model->weight_of_size, 0, wide);
    return true;
}
