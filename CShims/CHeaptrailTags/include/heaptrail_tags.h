/*
 * heaptrail_tags.h: what a program may tell Heaptrail about its own allocations.
 *
 * One header, no library to link. The functions below live in libheaptrail.so; the program refers to them weakly, so
 * that a run without the preload costs one load and one branch a call and does nothing. Call the `ht_` forms: they
 * hold that check. They never allocate, never fail and are safe on any thread.
 *
 *     uint32_t tag = ht_tag_intern("Array", "ring_buffer<Point>", "growth", "c++");   // once
 *     ht_tag_push(tag);
 *     p = malloc(n);              // owned by ring_buffer<Point>, made by growth
 *     ht_tag_pop();
 *
 * How a function is reached. In position-independent code (the default of every current compiler) a weak reference
 * goes through the global offset table, and bfd, gold and lld all leave its slot to the dynamic loader. In code built
 * with -fno-pie the compiler takes the address directly and all three linkers fix it at zero, preload or not; there
 * this header loads the slot of the table itself (x86-64). dlsym is not used: a failed look-up allocates its message.
 */
#ifndef HEAPTRAIL_TAGS_H
#define HEAPTRAIL_TAGS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library that implements the functions defines this before the include, to get plain declarations. */
#ifdef HEAPTRAIL_TAGS_IMPLEMENTATION
#define HEAPTRAIL_TAGS_WEAK
#else
#define HEAPTRAIL_TAGS_WEAK __attribute__((weak))
#endif

/*
 * The process-wide id (> 0) of an owner tag; 0 while nothing is recorded. Equal strings give the same id; they are
 * copied. `family` and `type` are required; `cause` and `language` may be NULL (unknown). `cause` is one of construct,
 * growth, clone, copyOnWrite, boxing, capture, conversion, runtime, unknown.
 */
HEAPTRAIL_TAGS_WEAK uint32_t heaptrail_tag_intern(const char *family, const char *type, const char *cause,
                                                  const char *language);

/* Every block that this thread allocates until the matching pop carries `tag`; the innermost tag wins. At least 64
 * deep. */
HEAPTRAIL_TAGS_WEAK void heaptrail_tag_push(uint32_t tag);
HEAPTRAIL_TAGS_WEAK void heaptrail_tag_pop(void);

/* The process-wide id (> 0) of a counter of things that did not happen (`Cow.borrowed`), and its increment by `n`. */
HEAPTRAIL_TAGS_WEAK uint32_t heaptrail_counter_intern(const char *name);
HEAPTRAIL_TAGS_WEAK void heaptrail_count(uint32_t counter, uint64_t n);

#ifndef HEAPTRAIL_TAGS_IMPLEMENTATION

/* Yields the address of `name`, or NULL without the preload, in `pointer`. */
#if !defined(__PIC__) && !defined(__PIE__) && defined(__x86_64__)
#define HEAPTRAIL_TAGS_LOOK_UP(name, pointer) \
    __asm__(".weak " #name "\n\tmovq " #name "@GOTPCREL(%%rip), %0" : "=r"(pointer))
#else
#define HEAPTRAIL_TAGS_LOOK_UP(name, pointer) ((pointer) = (name))
#endif

/* 1 while the preload is there to listen, else 0. */
static inline int ht_tags_are_recorded(void) {
    void (*function)(uint32_t);
    HEAPTRAIL_TAGS_LOOK_UP(heaptrail_tag_push, function);
    return function != 0;
}

/* heaptrail_tag_intern, or 0 without the preload. */
static inline uint32_t ht_tag_intern(const char *family, const char *type, const char *cause, const char *language) {
    uint32_t (*function)(const char *, const char *, const char *, const char *);
    HEAPTRAIL_TAGS_LOOK_UP(heaptrail_tag_intern, function);
    return function ? function(family, type, cause, language) : 0;
}

/* heaptrail_tag_push, or nothing without the preload. */
static inline void ht_tag_push(uint32_t tag) {
    void (*function)(uint32_t);
    HEAPTRAIL_TAGS_LOOK_UP(heaptrail_tag_push, function);
    if (function) function(tag);
}

/* heaptrail_tag_pop, or nothing without the preload. */
static inline void ht_tag_pop(void) {
    void (*function)(void);
    HEAPTRAIL_TAGS_LOOK_UP(heaptrail_tag_pop, function);
    if (function) function();
}

/* heaptrail_counter_intern, or 0 without the preload. */
static inline uint32_t ht_counter_intern(const char *name) {
    uint32_t (*function)(const char *);
    HEAPTRAIL_TAGS_LOOK_UP(heaptrail_counter_intern, function);
    return function ? function(name) : 0;
}

/* heaptrail_count, or nothing without the preload. */
static inline void ht_count(uint32_t counter, uint64_t n) {
    void (*function)(uint32_t, uint64_t);
    HEAPTRAIL_TAGS_LOOK_UP(heaptrail_count, function);
    if (function) function(counter, n);
}

#endif /* HEAPTRAIL_TAGS_IMPLEMENTATION */

#ifdef __cplusplus
}
#endif

#endif /* HEAPTRAIL_TAGS_H */
