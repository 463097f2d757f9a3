// Makes 1,000 blocks of 12007 bytes, frees 400 of them, and ends in the way its argument names.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *leave(void *unused) {
    (void)unused;
    exit(6);
}

int main(int count, char **arguments) {
    static void *blocks[1000];
    for (int i = 0; i < 1000; i++) blocks[i] = malloc(12007);
    for (int i = 0; i < 400; i++) free(blocks[i]);

    const char *how = count > 1 ? arguments[1] : "return";
    if (strcmp(how, "return") == 0) return 4;
    if (strcmp(how, "exit") == 0) exit(5);
    if (strcmp(how, "exit-from-thread") == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, leave, NULL);
        pthread_join(thread, NULL);
    }
    if (strcmp(how, "_exit") == 0) _exit(7);
    if (strcmp(how, "quick_exit") == 0) quick_exit(8);
    if (strcmp(how, "abort") == 0) abort();
    if (strcmp(how, "fault") == 0) *(volatile int *)8 = 1;
    if (strcmp(how, "terminate") == 0) kill(getpid(), SIGTERM);
    if (strcmp(how, "kill") == 0) kill(getpid(), SIGKILL);
    for (;;) pause();
}
