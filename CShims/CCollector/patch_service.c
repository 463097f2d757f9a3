// Answers are kept by the file's identity, for a shell script executes the same few programs over and over. A plan lies
// in a memfd of its own that the process opens through /proc, as it does its region.
#include "patch_service.h"

#include "allocator_note.h"
#include "system.h"

#include <CPatch.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANSWERS_KEPT = 64, NOTE_BYTES = sizeof(((ht_process *)0)->own_note) };

typedef struct answer {
    uint64_t device, inode, changed_ns;
    uint32_t state;  // ht_plan_state
    int fd;          // of the plan, -1 none
    uint64_t bytes;
    char allocator[HT_PATCH_NAME_BYTES];
    char note[NOTE_BYTES];  // what will be missing, "" for nothing
} answer;

static answer answers[ANSWERS_KEPT];
static uint32_t answers_made;

static const answer *kept(const struct stat *file, uint64_t changed_ns) {
    for (uint32_t i = 0; i < answers_made && i < ANSWERS_KEPT; i++) {
        if (answers[i].device == file->st_dev && answers[i].inode == file->st_ino &&
            answers[i].changed_ns == changed_ns)
            return &answers[i];
    }
    return NULL;
}

static bool store_plan(answer *made, const ht_patch_plan *plan) {
    size_t bytes = ht_patch_plan_bytes(plan);
    int fd = memfd_create("heaptrail-plan", MFD_CLOEXEC);
    if (fd < 0 || write(fd, plan, bytes) != (ssize_t)bytes) {
        if (fd >= 0) close(fd);
        return false;
    }
    made->fd = fd;
    made->bytes = bytes;
    return true;
}

static void describe(answer *made, const ht_patch_survey *survey) {
    const char *name = survey->allocator[0] != 0 ? survey->allocator : survey->first_name;
    snprintf(made->allocator, sizeof made->allocator, "%s", name);
    const char *reason = ht_patch_refusal_text(survey->refusal);
    if (made->state == HT_PLAN_REFUSED)
        snprintf(made->note, sizeof made->note,
                 "the program carries its own allocator (%s), which was not recorded: %s: %s", name,
                 survey->refused_name, reason);
    else if (survey->refused_name[0] != 0)
        snprintf(made->note, sizeof made->note, "calls of %s in the executable were not recorded: %s",
                 survey->refused_name, reason);
    else if (survey->traces)
        snprintf(made->note, sizeof made->note,
                 "the executable seems to carry an allocator whose functions were stripped or inlined; its blocks were "
                 "not recorded");
    else if (made->state == HT_PLAN_READY && !survey->has_symbols)
        snprintf(made->note, sizeof made->note,
                 "the executable is stripped: only the allocation functions that it exports were recorded");
}

static const answer *make_answer(int descriptor, const struct stat *file, uint64_t changed_ns) {
    ht_patch_survey survey;
    ht_patch_plan *plan;
    enum ht_patch_outcome outcome = ht_patch_plan_file(descriptor, &survey, &plan);
    if (outcome == HT_PATCH_UNREADABLE) return NULL;
    answer *made = &answers[answers_made % ANSWERS_KEPT];
    // A descriptor that is given up may still be in use by a process that was just told of it: kept open then.
    *made = (answer){.device = file->st_dev, .inode = file->st_ino, .changed_ns = changed_ns, .fd = -1};
    answers_made++;
    made->state = outcome == HT_PATCH_PLANNED   ? HT_PLAN_READY
                  : outcome == HT_PATCH_REFUSED ? HT_PLAN_REFUSED
                                                : HT_PLAN_NOT_NEEDED;
    if (plan != NULL && !store_plan(made, plan)) made->state = HT_PLAN_REFUSED;
    free(plan);
    describe(made, &survey);
    return made;
}

void ht_patch_answer(ht_process *process, const char *path) {
    ht_region *region = process->region;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return;
    struct stat file;
    if (fstat(descriptor, &file) == 0 && S_ISREG(file.st_mode)) {
        uint64_t changed_ns = (uint64_t)file.st_mtim.tv_sec * 1000000000u + (uint64_t)file.st_mtim.tv_nsec;
        const answer *found = kept(&file, changed_ns);
        if (found == NULL) found = make_answer(descriptor, &file, changed_ns);
        if (found != NULL) {
            region->plan_device = found->device;
            region->plan_inode = found->inode;
            region->plan_changed_ns = found->changed_ns;
            region->plan_bytes = found->bytes;
            region->plan_fd = (uint32_t)found->fd;
            region->plan_state = found->state;
            memcpy(process->own_allocator, found->allocator, sizeof process->own_allocator);
            memcpy(process->own_note, found->note, sizeof process->own_note);
        }
    }
    close(descriptor);
}

static const char *result_text(uint32_t result) {
    switch (result) {
        case HT_PLAN_UNANSWERED: return "the recorder was not there to say where its functions are";
        case HT_PLAN_MISMATCH: return "its code in memory is not that of its file";
        case HT_PLAN_NO_ROOM: return "there is no free address within reach of its code";
        case HT_PLAN_FORBIDDEN: return "its code may not be written to";
        default: return "";
    }
}

// Says in the trace which allocator the image's events are of, or why they are missing.
static void note_result(ht_process *process, uint32_t image, uint32_t result) {
    ht_info_entry entries[2];
    size_t count = 0;
    char allocator[HT_PATCH_NAME_BYTES + 80];
    if (result == HT_PLAN_APPLIED || result == HT_PLAN_APPLIED_BESIDE) {
        snprintf(allocator, sizeof allocator, "%s (in the executable)%s%s", process->own_allocator,
                 result == HT_PLAN_APPLIED_BESIDE ? " and " : "",
                 result == HT_PLAN_APPLIED_BESIDE ? process->allocator_name : "");
        entries[count++] = (ht_info_entry){HT_INFO_ALLOCATOR, allocator, strlen(allocator)};
    } else if (result != HT_PLAN_UNTRIED) {
        snprintf(process->own_note, sizeof process->own_note, "the program's own allocator%s%s%s was not recorded: %s",
                 process->own_allocator[0] != 0 ? " (" : "", process->own_allocator,
                 process->own_allocator[0] != 0 ? ")" : "", result_text(result));
    }
    if (process->own_note[0] != 0)
        entries[count++] = (ht_info_entry){HT_INFO_WARNING, process->own_note, strlen(process->own_note)};
    if (count != 0 && process->drain.writer != NULL)
        ht_trace_put_info(process->drain.writer, (uint16_t)image, entries, count);
}

void ht_patch_serve(ht_process *process) {
    ht_region *region = process->region;
    uint32_t asked = atomic_load_explicit(&region->plan_asked, memory_order_acquire);
    if (asked != atomic_load_explicit(&region->plan_answered, memory_order_relaxed)) {
        char path[32];
        snprintf(path, sizeof path, "/proc/%u/exe", atomic_load_explicit(&region->pid, memory_order_acquire));
        region->plan_state = HT_PLAN_NONE;
        process->own_note[0] = process->own_allocator[0] = 0;
        ht_patch_answer(process, path);
        atomic_store_explicit(&region->plan_answered, asked, memory_order_release);
        ht_futex_wake(&region->plan_answered, 1);
    }
    // First, for what is said of the executable's own allocator names the one beside it.
    if (process->opened) ht_allocator_note(process);
    uint32_t image = atomic_load_explicit(&region->image, memory_order_acquire);
    uint32_t planned = atomic_load_explicit(&region->plan_image, memory_order_acquire);
    if (process->opened && planned != process->noted_image && planned == image) {
        process->noted_image = planned;
        note_result(process, image, atomic_load_explicit(&region->plan_result, memory_order_acquire));
    }
}
