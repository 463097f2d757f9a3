// The steps of CAttach.h. Loading is load.c's; switching on and off is done here, while all threads stand still.
#include "attachment.h"
#include "refuse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t ht_attachment_call(ht_attachment *made, pid_t thread, uint64_t operation, uint64_t a, uint64_t b, uint64_t c,
                            bool *returned) {
    uint64_t result = 0;
    *returned = ht_tracee_call(&made->tracee, thread, made->function, (uint64_t[4]){operation, a, b, c},
                               HT_ATTACH_CALL_MS, &result);
    return result;
}

bool ht_attachment_refuse(char *reason, size_t room, const char *line) {
    snprintf(reason, room, "%s", line);
    return false;
}

bool ht_attachment_read_block(const ht_attachment *made, ht_attach_block *block) {
    return ht_tracee_read(&made->tracee, made->block_at, block, sizeof *block);
}

bool ht_attachment_judge(ht_attachment *made) {
    char *reason = made->tracee.reason;
    size_t room = sizeof made->tracee.reason;
    ht_attach_block block;
    if (!ht_attachment_read_block(made, &block) || block.version != HT_ATTACH_VERSION)
        return ht_attachment_refuse(reason, room,
                                    "it has another version of the library loaded; restart it to record it");
    if (block.state == HT_ATTACH_PRELOADED)
        return ht_attachment_refuse(
            reason, room,
            "it was started with the recorder's library preloaded, and is recorded from its start or not at "
            "all");
    if (block.state != HT_ATTACH_RECORDING || block.collector_died) return true;
    snprintf(reason, room, "it is being recorded already, by process %u", block.collector_pid);
    return false;
}

// Plans the image that the program's malloc is in, the executable where that carries an allocator of its own, and what
// of libc the recorder has to see beside: code that goes away, processes that are made.
static bool plan(ht_attachment *made, char *reason, size_t room) {
    ht_attach_block block;
    if (!ht_attachment_read_block(made, &block)) return ht_attachment_refuse(reason, room, "it has ended");
    enum { ALLOCATORS = 2 };
    const ht_image *images[ALLOCATORS] = {ht_images_at(&made->images, block.allocator),
                                          ht_images_executable(&made->images)};
    const ht_image *libc = ht_images_named(&made->images, "libc");
    static const char *const names[] = {"dlclose", "fork"};
    static const uint32_t kinds[] = {HT_ATTACH_KIND_DLCLOSE, HT_ATTACH_KIND_FORK};
    if (images[0] == NULL) return ht_attachment_refuse(reason, room, "it has no malloc");
    if (libc != NULL) ht_redirects_plan_named(&made->redirects[ALLOCATORS], &made->images, libc, names, kinds, 2);
    for (size_t i = 0; i < ALLOCATORS; i++) {
        if (i > 0 && (images[i] == NULL || images[i] == images[0])) continue;
        ht_planned planned = ht_redirects_plan(&made->redirects[i], &made->images, images[i], reason, room);
        if (planned == HT_PLANNED_REFUSED) return false;
        if (planned == HT_PLANNED_NOTHING && i == 0)
            return ht_attachment_refuse(reason, room, "the functions of its allocator cannot be found");
    }
    return true;
}

enum ht_attach_outcome ht_attach_open(pid_t pid, const char *library, ht_attachment **result, char *reason,
                                      size_t room) {
    *result = NULL;
    ht_attach_facts facts = {0};
    enum ht_attach_outcome allowed = ht_attach_check(pid, library, &facts, reason, room);
    if (allowed != HT_ATTACH_OK) return allowed;
    ht_attachment *made = calloc(1, sizeof *made);
    if (made == NULL || (made->library = strdup(library)) == NULL) {
        free(made);
        ht_attachment_refuse(reason, room, "there is no memory");
        return HT_ATTACH_REFUSED;
    }
    made->region_fd = -1;
    if (!ht_tracee_open(&made->tracee, pid) || !ht_images_read(&made->images, pid)) {
        snprintf(reason, room, "its memory cannot be read: %s", strerror(errno));
        goto failed;
    }
    made->tracee.filtered = facts.filtered;
    const ht_image *libc = ht_images_named(&made->images, "libc");
    made->tracee.syscall_at = libc == NULL ? 0 : ht_image_syscall(&made->images, libc);
    if (made->tracee.syscall_at == 0) {
        ht_attachment_refuse(reason, room, "it does not use the GNU C library as a shared library (is it static?)");
        goto failed;
    }
    ht_attachment_find_library(made);
    if (!ht_attachment_load(made, facts.stopped)) {
        snprintf(reason, room, "%s", made->tracee.reason[0] == 0 ? "it ended meanwhile" : made->tracee.reason);
        goto failed;
    }
    if (!plan(made, reason, room)) goto failed;
    *result = made;
    return HT_ATTACH_OK;
failed:
    allowed = made->tracee.memory >= 0 && !ht_attach_is_there(made) ? HT_ATTACH_NO_PROCESS : HT_ATTACH_REFUSED;
    ht_attach_close(made);
    return allowed;
}

// The first of the stopped threads that may be borrowed for calls that take no lock.
static pid_t any_thread(const ht_attachment *made) {
    for (size_t i = 0; i < made->tracee.count; i++) {
        pid_t thread = made->tracee.threads[i].id;
        struct user_regs_struct registers;
        if (ht_tracee_registers(thread, &registers) && !ht_tracee_in_sequence(&made->tracee, thread, registers.rip))
            return thread;
    }
    return 0;
}

// Stops all, borrows one, and calls `body`; all go on afterwards.
static bool while_stopped(ht_attachment *made, bool (*body)(ht_attachment *, pid_t)) {
    ht_tracee *tracee = &made->tracee;
    ht_tracee_state saved;
    bool done = false;
    for (int attempt = 0; attempt < 100; attempt++) {
        ht_seized seized = ht_tracee_stop_all(tracee);
        if (seized != HT_SEIZED) {
            return ht_attachment_refuse(tracee->reason, sizeof tracee->reason,
                                        seized == HT_SEIZED_GONE ? "it has ended" : "its threads cannot be stopped");
        }
        pid_t thread = any_thread(made);
        if (thread == 0 || !ht_tracee_borrow(tracee, thread, &saved)) {
            ht_tracee_release(tracee);
            ht_attachment_refuse(tracee->reason, sizeof tracee->reason, "none of its threads can be borrowed");
            continue;
        }
        done = ht_tracee_map_scratch(tracee, thread) && body(made, thread);
        if (made->done) ht_tracee_unmap_scratch(tracee, thread);
        ht_tracee_give_back(tracee, thread, &saved);
        break;
    }
    ht_tracee_release(tracee);
    return done;
}

int ht_attach_region(ht_attachment *made) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)made->tracee.pid, made->region_fd);
    return open(path, O_RDWR | O_CLOEXEC);
}

// Whether a thread has variables where libc puts them, whose first word is its own address: a thread of a bare clone
// may have another thread pointer, or none.
static bool is_of_libc(const ht_tracee *tracee, uint64_t thread_pointer) {
    uint64_t own = 0;
    return ht_tracee_read(tracee, thread_pointer, &own, sizeof own) && own == thread_pointer;
}

// Hands the recorder the thread pointers of all threads: it looks whether one of them is inside.
static bool clear_region(ht_attachment *made, pid_t thread) {
    ht_tracee *tracee = &made->tracee;
    uint64_t at = tracee->scratch + HT_SCRATCH_DATA, count = 0;
    for (size_t i = 0; i < tracee->count && count < HT_SCRATCH_DATA_BYTES / 8; i++) {
        struct user_regs_struct registers;
        if (!ht_tracee_registers(tracee->threads[i].id, &registers) || !is_of_libc(tracee, registers.fs_base)) continue;
        if (!ht_tracee_write(tracee, at + 8 * count++, &registers.fs_base, 8)) return false;
    }
    bool returned;
    if (tracee->count > HT_SCRATCH_DATA_BYTES / 8) return false;
    return ht_attachment_call(made, thread, HT_ATTACH_CLEAR, at, count, 0, &returned) == 1 && returned;
}

static bool start(ht_attachment *made, pid_t thread) {
    ht_tracee *tracee = &made->tracee;
    ht_attach_block block;
    bool returned;
    ht_attachment_call(made, thread, HT_ATTACH_PREPARE, 0, 0, 0, &returned);
    if (!returned || !ht_attachment_judge(made) || !ht_attachment_read_block(made, &block)) return false;
    // Left by a recorder that was killed: its entries are ours to take over.
    if (block.state == HT_ATTACH_RECORDING) ht_attachment_call(made, thread, HT_ATTACH_STOP, 0, 0, 0, &returned);
    if (block.mapped) clear_region(made, thread);
    for (size_t i = 0; i < HT_ATTACH_GROUPS; i++) {
        ht_redirects *redirects = &made->redirects[i];
        ht_attach_group *group = &block.group[i];
        if (redirects->count == 0) continue;
        if (!ht_redirects_place(redirects, tracee, thread, group->slots, group->count, group->code) ||
            !ht_redirects_check(redirects, tracee))
            return false;
        *group = (ht_attach_group){redirects->slots, redirects->count, redirects->code};
    }
    if (!ht_tracee_write(tracee, made->block_at + offsetof(ht_attach_block, group), block.group, sizeof block.group))
        return false;
    uint64_t status = ht_attachment_call(made, thread, HT_ATTACH_START, (uint64_t)made->region_fd, 0, 0, &returned);
    if (!returned) return false;
    made->region_fd = -1;  // closed there
    if (status != 0) {
        snprintf(tracee->reason, sizeof tracee->reason, "it cannot be recorded: %s", strerror((int)status));
        return false;
    }
    bool applied = true;
    for (size_t i = 0; i < HT_ATTACH_GROUPS && applied; i++) applied = ht_redirects_apply(&made->redirects[i], tracee);
    if (applied) return true;
    for (size_t i = 0; i < HT_ATTACH_GROUPS; i++) ht_redirects_undo(&made->redirects[i], tracee);
    ht_attachment_call(made, thread, HT_ATTACH_STOP, 0, 0, 0, &returned);
    return false;
}

enum ht_attach_outcome ht_attach_begin(ht_attachment *made, char *reason, size_t room) {
    if (while_stopped(made, start)) return HT_ATTACH_OK;
    snprintf(reason, room, "%s", made->tracee.reason);
    return ht_attach_is_there(made) ? HT_ATTACH_REFUSED : HT_ATTACH_NO_PROCESS;
}

bool ht_attach_is_there(const ht_attachment *made) {
    uint8_t byte;
    // The memory of an image that is gone reads as nothing.
    uint64_t address = made->tracee.syscall_at;
    return address == 0 || pread(made->tracee.memory, &byte, 1, (off_t)address) == 1;
}

const char *ht_attach_allocator(const ht_attachment *made) { return made->redirects[0].image->path; }

const char *ht_attach_note(const ht_attachment *made) {
    return made->redirects[0].note[0] != 0 ? made->redirects[0].note : made->redirects[1].note;
}

static bool stop(ht_attachment *made, pid_t thread) {
    bool returned;
    for (size_t i = 0; i < HT_ATTACH_GROUPS; i++) {
        if (!ht_redirects_undo(&made->redirects[i], &made->tracee)) return false;
    }
    ht_attachment_call(made, thread, HT_ATTACH_STOP, 0, 0, 0, &returned);
    made->done = clear_region(made, thread);
    return returned;
}

bool ht_attach_end(ht_attachment *made) { return ht_attach_is_there(made) && while_stopped(made, stop); }

static bool clear_at_last(ht_attachment *made, pid_t thread) {
    made->done = clear_region(made, thread);
    return made->done;
}

bool ht_attach_clear(ht_attachment *made) {
    return made->done || !ht_attach_is_there(made) || while_stopped(made, clear_at_last);
}

static bool leave(ht_attachment *made, pid_t thread) {
    made->done = true;
    if (made->region_fd >= 0)
        ht_tracee_syscall(&made->tracee, thread, SYS_close, (uint64_t[6]){(uint64_t)made->region_fd});
    return true;
}

void ht_attach_close(ht_attachment *made) {
    // Where recording never began, or a thread would not leave the recorder.
    if (made->tracee.scratch != 0 && ht_attach_is_there(made)) while_stopped(made, leave);
    for (size_t i = 0; i < HT_ATTACH_GROUPS; i++) ht_redirects_free(&made->redirects[i]);
    ht_images_free(&made->images);
    ht_tracee_close(&made->tracee);
    free(made->library);
    free(made);
}
