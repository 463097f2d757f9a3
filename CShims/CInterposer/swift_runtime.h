// The parts of a Swift runtime that the hook needs, wherever the runtime lies: a library of its own, or in the
// executable. X(field, symbol)
#pragma once

#include <stdbool.h>

// clang-format off
#define HT_SWIFT_SYMBOLS(X)                                                                             \
    X(allocate_hook, _swift_allocObject)                                                                \
    X(mode, _swift_enableSwizzlingOfAllocationAndRefCountingFunctions_forInstrumentsOnly)               \
    X(retain_hook, _swift_retain)                                                                       \
    X(release_hook, _swift_release)                                                                     \
    X(retain_n_hook, _swift_retain_n)                                                                   \
    X(release_n_hook, _swift_release_n)                                                                 \
    X(allocate, swift_allocObject)                                                                      \
    X(retain, swift_retain)                                                                             \
    X(release, swift_release)                                                                           \
    X(retain_n, swift_retain_n)                                                                         \
    X(release_n, swift_release_n)                                                                       \
    X(immortal, _swiftEmptyArrayStorage)
// clang-format on

// Addresses; NULL for what a runtime has not.
typedef struct ht_swift_runtime {
#define HT_SWIFT_FIELD(field, symbol) void *field;
    HT_SWIFT_SYMBOLS(HT_SWIFT_FIELD)
#undef HT_SWIFT_FIELD
} ht_swift_runtime;

// Whether our hook is in this runtime now: installs it where it is sound, once for each runtime. Nothing but the
// calling thread runs code of the runtime meanwhile.
bool ht_swift_install(const ht_swift_runtime *runtime);
// Finds the runtime that was linked into the executable, by the symbol table of its file. `has_swift` tells whether the
// executable has Swift code at all. System calls: open, fstat, mmap, munmap, close. Not inside hooks.
bool ht_swift_find_static(ht_swift_runtime *runtime, bool *has_swift);
