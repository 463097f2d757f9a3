// The allocator that a trace names is the one that served the events, however the program came by it.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct AllocatorNameTests {
    private static let installed = ["jemalloc", "mimalloc", "tcmalloc"].filter(Machine.hasAllocator)

    /// A library whose malloc is libc's, under a name that no allocator has.
    private func wrapper() throws -> String {
        try ProgramBuilder.build(
            testProgram: "malloc-wrapper.c", language: .c, name: "libmalloc-wrapper.so",
            arguments: ["-shared", "-fPIC"])
    }

    private func allocators(_ recording: Recording) throws -> [String?] {
        let count = try recording.report().trace.images
        return try (1...count).map {
            try recording.report(options: count > 1 ? ["--image", "\($0)"] : []).trace.allocator
        }
    }

    @Test(arguments: installed)
    func `a program linked against an allocator's library is said to run on it`(name: String) throws {
        let library = try Machine.library(of: name)
        let program = try ProgramBuilder.build(
            "#include <stdlib.h>\nint main(void) { return malloc(12345) == NULL; }\n", language: .c,
            arguments: ["-fno-builtin", "-Wl,--no-as-needed", library])
        let recording = try Recording(program)
        #expect(recording.result.isSuccess)
        #expect(try allocators(recording) == [name])
        let text = try runChecked(BuildProducts.heaptrail(), ["report", recording.trace])
        #expect(text.contains("ran on       \(name), "))
    }

    @Test(arguments: installed)
    func `an allocator that was preloaded by the user is named`(name: String) throws {
        let library = try Machine.library(of: name)
        let recording = try Recording("/bin/ls", ["/"], environment: .inherited(adding: ["LD_PRELOAD": library]))
        #expect(recording.result.isSuccess)
        #expect(try allocators(recording) == [name])
    }

    @Test(.enabled(if: Machine.hasAllocator("jemalloc"), "jemalloc is not installed"))
    func `options of an allocator reach the program, and are no part of its name`() throws {
        let folder = try TemporaryDirectory()
        let result = try run(
            BuildProducts.heaptrail(),
            [
                "record", "-o", folder.file("t.trace"), "--allocator", "jemalloc:MALLOC_CONF=narenas:1 OTHER=x", "--",
                "sh", "-c", "echo $MALLOC_CONF $OTHER",
            ])
        #expect(result.stdout == "narenas:1 x\n")
        let text = try runChecked(BuildProducts.heaptrail(), ["report", folder.file("t.trace")])
        #expect(text.contains("ran on       jemalloc, "))
        let wrong = try run(BuildProducts.heaptrail(), ["record", "--allocator", "jemalloc:narenas", "--", "true"])
        #expect(wrong.status == .exited(64))
    }

    @Test func `libc is glibc, and another library is named by its file`() throws {
        #expect(try allocators(Recording("/bin/ls", ["/"])) == ["glibc"])
        let library = try wrapper()
        let recording = try Recording("/bin/ls", ["/"], environment: .inherited(adding: ["LD_PRELOAD": library]))
        #expect(try allocators(recording) == [URL(fileURLWithPath: library).lastPathComponent])
    }

    @Test(.enabled(if: Machine.hasAllocator("jemalloc"), "jemalloc is not installed"))
    func `each image and each followed child has its own`() throws {
        let library = try Machine.library(of: "jemalloc")
        let images = try Recording("/bin/sh", ["-c", "exec env LD_PRELOAD=\(library) ls /"])
        #expect(try allocators(images) == ["glibc", "glibc", "jemalloc"])
        let back = try Recording(
            "/usr/bin/env", ["-u", "LD_PRELOAD", "ls", "/"], environment: .inherited(adding: ["LD_PRELOAD": library]))
        #expect(try allocators(back) == ["jemalloc", "glibc"])
        let family = try Recording(
            "/bin/sh", ["-c", "LD_PRELOAD=\(library) ls / > /dev/null; true"], options: ["--follow"])
        #expect(try family.report().trace.allocator == "glibc")
        let children = try family.followed()
        #expect(children.count == 1)
        for trace in children.values { #expect(try Recording.report(on: trace).trace.allocator == "jemalloc") }
    }

    @Test(.enabled(if: Machine.hasAllocator("jemalloc"), "jemalloc is not installed"))
    func `what was chosen keeps the name it was chosen by`() throws {
        let recording = try Recording("/bin/ls", ["/"], options: ["--allocator", "jemalloc"])
        #expect(try allocators(recording) == ["jemalloc"])
    }

    /// Says what its malloc gives for 12,345 bytes, which tells allocators apart.
    private static let usable = """
        #include <malloc.h>
        #include <stdio.h>
        #include <stdlib.h>
        int main(void) { printf("%zu\\n", malloc_usable_size(malloc(12345))); return 0; }
        """

    @Test(arguments: installed)
    func `glibc that is asked for serves a program that links or preloads another allocator`(name: String) throws {
        let library = try Machine.library(of: name)
        let plain = try ProgramBuilder.build(Self.usable, language: .c, arguments: ["-fno-builtin"])
        let linked = try ProgramBuilder.build(
            Self.usable, language: .c, arguments: ["-fno-builtin", "-Wl,--no-as-needed", library])
        let native = try runChecked(plain)
        #expect(try runChecked(linked) != native)
        for asked in ["glibc", "system"] {
            let recording = try Recording(linked, options: ["--allocator", asked])
            #expect(recording.result.stdout == native)
            #expect(try allocators(recording) == ["glibc"])
        }
        let preloaded = try Recording(
            plain, options: ["--allocator", "glibc"], environment: .inherited(adding: ["LD_PRELOAD": library]))
        #expect(preloaded.result.stdout == native)
        #expect(try allocators(preloaded) == ["glibc"])
        // Unless it is asked for, the program runs as it does by itself.
        let asItIs = try Recording(linked)
        #expect(asItIs.result.stdout != native)
        #expect(try allocators(asItIs) == [name])
    }

    @Test(.enabled(if: Machine.hasStaticJemalloc, "no static jemalloc here"))
    func `glibc that is asked for cannot replace an allocator inside the executable, which is said`() throws {
        let program = try ProgramBuilder.build(
            Self.usable, language: .c,
            arguments: ["-fno-builtin", "-l:libjemalloc.a", "-lstdc++", "-lm"])
        let recording = try Recording(program, options: ["--allocator", "glibc"])
        #expect(recording.result.status == .exited(69))
        #expect(recording.remarks.count == 1)
        #expect(recording.remarks[0].contains("carries its own allocator"))
    }
}
