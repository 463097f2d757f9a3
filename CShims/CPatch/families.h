// The allocation functions that are redirected when an executable defines them itself, by family: a family is what one
// allocator's functions have in common, and is taken only where its first function is there. (A program that brings a
// reallocarray of its own, over libc's realloc, carries no allocator.) X(name, kind)
#pragma once

// Under the names of the standard, and with every prefix that allocators are built with (HT_FAMILIES).
// clang-format off
#define HT_STANDARD_ENTRIES(X)                   \
    X("malloc", MALLOC)                          \
    X("calloc", CALLOC)                          \
    X("realloc", REALLOC)                        \
    X("reallocarray", REALLOCARRAY)              \
    X("reallocf", REALLOCF)                      \
    X("free", FREE)                              \
    X("cfree", FREE)                             \
    X("free_sized", FREE)                        \
    X("free_aligned_sized", FREE)                \
    X("posix_memalign", POSIX_MEMALIGN)          \
    X("aligned_alloc", ALIGNED_ALLOC)            \
    X("memalign", ALIGNED_ALLOC)                 \
    X("valloc", VALLOC)                          \
    X("pvalloc", VALLOC)                         \
    X("mallocx", MALLOCX)                        \
    X("rallocx", RALLOCX)                        \
    X("xallocx", XALLOCX)                        \
    X("sdallocx", FREE)                          \
    X("dallocx", FREE)                           \
    X("malloc_usable_size", USABLE_SIZE)         \
    X("sallocx", USABLE_SIZE)

// mimalloc's own interface: mi_ and these.
#define HT_MIMALLOC_ENTRIES(X)                   \
    X("malloc", MALLOC)                          \
    X("malloc_small", MALLOC)                    \
    X("zalloc", MALLOC)                          \
    X("zalloc_small", MALLOC)                    \
    X("umalloc", MALLOC)                         \
    X("umalloc_small", MALLOC)                   \
    X("uzalloc", MALLOC)                         \
    X("ucalloc", CALLOC)                         \
    X("urealloc", REALLOC)                       \
    X("ufree", FREE)                             \
    X("free_small", FREE)                        \
    X("umalloc_aligned", MALLOC_ALIGNED)         \
    X("uzalloc_aligned", MALLOC_ALIGNED)         \
    X("heap_umalloc", HEAP_MALLOC)               \
    X("heap_zalloc_small", HEAP_MALLOC)          \
    X("aligned_offset_recalloc", RECALLOC_ALIGNED) \
    X("mbsdup", TEXT)                            \
    X("calloc", CALLOC)                          \
    X("mallocn", CALLOC)                         \
    X("realloc", REALLOC)                        \
    X("rezalloc", REALLOC)                       \
    X("new_realloc", REALLOC)                    \
    X("reallocf", REALLOCF)                      \
    X("reallocn", REALLOCARRAY)                  \
    X("recalloc", REALLOCARRAY)                  \
    X("reallocarray", REALLOCARRAY)              \
    X("new_reallocn", REALLOCARRAY)              \
    X("free", FREE)                              \
    X("cfree", FREE)                             \
    X("free_size", FREE)                         \
    X("free_size_aligned", FREE)                 \
    X("free_aligned", FREE)                      \
    X("strdup", TEXT)                            \
    X("strndup", TEXT)                           \
    X("realpath", TEXT)                          \
    X("heap_strdup", TEXT)                       \
    X("heap_strndup", TEXT)                      \
    X("heap_realpath", TEXT)                     \
    X("malloc_aligned", MALLOC_ALIGNED)          \
    X("malloc_aligned_at", MALLOC_ALIGNED)       \
    X("zalloc_aligned", MALLOC_ALIGNED)          \
    X("zalloc_aligned_at", MALLOC_ALIGNED)       \
    X("calloc_aligned", CALLOC_ALIGNED)          \
    X("calloc_aligned_at", CALLOC_ALIGNED)       \
    X("realloc_aligned", REALLOC_ALIGNED)        \
    X("realloc_aligned_at", REALLOC_ALIGNED)     \
    X("rezalloc_aligned", REALLOC_ALIGNED)       \
    X("rezalloc_aligned_at", REALLOC_ALIGNED)    \
    X("recalloc_aligned", RECALLOC_ALIGNED)      \
    X("recalloc_aligned_at", RECALLOC_ALIGNED)   \
    X("aligned_recalloc", RECALLOC_ALIGNED)      \
    X("posix_memalign", POSIX_MEMALIGN)          \
    X("memalign", ALIGNED_ALLOC)                 \
    X("aligned_alloc", ALIGNED_ALLOC)            \
    X("valloc", VALLOC)                          \
    X("pvalloc", VALLOC)                         \
    X("new", NEW)                                \
    X("new_nothrow", NEW)                        \
    X("new_aligned", NEW_ALIGNED)                \
    X("new_aligned_nothrow", NEW_ALIGNED)        \
    X("new_n", NEW_COUNTED)                      \
    X("heap_malloc", HEAP_MALLOC)                \
    X("heap_malloc_small", HEAP_MALLOC)          \
    X("heap_zalloc", HEAP_MALLOC)                \
    X("heap_calloc", HEAP_CALLOC)                \
    X("heap_mallocn", HEAP_CALLOC)               \
    X("heap_malloc_aligned", HEAP_MALLOC_ALIGNED)    \
    X("heap_malloc_aligned_at", HEAP_MALLOC_ALIGNED) \
    X("heap_zalloc_aligned", HEAP_MALLOC_ALIGNED)    \
    X("heap_zalloc_aligned_at", HEAP_MALLOC_ALIGNED) \
    X("heap_calloc_aligned", HEAP_CALLOC_ALIGNED)    \
    X("heap_calloc_aligned_at", HEAP_CALLOC_ALIGNED) \
    X("heap_realloc", HEAP_REALLOC)              \
    X("heap_reallocf", HEAP_REALLOC)             \
    X("heap_rezalloc", HEAP_REALLOC)             \
    X("heap_reallocn", HEAP_REALLOCARRAY)        \
    X("heap_recalloc", HEAP_REALLOCARRAY)        \
    X("heap_realloc_aligned", HEAP_REALLOC_ALIGNED)     \
    X("heap_realloc_aligned_at", HEAP_REALLOC_ALIGNED)  \
    X("heap_rezalloc_aligned", HEAP_REALLOC_ALIGNED)    \
    X("heap_rezalloc_aligned_at", HEAP_REALLOC_ALIGNED) \
    X("heap_alloc_new", HEAP_MALLOC)             \
    X("heap_alloc_new_n", HEAP_CALLOC)           \
    X("usable_size", USABLE_SIZE)                \
    X("malloc_usable_size", USABLE_SIZE)         \
    X("malloc_size", USABLE_SIZE)

// tcmalloc's: tc_ and these (the plain names are aliases of them).
#define HT_TCMALLOC_ENTRIES(X)                   \
    X("malloc", MALLOC)                          \
    X("malloc_skip_new_handler", MALLOC)         \
    X("calloc", CALLOC)                          \
    X("realloc", REALLOC)                        \
    X("free", FREE)                              \
    X("cfree", FREE)                             \
    X("free_sized", FREE)                        \
    X("memalign", ALIGNED_ALLOC)                 \
    X("posix_memalign", POSIX_MEMALIGN)          \
    X("valloc", VALLOC)                          \
    X("pvalloc", VALLOC)                         \
    X("new", NEW)                                \
    X("new_nothrow", NEW)                        \
    X("newarray", NEW)                           \
    X("newarray_nothrow", NEW)                   \
    X("new_aligned", NEW_ALIGNED)                \
    X("new_aligned_nothrow", NEW_ALIGNED)        \
    X("newarray_aligned", NEW_ALIGNED)           \
    X("newarray_aligned_nothrow", NEW_ALIGNED)   \
    X("delete", FREE)                            \
    X("delete_nothrow", FREE)                    \
    X("delete_sized", FREE)                      \
    X("deletearray", FREE)                       \
    X("deletearray_nothrow", FREE)               \
    X("deletearray_sized", FREE)                 \
    X("delete_aligned", FREE)                    \
    X("delete_aligned_nothrow", FREE)            \
    X("delete_sized_aligned", FREE)              \
    X("deletearray_aligned", FREE)               \
    X("deletearray_aligned_nothrow", FREE)       \
    X("deletearray_sized_aligned", FREE)         \
    X("malloc_size", USABLE_SIZE)

#define HT_RPMALLOC_ENTRIES(X)                   \
    X("malloc", MALLOC)                          \
    X("calloc", CALLOC)                          \
    X("zalloc", MALLOC)                          \
    X("realloc", REALLOC)                        \
    X("free", FREE)                              \
    X("aligned_alloc", ALIGNED_ALLOC)            \
    X("aligned_zalloc", ALIGNED_ALLOC)           \
    X("aligned_calloc", ALIGNED_CALLOC)          \
    X("memalign", ALIGNED_ALLOC)                 \
    X("posix_memalign", POSIX_MEMALIGN)          \
    X("malloc_usable_size", USABLE_SIZE)

#define HT_SNMALLOC_ENTRIES(X)                   \
    X("malloc", MALLOC)                          \
    X("rust_alloc", ALIGNED_ALLOC)               \
    X("rust_alloc_zeroed", ALIGNED_ALLOC)        \
    X("rust_realloc", REALLOC_SIZED)             \
    X("rust_dealloc", FREE)                      \
    X("calloc", CALLOC)                          \
    X("realloc", REALLOC)                        \
    X("free", FREE)                              \
    X("memalign", ALIGNED_ALLOC)                 \
    X("aligned_alloc", ALIGNED_ALLOC)            \
    X("posix_memalign", POSIX_MEMALIGN)          \
    X("malloc_usable_size", USABLE_SIZE)         \
    X("rust_usable_size", USABLE_SIZE)

// C++'s operators. Redirected only beside another family: over libc's malloc they are recorded there.
#define HT_OPERATOR_ENTRIES(X)                            \
    X("_Znwm", NEW)                                       \
    X("_Znam", NEW)                                       \
    X("_ZnwmRKSt9nothrow_t", NEW)                         \
    X("_ZnamRKSt9nothrow_t", NEW)                         \
    X("_ZnwmSt11align_val_t", NEW_ALIGNED)                \
    X("_ZnamSt11align_val_t", NEW_ALIGNED)                \
    X("_ZnwmSt11align_val_tRKSt9nothrow_t", NEW_ALIGNED)  \
    X("_ZnamSt11align_val_tRKSt9nothrow_t", NEW_ALIGNED)  \
    X("_ZdlPv", FREE)                                     \
    X("_ZdaPv", FREE)                                     \
    X("_ZdlPvRKSt9nothrow_t", FREE)                       \
    X("_ZdaPvRKSt9nothrow_t", FREE)                       \
    X("_ZdlPvm", FREE)                                    \
    X("_ZdaPvm", FREE)                                    \
    X("_ZdlPvSt11align_val_t", FREE)                      \
    X("_ZdaPvSt11align_val_t", FREE)                      \
    X("_ZdlPvmSt11align_val_t", FREE)                     \
    X("_ZdaPvmSt11align_val_t", FREE)                     \
    X("_ZdlPvSt11align_val_tRKSt9nothrow_t", FREE)        \
    X("_ZdaPvSt11align_val_tRKSt9nothrow_t", FREE)

// X(prefix, entries, allocator): names are prefix + entry; NULL where the prefix does not tell which allocator it is.
#define HT_FAMILIES(X)                                    \
    X("_rjem_je_", HT_STANDARD_ENTRIES, "jemalloc")       \
    X("_rjem_", HT_STANDARD_ENTRIES, "jemalloc")          \
    X("je_", HT_STANDARD_ENTRIES, "jemalloc")             \
    X("jemalloc_", HT_STANDARD_ENTRIES, "jemalloc")       \
    X("mi_", HT_MIMALLOC_ENTRIES, "mimalloc")             \
    X("tc_", HT_TCMALLOC_ENTRIES, "tcmalloc")             \
    X("rp", HT_RPMALLOC_ENTRIES, "rpmalloc")              \
    X("sn_", HT_SNMALLOC_ENTRIES, "snmalloc")             \
    X("scudo_", HT_STANDARD_ENTRIES, "scudo")             \
    X("dl", HT_STANDARD_ENTRIES, "dlmalloc")              \
    X("", HT_STANDARD_ENTRIES, NULL)                      \
    X("", HT_OPERATOR_ENTRIES, NULL)
// clang-format on
