// A known mix of allocations, for recordings by samples. Returns, or ends by SIGKILL ("kill").
//   200,000 of 64 bytes, freed at once      100,000 of 208, the last 1,000 live      3,000 reallocations from 5,000 up
//   40 of 400,000, live                     1,000 of no bytes, live                  4 threads of 50,000 of 96 each
//   a forked child with 10,000 of 777       a signal handler that allocates 512 at 1 kHz meanwhile (with "signals")
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static long handled;

static void handle(int number) {
    (void)number;
    char *volatile block = malloc(512);
    if (block != NULL) *block = 1;
    free(block);
    handled++;
}

static void *churn(void *unused) {
    char *volatile held[10] = {0};
    for (int i = 0; i < 50000; i++) {
        free(held[i % 10]);
        held[i % 10] = malloc(96);
        *held[i % 10] = 1;
    }
    for (int i = 0; i < 10; i++) free(held[i]);
    return unused;
}

static void fill(void) {
    static char *ring[1000];
    for (int i = 0; i < 100000; i++) {
        free(ring[i % 1000]);
        ring[i % 1000] = malloc(208);
        *ring[i % 1000] = 1;
    }
}

int main(int count, char **arguments) {
    static void *kept[1040];
    int with_signals = count > 1 && strcmp(arguments[1], "signals") == 0;
    if (with_signals) {
        struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
        struct itimerval often = {{0, 1000}, {0, 1000}};
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &often, NULL);
    }
    for (int i = 0; i < 200000; i++) {
        char *volatile block = malloc(64);
        *block = 1;
        free(block);
    }
    fill();
    char *grown = malloc(5000);
    for (int i = 1; i <= 3000; i++) grown = realloc(grown, 5000 + (size_t)i);
    free(grown);
    for (int i = 0; i < 40; i++) kept[i] = malloc(400000);
    for (int i = 40; i < 1040; i++) kept[i] = malloc(0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, churn, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 10000; i++) {
            char *volatile block = malloc(777);
            *block = 1;
        }
        for (int i = 0; i < 40; i++) free(kept[i]);
        _exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {
    }
    if (with_signals) {
        struct itimerval never = {{0, 0}, {0, 0}};
        setitimer(ITIMER_REAL, &never, NULL);
        fprintf(stderr, "%ld\n", handled);
    }
    if (count > 1 && strcmp(arguments[1], "kill") == 0) kill(getpid(), SIGKILL);
    return 0;
}
