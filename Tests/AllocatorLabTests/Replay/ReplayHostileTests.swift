// Plans performed on allocators that do what no allocator should.

import TestSupport
import Testing

@testable import AllocatorLab

@Suite(.enabled(if: SourceLanguage.c.isAvailable, "no C compiler"))
struct ReplayHostileTests {
    /// An allocator that never frees; the place of each block, and what else is done, are a statement's.
    private func library(place: String = "space + used", also: String = "", keeping: String = "") -> String {
        """
        #include <stddef.h>
        #include <string.h>
        #include <unistd.h>
        static char space[1 << 20]; static size_t used;
        void *malloc(size_t size) {
            used = (used + 15) & ~(size_t)15; void *block = \(place); used += size; \(also) return block; }
        void free(void *block) { (void)block; }
        void *calloc(size_t count, size_t size) { return malloc(count * size); }
        void *realloc(void *old, size_t size) { void *block = malloc(size); (void)old; \(keeping) return block; }
        """
    }

    private func script() -> EventScript {
        var script = EventScript()
        for block in 1...50 as ClosedRange<UInt64> { script.allocate(block * 64, 48) }
        for block in 1...50 as ClosedRange<UInt64> { script.free(block * 64, 48) }
        return script
    }

    private let told = "wrote to a block of 48 bytes that was live, or gave out its place again, after "

    @Test func `an allocator that gives out one place to all is found out`() throws {
        let failure = try ReplayProgram.failure(script().plan(), .memory, library: library(place: "space"))
        #expect(failure.hasPrefix(told), "\(failure)")
    }

    @Test func `an allocator that writes to live blocks is found out, those never freed included`() throws {
        let library = library(also: "if (used == 48 * 30) memset(space + 48 * 20, 0, 1);")
        #expect(try ReplayProgram.failure(script().plan(), .memory, library: library).hasPrefix(told))
        var leaking = EventScript()
        for block in 1...50 as ClosedRange<UInt64> { leaking.allocate(block * 64, 48) }
        #expect(try ReplayProgram.failure(leaking.plan(), .memory, library: library).hasPrefix(told))
    }

    @Test func `an allocator that loses what was in a block when it grows is found out`() throws {
        var script = EventScript()
        script.allocate(0x10, 48)
        script.beginReallocation(0x10, 48)
        script.endReallocation(0x20, 96)
        script.free(0x20, 96)
        let plan = try script.plan()
        #expect(try ReplayProgram.failure(plan, .memory, library: library()).hasPrefix(told))
        let library = library(keeping: "memcpy(block, old, 48);")
        #expect(try ReplayProgram.failure(plan, .memory, library: library) == "")
    }

    @Test func `an allocator that prints does not write into the result`() throws {
        let chatty = "write(1, \"block given out\\n\", 16);"
        let constructor = """
            __attribute__((constructor)) static void hello(void) { for (int i = 0; i < 5000; i++) \(chatty) }
            """
        for mode in [ReplayMode.time, .latency, .memory] {
            let source = library(also: chatty) + "\n" + constructor
            #expect(try ReplayProgram.failure(script().plan(), mode, library: source) == "")
        }
    }

    @Test func `an allocator that hangs is killed when the time is up`() throws {
        let source = library(also: "if (size == 48) for (;;) pause();")
        let failure = try ReplayProgram.failure(script().plan(), .time, library: source, secondsAtMost: 0.2)
        #expect(failure == "took more than 0.2 s (--timeout) and was killed")
    }

    @Test func `a process that an allocator starts does not go on beside the next run`() throws {
        let folder = try TemporaryDirectory()
        let fork = """
            static int count;
            static void leave(void) {
                if (++count != 10) return;
                int child = fork();
                while (child == 0) pause();
                int file = open("\(folder.file("child"))", O_WRONLY | O_CREAT, 0600);
                write(file, &child, sizeof child);
                close(file);
            }
            """
        let source = "#include <fcntl.h>\n#include <unistd.h>\n" + fork + "\n" + library(also: "leave();")
        #expect(try ReplayProgram.failure(script().plan(), .time, library: source) == "")
        let child = try folder.read("child").withUnsafeBytes { $0.loadUnaligned(as: Int32.self) }
        // Killed, and gone as soon as its new parent has seen that.
        let state = FileProbe.text(of: "/proc/\(child)/stat")?.split(separator: ")").last?.dropFirst().first
        #expect(child > 0 && (state == nil || state == "Z" || state == "X"), "\(child) \(state ?? "?")")
    }
}
