// Real programs, really started: what is measured, what they see, and which are refused.

import Glibc
import TestSupport
import Testing

@testable import AllocatorLab

@Suite struct ProgramLauncherTests {
    private func launcher(_ command: String...) throws -> ProgramLauncher {
        ProgramLauncher(try Program(finding: command))
    }

    @Test func `the peak resident set is the program's own and not the tool's`() throws {
        // This process is made larger than anything /bin/true needs; every page is written.
        let ballast = [UInt8](repeating: 1, count: 64 << 20)
        let small = try launcher("true").measure(on: .system)
        #expect(small.peakResidentBytes < 16 << 20)
        #expect(small.peakResidentBytes > 100 << 10)
        #expect(ballast[12345] == 1)

        let source = """
            #include <stdlib.h>
            #include <string.h>
            int main(void) { volatile char *p = malloc(100 << 20); memset((char *)p, 1, 100 << 20); return p[77] - 1; }
            """
        let large = try launcher(ProgramBuilder.build(source, language: .c, arguments: ["-O0"])).measure(on: .system)
        #expect(large.outcome == .exited(0))
        #expect(large.peakResidentBytes > 100 << 20)
        #expect(large.peakResidentBytes < 116 << 20)
        #expect(large.minorFaults > small.minorFaults)
    }

    @Test func `children that the program waits for are in its processor time`() throws {
        let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
        let usage = try launcher("sh", "-c", "(\(busy)); true").measure(on: .system)
        #expect(usage.cpuNanoseconds > 1_000_000)
        #expect(usage.wallNanoseconds > 1_000_000)
    }

    @Test func `time and switches are charged to what they were`() throws {
        let source = """
            #include <stdlib.h>
            #include <unistd.h>
            int main(int count, char **arguments) {
                if (count > 1) for (int i = 0; i < 200; i++) usleep(500);
                else for (volatile long i = 0; i < 200000000; i = i + 1) {}
                return 0;
            }
            """
        let program = try ProgramBuilder.build(source, language: .c, name: "spender", arguments: ["-O0"])
        let busy = try launcher(program).measure(on: .system)
        #expect(busy.userNanoseconds > busy.systemNanoseconds)
        let idle = try launcher(program, "sleeps").measure(on: .system)
        #expect(idle.voluntarySwitches >= 200)
        // Its pages are in the cache since it was just built and run.
        #expect(idle.minorFaults > idle.majorFaults)
    }

    @Test func `the last line is cut to what fits a message`() throws {
        let pipe = try OutputPipe()
        let text = Array("first\n\(String(repeating: "x", count: 300))\n \n".utf8)
        #expect(write(pipe.sink, text, text.count) == text.count)
        pipe.closeSink()
        pipe.drain()
        #expect(pipe.lastLine == "…" + String(repeating: "x", count: 159))
        #expect(pipe.beginning.hasPrefix("first\nxxx"))
        #expect(pipe.fingerprint.count == UInt64(text.count))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can make a program that runs with another user's rights"))
    func `a program with another user's rights is refused, and seen where a shell starts it`() throws {
        let directory = try TemporaryDirectory()
        let program = try ProgramBuilder.build(
            "#include <unistd.h>\nint main(void) { return usleep(500000); }", language: .c, name: "other")
        try runChecked("cp", [program, directory.file("other")])
        try runChecked("chmod", ["755", directory.path])
        #expect(chown(directory.file("other"), 65534, 65534) == 0)
        #expect(chmod(directory.file("other"), 0o4755) == 0)
        let error = #expect(throws: ProgramError.self) { try Program(finding: [directory.file("other")]) }
        #expect(error?.exitStatus == 69)
        #expect(error?.description.contains("set-user-id") == true)
        let folder = try TemporaryDirectory()
        let library = try ProgramBuilder.build(
            testProgram: "malloc-wrapper.c", language: .c, arguments: ["-shared", "-fPIC", "-D_GNU_SOURCE"])
        try runChecked("cp", [library, folder.file("own.so")])
        let own = Allocator(name: "own", libraryPath: folder.file("own.so"))
        let seen = try launcher("sh", "-c", "'\(directory.file("other"))'; true").rehearse(on: own).programs
        #expect(seen.last?.name == "other")
        #expect(seen.last?.hasOtherRights == true)
        #expect(AllocatorPlacement(of: Array(seen.suffix(1)), on: own).failure?.contains("with other rights") == true)
    }

    @Test func `exit statuses and signals are told apart`() throws {
        #expect(try launcher("sh", "-c", "exit 9").measure(on: .system).outcome == .exited(9))
        #expect(try launcher("sh", "-c", "kill -ABRT $$").measure(on: .system).outcome == .signaled(6))
    }

    @Test func `the program starts with no signal blocked and a broken pipe still ends it`() throws {
        let clean = "grep -q '^SigBlk:.0*$' /proc/self/status && (yes | head -n 1 >/dev/null; exit 0)"
        #expect(try launcher("sh", "-c", clean).measure(on: .system).outcome == .exited(0))
        // Bit 12 of the mask of ignored signals is SIGPIPE's: the hexadecimal digit fourth from the right is even.
        let pipe = "grep -q '^SigIgn:.*[02468ace]...$' /proc/self/status"
        #expect(try launcher("sh", "-c", pipe).measure(on: .system).outcome == .exited(0))
    }

    @Test func `the fingerprint is that of the whole standard output`() throws {
        var expected = OutputFingerprint()
        expected.append([UInt8](repeating: 0, count: 3_000_000))
        #expect(try launcher("head", "-c", "3000000", "/dev/zero").rehearse(on: .system).output == expected)
    }

    @Test func `what is measured writes to nothing, or to a pipe that is read`() throws {
        var surroundings = RunSurroundings()
        let program = try Program(finding: ["sh", "-c", "test -p /dev/stdout && head -c 3000000 /dev/zero"])
        #expect(try ProgramLauncher(program, in: surroundings).measure(on: .system).outcome == .exited(1))
        surroundings.readsOutput = true
        #expect(try ProgramLauncher(program, in: surroundings).measure(on: .system).outcome == .exited(0))
    }

    @Test func `a process left behind does not hold the fingerprint up`() throws {
        var expected = OutputFingerprint()
        expected.append("x\n".utf8)
        let clock = ContinuousClock()
        let began = clock.now
        #expect(try launcher("sh", "-c", "sleep 600 & echo x; exit 0").rehearse(on: .system).output == expected)
        // Not a timing of ours: the alternative is ten minutes.
        #expect(clock.now - began < .seconds(300))
    }

    @Test(.enabled(if: (try? AllocatorCatalogue().resolve("jemalloc")) != nil, "libjemalloc2 is not installed"))
    func `the allocator's library is in the program's address space`() throws {
        let jemalloc = try AllocatorCatalogue().resolve("jemalloc")
        let search = "grep -q libjemalloc /proc/self/maps"
        #expect(try launcher("sh", "-c", search).measure(on: jemalloc).outcome == .exited(0))
        #expect(try launcher("sh", "-c", search).measure(on: .system).outcome == .exited(1))
    }

    @Test func `the allocator goes before the user's own preloads`() {
        let allocator = Allocator(name: "x", libraryPath: "/x.so")
        #expect(allocator.environment(over: ["A=1"]) == ["A=1", "LD_PRELOAD=/x.so"])
        #expect(
            allocator.environment(over: ["LD_PRELOAD=/own.so", "A=1"]) == [
                "A=1", "LD_PRELOAD=/x.so /own.so",
            ])
        #expect(Allocator.system.environment(over: ["LD_PRELOAD=/own.so"]) == ["LD_PRELOAD=/own.so"])
    }

    @Test func `a missing program, one that is not executable and a folder are refused`() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("#!/bin/sh\n", to: "plain")
        func status(_ name: String) -> Int32? {
            #expect(throws: ProgramError.self) { try Program(finding: [name]) }?.exitStatus
        }
        #expect(status("no-such-program-at-all") == 66)
        #expect(status(directory.file("absent")) == 66)
        #expect(status(file) == 69)
        #expect(status(directory.path) == 69)
    }

    @Test func `a static program is refused, for no allocator can be put under it`() throws {
        let program = try ProgramBuilder.build("int main(void) { return 0; }", language: .c, arguments: ["-static"])
        let error = #expect(throws: ProgramError.self) { try Program(finding: [program]) }
        #expect(error?.exitStatus == 69)
        #expect(error?.description.contains("static") == true)
    }

    @Test func `a program with an allocator of its own is refused, one that only calls malloc is not`() throws {
        func program(_ definition: String) throws -> Program {
            let source = "#include <stdlib.h>\n\(definition)\nint main(void) { free(malloc(1)); return 0; }"
            return try Program(finding: [ProgramBuilder.build(source, language: .c, arguments: ["-fno-builtin"])])
        }
        _ = try program("")
        for (name, allocator) in [("malloc", "malloc"), ("_rjem_malloc", "jemalloc"), ("mi_malloc", "mimalloc")] {
            let error = #expect(throws: ProgramError.self) {
                try program("void *\(name)(size_t size) { static char block[64]; return size < 64 ? block : 0; }")
            }
            #expect(error?.exitStatus == 69)
            #expect(error?.description.contains("(\(allocator))") == true)
        }
    }

    @Test func `a script is judged by its interpreter`() throws {
        let directory = try TemporaryDirectory()
        let program = try ProgramBuilder.build("int main(void) { return 0; }", language: .c, arguments: ["-static"])
        let good = try directory.write("#!/bin/sh\nexit 4\n", to: "good", executable: true)
        let bad = try directory.write("#!\(program)\n", to: "bad", executable: true)
        #expect(try launcher(good).measure(on: .system).outcome == .exited(4))
        #expect(throws: ProgramError.self) { try Program(finding: [bad]) }
    }

    @Test func `a file the kernel cannot run is an error with its reason`() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("no format the kernel knows", to: "odd", executable: true)
        #expect(throws: LaunchError(action: file, code: 8)) { try launcher(file).measure(on: .system) }
    }
}
