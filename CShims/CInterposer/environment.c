// Composing and cleaning environments. Used before main and in exec wrappers (also in a vfork child, which shares its
// parent's memory): no allocation, nothing written but the caller's arrays and, before main, the program's own array.
#include "environment.h"

#include "life.h"

#include <string.h>

enum { NUMBER_BYTES = 12 };

static const char *library_path = "";

void ht_environment_set_library(const char *path) { library_path = path; }
const char *ht_environment_library(void) { return library_path; }

static const char *value_of(const char *entry, const char *name) {
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

const char *ht_environment_get(char *const *environment, const char *name) {
    for (; *environment != NULL; environment++) {
        const char *value = value_of(*environment, name);
        if (value != NULL) return value;
    }
    return NULL;
}

static bool is_ours(const char *entry, size_t length, const char *allocator) {
    static const char name[] = "libheaptrail.so";
    size_t tail = sizeof name - 1;
    if (length >= tail && memcmp(entry + length - tail, name, tail) == 0 &&
        (length == tail || entry[length - tail - 1] == '/'))
        return true;
    return allocator[0] != 0 && strlen(allocator) == length && memcmp(entry, allocator, length) == 0;
}

// Takes our entries out of a list of preloads, in place. Separators are colons and spaces.
static void clean_preloads(char *list, const char *allocator) {
    char *out = list;
    for (const char *at = list; *at != 0;) {
        size_t length = strcspn(at, ": ");
        if (length > 0 && !is_ours(at, length, allocator)) {
            if (out != list) *out++ = ':';
            memmove(out, at, length);
            out += length;
        }
        at += length;
        if (*at != 0) at++;
    }
    *out = 0;
}

void ht_environment_clean(char **environment, const char *allocator) {
    char **out = environment;
    for (char **at = environment; *at != NULL; at++) {
        if (strncmp(*at, "HEAPTRAIL_", 10) == 0) continue;
        const char *preloads = value_of(*at, "LD_PRELOAD");
        if (preloads != NULL) {
            clean_preloads(*at + (preloads - *at), allocator);
            if (*preloads == 0) continue;
        }
        *out++ = *at;
    }
    *out = NULL;
}

ht_environment_size ht_environment_measure(char *const *environment) {
    ht_environment_size size = {.pointers = 4};
    const char *preloads = ht_environment_get(environment, "LD_PRELOAD");
    for (; *environment != NULL; environment++) size.pointers++;
    size.bytes = sizeof "LD_PRELOAD=" + strlen(library_path) + strlen(ht_region_shared->allocator_path) +
                 (preloads == NULL ? 0 : strlen(preloads)) + 4 + sizeof "HEAPTRAIL_REGION=/proc//fd/" +
                 2 * NUMBER_BYTES + sizeof "HEAPTRAIL_ROLE=image" + 8;
    return size;
}

static char *append(char *out, const char *text) {
    size_t length = strlen(text);
    memcpy(out, text, length + 1);
    return out + length;
}

char *ht_append_number(char *out, uint32_t value) {
    char digits[NUMBER_BYTES];
    char *at = digits + sizeof digits - 1;
    *at = 0;
    do *--at = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    return append(out, at);
}

void ht_environment_fill(char *const *environment, enum ht_environment_role role, char **pointers, char *text) {
    const char *preloads = ht_environment_get(environment, "LD_PRELOAD");
    char **out = pointers;
    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, "HEAPTRAIL_", 10) != 0 && value_of(*environment, "LD_PRELOAD") == NULL)
            *out++ = *environment;
    }
    *out++ = text;
    text = append(append(text, "LD_PRELOAD="), library_path);
    if (ht_region_shared->allocator_path[0] != 0) text = append(append(text, ":"), ht_region_shared->allocator_path);
    if (preloads != NULL && *preloads != 0) text = append(append(text, ":"), preloads);
    *out++ = ++text;
    text = ht_append_number(append(text, "HEAPTRAIL_REGION=/proc/"), ht_region_shared->collector_pid);
    uint32_t fd = role == HT_ROLE_IMAGE ? ht_region_shared->collector_fd : ht_region_shared->root_fd;
    text = ht_append_number(append(text, "/fd/"), fd);
    *out++ = ++text;
    append(text, role == HT_ROLE_IMAGE ? "HEAPTRAIL_ROLE=image" : "HEAPTRAIL_ROLE=child");
    *out = NULL;
}
