// The test helpers' own tests: what the process runner and the program builder promise every other test.

import TestSupport
import Testing

@Suite struct ProcessRunnerTests {
    @Test func `standard output, standard error and the exit status arrive apart`() throws {
        let result = try run("sh", ["-c", "echo out; echo err >&2; exit 7"])
        #expect(result.stdout == "out\n")
        #expect(result.stderr == "err\n")
        #expect(result.status == .exited(7))
        #expect(!result.timedOut)
    }

    @Test func `a signal that ended the program is named`() throws {
        #expect(try run("sh", ["-c", "kill -SEGV $$"]).status == .signaled(11))
    }

    @Test func `ten megabytes on both streams do not block the program`() throws {
        let script = "head -c 10000000 /dev/zero; head -c 10000000 /dev/zero >&2"
        let result = try run("sh", ["-c", script])
        #expect(result.stdoutBytes.count == 10_000_000)
        #expect(result.stderrBytes.count == 10_000_000)
    }

    @Test func `standard input is the given bytes`() throws {
        #expect(try run("cat", stdin: Array("a\nb".utf8)).stdout == "a\nb")
        #expect(try run("cat").stdout == "")
    }

    @Test func `a program that outlives its timeout is killed with its children and says so`() throws {
        let result = try run("sh", ["-c", "sleep 600 & echo $!; wait"], timeout: 0.3)
        #expect(result.timedOut)
        #expect(result.status == .signaled(9))
        let child = try #require(Int32(result.stdout.dropLast()))
        // Gone, or a zombie where nothing reaps orphans; given a moment, for the kill is asynchronous.
        let script = """
            for i in 1 2 3 4 5 6 7 8 9; do
                grep -q '^State:.[^Z]' /proc/\(child)/status 2>/dev/null || exit 0
                sleep 0.2
            done
            exit 1
            """
        #expect(try run("sh", ["-c", script]).status == .exited(0))
    }

    @Test func `a grandchild that keeps the output open does not hold the runner up`() throws {
        let result = try run("sh", ["-c", "sleep 2 & echo done"], timeout: 1.5)
        #expect(result.stdout == "done\n")
        #expect(!result.timedOut)
    }

    @Test func `preloads and settings of the profiler are not inherited unless they are added`() throws {
        let script = "echo \"[$LD_PRELOAD][$HEAPTRAIL_OUTPUT][$ADDED][$PATH]\""
        let result = try run(
            "/bin/sh", ["-c", script], environment: .inherited(adding: ["ADDED": "yes"], removing: ["PATH"]))
        #expect(result.stdout.hasPrefix("[][][yes]["))
        #expect(try run("/usr/bin/env", environment: .exactly(["ONLY": "1"])).stdout == "ONLY=1\n")
    }

    @Test func `the working directory is the given one`() throws {
        #expect(try run("pwd", workingDirectory: "/usr").stdout == "/usr\n")
    }

    @Test func `a program that does not exist is an error that names it`() throws {
        #expect(throws: TestSupportError.self) { try run("no-such-program-at-all") }
    }

    @Test func `a source is compiled once for each content`() throws {
        let one = try ProgramBuilder.build("int main(void) { return 3; }", language: .c)
        let again = try ProgramBuilder.build("int main(void) { return 3; }", language: .c)
        let other = try ProgramBuilder.build("int main(void) { return 4; }", language: .c)
        #expect(one == again)
        #expect(one != other)
        #expect(try run(one).exitStatus == 3)
        #expect(try run(other).exitStatus == 4)
    }

    @Test func `a source that does not compile is an error with the compiler's words`() throws {
        let error = try #require(throws: TestSupportError.self) {
            try ProgramBuilder.build("int main(void) { return undeclared_name; }", language: .c)
        }
        #expect(error.description.contains("undeclared_name"))
    }
}
