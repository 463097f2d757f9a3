// The three steps of CAttach.h: loading on a thread that may be borrowed for it, while the others run; switching on and
// off while all stand still.
#include <CAttach.h>

#include "entries.h"
#include "image.h"
#include "refuse.h"
#include "safe.h"
#include "tracee.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <heaptrail_attach.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LOAD_TRIES_MS = 5000, LOAD_CALL_MS = 10000, CALL_MS = 5000, LOADER_MODE = 0x80000000 };

struct ht_attachment {
    ht_tracee tracee;
    ht_redirects redirects[HT_ATTACH_GROUPS];
    ht_images images;
    char *library;
    uint64_t function;  // heaptrail_attach in the process
    uint64_t block_at;
    int region_fd;  // the process's descriptor
};

static uint64_t call_library(ht_attachment *made, pid_t thread, uint64_t operation, uint64_t a, uint64_t b, uint64_t c,
                             bool *returned) {
    uint64_t result = 0;
    *returned =
        ht_tracee_call(&made->tracee, thread, made->function, (uint64_t[4]){operation, a, b, c}, CALL_MS, &result);
    return result;
}

static bool refuse(char *reason, size_t room, const char *line) {
    snprintf(reason, room, "%s", line);
    return false;
}

// What the loader said, to be told.
static void explain_load(ht_attachment *made, pid_t thread, uint64_t dlerror_at) {
    ht_tracee *tracee = &made->tracee;
    uint64_t text_at = 0;
    char text[200] = "";
    if (dlerror_at != 0 && ht_tracee_call(tracee, thread, dlerror_at, (uint64_t[4]){0}, CALL_MS, &text_at) &&
        text_at != 0) {
        for (size_t i = 0; i + 1 < sizeof text && ht_tracee_read(tracee, text_at + i, &text[i], 1) && text[i] != 0; i++)
            text[i + 1] = 0;
        for (char *at = text; *at != 0; at++) *at = *at < ' ' ? ' ' : *at;
    }
    snprintf(tracee->reason, sizeof tracee->reason, "it cannot load the library: %s",
             text[0] == 0 ? "the loader gives no reason" : text);
}

enum { FN_DLOPEN, FN_DLERROR, FN_ERRNO, FN_DLOPEN_MODE, FN_COUNT };

// dlopen on a borrowed thread, whose errno stays. The handle is kept for good.
static bool call_dlopen(ht_attachment *made, pid_t thread, const ht_function functions[FN_COUNT]) {
    ht_tracee *tracee = &made->tracee;
    uint64_t path = tracee->scratch + HT_SCRATCH_DATA, handle = 0, errno_at = 0;
    int saved = 0;
    bool plain = functions[FN_DLOPEN].address != 0;
    uint64_t mode = RTLD_NOW | (plain ? 0u : (uint64_t)LOADER_MODE);
    if (!ht_tracee_write(tracee, path, made->library, strlen(made->library) + 1)) return false;
    if (functions[FN_ERRNO].address == 0 ||
        !ht_tracee_call(tracee, thread, functions[FN_ERRNO].address, (uint64_t[4]){0}, CALL_MS, &errno_at) ||
        !ht_tracee_read(tracee, errno_at, &saved, sizeof saved))
        return false;
    bool returned = ht_tracee_call(tracee, thread, functions[plain ? FN_DLOPEN : FN_DLOPEN_MODE].address,
                                   (uint64_t[4]){path, mode, 0, 0}, LOAD_CALL_MS, &handle);
    if (returned && handle == 0) explain_load(made, thread, functions[FN_DLERROR].address);
    ht_tracee_write(tracee, errno_at, &saved, sizeof saved);
    return returned && handle != 0;
}

static bool find_functions(const ht_images *images, ht_function found[FN_COUNT]) {
    static const char *const names[FN_COUNT] = {"dlopen", "dlerror", "__errno_location", "__libc_dlopen_mode"};
    const ht_image *libc = ht_images_named(images, "libc"), *libdl = ht_images_named(images, "libdl");
    ht_function more[FN_COUNT];
    if (libc == NULL || !ht_image_functions(images, libc, names, FN_COUNT, found)) return false;
    if (found[FN_DLOPEN].address == 0 && libdl != NULL && ht_image_functions(images, libdl, names, FN_COUNT, more)) {
        found[FN_DLOPEN] = more[FN_DLOPEN];
        found[FN_DLERROR] = more[FN_DLERROR];
    }
    return found[FN_DLOPEN].address != 0 || found[FN_DLOPEN_MODE].address != 0;
}

// Finds the library in the process, once it is there.
static bool find_library(ht_attachment *made) {
    static const char *const name[] = {"heaptrail_attach"};
    ht_function found;
    ht_images_free(&made->images);
    if (!ht_images_read(&made->images, made->tracee.pid)) return false;
    const ht_image *library = ht_images_named(&made->images, "libheaptrail");
    if (library == NULL) return false;
    if (!ht_image_functions(&made->images, library, name, 1, &found) || found.address == 0) return false;
    made->function = found.address;
    return true;
}

// Loads the library on a thread that is stopped and may be borrowed, and has it prepare itself.
static bool load_on(ht_attachment *made, pid_t thread) {
    ht_tracee_state saved;
    ht_function functions[FN_COUNT];
    ht_tracee *tracee = &made->tracee;
    if (!find_functions(&made->images, functions))
        return refuse(tracee->reason, sizeof tracee->reason, "its libc has no dlopen");
    if (!ht_tracee_borrow(thread, &saved)) return false;
    bool returned = false;
    bool done = ht_tracee_map_scratch(tracee, thread) &&
                (made->function != 0 || (call_dlopen(made, thread, functions) && find_library(made)));
    if (done) made->block_at = call_library(made, thread, HT_ATTACH_PREPARE, 0, 0, 0, &returned);
    ht_tracee_unmap_scratch(tracee, thread);
    ht_tracee_give_back(thread, &saved);
    return done && returned && made->block_at != 0;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Tries all threads, again and again, until one may be borrowed. The others run meanwhile, or a lock that the loader
// wants would never be given back; in a process that is stopped as a whole all must be clear of it.
static bool load(ht_attachment *made, bool stopped_process) {
    ht_tracee *tracee = &made->tracee;
    int64_t end = now_ms() + LOAD_TRIES_MS;
    tracee->reason[0] = 0;
    do {
        ht_judge *judge = ht_judge_make(&made->images, tracee->pid);
        if (judge == NULL) return refuse(tracee->reason, sizeof tracee->reason, "its call stacks cannot be read");
        if (stopped_process) {
            if (ht_tracee_stop_all(tracee) != HT_SEIZED) {
                ht_judge_free(judge);
                return refuse(tracee->reason, sizeof tracee->reason, "its threads cannot be stopped");
            }
            bool clear = true;
            for (size_t i = 0; i < tracee->count && clear; i++)
                clear = ht_judge_allows(judge, tracee, tracee->threads[i].id);
            ht_judge_free(judge);
            bool loaded = clear && load_on(made, tracee->threads[0].id);
            ht_tracee_release(tracee);
            if (!clear)
                refuse(tracee->reason, sizeof tracee->reason,
                       "it is stopped inside its allocator or loader; continue it first (kill -CONT)");
            return loaded;
        }
        pid_t *threads = NULL;
        size_t count = ht_list_threads(tracee->pid, &threads);
        for (size_t i = 0; i < count; i++) {
            if (ht_tracee_stop_thread(tracee, threads[i]) != HT_SEIZED) continue;
            bool allowed = ht_judge_allows(judge, tracee, threads[i]);
            bool loaded = allowed && load_on(made, threads[i]);
            ht_tracee_release(tracee);
            if (!allowed) continue;
            free(threads);
            ht_judge_free(judge);
            return loaded;
        }
        free(threads);
        ht_judge_free(judge);
        struct timespec nap = {.tv_nsec = 1000000};
        nanosleep(&nap, NULL);
    } while (now_ms() < end && ht_attach_is_there(made));
    return refuse(tracee->reason, sizeof tracee->reason,
                  "none of its threads left the allocator or the loader for 5 s; try again");
}

static bool read_block(const ht_attachment *made, ht_attach_block *block) {
    return ht_tracee_read(&made->tracee, made->block_at, block, sizeof *block);
}

// Plans the image that the program's malloc is in, and the executable where that carries an allocator of its own.
static bool plan(ht_attachment *made, const ht_attach_block *block, char *reason, size_t room) {
    const ht_image *images[HT_ATTACH_GROUPS] = {ht_images_at(&made->images, block->allocator), made->images.all};
    if (images[0] == NULL) return refuse(reason, room, "it has no malloc");
    for (size_t i = 0; i < HT_ATTACH_GROUPS; i++) {
        if (i > 0 && images[i] == images[0]) continue;
        ht_planned planned = ht_redirects_plan(&made->redirects[i], &made->images, images[i], reason, room);
        if (planned == HT_PLANNED_REFUSED) return false;
        if (planned == HT_PLANNED_NOTHING && i == 0)
            return refuse(reason, room, "the functions of its allocator cannot be found");
    }
    return true;
}

enum ht_attach_outcome ht_attach_open(pid_t pid, const char *library, ht_attachment **result, char *reason,
                                      size_t room) {
    *result = NULL;
    bool stopped = false;
    enum ht_attach_outcome allowed = ht_attach_check(pid, library, &stopped, reason, room);
    if (allowed != HT_ATTACH_OK) return allowed;
    ht_attachment *made = calloc(1, sizeof *made);
    if (made == NULL) return HT_ATTACH_REFUSED;
    made->region_fd = -1;
    made->library = strdup(library);
    ht_attach_block block;
    if (!ht_tracee_open(&made->tracee, pid) || !ht_images_read(&made->images, pid)) {
        snprintf(reason, room, "its memory cannot be read: %s", strerror(errno));
        goto failed;
    }
    const ht_image *libc = ht_images_named(&made->images, "libc");
    made->tracee.syscall_at = libc == NULL ? 0 : ht_image_syscall(&made->images, libc);
    if (made->tracee.syscall_at == 0) {
        refuse(reason, room, "it does not use the GNU C library as a shared library (is it static?)");
        goto failed;
    }
    find_library(made);
    if (!load(made, stopped)) {
        snprintf(reason, room, "%s", made->tracee.reason[0] == 0 ? "it ended meanwhile" : made->tracee.reason);
        goto failed;
    }
    if (!read_block(made, &block) || block.version != HT_ATTACH_VERSION) {
        refuse(reason, room, "it has another version of the library loaded; restart it to record it");
        goto failed;
    }
    if (block.state == HT_ATTACH_PRELOADED) {
        refuse(reason, room, "it was started under heaptrail and is recorded by that");
        goto failed;
    }
    if (block.state == HT_ATTACH_RECORDING && !block.collector_died) {
        snprintf(reason, room, "it is being recorded already, by process %u", block.collector_pid);
        goto failed;
    }
    if (!plan(made, &block, reason, room)) goto failed;
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
            return refuse(tracee->reason, sizeof tracee->reason,
                          seized == HT_SEIZED_GONE ? "it has ended" : "its threads cannot be stopped");
        }
        pid_t thread = any_thread(made);
        if (thread == 0 || !ht_tracee_borrow(thread, &saved)) {
            ht_tracee_release(tracee);
            refuse(tracee->reason, sizeof tracee->reason, "none of its threads can be borrowed");
            continue;
        }
        done = ht_tracee_map_scratch(tracee, thread) && body(made, thread);
        ht_tracee_unmap_scratch(tracee, thread);
        ht_tracee_give_back(thread, &saved);
        break;
    }
    ht_tracee_release(tracee);
    return done;
}

static bool make_region(ht_attachment *made, pid_t thread) {
    ht_tracee *tracee = &made->tracee;
    uint64_t name = tracee->scratch + HT_SCRATCH_DATA;
    if (!ht_tracee_write(tracee, name, "heaptrail", 10)) return false;
    long fd = ht_tracee_syscall(tracee, thread, SYS_memfd_create, (uint64_t[6]){name, MFD_CLOEXEC, 0, 0, 0, 0});
    made->region_fd = (int)fd;
    errno = fd < 0 ? (int)-fd : 0;
    return fd >= 0;
}

int ht_attach_region(ht_attachment *made) {
    if (!while_stopped(made, make_region)) return -1;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)made->tracee.pid, made->region_fd);
    return open(path, O_RDWR | O_CLOEXEC);
}

// Hands the recorder the thread pointers of all threads: it looks whether one of them is inside.
static bool clear_region(ht_attachment *made, pid_t thread) {
    ht_tracee *tracee = &made->tracee;
    uint64_t at = tracee->scratch + HT_SCRATCH_DATA, count = 0;
    for (size_t i = 0; i < tracee->count && count < HT_SCRATCH_DATA_BYTES / 8; i++) {
        struct user_regs_struct registers;
        if (!ht_tracee_registers(tracee->threads[i].id, &registers) || registers.fs_base == 0) continue;
        if (!ht_tracee_write(tracee, at + 8 * count++, &registers.fs_base, 8)) return false;
    }
    bool returned;
    if (tracee->count > HT_SCRATCH_DATA_BYTES / 8) return false;
    return call_library(made, thread, HT_ATTACH_CLEAR, at, count, 0, &returned) == 1 && returned;
}

static bool start(ht_attachment *made, pid_t thread) {
    ht_tracee *tracee = &made->tracee;
    ht_attach_block block;
    bool returned;
    if (!read_block(made, &block)) return false;
    // Left by a recorder that was killed: its entries are ours to take over.
    if (block.state == HT_ATTACH_RECORDING) call_library(made, thread, HT_ATTACH_STOP, 0, 0, 0, &returned);
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
    uint64_t status = call_library(made, thread, HT_ATTACH_START, (uint64_t)made->region_fd, 0, 0, &returned);
    if (!returned) return false;
    if (status != 0) {
        snprintf(tracee->reason, sizeof tracee->reason, "it cannot be recorded: %s", strerror((int)status));
        return false;
    }
    bool applied = true;
    for (size_t i = 0; i < HT_ATTACH_GROUPS && applied; i++) applied = ht_redirects_apply(&made->redirects[i], tracee);
    if (applied) return true;
    for (size_t i = 0; i < HT_ATTACH_GROUPS; i++) ht_redirects_undo(&made->redirects[i], tracee);
    call_library(made, thread, HT_ATTACH_STOP, 0, 0, 0, &returned);
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
    return pread(made->tracee.memory, &byte, 1, (off_t)made->tracee.syscall_at) == 1;
}

const char *ht_attach_allocator(const ht_attachment *made) { return made->redirects[0].image->path; }

static bool stop(ht_attachment *made, pid_t thread) {
    bool returned;
    for (size_t i = 0; i < HT_ATTACH_GROUPS; i++) {
        if (!ht_redirects_undo(&made->redirects[i], &made->tracee)) return false;
    }
    call_library(made, thread, HT_ATTACH_STOP, 0, 0, 0, &returned);
    return returned;
}

bool ht_attach_end(ht_attachment *made) { return ht_attach_is_there(made) && while_stopped(made, stop); }

bool ht_attach_clear(ht_attachment *made) { return !ht_attach_is_there(made) || while_stopped(made, clear_region); }

void ht_attach_close(ht_attachment *made) {
    for (size_t i = 0; i < HT_ATTACH_GROUPS; i++) ht_redirects_free(&made->redirects[i]);
    ht_images_free(&made->images);
    ht_tracee_close(&made->tracee);
    free(made->library);
    free(made);
}
