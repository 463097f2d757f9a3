// C++'s operator new and delete. Most of them call malloc and free, where the event is then recorded, with their own
// frame in the stack; an allocator that implements them directly (jemalloc does) would go unseen without these hooks.
// An event is recorded once: for new, unless the call beneath recorded the very block it returned; for delete here, and
// the free beneath of the same block is passed over. Built with -fexceptions: bad_alloc flies through.
#include "event.h"

#include "real.h"

#include <system.h>

#define EXPORT __attribute__((visibility("default")))
#define FRAME __builtin_frame_address(0)

// Returns what an operator new that this one interrupts (in a signal handler) had seen first.
static inline const void *begin_new(void) {
    const void *outer = ht_self.first_allocation;
    ht_self.first_allocation = ht_self.last_allocation = NULL;
    return outer;
}

static inline void end_new(void *block, size_t size, size_t alignment, const void *frame, const void *real) {
    if (block != NULL && ht_recording() && ht_self.last_allocation != block && ht_self.first_allocation != block) {
        ht_allocated(block, size, ht_alignment_code(alignment), frame, real);
    }
}

// To an operator new around this one (new[] calls new) or interrupted by it, the block is one that was seen.
static inline void leave_new(const void *outer, const void *block) {
    ht_self.first_allocation = outer != NULL ? outer : block;
    ht_self.last_allocation = block;
}

// Returns what end_delete puts back: the runtime's sized operator delete calls the plain one for the same block, and a
// signal handler may delete another block before ours reaches free.
static inline const void *begin_delete(void *block) {
    const void *outer = ht_self.deleting;
    if (block == NULL || block == outer || !ht_recording()) return outer;
    ht_freeing(block);
    ht_self.deleting = block;
    return outer;
}

static inline void end_delete(const void *outer, const void *block) {
    ht_self.deleting = outer == block ? NULL : outer;
}

// A program that loaded its C++ runtime after the start: the function is looked for then. Without one at all (a runtime
// of the program's own in a private scope) malloc and free serve, as every runtime's operators do.
#define FIND(name) \
    (ht_ready() && (ht_real.name != NULL || (*(void **)(void *)&ht_real.name = ht_real_late(#name)) != NULL))

static void *plain(size_t size, size_t alignment) {
    void *block = NULL;
    if (ht_boot_state != HT_BOOT_DONE) return ht_boot_take(size, alignment);
    if (alignment <= 16) return ht_real.malloc(size == 0 ? 1 : size);
    return ht_real.posix_memalign(&block, alignment, size) == 0 ? block : NULL;
}

// `plain_new` is shown as the innermost frame, also of new[]: most runtimes' new[] jumps to new and leaves no frame,
// some allocators have one function for both, and a stack must not depend on the allocator.
#define HOOK_NEW(name, plain_new, parameters, arguments, size, alignment)                                            \
    EXPORT void *name parameters;                                                                                    \
    EXPORT void *name parameters {                                                                                   \
        bool found = FIND(name);                                                                                     \
        const void *outer = begin_new();                                                                             \
        void *block = found ? ht_real.name arguments : plain(size, alignment);                                       \
        const void *shown = (const void *)(uintptr_t)(ht_real.plain_new != NULL ? ht_real.plain_new : ht_real.name); \
        end_new(block, size, alignment, FRAME, found ? shown : NULL);                                                \
        leave_new(outer, block);                                                                                     \
        return block;                                                                                                \
    }

#define HOOK_DELETE(name, parameters, arguments)            \
    EXPORT void name parameters;                            \
    EXPORT void name parameters {                           \
        if (ht_boot_owns(block)) return;                    \
        const void *outer = begin_delete(block);            \
        if (FIND(name)) ht_real.name arguments;             \
        else if (ht_real.free != NULL) ht_real.free(block); \
        end_delete(outer, block);                           \
    }

HOOK_NEW(_Znwm, _Znwm, (size_t size), (size), size, 0)
HOOK_NEW(_Znam, _Znwm, (size_t size), (size), size, 0)
HOOK_NEW(_ZnwmRKSt9nothrow_t, _ZnwmRKSt9nothrow_t, (size_t size, const void *tag), (size, tag), size, 0)
HOOK_NEW(_ZnamRKSt9nothrow_t, _ZnwmRKSt9nothrow_t, (size_t size, const void *tag), (size, tag), size, 0)
HOOK_NEW(_ZnwmSt11align_val_t, _ZnwmSt11align_val_t, (size_t size, size_t alignment), (size, alignment), size,
         alignment)
HOOK_NEW(_ZnamSt11align_val_t, _ZnwmSt11align_val_t, (size_t size, size_t alignment), (size, alignment), size,
         alignment)
HOOK_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, _ZnwmSt11align_val_tRKSt9nothrow_t,
         (size_t size, size_t alignment, const void *tag), (size, alignment, tag), size, alignment)
HOOK_NEW(_ZnamSt11align_val_tRKSt9nothrow_t, _ZnwmSt11align_val_tRKSt9nothrow_t,
         (size_t size, size_t alignment, const void *tag), (size, alignment, tag), size, alignment)

HOOK_DELETE(_ZdlPv, (void *block), (block))
HOOK_DELETE(_ZdaPv, (void *block), (block))
HOOK_DELETE(_ZdlPvRKSt9nothrow_t, (void *block, const void *tag), (block, tag))
HOOK_DELETE(_ZdaPvRKSt9nothrow_t, (void *block, const void *tag), (block, tag))
HOOK_DELETE(_ZdlPvm, (void *block, size_t size), (block, size))
HOOK_DELETE(_ZdaPvm, (void *block, size_t size), (block, size))
HOOK_DELETE(_ZdlPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))
HOOK_DELETE(_ZdaPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))
HOOK_DELETE(_ZdlPvmSt11align_val_t, (void *block, size_t size, size_t alignment), (block, size, alignment))
HOOK_DELETE(_ZdaPvmSt11align_val_t, (void *block, size_t size, size_t alignment), (block, size, alignment))
HOOK_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, const void *tag),
            (block, alignment, tag))
HOOK_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, const void *tag),
            (block, alignment, tag))
