// Strings that grow up to a bound, and the module's arena that keeps them.
#include "internal.h"

#include <stdlib.h>
#include <string.h>

void ht_text_append(ht_text *text, const char *string) {
    size_t length = strlen(string);
    if (text->failed || length > HT_MAX_NAME_BYTES - text->count) {
        text->failed = true;
        return;
    }
    if (text->count + length + 2 > text->capacity) {
        size_t capacity = (text->count + length + 2) * 2;
        char *bytes = realloc(text->bytes, capacity);
        if (bytes == NULL) {
            text->failed = true;
            return;
        }
        text->bytes = bytes;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->count, string, length);
    text->count += length;
    text->bytes[text->count] = '\0';
}

void ht_text_free(ht_text *text) {
    free(text->bytes);
    *text = (ht_text){0};
}

char *ht_module_keep(ht_debug_module *module, ht_text *text) {
    if (text->failed || text->bytes == NULL || text->count == 0) {
        ht_text_free(text);
        return NULL;
    }
    if (module->arena_count == module->arena_capacity) {
        size_t capacity = module->arena_capacity == 0 ? 32 : module->arena_capacity * 2;
        char **arena = realloc(module->arena, capacity * sizeof *arena);
        if (arena == NULL) {
            ht_text_free(text);
            return NULL;
        }
        module->arena = arena;
        module->arena_capacity = capacity;
    }
    char *bytes = text->bytes;
    module->arena[module->arena_count++] = bytes;
    *text = (ht_text){0};
    return bytes;
}
