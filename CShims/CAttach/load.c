// Loading the library into a process: dlopen on a thread that may be borrowed for it, while the others run.
#include "attachment.h"
#include "safe.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

enum { LOAD_TRIES_MS = 5000, LOAD_CALL_MS = 10000, LOADER_MODE = 0x80000000 };

// What the loader said, to be told.
static void explain_load(ht_attachment *made, pid_t thread, uint64_t dlerror_at) {
    ht_tracee *tracee = &made->tracee;
    uint64_t text_at = 0;
    char text[200] = "";
    if (dlerror_at != 0 && ht_tracee_call(tracee, thread, dlerror_at, (uint64_t[4]){0}, HT_ATTACH_CALL_MS, &text_at) &&
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
        !ht_tracee_call(tracee, thread, functions[FN_ERRNO].address, (uint64_t[4]){0}, HT_ATTACH_CALL_MS, &errno_at) ||
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

bool ht_attachment_find_library(ht_attachment *made) {
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

static bool make_region(ht_attachment *made, pid_t thread) {
    ht_tracee *tracee = &made->tracee;
    uint64_t name = tracee->scratch + HT_SCRATCH_DATA;
    if (!ht_tracee_write(tracee, name, "heaptrail", 10)) return false;
    long fd = ht_tracee_syscall(tracee, thread, SYS_memfd_create, (uint64_t[6]){name, MFD_CLOEXEC, 0, 0, 0, 0});
    made->region_fd = (int)fd;
    if (fd >= 0) return true;
    snprintf(tracee->reason, sizeof tracee->reason, "it may not make shared memory: %s", strerror((int)-fd));
    return false;
}

// Loads the library on a thread that is stopped and may be borrowed, and has it prepare itself.
static bool load_on(ht_attachment *made, pid_t thread) {
    ht_tracee_state saved;
    ht_function functions[FN_COUNT];
    ht_tracee *tracee = &made->tracee;
    if (!find_functions(&made->images, functions))
        return ht_attachment_refuse(tracee->reason, sizeof tracee->reason, "its libc has no dlopen");
    if (!ht_tracee_borrow(tracee, thread, &saved)) return false;
    bool returned = false;
    bool done = ht_tracee_map_scratch(tracee, thread) &&
                (made->function != 0 || (call_dlopen(made, thread, functions) && ht_attachment_find_library(made)));
    if (done) made->block_at = ht_attachment_call(made, thread, HT_ATTACH_PREPARE, 0, 0, 0, &returned);
    done = done && returned && made->block_at != 0 && ht_attachment_judge(made) && make_region(made, thread);
    if (!done) ht_tracee_unmap_scratch(tracee, thread);
    ht_tracee_give_back(tracee, thread, &saved);
    return done;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Tries all threads, again and again, until one may be borrowed. The others run meanwhile, or a lock that the loader
// wants would never be given back; in a process that is stopped as a whole all must be clear of it.
bool ht_attachment_load(ht_attachment *made, bool stopped_process) {
    ht_tracee *tracee = &made->tracee;
    int64_t end = now_ms() + LOAD_TRIES_MS;
    tracee->reason[0] = 0;
    do {
        ht_judge *judge = ht_judge_make(&made->images, tracee->pid);
        if (judge == NULL)
            return ht_attachment_refuse(tracee->reason, sizeof tracee->reason, "its call stacks cannot be read");
        if (stopped_process) {
            if (ht_tracee_stop_all(tracee) != HT_SEIZED) {
                ht_judge_free(judge);
                return ht_attachment_refuse(tracee->reason, sizeof tracee->reason, "its threads cannot be stopped");
            }
            bool clear = true;
            pid_t borrowed = 0;
            for (size_t i = 0; i < tracee->count && clear; i++) {
                pid_t thread = tracee->threads[i].id;
                clear = ht_judge_is_clear(judge, thread);
                if (borrowed == 0 && clear && ht_judge_allows(judge, tracee, thread)) borrowed = thread;
            }
            ht_judge_free(judge);
            bool loaded = borrowed != 0 && clear && load_on(made, borrowed);
            ht_tracee_release(tracee);
            if (borrowed == 0 || !clear)
                ht_attachment_refuse(tracee->reason, sizeof tracee->reason,
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
    return ht_attachment_refuse(tracee->reason, sizeof tracee->reason,
                                "none of its threads left the allocator or the loader for 5 s; try again");
}
