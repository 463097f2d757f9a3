// The plan for a whole executable: which of its functions are an allocator's, and one entry for each.
#include "image.h"

#include <CPatch.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

size_t ht_patch_plan_bytes(const ht_patch_plan *plan) {
    return sizeof *plan + (size_t)plan->count * sizeof(ht_patch_entry);
}

static void copy_name(char out[HT_PATCH_NAME_BYTES], const char *text, size_t count) {
    if (count > HT_PATCH_NAME_BYTES - 1) count = HT_PATCH_NAME_BYTES - 1;
    memcpy(out, text, count);
    out[count] = 0;
}

// The shape of each kind.
#define SHAPE(name, shape, block, count, size, alignment, flags) HT_PATCH_##shape,
static const uint8_t shapes[] = {HT_PATCH_KINDS(SHAPE)};
#undef SHAPE

// Without them counts would be wrong, so that a plan that lacks one is none.
static bool is_essential(uint32_t kind) {
    switch (kind) {
        case HT_PATCH_MALLOC:
        case HT_PATCH_CALLOC:
        case HT_PATCH_REALLOC:
        case HT_PATCH_FREE:
        case HT_PATCH_MALLOCX:
        case HT_PATCH_RALLOCX:
        case HT_PATCH_NEW:
        case HT_PATCH_ALIGNED_ALLOC:
        case HT_PATCH_POSIX_MEMALIGN: return true;
        default: return false;
    }
}

static enum ht_patch_refusal plan_symbol(const ht_patch_image *image, const ht_patch_symbol *symbol,
                                         ht_patch_entry *entry) {
    if (symbol->indirect) return HT_PATCH_INDIRECT;
    ht_patch_function function = {.address = symbol->address, .size = symbol->size};
    function.bytes = ht_patch_image_code(image, symbol->address, &function.available);
    if (function.bytes == NULL) return HT_PATCH_UNDECODABLE;
    if (symbol->next != 0 && symbol->next - symbol->address < function.available)
        function.available = symbol->next - symbol->address;
    // A function whose size nobody tells is looked through up to the next one, within reason.
    enum { LARGEST = 1 << 16 };
    if (function.available > LARGEST) function.available = LARGEST;
    if (symbol->cold != 0) {
        size_t available = 0;
        function.cold = ht_patch_image_code(image, symbol->cold, &available);
        function.cold_size = symbol->cold_size < available ? symbol->cold_size : available;
        function.cold_address = symbol->cold;
    }
    enum ht_patch_refusal refusal = ht_patch_plan_entry(&function, entry);
    entry->start = symbol->address;
    entry->kind = symbol->name->kind;
    copy_name(entry->name, symbol->text, symbol->count);
    return refusal;
}

// What tells a block's usable size in the family, else in any.
static uint64_t usable_of(const ht_patch_image *image, uint32_t present, uint32_t family) {
    uint64_t other = 0;
    for (uint32_t i = 0; i < image->symbols; i++) {
        const ht_patch_symbol *symbol = &image->symbol[i];
        if (symbol->name->kind != HT_PATCH_USABLE_SIZE || symbol->indirect) continue;
        if (symbol->name->family == family) return symbol->address;
        if (present & 1u << symbol->name->family) other = symbol->address;
    }
    return other;
}

static void name_allocator(const ht_patch_image *image, uint32_t present, ht_patch_survey *survey) {
    const char *name = image->tells_jemalloc   ? "jemalloc"
                       : image->tells_tcmalloc ? "tcmalloc"
                       : image->tells_mimalloc ? "mimalloc"
                                               : "";
    for (uint32_t i = image->symbols; i-- > 0;) {
        const ht_patch_name *of = image->symbol[i].name;
        if ((present & 1u << of->family) && of->allocator != NULL) name = of->allocator;
    }
    copy_name(survey->allocator, name, strlen(name));
}

static enum ht_patch_outcome plan_image(const ht_patch_image *image, ht_patch_survey *survey, ht_patch_plan *plan) {
    uint32_t present = image->present;
    ht_patch_entry *entries = (ht_patch_entry *)(void *)(plan + 1);
    bool whole = true;
    for (uint32_t i = 0; i < image->symbols; i++) {
        const ht_patch_symbol *symbol = &image->symbol[i];
        uint32_t kind = symbol->name->kind;
        if (!(present & 1u << symbol->name->family) || shapes[kind] == HT_PATCH_TELLS) continue;
        survey->found++;
        if (survey->first_name[0] == 0 && ht_patch_name_is_first(symbol->name))
            copy_name(survey->first_name, symbol->text, symbol->count);
        ht_patch_entry *entry = &entries[plan->count];
        enum ht_patch_refusal refusal =
            plan->count == HT_PATCH_ENTRY_MAX ? HT_PATCH_NO_MEMORY : plan_symbol(image, symbol, entry);
        if (refusal == HT_PATCH_OK) {
            entry->usable = usable_of(image, present, symbol->name->family);
            plan->count++;
        } else if (survey->refused_name[0] == 0 || (whole && is_essential(kind))) {
            survey->refusal = refusal;
            copy_name(survey->refused_name, symbol->text, symbol->count);
        }
        if (refusal != HT_PATCH_OK && is_essential(kind)) whole = false;
    }
    survey->planned = plan->count;
    name_allocator(image, present, survey);
    memcpy(plan->allocator, survey->allocator, sizeof plan->allocator);
    return whole && plan->count > 0 ? HT_PATCH_PLANNED : HT_PATCH_REFUSED;
}

enum ht_patch_outcome ht_patch_plan_file(int descriptor, ht_patch_survey *survey, ht_patch_plan **result) {
    memset(survey, 0, sizeof *survey);
    *result = NULL;
    ht_patch_image *image = malloc(sizeof *image);
    if (image == NULL || !ht_patch_image_open(image, descriptor)) {
        free(image);
        return HT_PATCH_UNREADABLE;
    }
    enum ht_patch_outcome outcome = HT_PATCH_NO_ALLOCATOR;
    survey->has_symbols = image->has_symbols;
    struct stat status;
    if (image->present != 0 && fstat(descriptor, &status) == 0) {
        ht_patch_plan *plan = calloc(1, sizeof *plan + HT_PATCH_ENTRY_MAX * sizeof(ht_patch_entry));
        outcome = HT_PATCH_REFUSED;
        survey->refusal = HT_PATCH_NO_MEMORY;
        if (plan != NULL) {
            survey->refusal = HT_PATCH_OK;
            plan->magic = HT_PATCH_PLAN_MAGIC;
            plan->version = HT_PATCH_PLAN_VERSION;
            plan->device = status.st_dev;
            plan->inode = status.st_ino;
            plan->changed_ns = (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
            plan->bytes = (uint64_t)status.st_size;
            ht_patch_image_identify(image, plan);
            outcome = plan_image(image, survey, plan);
        }
        if (outcome == HT_PATCH_PLANNED) *result = plan;
        else free(plan);
    } else {
        survey->traces = image->has_symbols ? image->has_insides : ht_patch_image_has_traces(image);
    }
    ht_patch_image_close(image);
    free(image);
    return outcome;
}
