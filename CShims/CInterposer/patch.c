// Carrying a plan out. Runs on the first thread, before main: nothing else runs, and nothing is allocated.
#include "patch.h"

#include "definitions.h"
#include "environment.h"
#include "life.h"
#include "real.h"
#include "record.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <system.h>

uint32_t ht_patched_code;

enum { PAGE = 4096, ANSWER_STEPS = 20 };
static const int64_t answer_step_ns = 100000000;
static const uint64_t reach_bytes = 0x78000000;  // a little less than the 2 GiB of a jump

// The program's executable as it lies in memory.
typedef struct image {
    uint64_t bias;
    uintptr_t start, end;
} image;

static uint64_t round_up(uint64_t bytes) { return (bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1); }

static bool succeeded(long result) { return result >= 0 || result < -4095; }

static bool is_planned_for(const ht_region *region, const struct stat *executable) {
    return region->plan_state != HT_PLAN_NONE && region->plan_device == executable->st_dev &&
           region->plan_inode == executable->st_ino &&
           region->plan_changed_ns ==
               (uint64_t)executable->st_mtim.tv_sec * 1000000000u + (uint64_t)executable->st_mtim.tv_nsec;
}

// Asks the collector to plan for the process that records here. Two seconds at most.
static bool ask(ht_region *region) {
    uint32_t number = atomic_fetch_add_explicit(&region->plan_asked, 1, memory_order_acq_rel) + 1;
    for (int step = 0; step < ANSWER_STEPS; step++) {
        atomic_fetch_add_explicit(&region->bell, 1, memory_order_release);
        ht_futex_wake(&region->bell, 1);
        uint32_t answered = atomic_load_explicit(&region->plan_answered, memory_order_acquire);
        if (answered == number) return true;
        if (ht_region_collector_died(region)) return false;
        ht_futex_wait(&region->plan_answered, answered, answer_step_ns);
    }
    return atomic_load_explicit(&region->plan_answered, memory_order_acquire) == number;
}

static const ht_patch_plan *map_plan(const ht_region *region) {
    char path[48] = "/proc/";
    char *at = ht_append_number(path + 6, region->collector_pid);
    memcpy(at, "/fd/", 4);
    ht_append_number(at + 4, region->plan_fd);
    long fd = ht_syscall(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (fd < 0) return NULL;
    long mapped = ht_syscall(SYS_mmap, 0, (long)region->plan_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    ht_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return succeeded(mapped) ? (const ht_patch_plan *)mapped : NULL;
}

static bool find_image(image *found) {
    struct dl_find_object object;
    if (_dl_find_object((void *)getauxval(AT_ENTRY), &object) != 0) return false;
    *found = (image){.bias = object.dlfo_link_map->l_addr,
                     .start = (uintptr_t)object.dlfo_map_start,
                     .end = (uintptr_t)object.dlfo_map_end};
    return true;
}

static const ht_patch_entry *entries_of(const ht_patch_plan *plan) {
    return (const ht_patch_entry *)(const void *)(plan + 1);
}

// Whether the image in memory is the one that was planned for, byte for byte where it matters.
static bool fits(const ht_patch_plan *plan, uint64_t bytes, const image *own) {
    if (bytes < sizeof *plan || plan->magic != HT_PATCH_PLAN_MAGIC || plan->version != HT_PATCH_PLAN_VERSION ||
        plan->count > HT_PATCH_ENTRY_MAX || bytes < sizeof *plan + plan->count * sizeof(ht_patch_entry) ||
        plan->first + own->bias != own->start)
        return false;
    uint8_t build_id[HT_BUILD_ID_MAX];
    size_t count = ht_module_build_id((const uint8_t *)own->start, (const uint8_t *)own->end, own->bias, build_id);
    if (count != plan->build_id_bytes || memcmp(build_id, plan->build_id, count) != 0) return false;
    for (uint32_t i = 0; i < plan->count; i++) {
        const ht_patch_entry *entry = &entries_of(plan)[i];
        uintptr_t at = entry->address + own->bias;
        if (entry->replaced > HT_PATCH_REPLACED_MAX || at < own->start || at + entry->replaced > own->end ||
            memcmp((const void *)at, entry->expected, entry->replaced) != 0)
            return false;
    }
    return true;
}

static long map_at(uint64_t address, size_t bytes) {
    return ht_syscall(SYS_mmap, (long)address, (long)bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

// Memory for the slots within reach of the image: below it, where nothing grows; far above where there is nothing free
// below (right behind it lies the heap).
static char *map_near(const image *own, size_t bytes) {
    for (uint64_t gap = 0; gap < reach_bytes; gap = gap < 1 << 20 ? gap + (64 << 10) : gap + gap / 8) {
        uint64_t below = ((own->start - gap - bytes) & ~(uint64_t)(PAGE - 1));
        if (below > own->start || own->end - below > reach_bytes) break;
        long mapped = map_at(below, bytes);
        if (mapped == (long)below) return (char *)mapped;
        if (succeeded(mapped))
            ht_unmap_pages((void *)mapped, bytes);  // an old kernel that takes the address for a hint
    }
    for (uint64_t gap = reach_bytes / 2; gap < reach_bytes; gap += 64 << 20) {
        uint64_t above = round_up(own->start + gap);
        if (above < own->end || above + bytes - own->start > reach_bytes) continue;
        long mapped = map_at(above, bytes);
        if (mapped == (long)above) return (char *)mapped;
        if (succeeded(mapped)) ht_unmap_pages((void *)mapped, bytes);
    }
    return NULL;
}

// Writes through the kernel, which minds no protection: where code may not be made writable (a policy of the system's,
// PR_SET_MDWE).
static bool write_by_kernel(uintptr_t address, const void *bytes, size_t count) {
    long fd = ht_syscall(SYS_openat, AT_FDCWD, (long)"/proc/self/mem", O_RDWR | O_CLOEXEC, 0, 0, 0);
    if (fd < 0) return false;
    long written = ht_syscall(SYS_pwrite64, fd, (long)bytes, (long)count, (long)address, 0, 0);
    ht_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return written == (long)count;
}

static bool write_code(uintptr_t address, const void *bytes, size_t count) {
    uintptr_t page = address & ~(uintptr_t)(PAGE - 1);
    size_t span = round_up(address + count - page);
    if (ht_syscall(SYS_mprotect, (long)page, (long)span, PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0, 0) != 0)
        return write_by_kernel(address, bytes, count);
    memcpy((void *)address, bytes, count);
    ht_syscall(SYS_mprotect, (long)page, (long)span, PROT_READ | PROT_EXEC, 0, 0, 0);
    return true;
}

// The code of all slots becomes executable: it was written before, or, where that is forbidden, is mapped so and
// written by the kernel.
static bool make_executable(char *code, size_t bytes, const ht_patch_plan *plan, const image *own, const char *data) {
    if (ht_syscall(SYS_mprotect, (long)code, (long)bytes, PROT_READ | PROT_EXEC, 0, 0, 0) == 0) return true;
    long mapped = ht_syscall(SYS_mmap, (long)code, (long)bytes, PROT_READ | PROT_EXEC,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (mapped != (long)code) return false;
    for (uint32_t i = 0; i < plan->count; i++) {
        uint8_t thunk[HT_PATCH_CODE_BYTES], jump[HT_PATCH_REPLACED_MAX];
        uintptr_t at = (uintptr_t)code + (size_t)i * HT_PATCH_CODE_BYTES;
        ht_patch_place(&entries_of(plan)[i], own->bias, (uintptr_t)data + (size_t)i * HT_PATCH_DATA_BYTES, at, thunk,
                       jump);
        if (!write_by_kernel(at, thunk, sizeof thunk)) return false;
    }
    return true;
}

// Puts the first `count` entries back as they were.
static void undo(const ht_patch_plan *plan, uint32_t count, const image *own) {
    for (uint32_t i = 0; i < count; i++) {
        const ht_patch_entry *entry = &entries_of(plan)[i];
        write_code(entry->address + own->bias, entry->expected, entry->replaced);
    }
}

static enum ht_plan_result apply(const ht_patch_plan *plan, const image *own, uint64_t (*hook_for)(uint32_t)) {
    size_t data_bytes = round_up((size_t)plan->count * HT_PATCH_DATA_BYTES);
    size_t code_bytes = round_up((size_t)plan->count * HT_PATCH_CODE_BYTES);
    char *data = map_near(own, data_bytes + code_bytes);
    if (data == NULL) return HT_PLAN_NO_ROOM;
    char *code = data + data_bytes;
    uint8_t jump[HT_PATCH_REPLACED_MAX];
    for (uint32_t i = 0; i < plan->count; i++) {
        const ht_patch_entry *entry = &entries_of(plan)[i];
        ht_patch_slot *slot = (ht_patch_slot *)(void *)(data + (size_t)i * HT_PATCH_DATA_BYTES);
        uint8_t *thunk = (uint8_t *)code + (size_t)i * HT_PATCH_CODE_BYTES;
        *slot = (ht_patch_slot){.hook = hook_for(entry->kind),
                                .real = (uintptr_t)thunk + HT_PATCH_THUNK_BYTES,
                                .entry = entry->start + own->bias,
                                .usable = entry->usable == 0 ? 0 : entry->usable + own->bias,
                                .kind = entry->kind,
                                .index = i};
        if (ht_patch_place(entry, own->bias, (uintptr_t)slot, (uintptr_t)thunk, thunk, jump) != 0) {
            ht_unmap_pages(data, data_bytes + code_bytes);
            return HT_PLAN_NO_ROOM;
        }
    }
    if (!make_executable(code, code_bytes, plan, own, data)) {
        ht_unmap_pages(data, data_bytes + code_bytes);
        return HT_PLAN_FORBIDDEN;
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        const ht_patch_entry *entry = &entries_of(plan)[i];
        uint8_t thunk[HT_PATCH_CODE_BYTES];
        uintptr_t slot = (uintptr_t)data + (size_t)i * HT_PATCH_DATA_BYTES;
        uintptr_t at = (uintptr_t)code + (size_t)i * HT_PATCH_CODE_BYTES;
        ht_patch_place(entry, own->bias, slot, at, thunk, jump);
        if (!write_code(entry->address + own->bias, jump, entry->replaced)) {
            undo(plan, i, own);
            return HT_PLAN_FORBIDDEN;
        }
    }
    return HT_PLAN_APPLIED;
}

// Whether libc and the libraries reach the executable's own malloc, too.
static bool serves_all(const ht_patch_plan *plan, const image *own) {
    uintptr_t found = (uintptr_t)dlsym(RTLD_DEFAULT, "malloc");
    for (uint32_t i = 0; i < plan->count; i++) {
        if (entries_of(plan)[i].start + own->bias == found) return true;
    }
    return false;
}

// Whether it is worth asking: the executable has a full symbol table to look through, or exports what an allocator's
// first function may be called. Most installed programs have neither.
static bool may_carry(void) {
    enum { CHUNK = 16 };
    static const char *const firsts[] = {"malloc", "mallocx", "je_malloc", "_rjem_malloc", "mi_malloc", "tc_malloc"};
    struct dl_find_object object;
    if (_dl_find_object((void *)getauxval(AT_ENTRY), &object) != 0) return true;
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        if (ht_module_may_define(object.dlfo_link_map, firsts[i])) return true;
    }
    long fd = ht_syscall(SYS_openat, AT_FDCWD, (long)"/proc/self/exe", O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (fd < 0) return true;
    ElfW(Ehdr) header;
    ElfW(Shdr) sections[CHUNK];
    bool has_symbols = ht_syscall(SYS_pread64, fd, (long)&header, sizeof header, 0, 0, 0) != sizeof header ||
                       header.e_shentsize != sizeof sections[0];
    for (uint32_t first = 0; first < header.e_shnum && !has_symbols; first += CHUNK) {
        uint32_t count = header.e_shnum - first < CHUNK ? header.e_shnum - first : CHUNK;
        size_t bytes = count * sizeof sections[0];
        has_symbols = ht_syscall(SYS_pread64, fd, (long)sections, (long)bytes,
                                 (long)(header.e_shoff + first * sizeof sections[0]), 0, 0) != (long)bytes;
        for (uint32_t i = 0; i < count; i++) has_symbols |= sections[i].sh_type == SHT_SYMTAB;
    }
    ht_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return has_symbols;
}

static enum ht_plan_result carry_out(ht_region *region, const struct stat *executable, uint64_t (*hook_for)(uint32_t)) {
    if (!is_planned_for(region, executable)) {
        // A followed child's question waits for the collector's next round, a millisecond or two; a build starts
        // thousands.
        if (region->root_fd != region->collector_fd && !may_carry()) return HT_PLAN_UNTRIED;
        if (!ask(region)) return HT_PLAN_UNANSWERED;
    }
    if (region->plan_state != HT_PLAN_READY) return HT_PLAN_UNTRIED;
    image own;
    const ht_patch_plan *plan = map_plan(region);
    if (plan == NULL || !find_image(&own)) return HT_PLAN_MISMATCH;
    enum ht_plan_result result = HT_PLAN_MISMATCH;
    if (is_planned_for(region, executable) && fits(plan, region->plan_bytes, &own)) {
        bool all = serves_all(plan, &own);
        if (!all) ht_patched_code = ht_alignment_code(8);
        result = apply(plan, &own, hook_for);
        if (result == HT_PLAN_APPLIED && !all) result = HT_PLAN_APPLIED_BESIDE;
    }
    ht_unmap_pages((void *)(uintptr_t)plan, region->plan_bytes);
    return result;
}

void ht_patch_start(uint64_t (*hook_for)(uint32_t)) {
    ht_region *region = ht_region_shared;
    struct stat executable;
    if (region == NULL || region->collector_pid == 0 || !ht_recording()) return;
    if (ht_syscall(SYS_newfstatat, AT_FDCWD, (long)"/proc/self/exe", (long)&executable, 0, 0, 0) != 0) return;
    atomic_store_explicit(&region->plan_result, (uint32_t)carry_out(region, &executable, hook_for),
                          memory_order_release);
    atomic_store_explicit(&region->plan_image, atomic_load_explicit(&region->image, memory_order_relaxed),
                          memory_order_release);
}
