// A small server and the command that drives it, over a socket of the Unix domain. For the tests of heaptrail compare.
//   driven_server serve SOCKET [chatty|crash|daemon|deaf|falls|stubborn|workers]
//   driven_server drive SOCKET
// The server writes its process id, and those of its workers, to SOCKET.pid, one a line. Asked once, it allocates and
// writes 32 MiB, keeps them, and answers with one byte.

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static struct sockaddr_un address_of(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static void note(const char *path, const char *mode) {
    char name[4096];
    snprintf(name, sizeof name, "%s.pid", path);
    FILE *file = fopen(name, mode);
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
}

// Keeps 16 MiB for as long as it lives.
static void work(const char *path, int ready) {
    memset(malloc(16 * MIB), 1, 16 * MIB);
    note(path, "a");
    if (write(ready, "", 1) != 1) _exit(9);
    for (;;) pause();
}

// Goes to the background. Returns 1 in the process that was started, which ends; the other goes on when it has.
static int detach(const char *path) {
    int noted[2];
    char byte;
    if (pipe(noted) != 0) exit(12);
    pid_t starter = getpid();
    if (fork() > 0) return read(noted[0], &byte, 1) == 1;
    setsid();
    note(path, "w");
    if (write(noted[1], "", 1) != 1) exit(13);
    while (getppid() == starter) usleep(1000);
    return 0;
}

static void fall(int number) {
    (void)number;
    abort();
}

static int serve(const char *path, const char *manner) {
    struct sockaddr_un address = address_of(path);
    if (!strcmp(manner, "daemon") && detach(path)) return 0;
    if (!strcmp(manner, "stubborn")) signal(SIGTERM, SIG_IGN);
    if (!strcmp(manner, "falls")) signal(SIGTERM, fall);
    for (int i = 0; i < 1 << 15 && !strcmp(manner, "chatty"); i++) fprintf(stderr, "%d: all is well, 32 bytes\n", i);
    note(path, "w");
    for (int i = 0; i < 2 && !strcmp(manner, "workers"); i++) {
        int ready[2];
        char byte;
        if (pipe(ready) != 0) return 10;
        if (fork() == 0) work(path, ready[1]);
        if (read(ready[0], &byte, 1) != 1) return 11;
    }
    unlink(path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) return 3;
    if (!strcmp(manner, "deaf")) {
        fprintf(stderr, "not listening\n");
        for (;;) pause();
    }
    if (listen(listener, 8) != 0) return 4;
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        char byte;
        // A look whether somebody listens asks nothing.
        if (read(connection, &byte, 1) == 1) {
            if (!strcmp(manner, "crash")) {
                fprintf(stderr, "about to crash\n");
                abort();
            }
            memset(malloc(32 * MIB), 1, 32 * MIB);
            if (write(connection, &byte, 1) != 1) return 5;
        }
        close(connection);
    }
}

static int drive(const char *path) {
    struct sockaddr_un address = address_of(path);
    int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) return 6;
    char byte = 'x';
    if (write(connection, &byte, 1) != 1) return 7;
    if (read(connection, &byte, 1) != 1) return 8;
    puts("answered");
    return 0;
}

int main(int count, char **arguments) {
    if (count < 3) return 64;
    if (!strcmp(arguments[1], "drive")) return drive(arguments[2]);
    return serve(arguments[2], count > 3 ? arguments[3] : "");
}
