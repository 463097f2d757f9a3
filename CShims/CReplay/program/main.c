// heaptrail-replay: performs a plan on the allocator that is preloaded. Started by `heaptrail replay`, with the plan as
// standard input and the result's file as standard output.
// Usage: heaptrail-replay time|latency|memory none|first|all [null | LIBRARY]
#include "heaptrail_replay.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int32_t word_index(const char *word, const char *const *words, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0) return i;
    }
    return -1;
}

int main(int count, char **arguments) {
    static const char *const modes[] = {"time", "latency", "memory"}, *const touches[] = {"none", "first", "all"};
    static const char usage[] =
        "usage: heaptrail-replay time|latency|memory none|first|all [null|LIBRARY] <PLAN >RESULT\n";
    int32_t mode = count > 2 ? word_index(arguments[1], modes, 3) : -1;
    int32_t touch = count > 2 ? word_index(arguments[2], touches, 3) : -1;
    if (mode < 0 || touch < 0 || count > 4) {
        ssize_t ignored = write(2, usage, sizeof usage - 1);
        (void)ignored;
        return 64;
    }
    struct ht_replay_request request = {.plan = 0, .mode = (uint32_t)mode, .touch = (uint32_t)touch};
    if (count == 4) {
        request.null_allocator = strcmp(arguments[3], "null") == 0;
        if (!request.null_allocator) request.library = arguments[3];
    }
    // An allocator may print; where that would go is the result.
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    request.result = fcntl(1, F_DUPFD_CLOEXEC, 3);
    if (request.result < 0 || null < 0 || dup2(null, 1) < 0) return 1;
    // Without the C library's way out, which frees what the allocator under test may have broken.
    _exit(ht_replay_run(&request));
}
