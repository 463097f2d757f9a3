// What is mapped in a process: its modules, and the names they export. Read from /proc and from the files themselves.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { HT_IMAGE_PATH_MAX = 4096 };

typedef struct ht_image {
    uint64_t start, end;  // of its mappings
    uint64_t bias;        // address of a symbol minus its value
    char *path;           // as the process sees it
} ht_image;

typedef struct ht_images {
    pid_t pid;
    ht_image *all;
    size_t count;
} ht_images;

// A function of an image, in the process's addresses. `address` 0: there is none.
typedef struct ht_function {
    uint64_t address, size;
} ht_function;

// Where a file that the process names by `file` lies for everybody else.
void ht_path_within(char *path, size_t room, pid_t pid, const char *file);

// Reads /proc/PID/maps. False with errno set.
bool ht_images_read(ht_images *images, pid_t pid);
void ht_images_free(ht_images *images);

const ht_image *ht_images_at(const ht_images *images, uint64_t address);
// The program's own; NULL where the loader was executed to run it.
const ht_image *ht_images_executable(const ht_images *images);
// By the file's name up to its version: "libc" finds libc.so.6 and libc-2.31.so.
const ht_image *ht_images_named(const ht_images *images, const char *stem);

// Looks `count` names up among what the image exports; `found` has one entry each. False when its file cannot be read.
bool ht_image_functions(const ht_images *images, const ht_image *image, const char *const *names, size_t count,
                        ht_function *found);
// Copies code at `address` of the process out of the image's file. Returns how many bytes there are, up to `room`.
size_t ht_image_code(const ht_images *images, const ht_image *image, uint64_t address, uint8_t *out, size_t room);
// The address of the first `syscall` instruction in the image's code, 0 when it has none.
uint64_t ht_image_syscall(const ht_images *images, const ht_image *image);
