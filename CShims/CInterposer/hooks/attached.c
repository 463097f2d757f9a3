// Being loaded into a process that runs already. Called by the launcher, on a thread that it has stopped anywhere in
// the program's code, so that no lock may be taken: looking up the allocator is done once, first, on a thread that was
// chosen for it; all the rest is memory of ours and plain system calls. Recording can be switched on again after it was
// switched off, each time into a region of its own.
#include "definitions.h"
#include "life.h"
#include "patch.h"
#include "real.h"
#include "rule.h"
#include "sample.h"
#include "stack.h"
#include "swift_types.h"
#include "walk.h"

#include <errno.h>
#include <heaptrail_attach.h>
#include <system.h>

static ht_attach_block block = {.version = HT_ATTACH_VERSION};

static void refresh(void) {
    ht_region *region = ht_region_shared;
    block.mapped = region != NULL;
    if (ht_boot_state == HT_BOOT_DONE && !ht_attached) block.state = HT_ATTACH_PRELOADED;
    if (block.state != HT_ATTACH_RECORDING || region == NULL) return;
    block.collector_pid = region->collector_pid;
    block.collector_died = ht_region_collector_died(region);
}

static uint64_t prepare(void) {
    refresh();
    if (block.allocator == 0 && block.state == HT_ATTACH_IDLE) {
        block.allocator = (uint64_t)(uintptr_t)ht_real_defined("malloc");
        ht_life_prepare();
        ht_swift_prepare();
    }
    return (uint64_t)(uintptr_t)&block;
}

static void adopt(ht_patch_slot *slot) {
    switch (slot->kind) {
        case HT_ATTACH_KIND_DLCLOSE:
            *(uint64_t *)(void *)&ht_real.dlclose = slot->real;
            slot->hook = (uint64_t)(uintptr_t)ht_hook_dlclose;
            break;
        case HT_ATTACH_KIND_FORK:
            *(uint64_t *)(void *)&ht_real.fork = slot->real;
            slot->hook = (uint64_t)(uintptr_t)ht_hook_fork;
            break;
        default: slot->hook = ht_patched_hook(slot->kind);
    }
}

static uint64_t start(int region_fd) {
    if (block.state == HT_ATTACH_PRELOADED) return EBUSY;
    for (size_t i = 0; i < HT_ATTACH_GROUPS; i++) {
        ht_patch_slot *slots = (ht_patch_slot *)(uintptr_t)block.group[i].slots;
        for (uint64_t n = 0; n < block.group[i].count; n++) adopt(&slots[n]);
    }
    ht_boot_state = HT_BOOT_DONE;
    if (!ht_life_attach(region_fd)) return EINVAL;
    ht_swift_attach();
    block.mapped = 1;
    block.state = HT_ATTACH_RECORDING;
    return 0;
}

static uint64_t stop(void) {
    ht_life_detach();
    block.state = HT_ATTACH_IDLE;
    return 0;
}

// A thread that stands between the switch and its guard will find its lanes empty, and recording off.
static uint64_t clear(const uint64_t *thread_pointers, uint64_t count) {
    ptrdiff_t offset = (char *)&ht_self - (char *)__builtin_thread_pointer();
    for (uint64_t i = 0; i < count; i++) {
        if (((const ht_thread *)(thread_pointers[i] + (uint64_t)offset))->guard != 0) return 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        ht_thread *thread = (ht_thread *)(thread_pointers[i] + (uint64_t)offset);
        memset(thread->lane, 0, sizeof thread->lane);
        thread->pending.block = NULL;  // held back by a call that is still under way
        ht_sample_clear(thread);
    }
    ht_life_unmap();
    block.mapped = 0;
    return 1;
}

__attribute__((visibility("default"))) uint64_t heaptrail_attach(uint64_t operation, uint64_t a, uint64_t b,
                                                                 uint64_t c);
uint64_t heaptrail_attach(uint64_t operation, uint64_t a, uint64_t b, uint64_t c) {
    (void)c;
    switch (operation) {
        case HT_ATTACH_PREPARE: return prepare();
        case HT_ATTACH_START: return start((int)a);
        case HT_ATTACH_STOP: return stop();
        case HT_ATTACH_CLEAR: return clear((const uint64_t *)a, b);
        default: return ENOSYS;
    }
}
