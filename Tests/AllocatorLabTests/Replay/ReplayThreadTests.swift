// The threads of a run: who they are to the allocator, how many there are at once, and that they never race.

import TestSupport
import Testing

@testable import AllocatorLab

@Suite(.enabled(if: SourceLanguage.c.isAvailable, "no C compiler"))
struct ReplayThreadTests {
    /// Blocks from a space of the library's own; what is in `each` is compiled into malloc and free, with the block.
    private func library(_ declarations: String, malloc: String, free: String) -> String {
        """
        #define _GNU_SOURCE
        #include <pthread.h>
        #include <stdatomic.h>
        #include <stddef.h>
        #include <stdint.h>
        #include <stdlib.h>
        #include <time.h>
        #include <unistd.h>
        static _Alignas(16) char space[64 << 20]; static _Atomic size_t used;
        static void fail(const char *why, size_t length) { if (write(2, why, length)) {} abort(); }
        \(declarations)
        void *malloc(size_t size) {
            char *block = space + atomic_fetch_add(&used, (size + 31) & ~(size_t)15);
            \(malloc)
            return block + 16;
        }
        void free(void *pointer) {
            if (!pointer) return;
            char *block = (char *)pointer - 16;
            \(free)
        }
        void *calloc(size_t count, size_t size) { return malloc(count * size); }
        void *realloc(void *block, size_t size) { (void)block; return malloc(size); }
        """
    }

    @Test func `in a run for memory every call is made as the thread that made it, by its storage and its name`() throws
    {
        var script = EventScript()
        for block in 0..<500 as Range<UInt64> {
            script.allocate(block, 48, thread: 1 + UInt32(block % 3))
            // By the thread after it.
            script.free(block, 48, thread: 1 + UInt32((block + 1) % 3))
        }
        // A thread's end is its own, too, and over before the next call: the first thread's last block comes when the others are gone.
        script.allocate(1000, 64, thread: 1)
        let source = library(
            """
            static _Atomic int threads; static _Thread_local int number; static pthread_key_t key;
            static _Atomic int left;
            static void leave(void *value) {
                if ((int)(intptr_t)value != number) fail("another's end", 13);
                nanosleep(&(struct timespec){0, 20000000}, NULL);
                left++;
            }
            __attribute__((constructor)) static void begin(void) { pthread_key_create(&key, leave); }
            static int self(void) {
                if (!number) {
                    number = ++threads;
                    pthread_setspecific(key, (void *)(intptr_t)number);
                }
                if ((int)(intptr_t)pthread_getspecific(key) != number) fail("another's key", 13);
                return number;
            }
            """,
            malloc: """
                if (size == 48) *(int *)block = self(); else *(int *)block = 0;
                if (size == 64 && left != 2) fail("before their end", 16);
                """,
            free: "if (*(int *)block == self()) fail(\"freed by its own\", 16);")
        let told = try ReplayProgram.failure(script.plan(), .memory, library: source)
        #expect(told == "")
    }

    @Test func `a thread that starts many one after the other has no more at once than the program had`() throws {
        var script = EventScript()
        for thread in 2...60 as ClosedRange<UInt32> {
            script.allocate(0x10, 8, thread: 1)
            script.allocate(0x20, 48, thread: thread)
            script.free(0x20, 48, thread: thread)
            script.free(0x10, 8, thread: 1)
        }
        // A thread is counted until its keys go, a moment after the replay counts it as over.
        let source = library(
            """
            static _Atomic int threads; static pthread_key_t key;
            static void leave(void *value) { (void)value; threads--; }
            __attribute__((constructor)) static void begin(void) { pthread_key_create(&key, leave); }
            """,
            malloc: """
                if (size == 48) {
                    if (++threads > 8) fail("too many threads", 16);
                    pthread_setspecific(key, block);
                    nanosleep(&(struct timespec){0, 5000000}, NULL);
                }
                """, free: "(void)block;")
        for mode in [ReplayMode.time, .latency, .memory] {
            #expect(try ReplayProgram.failure(script.plan(), mode, library: source) == "")
        }
    }

    @Test(.enabled(if: Tool.isInstalled("gcc"), "no gcc"))
    func `threads that run freely never race for a slot`() throws {
        // In a run for memory one thread acts for all, which is not for a sanitizer of threads to follow.
        let runner = try ReplayRunner(
            executable: ReplayProgram.thread.get(),
            plan: EventScript.random(events: 20_000, threads: 4, seed: 6).plan(), touch: .none)
        for mode in [ReplayMode.time, .latency] { _ = try runner.run(mode, on: nil).get() }
    }
}
