// Redirecting the allocator's functions. The planner (CPatch) says which instructions move; here the pages for them are
// found and filled, and the jumps written, while all threads stand still.
#include "entries.h"

#include <CPatch.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, CODE_LOOKED_AT = 4096, SIGNAL_FRAME_PC = 8 + 168, STACK_SCAN_BYTES = 1 << 20 };
static const uint64_t reach = (uint64_t)1 << 30;

void ht_redirects_free(ht_redirects *redirects) {
    free(redirects->all);
    *redirects = (ht_redirects){0};
}

ht_planned ht_redirects_plan(ht_redirects *redirects, const ht_images *images, const ht_image *image, char *reason,
                             size_t room) {
    char path[HT_IMAGE_PATH_MAX + 64];
    ht_path_within(path, sizeof path, images->pid, image->path);
    *redirects = (ht_redirects){.image = image};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(reason, room, "its %s cannot be read: %s", image->path, strerror(errno));
        return HT_PLANNED_REFUSED;
    }
    ht_patch_survey survey;
    ht_patch_plan *plan = NULL;
    enum ht_patch_outcome outcome = ht_patch_plan_file(fd, &survey, &plan);
    close(fd);
    if (survey.traces) {
        snprintf(redirects->note, sizeof redirects->note,
                 "the executable seems to carry an allocator whose functions were stripped or inlined; its blocks were "
                 "not recorded");
    } else if (outcome == HT_PATCH_PLANNED && survey.refused_name[0] != 0) {
        snprintf(redirects->note, sizeof redirects->note, "calls of %s were not recorded: %s", survey.refused_name,
                 ht_patch_refusal_text(survey.refusal));
    }
    if (outcome == HT_PATCH_NO_ALLOCATOR) return HT_PLANNED_NOTHING;
    if (outcome != HT_PATCH_PLANNED) {
        snprintf(reason, room, "the allocator in its %s cannot be redirected: %s: %s", image->path, survey.refused_name,
                 ht_patch_refusal_text(survey.refusal));
        return HT_PLANNED_REFUSED;
    }
    redirects->all = calloc(plan->count, sizeof *redirects->all);
    for (size_t i = 0; redirects->all != NULL && i < plan->count; i++) {
        const ht_patch_entry *entry = &ht_patch_plan_entries(plan)[i];
        redirects->all[redirects->count++] = (ht_redirect){.plan = *entry, .entry = entry->address + image->bias};
    }
    free(plan);
    if (redirects->count != 0) return HT_PLANNED;
    snprintf(reason, room, "there is no memory to plan it");
    return HT_PLANNED_REFUSED;
}

void ht_redirects_plan_named(ht_redirects *redirects, const ht_images *images, const ht_image *image,
                             const char *const *names, const uint32_t *kinds, size_t count) {
    *redirects = (ht_redirects){.image = image, .all = calloc(count, sizeof *redirects->all)};
    ht_function *found = calloc(count, sizeof *found);
    bool read = redirects->all != NULL && found != NULL && ht_image_functions(images, image, names, count, found);
    for (size_t i = 0; read && i < count; i++) {
        uint8_t code[CODE_LOOKED_AT];
        ht_patch_function function = {.bytes = code, .size = found[i].size, .address = found[i].address - image->bias};
        if (found[i].address == 0 || found[i].size > sizeof code) continue;
        function.available = ht_image_code(images, image, found[i].address, code, sizeof code);
        if (function.available > function.size) function.available = function.size;
        ht_redirect *redirect = &redirects->all[redirects->count];
        if (ht_patch_plan_entry(&function, &redirect->plan) != HT_PATCH_OK) continue;
        redirect->plan.start = function.address;
        redirect->plan.kind = kinds[i];
        snprintf(redirect->plan.name, sizeof redirect->plan.name, "%s", names[i]);
        redirect->entry = redirect->plan.address + image->bias;
        redirects->count++;
    }
    free(found);
}

static uint64_t whole_pages(uint64_t bytes) { return (bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1); }

// A free stretch of the address space within reach of the image, below it where there is one (above a program that is
// not position-independent its heap grows).
static uint64_t find_gap(const ht_tracee *tracee, const ht_image *image, uint64_t bytes) {
    char path[64], *line = NULL;
    size_t room = 0;
    uint64_t best = 0, above = 0, last_end = 1 << 20;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)tracee->pid);
    FILE *maps = fopen(path, "re");
    if (maps == NULL) return 0;
    // A page stays free on either side: nothing of the program's grows into ours, nothing of ours joins its mappings.
    while (getline(&line, &room, maps) > 0) {
        unsigned long long start, end;
        if (sscanf(line, "%llx-%llx", &start, &end) != 2) continue;
        bool fits = start > last_end && start - last_end >= bytes + 2 * PAGE;
        if (fits && start <= image->start && image->start - start < reach) best = start - bytes - PAGE;
        if (fits && above == 0 && last_end >= image->end && last_end - image->end < reach) above = last_end + PAGE;
        last_end = end;
    }
    free(line);
    fclose(maps);
    return best != 0 ? best : above;
}

static bool fail(ht_tracee *tracee, const char *what, int error) {
    snprintf(tracee->reason, sizeof tracee->reason, "%s: %s", what, strerror(error));
    return false;
}

static bool map_pages(ht_redirects *redirects, ht_tracee *tracee, pid_t thread) {
    uint64_t data_bytes = whole_pages(redirects->count * HT_PATCH_DATA_BYTES);
    uint64_t code_bytes = whole_pages(redirects->count * HT_PATCH_CODE_BYTES);
    uint64_t wanted = find_gap(tracee, redirects->image, data_bytes + code_bytes);
    if (wanted == 0) return fail(tracee, "there is no room near its allocator", ENOMEM);
    long mapped = ht_tracee_syscall(tracee, thread, SYS_mmap,
                                    (uint64_t[6]){wanted, data_bytes + code_bytes, PROT_READ | PROT_WRITE,
                                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, ~0ull, 0});
    if (mapped < 0 && mapped > -4096) return fail(tracee, "it may not map memory", (int)-mapped);
    redirects->slots = (uint64_t)mapped;
    redirects->code = (uint64_t)mapped + data_bytes;
    long status = ht_tracee_syscall(tracee, thread, SYS_mprotect,
                                    (uint64_t[6]){redirects->code, code_bytes, PROT_READ | PROT_EXEC, 0, 0, 0});
    return status == 0 || fail(tracee, "it may not map executable memory", (int)-status);
}

bool ht_redirects_place(ht_redirects *redirects, ht_tracee *tracee, pid_t thread, uint64_t slots, uint64_t count,
                        uint64_t code) {
    bool again = slots != 0 && count == redirects->count;
    for (size_t i = 0; again && i < redirects->count; i++) {
        ht_patch_slot slot;
        again = ht_tracee_read(tracee, slots + i * HT_PATCH_DATA_BYTES, &slot, sizeof slot) &&
                slot.entry == redirects->all[i].plan.start + redirects->image->bias &&
                slot.kind == redirects->all[i].plan.kind;
    }
    redirects->slots = slots;
    redirects->code = code;
    if (!again && !map_pages(redirects, tracee, thread)) return false;
    for (size_t i = 0; i < redirects->count; i++) {
        ht_redirect *redirect = &redirects->all[i];
        uint64_t data = redirects->slots + i * HT_PATCH_DATA_BYTES;
        redirect->code = redirects->code + i * HT_PATCH_CODE_BYTES;
        uint8_t bytes[HT_PATCH_CODE_BYTES];
        if (ht_patch_place(&redirect->plan, redirects->image->bias, data, redirect->code, bytes, redirect->jump) != 0)
            return fail(tracee, "its allocator is too far from free memory", ERANGE);
        if (again) continue;
        uint64_t moved = redirect->code + HT_PATCH_THUNK_BYTES;
        ht_patch_slot slot = {.hook = moved,
                              .real = moved,
                              .entry = redirect->plan.start + redirects->image->bias,
                              .usable = redirect->plan.usable == 0 ? 0 : redirect->plan.usable + redirects->image->bias,
                              .kind = redirect->plan.kind,
                              .index = (uint32_t)i};
        if (!ht_tracee_write(tracee, data, &slot, sizeof slot) ||
            !ht_tracee_write(tracee, redirect->code, bytes, sizeof bytes))
            return fail(tracee, "its memory cannot be written", errno);
    }
    return true;
}

bool ht_redirects_check(const ht_redirects *redirects, ht_tracee *tracee) {
    for (size_t i = 0; i < redirects->count; i++) {
        const ht_redirect *redirect = &redirects->all[i];
        uint8_t bytes[HT_PATCH_REPLACED_MAX];
        if (!ht_tracee_read(tracee, redirect->entry, bytes, redirect->plan.replaced))
            return fail(tracee, "its memory cannot be read", errno);
        if (memcmp(bytes, redirect->plan.expected, redirect->plan.replaced) != 0 &&
            memcmp(bytes, redirect->jump, redirect->plan.replaced) != 0) {
            snprintf(tracee->reason, sizeof tracee->reason, "another tool has changed its %s", redirect->plan.name);
            return false;
        }
    }
    return true;
}

// Where a thread that stands at `pc`, among bytes that change, goes on instead; 0 when it does not stand there.
static uint64_t moved_pc(const ht_redirects *redirects, uint64_t pc) {
    for (size_t i = 0; i < redirects->count; i++) {
        const ht_redirect *redirect = &redirects->all[i];
        uint64_t offset = pc - redirect->entry;
        // At the entry itself it takes the jump.
        if (offset == 0 || offset >= redirect->plan.replaced) continue;
        uint8_t moved = redirect->plan.moved_at[offset];
        if (moved != HT_PATCH_NOT_MOVED) return redirect->code + HT_PATCH_THUNK_BYTES + moved;
    }
    return 0;
}

// The kernel's signal frame begins with the address of the code that ends the handler: mov $15, %rax ; syscall.
static bool is_signal_return(const ht_tracee *tracee, uint64_t address) {
    static const uint8_t code[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};
    uint8_t bytes[sizeof code];
    return ht_tracee_read(tracee, address, bytes, sizeof bytes) && memcmp(bytes, code, sizeof code) == 0;
}

// A handler that runs now may have interrupted one of the functions where it changes: what it will return to is put
// right in its signal frame.
static void move_interrupted(const ht_redirects *redirects, ht_tracee *tracee, uint64_t sp, uint64_t block) {
    uint64_t words[512];
    // A thread's own stack ends below its block.
    uint64_t end = sp + STACK_SCAN_BYTES;
    if (block > sp && block < end) end = block;
    for (uint64_t at = sp & ~7ull; at < end; at += sizeof words) {
        ssize_t count = -1;
        // Short reads end at the end of the mapping; what was read is looked at.
        for (size_t bytes = sizeof words; bytes >= 512 && count < 0; bytes /= 2) {
            if (ht_tracee_read(tracee, at, words, bytes)) count = (ssize_t)(bytes / 8);
        }
        for (ssize_t i = 0; i < count; i++) {
            uint64_t moved = moved_pc(redirects, words[i]), back;
            uint64_t place = at + (uint64_t)i * 8;
            if (moved == 0 || !ht_tracee_read(tracee, place - SIGNAL_FRAME_PC, &back, sizeof back)) continue;
            if (is_signal_return(tracee, back)) ht_tracee_write(tracee, place, &moved, sizeof moved);
        }
        if (count < (ssize_t)(sizeof words / 8)) return;
    }
}

static bool write_all(const ht_redirects *redirects, ht_tracee *tracee, bool jumps) {
    for (size_t i = 0; i < redirects->count; i++) {
        const ht_redirect *redirect = &redirects->all[i];
        const uint8_t *bytes = jumps ? redirect->jump : redirect->plan.expected;
        if (!ht_tracee_write(tracee, redirect->entry, bytes, redirect->plan.replaced))
            return fail(tracee, "its code cannot be written", errno);
    }
    return true;
}

bool ht_redirects_apply(const ht_redirects *redirects, ht_tracee *tracee) {
    if (!write_all(redirects, tracee, true)) {
        char reason[sizeof tracee->reason];
        memcpy(reason, tracee->reason, sizeof reason);
        write_all(redirects, tracee, false);
        memcpy(tracee->reason, reason, sizeof reason);
        return false;
    }
    for (size_t i = 0; i < tracee->count; i++) {
        struct user_regs_struct registers;
        if (!ht_tracee_registers(tracee->threads[i].id, &registers)) continue;  // it ended
        uint64_t moved = moved_pc(redirects, registers.rip);
        move_interrupted(redirects, tracee, registers.rsp, registers.fs_base);
        if (moved == 0) continue;
        registers.rip = moved;
        ht_tracee_set_registers(tracee->threads[i].id, &registers);
    }
    return true;
}

bool ht_redirects_undo(const ht_redirects *redirects, ht_tracee *tracee) { return write_all(redirects, tracee, false); }
