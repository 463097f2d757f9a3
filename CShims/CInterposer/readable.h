// Reading memory that may not be there: stacks whose ends are not known (coroutines', signal stacks, threads made
// without pthread_create) and words that may not be return addresses. The kernel is asked, page by page, through the
// one system call that the hooks make anyway: a futex wait for a value that is not there says whether the word could be
// read.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { HT_PAGE = 4096 };

// Memory that is known to be readable.
typedef struct ht_span {
    uintptr_t start, end;
} ht_span;

// What is known of a live stack pointer: the page with the word below it, which the call last made wrote.
static inline ht_span ht_span_below(uintptr_t sp) {
    uintptr_t page = (sp - 8) & ~(uintptr_t)(HT_PAGE - 1);
    return (ht_span){page, page + HT_PAGE};
}

// Whether the page of `address` can be read; it is added to the span, or becomes it where it lies apart.
bool ht_span_extend(ht_span *span, uintptr_t address) __attribute__((cold, noinline, visibility("hidden")));

// Whether the aligned word can be read. Cost: two comparisons; a system call for a page that is new to the span.
static inline bool ht_span_reaches(ht_span *span, uintptr_t word) {
    if (__builtin_expect(word >= span->start && word + 8 <= span->end, 1)) return true;
    return ht_span_extend(span, word);
}

// What lies at an address that a stack names and no unwind table explains.
typedef enum ht_code {
    HT_CODE_NONE,      // no code that calls: a word of data
    HT_CODE_RETURN,    // a call instruction lies just before
    HT_CODE_RESTORER,  // the return from a signal handler, without unwind table
} ht_code;

// Looks at the instructions around a return address. Cost: one system call, two at a page's edge; for a return address
// seen lately a load.
ht_code ht_code_at(uintptr_t pc) __attribute__((cold, noinline, visibility("hidden")));
