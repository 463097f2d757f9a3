// Drives the trace writer over descriptors that write little, late or not at all.
#include <CInterposerTestSupport.h>

#include <trace_writer.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KIND_FOREIGN = 99 };

ht_test_written ht_test_write_chunks(int fd, size_t capacity, uint32_t chunks, uint32_t bytes) {
    ht_trace_writer writer = {.fd = fd, .buffer = malloc(capacity), .capacity = capacity};
    uint8_t *payload = malloc(bytes);
    if (writer.buffer == NULL || payload == NULL) abort();
    ht_trace_put_header(&writer, HT_MODE_CONVERTED, 0, 1, 0);
    for (uint32_t i = 0; i < chunks; i++) {
        memset(payload, (int)i, bytes);
        ht_trace_put_chunk(&writer, (ht_chunk_header){.kind = KIND_FOREIGN, .flags = HT_CHUNK_SKIPPABLE}, payload,
                           bytes);
    }
    ht_trace_flush(&writer);
    free(payload);
    free(writer.buffer);
    return (ht_test_written){.error = writer.error, .written = writer.written};
}

typedef struct pipe_reader {
    int fd;
    uint8_t *out;
    size_t capacity, used;
    pthread_t writer;
    bool interrupt;
} pipe_reader;

static void ignore(int signal) { (void)signal; }

static void *read_slowly(void *context) {
    pipe_reader *reader = context;
    for (;;) {
        if (reader->interrupt) pthread_kill(reader->writer, SIGUSR2);
        size_t room = reader->capacity - reader->used;
        ssize_t count = read(reader->fd, reader->out + reader->used, room < 777 ? room : 777);
        if (count <= 0) return NULL;
        reader->used += (size_t)count;
    }
}

size_t ht_test_write_through_pipe(size_t capacity, uint32_t chunks, uint32_t bytes, bool nonblocking, uint8_t *out,
                                  size_t out_capacity, ht_test_written *written) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) abort();
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    if (nonblocking) fcntl(ends[1], F_SETFL, O_NONBLOCK);
    struct sigaction action = {.sa_handler = ignore}, before;  // no SA_RESTART: a write that waits ends with EINTR
    sigaction(SIGUSR2, &action, &before);
    sigset_t set, blocked;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_UNBLOCK, &set, &blocked);
    pipe_reader reader = {
        .fd = ends[0], .out = out, .capacity = out_capacity, .writer = pthread_self(), .interrupt = !nonblocking};
    pthread_t thread;
    if (pthread_create(&thread, NULL, read_slowly, &reader) != 0) abort();
    *written = ht_test_write_chunks(ends[1], capacity, chunks, bytes);
    close(ends[1]);
    pthread_join(thread, NULL);
    close(ends[0]);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    sigaction(SIGUSR2, &before, NULL);
    return reader.used;
}
