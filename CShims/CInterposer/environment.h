// The environment at the start and at exec: our variables leave it before main, and come back only where recording goes
// on.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reads a variable of an environment array, NULL when it is not there.
const char *ht_environment_get(char *const *environment, const char *name);
// Takes HEAPTRAIL_ variables and our entries of LD_PRELOAD out of the array, in place; a user's own preloads stay.
// `allocator` is a preloaded library that came with us, "" for none.
void ht_environment_clean(char **environment, const char *allocator);

// How large an environment with our variables is: pointers (the final NULL included) and bytes of text.
typedef struct ht_environment_size {
    size_t pointers;
    size_t bytes;
} ht_environment_size;

// The role of the image that is executed: it continues this trace, or asks for one of its own.
enum ht_environment_role { HT_ROLE_IMAGE = 0, HT_ROLE_CHILD = 1 };

ht_environment_size ht_environment_measure(char *const *environment);
// Fills `pointers` and `text` (as measured) with `environment` and our variables.
void ht_environment_fill(char *const *environment, enum ht_environment_role role, char **pointers, char *text);

// Set once at the start: our library's path.
void ht_environment_set_library(const char *path);
const char *ht_environment_library(void);

// Writes a number in decimal digits and a NUL, 11 bytes at most. Returns where the NUL is.
char *ht_append_number(char *out, uint32_t value);
