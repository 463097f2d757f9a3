// How much memory a busy program has, and its parent, which is the recorder where there is one.
// memory THREADS EVENTS: the threads make EVENTS events together, each with 1,000 blocks live at a time, and are all
// alive at once. Prints, in KiB and at the end of all that work: "program RSS-PEAK ANONYMOUS SHARED", "parent
// RSS-PEAK".
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIVE = 1000 };

static pthread_barrier_t done;
static long pairs_each;

static void *churn(void *number) {
    static __thread char *blocks[LIVE];
    uint64_t state = 88172645463325252u + (uint64_t)(uintptr_t)number;
    for (long i = 0; i < pairs_each; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        char **block = &blocks[state % LIVE];
        free(*block);
        *block = malloc(16 + (state >> 32) % 112);
        if (*block == NULL) abort();
        **block = 1;
    }
    for (int i = 0; i < LIVE; i++) free(blocks[i]);
    pthread_barrier_wait(&done);  // measured while all are alive
    pthread_barrier_wait(&done);
    return NULL;
}

static long kibibytes(const char *path, const char *key) {
    char line[256];
    long found = -1;
    FILE *status = fopen(path, "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) found = strtol(line + strlen(key), NULL, 10);
    }
    if (status != NULL) fclose(status);
    return found;
}

int main(int count, char **arguments) {
    int threads = count > 2 ? atoi(arguments[1]) : 1;
    pairs_each = (count > 2 ? atol(arguments[2]) : 1000000) / 2 / threads;
    pthread_barrier_init(&done, NULL, (unsigned)threads + 1);
    pthread_t thread;
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread, NULL, churn, (void *)(uintptr_t)(i + 1)) != 0) return 1;
    pthread_barrier_wait(&done);
    char parent[64];
    snprintf(parent, sizeof parent, "/proc/%d/status", (int)getppid());
    const char *own = "/proc/self/status";
    printf("program %ld %ld %ld\n", kibibytes(own, "VmHWM:"), kibibytes(own, "RssAnon:"), kibibytes(own, "RssShmem:"));
    printf("parent %ld\n", kibibytes(parent, "VmHWM:"));
    pthread_barrier_wait(&done);
    return 0;
}
