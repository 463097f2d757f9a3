// How `heaptrail compare` ends, and that nothing of what it started goes on after it.

import TestSupport
import Testing

@Suite(.enabled(if: CompareTool.isBuilt, CompareTool.notBuilt))
struct CompareEndTests {
    private func compare(_ arguments: String..., stdin: [UInt8] = []) throws -> ProcessResult {
        try CompareTool.run(arguments, stdin: stdin)
    }

    @Test func `what the program leaves behind is ended and told`() throws {
        let folder = try TemporaryDirectory()
        let result = try compare(
            "--allocators", "glibc", "-r", "1", "--", "sh", "-c",
            "sleep 600 & echo $! >> '\(folder.file("pids"))'; exit 0")
        #expect(result.status == .exited(0))
        #expect(result.stderr.contains("glibc: the program leaves processes behind (sleep): they were ended"))
        let processes = String(decoding: try folder.read("pids"), as: UTF8.self).split(separator: "\n")
        #expect(processes.count == 2)
        for process in processes { #expect(try !run("test", ["-e", "/proc/\(process)"]).isSuccess) }
    }

    @Test func `the tool may be started with signals ignored and descriptors closed`() throws {
        let tool = try BuildProducts.heaptrail()
        let script = """
            env --ignore-signal=CHLD '\(tool)' compare --allocators glibc -r 1 -- sh -c 'exit 0' >&2 || exit 1
            '\(tool)' compare --allocators glibc -r 1 -- sh -c 'test "$(cat)" = ""' <&- >&2 || exit 2
            # Bit 12 is SIGPIPE's.
            env --ignore-signal=PIPE '\(tool)' compare --allocators glibc -r 1 -- \
                grep -q '^SigIgn:.*[02468ace]...$' /proc/self/status >&2 || exit 3
            '\(tool)' compare --json --allocators glibc -r 1 -- true <&- 2>&-
            """
        let result = try run("sh", ["-c", script])
        #expect(result.status == .exited(0), "\(result.stderr)")
        #expect(result.stdout.contains("heaptrail.compare/1"))
    }

    @Test func `a run that takes longer than it may is killed, and so is what it started`() throws {
        let folder = try TemporaryDirectory()
        let script = "sleep 600 & echo $! >> '\(folder.file("pids"))'; wait"
        let result = try compare(
            "--allocators", "glibc", "-r", "1", "--timeout", "0.3", "--", "sh", "-c", script)
        #expect(result.status == .exited(1))
        #expect(result.stderr.contains("the program took more than 0.3 s (--timeout) and was killed"))
        let processes = String(decoding: try folder.read("pids"), as: UTF8.self).split(separator: "\n")
        #expect(processes.count == 1)
        for process in processes { #expect(try !run("test", ["-e", "/proc/\(process)"]).isSuccess) }
        let driven = try compare(
            "--allocators", "glibc", "-r", "1", "--timeout", "0.3", "--drive", "sleep 600", "--ready", "true", "--",
            "sleep", "601")
        #expect(driven.status == .exited(1))
        #expect(driven.stderr.contains("the drive command took more than 0.3 s (--timeout) and was killed"))
    }

    /// Starts a comparison of a server in the background, sends it a signal when the server runs, and says how it ended and
    /// whether the server goes on.
    private func interrupted(by signal: String, drive: Bool) throws -> (status: String, serverGoesOn: String) {
        let folder = try TemporaryDirectory()
        let tool = try BuildProducts.heaptrail()
        let server = try ProgramBuilder.build(
            testProgram: "driven_server.c", language: .c, arguments: ["-D_GNU_SOURCE"])
        let socket = folder.file("socket")
        let options = drive ? "--drive 'sleep 600'" : ""
        let script = """
            env --default-signal=INT,TERM,HUP '\(tool)' compare --allocators glibc \(options) -- '\(server)' serve '\(socket)' &
            tool=$!
            until test -S '\(socket)'; do sleep 0.02; done
            sleep 0.2
            kill -\(signal) $tool
            wait $tool
            echo $?
            for i in 1 2 3 4 5 6 7 8 9 10; do
                grep -q '^State:.[^Z]' /proc/$(cat '\(socket).pid')/status 2>/dev/null || exit 0
                sleep 0.2
            done
            echo goes on
            """
        let lines = try run("sh", ["-c", script]).stdout.split(separator: "\n")
        return (String(lines.first ?? ""), String(lines.dropFirst().first ?? ""))
    }

    @Test(arguments: [("INT", "130"), ("TERM", "143"), ("HUP", "129"), ("KILL", "137")], [true, false])
    func `a signal ends the tool with its status, and the program with it`(
        signal: (name: String, status: String), drive: Bool
    ) throws {
        let end = try interrupted(by: signal.name, drive: drive)
        #expect(end.status == signal.status)
        #expect(end.serverGoesOn == "")
    }

    /// Starts a comparison whose shell command starts `sleep`, sends the tool a signal, or the process that works for it, and
    /// says how it ended and whether the sleep goes on.
    private func interruptedShell(
        by signal: String, options: String, toWorker: Bool = false
    ) throws -> (status: String, sleepGoesOn: String) {
        let folder = try TemporaryDirectory()
        let tool = try BuildProducts.heaptrail()
        let server = try ProgramBuilder.build(
            testProgram: "driven_server.c", language: .c, arguments: ["-D_GNU_SOURCE"])
        let words = options.replacing("SLEEP", with: "sleep 600 & echo $! > \(folder.file("pid")); wait; true")
            .replacing("SERVER", with: "\(server) serve \(folder.file("socket"))")
        let target = toWorker ? "$(cat /proc/$tool/task/$tool/children)" : "$tool"
        let script = """
            env --default-signal=INT,TERM,HUP '\(tool)' compare --allocators glibc \(words) &
            tool=$!
            until test -s '\(folder.file("pid"))'; do sleep 0.02; done
            kill -\(signal) \(target)
            wait $tool
            echo $?
            for i in 1 2 3 4 5 6 7 8 9 10; do
                grep -q '^State:.[^Z]' /proc/$(cat '\(folder.file("pid"))')/status 2>/dev/null || exit 0
                sleep 0.2
            done
            echo goes on
            """
        let lines = try run("sh", ["-c", script]).stdout.split(separator: "\n")
        return (String(lines.first ?? ""), String(lines.dropFirst().first ?? ""))
    }

    @Test(
        arguments: [("INT", "130"), ("TERM", "143"), ("HUP", "129"), ("KILL", "137")],
        ["--drive 'SLEEP' -- SERVER", "-- sh -c 'SLEEP'", "--setup 'SLEEP' -- true"])
    func `a signal ends what a shell started for the tool, too`(
        signal: (name: String, status: String), options: String
    ) throws {
        let end = try interruptedShell(by: signal.name, options: options)
        #expect(end.status == signal.status)
        #expect(end.sleepGoesOn == "")
    }

    @Test(arguments: ["--drive 'SLEEP' -- SERVER", "-- sh -c 'SLEEP'"])
    func `nothing goes on where the process that works for the tool is killed`(options: String) throws {
        let end = try interruptedShell(by: "KILL", options: options, toWorker: true)
        #expect(end.status == "137")
        #expect(end.sleepGoesOn == "")
    }

    @Test func `a signal while a server is ended ends the tool`() throws {
        let folder = try TemporaryDirectory()
        let tool = try BuildProducts.heaptrail()
        let server = try ProgramBuilder.build(
            testProgram: "driven_server.c", language: .c, arguments: ["-D_GNU_SOURCE"])
        // The server ignores the SIGTERM that follows the command, for ten seconds.
        let script = """
            env --default-signal=INT '\(tool)' compare --allocators glibc \
                --drive 'touch \(folder.file("driven"))' -- '\(server)' serve '\(folder.file("socket"))' stubborn &
            tool=$!
            until test -e '\(folder.file("driven"))'; do sleep 0.02; done
            sleep 1
            kill -INT $tool
            wait $tool
            echo $?
            """
        #expect(try run("sh", ["-c", script]).stdout == "130\n")
    }

    @Test(arguments: ["-- sh -c 'SERVER serve SOCKET; true'", "-- sh -c 'SERVER serve SOCKET & wait'"])
    func `the figures of a server that a shell starts are the server's`(options: String) throws {
        let folder = try TemporaryDirectory()
        let server = try ProgramBuilder.build(
            testProgram: "driven_server.c", language: .c, arguments: ["-D_GNU_SOURCE"])
        let words = options.replacing("SERVER", with: server).replacing("SOCKET", with: folder.file("socket"))
        let script =
            "'\(try BuildProducts.heaptrail())' compare --json --allocators glibc -r 2 "
            + "--drive '\(server) drive \(folder.file("socket"))' \(words)"
        let result = try run("sh", ["-c", script])
        #expect(result.status == .exited(0), "\(result.stderr)")
        let row = try #require(CompareTool.rows(of: result).first)
        let peak = try #require(row["peak_rss_bytes"] as? [String: Double])
        #expect(try #require(peak["min"]) > Double(32 << 20))
        #expect(try #require((row["minor_faults"] as? [String: Double])?["min"]) > Double(32 << 20) / 4096 / 600)
    }

    /// A program that leaves a process of 32 MiB running.
    private func leaver() throws -> String {
        let source = """
            #include <stdlib.h>
            #include <string.h>
            #include <unistd.h>
            int main(void) {
                int ready[2];
                char byte;
                if (pipe(ready) != 0) return 1;
                if (fork() > 0) return read(ready[0], &byte, 1) != 1;
                memset(malloc(32 << 20), 1, 32 << 20);
                if (write(ready[1], "", 1) != 1) return 1;
                for (;;) pause();
            }
            """
        return try ProgramBuilder.build(source, language: .c, name: "leaver", arguments: ["-O0"])
    }

    @Test func `what the command that sets a run up leaves is ended, and not the program's`() throws {
        let folder = try TemporaryDirectory()
        let setup = "'\(try leaver())'; sleep 600 & echo $! >> \(folder.file("pids"))"
        let result = try compare("--json", "--allocators", "glibc", "-r", "2", "--setup", setup, "--", "true")
        #expect(result.status == .exited(0))
        #expect(result.stderr == "")
        let row = try #require(CompareTool.rows(of: result).first)
        #expect(try #require((row["peak_rss_bytes"] as? [String: Double])?["max"]) < Double(16 << 20))
        let processes = String(decoding: try folder.read("pids"), as: UTF8.self).split(separator: "\n")
        #expect(processes.count == 3)
        for process in processes { #expect(try !run("test", ["-e", "/proc/\(process)"]).isSuccess) }
    }

    @Test func `what a program leaves running is in its figures`() throws {
        let result = try compare("--json", "--allocators", "glibc", "-r", "1", "--", leaver())
        #expect(result.status == .exited(0))
        #expect(result.stderr.contains("(leaver): they were ended"), "\(result.stderr)")
        let row = try #require(CompareTool.rows(of: result).first)
        #expect(try #require((row["peak_rss_bytes"] as? [String: Double])?["min"]) > Double(32 << 20))
    }

    @Test func `a daemon that a server leaves behind is ended`() throws {
        let folder = try TemporaryDirectory()
        let server = try ProgramBuilder.build(
            testProgram: "driven_server.c", language: .c, arguments: ["-D_GNU_SOURCE"])
        let result = try compare(
            "--allocators", "glibc", "-r", "1", "--drive", "true", "--", server, "serve", folder.file("socket"),
            "daemon")
        #expect(result.status == .exited(1))
        #expect(result.stderr.contains("have it stay in the foreground"))
        let process = String(decoding: try folder.read("socket.pid"), as: UTF8.self).dropLast()
        #expect(!process.isEmpty)
        #expect(try !run("test", ["-e", "/proc/\(process)"]).isSuccess)
    }
}
