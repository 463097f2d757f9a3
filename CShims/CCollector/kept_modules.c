// At most HT_COLLECT_MODULES files, each of one descriptor: a program that loads hundreds of modules of its own has
// those that were named first.
#include "kept_modules.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// What packages put in place is not built anew between two recordings.
static bool is_of_system(const char *path) {
    static const char *const roots[] = {"/usr/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/bin/", "/sbin/"};
    if (strncmp(path, "/usr/local/", 11) == 0) return false;
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        if (strncmp(path, roots[i], strlen(roots[i])) == 0) return true;
    }
    return false;
}

static bool is_known(const ht_kept_modules *kept, const uint8_t *build_id, size_t size) {
    for (uint32_t i = 0; i < kept->count; i++) {
        const ht_collect_module *module = &kept->items[i];
        if (module->build_id_size == size && memcmp(module->build_id, build_id, size) == 0) return true;
    }
    return false;
}

void ht_kept_modules_note(void *context, const uint64_t *words, uint32_t count) {
    ht_kept_modules *kept = context;
    enum { FIXED_WORDS = 5 };  // first word, addresses, bias, lengths
    if (count <= FIXED_WORDS || kept->count == HT_COLLECT_MODULES) return;
    size_t id_size = words[4] & 0xffff, path_size = words[4] >> 16 & 0xffff;
    size_t id_words = (id_size + 7) / 8, room = (size_t)(count - FIXED_WORDS);
    char path[4096];
    ht_collect_module module = {.build_id_size = (uint32_t)id_size};
    if (id_size == 0 || id_size > sizeof module.build_id || id_words > room || path_size == 0 ||
        path_size >= sizeof path || path_size > (room - id_words) * 8)
        return;
    const char *text = (const char *)(words + FIXED_WORDS);
    memcpy(module.build_id, text, id_size);
    memcpy(path, text + id_words * 8, path_size);
    path[path_size] = 0;
    if (path[0] != '/' || is_of_system(path) || is_known(kept, module.build_id, id_size)) return;
    // Never waits: what is no regular file (a pipe, a device) is not one that was mapped.
    module.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (module.fd < 0) return;
    struct stat found;
    if (fstat(module.fd, &found) != 0 || !S_ISREG(found.st_mode)) {
        close(module.fd);
        return;
    }
    kept->items[kept->count++] = module;
}

void ht_kept_modules_give(ht_kept_modules *kept, ht_collect_result *result) {
    memcpy(result->modules, kept->items, sizeof kept->items);
    result->module_count = kept->count;
    kept->count = 0;
}

void ht_collect_close_modules(ht_collect_result *result) {
    for (uint32_t i = 0; i < result->module_count; i++) close(result->modules[i].fd);
    result->module_count = 0;
}
