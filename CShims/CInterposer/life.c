// Starting, following and ending a recording. Starting runs before main, inside the first hooked call; the rest is
// cold. System calls of the start: open, mmap, close on the shared region, madvise on the switch; nothing stays open.
#include "life.h"

#include "alone.h"
#include "definitions.h"
#include "environment.h"
#include "readable.h"
#include "real.h"
#include "record.h"
#include "sample.h"
#include "stack.h"
#include "swift_types.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <system.h>

ht_switch ht_power;
_Atomic uint32_t ht_follow_forks;
ht_region *ht_region_shared;
bool ht_attached;
uint32_t ht_options;
uint32_t ht_max_depth = HT_STACK_DEPTH_MAX;
uint32_t ht_epoch;
uint32_t ht_own_pid;
bool ht_thread_block_has_id;
uintptr_t ht_self_start, ht_self_end;
const uint8_t *ht_self_tables;

extern void *__libc_stack_end;

static const int64_t grant_step_ns = 100000000;
enum { GRANT_STEPS = 100 };

static size_t shared_bytes;  // of ht_region_shared, as far as it is mapped here

// Maps as much of the region as the program's address-space limit leaves comfortable room for. NULL when even the
// smallest does not fit.
ht_region *ht_life_map(int fd, size_t *mapped_bytes) {
    size_t bytes = HT_REGION_BYTES;
    size_t least = HT_CONTROL_BYTES + (size_t)HT_HOME_COUNT * HT_HOME_BYTES +
                   ((size_t)HT_SEGMENTS_BEYOND_THREADS + 128) * HT_SEGMENT_BYTES;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur / 8 < bytes)
        bytes = least;
    long mapped = ht_syscall(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (mapped < 0 && mapped > -4096) return NULL;
    ht_region *region = (ht_region *)mapped;
    ht_syscall(SYS_madvise, mapped, (long)bytes, MADV_DONTDUMP, 0, 0, 0);
    if (region->magic != HT_REGION_MAGIC || region->version != HT_REGION_VERSION) {
        ht_syscall(SYS_munmap, mapped, (long)bytes, 0, 0, 0, 0);
        return NULL;
    }
    *mapped_bytes = bytes;
    return region;
}

static ht_region *map_path(const char *path, size_t *bytes) {
    long fd = ht_syscall(SYS_openat, AT_FDCWD, (long)path, O_RDWR | O_CLOEXEC, 0, 0, 0);
    if (fd < 0) return NULL;
    ht_region *region = ht_life_map((int)fd, bytes);
    ht_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return region;
}

// Exactly what was mapped: behind a smaller mapping lies something else.
static void unmap(ht_region *region, size_t bytes) { ht_syscall(SYS_munmap, (long)region, (long)bytes, 0, 0, 0, 0); }

static ht_region *map_collectors(uint32_t pid, uint32_t fd, size_t *bytes) {
    char path[48] = "/proc/";
    char *at = ht_append_number(path + 6, pid);
    memcpy(at, "/fd/", 4);
    ht_append_number(at + 4, fd);
    return map_path(path, bytes);
}

// Asks, through the root region, for a region of this process's own. NULL when the collector does not answer within ten
// seconds.
static ht_region *request_region(ht_region *root, bool forked, size_t *bytes) {
    uint32_t number = atomic_fetch_add_explicit(&root->requests, 1, memory_order_acq_rel);
    ht_grant *grant = &root->grants[number % HT_GRANT_COUNT];
    for (int step = 0; step < GRANT_STEPS; step++) {
        uint32_t seen = atomic_load_explicit(&grant->sequence, memory_order_acquire);
        if (seen == number + 1) {
            ht_region *own = map_collectors(root->collector_pid, grant->fd, bytes);
            if (own != NULL) atomic_store_explicit(&own->forked, forked, memory_order_relaxed);
            atomic_store_explicit(&grant->taken, number + 1, memory_order_release);
            return own;
        }
        if (ht_region_collector_died(root)) return NULL;
        atomic_fetch_add_explicit(&root->bell, 1, memory_order_release);
        ht_futex_wake(&root->bell, 1);
        ht_futex_wait(&grant->sequence, seen, grant_step_ns);
    }
    return NULL;
}

// This process's number as the collector sees it: by way of the same /proc through which it is reached. In a pid
// namespace of the program's own that differs from getpid().
static uint32_t outer_pid(uint32_t inner) {
    char text[16];
    long length = ht_syscall(SYS_readlink, (long)"/proc/self", (long)text, sizeof text, 0, 0, 0);
    uint32_t pid = 0;
    for (long i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return inner;
        pid = pid * 10 + (uint32_t)(text[i] - '0');
    }
    return pid == 0 ? inner : pid;
}

// Tells the collector which library serves this image's malloc.
static void tell_allocator(ht_region *region, uint32_t image) {
    char *path = region->malloc_paths[image % HT_IMAGES_TOLD];
    struct dl_find_object found;
    path[0] = 0;
    if (_dl_find_object(*(void **)(void *)&ht_real.malloc, &found) == 0 && found.dlfo_link_map->l_name != NULL) {
        size_t length = strnlen(found.dlfo_link_map->l_name, HT_PATH_MAX - 1);
        memcpy(path, found.dlfo_link_map->l_name, length);
        path[length] = 0;
    }
    atomic_store_explicit(&region->malloc_image, image, memory_order_release);
}

static void attach(ht_region *region, size_t bytes) {
    ht_region_shared = region;
    shared_bytes = bytes;
    ht_options = region->options;
    ht_max_depth = region->max_depth;
    uint32_t image = atomic_fetch_add_explicit(&region->image, 1, memory_order_acq_rel) + 1;
    if (!ht_attached) tell_allocator(region, image);
    atomic_store_explicit(&region->exec_pending, 0, memory_order_relaxed);
    ht_own_pid = (uint32_t)ht_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
    uint32_t pid = region->collector_pid == 0 ? ht_own_pid : outer_pid(ht_own_pid);
    atomic_store_explicit(&region->foreign, pid != ht_own_pid, memory_order_relaxed);
    atomic_store_explicit(&region->pid, pid, memory_order_release);
    uint32_t ready = HT_STATE_READY;
    atomic_compare_exchange_strong_explicit(&region->state, &ready, HT_STATE_RUNNING, memory_order_acq_rel,
                                            memory_order_acquire);
    if (ready == HT_STATE_OFF) return;
    uint32_t segments =
        (uint32_t)((bytes - HT_CONTROL_BYTES - (size_t)HT_HOME_COUNT * HT_HOME_BYTES) / HT_SEGMENT_BYTES);
    // What the image before this one had extended is extended here again.
    atomic_store_explicit(&region->extension[ht_region_side], 0, memory_order_relaxed);
    if (atomic_load_explicit(&region->extension_state, memory_order_relaxed) == HT_EXTENSION_READY &&
        bytes == HT_REGION_BYTES && ht_region_extend(region))
        segments += HT_MORE_SEGMENTS;
    if (segments < region->segment_limit) region->segment_limit = segments;
    bool extended = ht_region_extension(region) != NULL;
    if (!extended && region->home_limit > HT_HOME_COUNT) region->home_limit = HT_HOME_COUNT;
    if (atomic_load_explicit(&region->fresh_segments, memory_order_relaxed) > segments ||
        (!extended && atomic_load_explicit(&region->fresh_homes, memory_order_relaxed) > HT_HOME_COUNT)) {
        ht_life_turn_off(HT_LOSS_NO_RING);  // the image before this one used more than there is address space for now
        return;
    }
    ht_epoch++;
    if (atomic_load_explicit(&ht_type_looks, memory_order_relaxed) & HT_TYPE_LOOKS_ALWAYS)
        atomic_store_explicit(&region->no_swift_hook, 1, memory_order_relaxed);
    // The wiped page is what keeps a forked child from writing into its parent's rings: without it nothing may be
    // recorded.
    if (ht_syscall(SYS_madvise, (long)&ht_power, sizeof ht_power, MADV_WIPEONFORK, 0, 0, 0) != 0) {
        ht_life_turn_off(HT_LOSS_NO_RING);
        return;
    }
    bool follows = (ht_options & HT_OPTION_FOLLOW) != 0 && region->collector_pid != 0;
    atomic_store_explicit(&ht_follow_forks, follows ? HT_FORKS_FOLLOWED : HT_FORKS_COUNTED, memory_order_relaxed);
    if (region->sample_bytes != 0) ht_sampled_prepare();
    atomic_store_explicit(&ht_power.sample_bytes, region->sample_bytes, memory_order_relaxed);
    atomic_store_explicit(&ht_power.on, 1, memory_order_release);
}

static void find_self(void) {
    struct dl_find_object found;
    if (_dl_find_object((void *)(uintptr_t)&ht_life_start, &found) != 0) return;
    ht_self_start = (uintptr_t)found.dlfo_map_start;
    ht_self_end = (uintptr_t)found.dlfo_map_end;
    ht_self_tables = found.dlfo_eh_frame;
    ht_environment_set_library(found.dlfo_link_map->l_name);
}

// Where glibc has kept it since 2.4 on x86-64 (nptl_db, debuggers' window into libc, relies on it); checked on the
// first thread before it is believed.
enum { THREAD_BLOCK_ID = 720 };

static uint32_t id_in_thread_block(void) {
    return *(const uint32_t *)(const void *)((const char *)__builtin_thread_pointer() + THREAD_BLOCK_ID);
}

uint32_t ht_thread_id(const ht_thread *self) {
    if (self->id != 0) return self->id;
    return ht_thread_block_has_id ? id_in_thread_block() : (uint32_t)ht_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

// How far the kernel lets the first thread's stack grow: nothing else is mapped there.
static uintptr_t main_stack_bytes(void) {
    enum { SHARE = 1 << 30 };  // of an unlimited one; what lies deeper is walked as another stack
    struct rlimit limit;
    if (ht_syscall(SYS_getrlimit, RLIMIT_STACK, (long)&limit, 0, 0, 0, 0) != 0) return 0;
    return limit.rlim_cur < SHARE ? limit.rlim_cur : SHARE;
}

static void check_thread_block(void) {
    ht_thread_block_has_id = id_in_thread_block() == (uint32_t)ht_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

void ht_life_start(void) {
    check_thread_block();
    // The kernel's own layout at the top of the stack: valid before libc has set `environ`.
    uintptr_t *top = __libc_stack_end;
    int argc = (int)top[0];
    char **argv = (char **)(top + 1);
    char **environment = argv + argc + 1;
    ht_definitions_set_program(argc, argv);
    find_self();
    ht_self.stack_top = (uintptr_t)top;
    ht_self.stack_low = (uintptr_t)top - main_stack_bytes();
    const char *path = ht_environment_get(environment, "HEAPTRAIL_REGION");
    const char *role = ht_environment_get(environment, "HEAPTRAIL_ROLE");
    ht_region *region = NULL;
    size_t bytes = 0;
    if (path != NULL) {
        region = map_path(path, &bytes);
        if (region != NULL && role != NULL && strcmp(role, "child") == 0) {
            ht_region *root = region;
            size_t root_bytes = bytes;
            atomic_fetch_add_explicit(&root->arrived, 1, memory_order_relaxed);
            region = request_region(root, false, &bytes);
            if (region == NULL) atomic_fetch_add_explicit(&root->unfollowed, 1, memory_order_relaxed);
            unmap(root, root_bytes);
        }
    } else {
        region = ht_alone_start(environment, &bytes);
    }
    ht_environment_clean(environment, region == NULL ? "" : region->allocator_path);
    if (region != NULL) attach(region, bytes);
}

// What another trace was told has to be told anew.
static void forget_definitions(void) {
    ht_stacks_reset();
    ht_modules_reset();
    ht_sizes_reset();
    ht_rules_flush();
    ht_types_reset();
}

bool ht_life_follow(void) {
    // One thread exists in a child after fork. Whoever comes second here while the first asks passes through
    // unrecorded.
    if ((uint32_t)ht_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) == ht_own_pid) return false;  // no child: off for a moment
    uint32_t policy = atomic_exchange_explicit(&ht_follow_forks, HT_FORKS_PASSED, memory_order_acq_rel);
    ht_region *parent = ht_region_shared;
    if (policy != HT_FORKS_FOLLOWED) {
        // Made by a bare clone, or by libc from within (daemon): the fork hook did not count it.
        if (policy == HT_FORKS_COUNTED && !ht_self.forking)
            atomic_fetch_add_explicit(&parent->unfollowed, 1, memory_order_relaxed);
        return false;
    }
    size_t bytes = 0, root_bytes = 0;
    ht_region *root = map_collectors(parent->collector_pid, parent->root_fd, &root_bytes);
    ht_region *own = root == NULL ? NULL : request_region(root, true, &bytes);
    if (root != NULL) unmap(root, root_bytes);
    if (own == NULL) {
        atomic_fetch_add_explicit(&parent->unfollowed, 1, memory_order_relaxed);
        return false;
    }
    ht_region_withdraw(parent);
    unmap(parent, shared_bytes);
    forget_definitions();
    ht_sample_reset();
    // This thread's cursors point into the region just unmapped; empty, they make its next event open a stream of its
    // own. A child made by a bare clone has its parent's id in its thread block.
    memset(ht_self.lane, 0, sizeof ht_self.lane);
    ht_self.guard = 0;
    ht_self.deleting = NULL;
    ht_self.pending.block = NULL;
    ht_self.id = (uint32_t)ht_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
    attach(own, bytes);
    return ht_recording();
}

void ht_life_turn_off(uint32_t reason) {
    ht_region *region = ht_region_shared;
    atomic_store_explicit(&ht_power.on, 0, memory_order_release);
    atomic_store_explicit(&ht_follow_forks, 0, memory_order_relaxed);
    if (region == NULL) return;
    atomic_store_explicit(&region->off_reason, reason, memory_order_relaxed);
    atomic_store_explicit(&region->state, HT_STATE_OFF, memory_order_release);
}

bool ht_life_is_late(void) {
    // A preload lies before libc in the loader's list, what is opened later behind it.
    struct dl_find_object own, libc;
    if (_dl_find_object((void *)(uintptr_t)&ht_life_is_late, &own) != 0 ||
        _dl_find_object((void *)(uintptr_t)&getrlimit, &libc) != 0)
        return false;
    for (const struct link_map *map = own.dlfo_link_map; map != NULL; map = map->l_prev) {
        if (map == libc.dlfo_link_map) return true;
    }
    return false;
}

void ht_life_prepare(void) {
    uintptr_t *top = __libc_stack_end;
    check_thread_block();
    ht_definitions_set_program((int)top[0], (char **)(top + 1));
    find_self();
    ht_environment_set_library("");  // an image that is executed is not followed
}

bool ht_life_attach(int region_fd) {
    size_t bytes = 0;
    ht_region *region = ht_life_map(region_fd, &bytes);
    ht_syscall(SYS_close, region_fd, 0, 0, 0, 0, 0);
    if (region == NULL) return false;
    ht_attached = true;
    forget_definitions();
    ht_sampled_forget();
    attach(region, bytes);
    if (!ht_recording()) return false;
    // The first stream is opened now: what it opens with takes system calls that the process may have forbidden itself.
    ht_thread *self = &ht_self;
    ht_writer *writer = ht_enter(self);
    if (writer != NULL) {
        ht_writer_reserve(self, writer, HT_RECORD_WORDS);
        ht_leave(self);
    }
    return true;
}

void ht_life_detach(void) {
    atomic_store_explicit(&ht_power.on, 0, memory_order_release);
    atomic_store_explicit(&ht_follow_forks, 0, memory_order_relaxed);
}

static void leave_pages(void *at, size_t bytes) {
    ht_syscall(SYS_mmap, (long)at, (long)bytes, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void ht_life_unmap(void) {
    ht_region *region = ht_region_shared;
    if (region == NULL) return;
    // Homes keep their walk caches in this process's own memory.
    uint32_t homes = ht_region_homes(region);
    for (uint32_t i = 0; i < homes; i++) {
        ht_home *home = ht_region_home(region, i);
        if (home->walk_cache != 0) ht_unmap_pages((void *)(uintptr_t)home->walk_cache, sizeof(ht_walk_cache));
    }
    ht_region_shared = NULL;
    // A thread of a sampled recording counts without the guard, and may stand before its last addition: it finds a page
    // that belongs to nobody.
    bool was_sampled = region->sample_bytes != 0;
    char *more_homes = ht_region_extension(region);
    ht_region_withdraw(region);
    unmap(region, shared_bytes);
    if (!was_sampled) return;
    leave_pages(region, HT_CONTROL_BYTES + (size_t)HT_HOME_COUNT * HT_HOME_BYTES);
    if (more_homes != NULL) leave_pages(more_homes, (size_t)HT_MORE_HOMES * HT_HOME_BYTES);
}

// A thread's block, which its thread pointer names, lies at the top of the stack that glibc or the program gave it; the
// first thread's stack ends where the kernel put the arguments.
uintptr_t ht_life_stack_top(void) {
    uintptr_t first = (uintptr_t)__libc_stack_end;
    uintptr_t block = (uintptr_t)__builtin_thread_pointer();
    bool is_first = ht_thread_id(&ht_self) == (uint32_t)ht_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
    return is_first ? first : block;
}

uintptr_t ht_life_stack_low(uintptr_t top) {
    enum { PAGES_ASKED = 256 };
    if (top == (uintptr_t)__libc_stack_end) return top - main_stack_bytes();
    uintptr_t low = top & ~(uintptr_t)(HT_PAGE - 1);
    for (int page = 0; page < PAGES_ASKED; page++) {
        ht_span span = {0, 0};
        if (!ht_span_extend(&span, low - 8)) break;
        low -= HT_PAGE;
    }
    return low;
}
