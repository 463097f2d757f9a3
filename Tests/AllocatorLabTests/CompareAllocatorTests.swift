// That the rows of `heaptrail compare` are those of their allocators, or that the tool says what they are.

import AllocatorLab
import TestSupport
import Testing

@Suite(.enabled(if: CompareTool.isBuilt, CompareTool.notBuilt))
struct CompareAllocatorTests {
    private func compare(_ arguments: String..., stdin: [UInt8] = []) throws -> ProcessResult {
        try CompareTool.run(arguments, stdin: stdin)
    }

    @Test func `an allocator that cannot be had leaves the other rows alone`() throws {
        let result = try compare("--allocators", "glibc,/no/such.so,jemaloc", "--runs", "1", "--", "true")
        #expect(result.status == .exited(66))
        #expect(
            result.stdout.split(separator: "\n").filter { $0.hasPrefix("  jemaloc ") && $0.hasSuffix("–") }.count == 2)
        #expect(
            result.stderr == """
                heaptrail: /no/such.so: no such allocator library
                heaptrail: unknown allocator 'jemaloc': use glibc, jemalloc, mimalloc, tcmalloc or a path with a slash

                """)
    }

    @Test func `options of an allocator reach the program in a row of their own`() throws {
        let script = "test \"$A\" = 1,2 -a \"$B\" = x || test -z \"$A$B\""
        let result = try compare(
            "--allocators", "glibc", "--allocator", "glibc:A=1,2 B=x", "--runs", "1", "--", "sh", "-c", script)
        #expect(result.status == .exited(0), "\(result.stderr)")
        #expect(result.stdout.contains("\n  glibc:A=1,2 B=x "))
        let other = try compare(
            "--allocators", "glibc:A=2", "--runs", "1", "--", "sh", "-c", "test \"$A\" = 2; exit $?")
        #expect(other.status == .exited(0))
    }

    @Test(.enabled(if: (try? AllocatorCatalogue().resolve("jemalloc")) != nil, "libjemalloc2 is not installed"))
    func `a program that links an allocator runs on the C library's all the same`() throws {
        let jemalloc = try #require(try AllocatorCatalogue().resolve("jemalloc").libraryPath)
        let source = """
            #include <malloc.h>
            #include <stdlib.h>
            int main(void) {
                void *volatile block = malloc(1000);
                // glibc's heap grows by it, jemalloc's does not touch glibc's.
                return !!mallinfo2().uordblks != (getenv("WANTS_GLIBC") != NULL);
            }
            """
        let program = try ProgramBuilder.build(
            source, language: .c, arguments: ["-O0", "-fno-builtin", "-D_GNU_SOURCE", "-Wl,--no-as-needed", jemalloc])
        #expect(try run(program).status == .exited(0))
        let result = try compare("--allocators", "glibc:WANTS_GLIBC=1,jemalloc", "-r", "1", "--", program)
        #expect(result.status == .exited(0), "\(result.stderr)")
        #expect(result.stderr.hasPrefix("heaptrail: the program has jemalloc already ("))
    }

    @Test(.enabled(if: (try? AllocatorCatalogue().resolve("jemalloc")) != nil, "libjemalloc2 is not installed"))
    func `a program that links an allocator and is started by a shell runs on the C library's all the same`() throws {
        let jemalloc = try #require(try AllocatorCatalogue().resolve("jemalloc").libraryPath)
        let source = """
            #include <malloc.h>
            #include <stdlib.h>
            #include <unistd.h>
            int main(void) {
                void *volatile block = malloc(1000);
                usleep(500000);  // Long enough to be looked at.
                return !!mallinfo2().uordblks != (getenv("WANTS_GLIBC") != NULL);
            }
            """
        let program = try ProgramBuilder.build(
            source, language: .c, name: "linked",
            arguments: ["-O0", "-fno-builtin", "-D_GNU_SOURCE", "-Wl,--no-as-needed", jemalloc])
        let result = try compare(
            "--allocators", "glibc:WANTS_GLIBC=1,jemalloc", "-r", "1", "--", "sh", "-c", "'\(program)'; exit $?")
        #expect(result.status == .exited(0), "\(result.stderr)")
        #expect(result.stderr.hasPrefix("heaptrail: linked has jemalloc already ("))
    }

    @Test(.enabled(if: (try? AllocatorCatalogue().resolve("jemalloc")) != nil, "libjemalloc2 is not installed"))
    func `a program that the preload does not reach yields no figures`() throws {
        let source = """
            #include <stdlib.h>
            #include <string.h>
            #include <unistd.h>
            int main(void) { memset(malloc(8 << 20), 1, 8 << 20); usleep(500000); return 0; }
            """
        let plain = try ProgramBuilder.build(source, language: .c, name: "plain", arguments: ["-O0"])
        let fixed = try ProgramBuilder.build(source, language: .c, name: "fixed", arguments: ["-O0", "-static"])
        for (script, reason) in [
            ("env -i '\(plain)'; true", "plain does not run on it: the library was not preloaded"),
            ("'\(fixed)'; true", "fixed does not run on it: it is statically linked"),
        ] {
            let result = try compare("--allocators", "glibc,jemalloc", "-r", "1", "--", "sh", "-c", script)
            #expect(result.status == .exited(1))
            #expect(result.stderr.hasPrefix("heaptrail: jemalloc: 2 of 2 runs failed: \(reason)"), "\(result.stderr)")
            #expect(
                result.stdout.split(separator: "\n").filter { $0.hasPrefix("  jemalloc ") && $0.hasSuffix("–") }.count
                    == 2)
        }
    }

    @Test func `an allocator's library is found from whatever folder the program goes to`() throws {
        let folder = try TemporaryDirectory()
        let library = try ProgramBuilder.build(
            testProgram: "malloc-wrapper.c", language: .c, arguments: ["-shared", "-fPIC", "-D_GNU_SOURCE"])
        try runChecked("cp", [library, folder.file("own.so")])
        let result = try run(
            BuildProducts.heaptrail(),
            [
                "compare", "--allocators", "./own.so", "-r", "1", "--", "sh", "-c",
                "cd / && grep -q /own.so /proc/self/maps",
            ],
            workingDirectory: folder.path)
        #expect(result.status == .exited(0), "\(result.stderr)")
    }

    @Test func `a library that the loader refuses yields no figures`() throws {
        let folder = try TemporaryDirectory()
        let empty = try ProgramBuilder.build("", language: .c, name: "gone.so", arguments: ["-shared", "-fPIC"])
        try runChecked("cp", [empty, folder.file("gone.so")])
        let library = try ProgramBuilder.build(
            "void *malloc(unsigned long size) { return (void *)size; }", language: .c, name: "needy.so",
            arguments: ["-shared", "-fPIC", "-fno-builtin", "-Wl,--no-as-needed", folder.file("gone.so")])
        try runChecked("rm", [folder.file("gone.so")])
        let result = try compare("--allocators", "glibc,\(library)", "-r", "1", "--", "true")
        #expect(result.status == .exited(1))
        #expect(result.stderr.contains("\(library): 2 of 2 runs "), "\(result.stderr)")
        #expect(result.stdout.split(separator: "\n").filter { $0.hasPrefix("  glibc ") }.count == 2)
    }
}
