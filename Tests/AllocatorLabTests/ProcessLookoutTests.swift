// What a running process is made of, and whose malloc its calls reach, told from outside on real processes.

import Glibc
import TestSupport
import Testing

@testable import AllocatorLab

@Suite struct ProcessLookoutTests {
    /// Starts a command line of the shell's and looks until a program of this name was seen through, or a minute is over.
    private func watch(
        _ script: String, until name: String, on allocator: Allocator = .system
    ) throws -> [SeenProgram] {
        let null = try NullDevice()
        var environment = RunSurroundings().environment
        environment = allocator.environment(over: environment)
        let child = try ChildProcess(
            ShellCommand(script).request(
                environment: environment, input: null.descriptor, output: null.descriptor, errors: null.descriptor))
        defer { child.killTree() }
        var lookout = ProcessLookout(process: child.pid)
        for _ in 0..<30_000 {
            lookout.look()
            let programs = lookout.programs()
            if programs.contains(where: { FileProbe.lastComponent($0.executable) == name }) { return programs }
            usleep(2000)
        }
        return []
    }

    private func program(_ name: String, _ arguments: [String] = []) throws -> String {
        let source = "#include <unistd.h>\nint main(void) { for (;;) pause(); }"
        return try ProgramBuilder.build(source, language: .c, name: name, arguments: arguments)
    }

    private func jemalloc() throws -> Allocator { try AllocatorCatalogue().resolve("jemalloc") }

    @Test func `a process's libraries are listed in the order in which symbols are looked up`() throws {
        let image = try #require(ProcessImage(process: getpid()))
        #expect(image.executable == FileProbe.link(at: "/proc/self/exe"))
        guard case .done(let objects) = image.loading else {
            Issue.record("\(image.loading)")
            return
        }
        #expect(objects.first == image.executable)
        #expect(objects.contains { $0.hasSuffix("/libc.so.6") })
        #expect(!image.hasOtherRights)
        #expect(ProcessImage(process: 0x7fff_fff0) == nil)
    }

    @Test func `what a shell starts is seen, with the C library's malloc`() throws {
        let path = try program("plain")
        let seen = try watch("'\(path)'; true", until: "plain")
        let plain = try #require(seen.first { $0.executable == FileProbe.resolved(path) })
        #expect(plain.allocator == .system(path: try #require(plain.systemLibrary)))
        #expect(plain.residentBytes > 0)
        #expect(plain.name == "plain")
        let folder = try TemporaryDirectory()
        try runChecked("ln", ["-s", path, folder.file("alias")])
        let alias = try watch("'\(folder.file("alias"))'; true", until: "plain")
        #expect(alias.last?.name == "alias")
    }

    @Test(.enabled(if: (try? AllocatorCatalogue().resolve("jemalloc")) != nil, "libjemalloc2 is not installed"))
    func `a preloaded library serves, unless the environment is cleared on the way`() throws {
        let path = try program("plain")
        let library = try #require(try jemalloc().libraryPath)
        let with = try watch("'\(path)'; true", until: "plain", on: jemalloc())
        #expect(with.last?.allocator == .library(name: "jemalloc", path: library))
        let without = try watch("env -i '\(path)'; true", until: "plain", on: jemalloc())
        guard case .system = try #require(without.last).allocator else {
            Issue.record("\(without)")
            return
        }
    }

    @Test(.enabled(if: (try? AllocatorCatalogue().resolve("jemalloc")) != nil, "libjemalloc2 is not installed"))
    func `a linked library serves, and one that is only loaded later does not`() throws {
        let library = try #require(try jemalloc().libraryPath)
        let linked = try watch("'\(try program("linked", ["-Wl,--no-as-needed", library]))'", until: "linked")
        guard case .library("jemalloc", _) = try #require(linked.last).allocator else {
            Issue.record("\(linked)")
            return
        }
        let source = """
            #include <dlfcn.h>
            #include <stdio.h>
            #include <unistd.h>
            int main(int count, char **arguments) {
                if (!dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL)) return 1;
                fclose(fopen(arguments[2], "w"));
                for (;;) pause();
            }
            """
        let late = try ProgramBuilder.build(source, language: .c, name: "late", arguments: ["-ldl"])
        let small = try ProgramBuilder.build(
            "void *malloc(unsigned long size) { return (void *)size; }", language: .c, name: "small.so",
            arguments: ["-shared", "-fPIC", "-fno-builtin"])
        let folder = try TemporaryDirectory()
        let seen = try watch(
            "'\(late)' '\(small)' '\(folder.file("loaded"))' & until test -e '\(folder.file("loaded"))'; do sleep 0.02; done; "
                + "exec '\(try program("over"))'", until: "over")
        let program = try #require(seen.first { FileProbe.lastComponent($0.executable) == "late" })
        #expect(program.allocator == .system(path: try #require(program.systemLibrary)))
    }

    @Test func `a static program has no loader, and one with an allocator of its own that one`() throws {
        let seen = try watch("'\(try program("fixed", ["-static"]))'", until: "fixed")
        #expect(seen.last?.allocator == .staticallyLinked)
        let source = """
            #include <stdlib.h>
            #include <unistd.h>
            void *malloc(size_t size) { static char block[4096]; return size < 4096 ? block : 0; }
            void free(void *block) {}
            int main(void) { for (;;) pause(); }
            """
        let own = try ProgramBuilder.build(source, language: .c, name: "own", arguments: ["-fno-builtin"])
        #expect(try watch("'\(own)'", until: "own").last?.allocator == .own(name: "malloc"))
    }

    @Test func `the time of a program does not count that of what its process was before`() throws {
        let path = try program("idle")
        let seen = try watch("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exec '\(path)'", until: "idle")
        let idle = try #require(seen.last)
        let shell = try #require(seen.first)
        #expect(idle.executable == FileProbe.resolved(path))
        #expect(shell.ticks > idle.ticks)
    }
}
