// Servers, really started and driven: whose figures are reported, what goes wrong, and that nothing is left behind.

internal import Glibc
import TestSupport
import Testing

@testable import AllocatorLab

@Suite struct ServerRunnerTests {
    private let folder: TemporaryDirectory
    private let program: String
    private var socket: String { folder.file("socket") }

    init() throws {
        folder = try TemporaryDirectory()
        program = try ProgramBuilder.build(testProgram: "driven_server.c", language: .c, arguments: ["-D_GNU_SOURCE"])
    }

    private func server(
        _ manner: String = "", drive: String? = nil, readiness: Readiness = .listening, secondsToReady: Double = 60,
        setup: String? = nil, secondsToEnd: Double = 60
    ) throws -> ServerRunner {
        var surroundings = RunSurroundings(setup: setup.map { ShellCommand($0) })
        surroundings.secondsToEnd = secondsToEnd
        return ServerRunner(
            try Program(finding: [program, "serve", socket] + (manner.isEmpty ? [] : [manner])),
            drive: ShellCommand(drive ?? "'\(program)' drive '\(socket)'"), readiness: readiness,
            secondsToReady: secondsToReady, in: surroundings)
    }

    /// Whether none of the processes that the server noted goes on; a zombie that nobody reaps is none of ours. They get a
    /// moment, for a kill is asynchronous.
    private func allHaveEnded() throws -> Bool {
        let noted = String(decoding: try folder.read("socket.pid"), as: UTF8.self).split(separator: "\n")
        #expect(!noted.isEmpty)
        for _ in 0..<500 {
            let hasEnded = noted.allSatisfy { process in
                let status = FileProbe.text(of: "/proc/\(process)/stat") ?? ""
                return status.isEmpty || status.contains(") Z ") || status.contains(") X ")
            }
            if hasEnded { return true }
            usleep(20_000)
        }
        return false
    }

    @Test func `the memory is the server's and so is what it holds after it was driven`() throws {
        let run = try server().measure(on: .system)
        #expect(run.outcome == .exited(0))
        #expect(run.peakResidentBytes > 32 << 20)
        #expect(run.peakResidentBytes < 48 << 20)
        #expect((run.residentAfterDrive ?? 0) > 32 << 20)
        #expect(run.resident.peak >= run.residentAfterDrive ?? .max)
        #expect(run.minorFaults > (32 << 20) / 4096 / 600)
        #expect(run.cpuNanoseconds > 0)
        #expect(run.wallNanoseconds > 0)
        #expect(try allHaveEnded())
    }

    @Test func `the time is the command's, not that of the server's start and end`() throws {
        let run = try server(drive: "sleep 0.3", readiness: Readiness("sleep 1")).measure(on: .system)
        #expect(run.outcome == .exited(0))
        #expect(run.wallNanoseconds >= 300_000_000)
        // The readings go on from the server's start to the command's end, and so over the second before it.
        let end = try #require(run.resident.end).nanoseconds
        #expect(run.wallNanoseconds + 1_000_000_000 <= end)
    }

    @Test func `the output that is compared is the command's`() throws {
        let rehearsal = try server().rehearse(on: .system)
        var expected = OutputFingerprint()
        expected.append("answered\n".utf8)
        var plain = rehearsal
        plain.programs = []
        #expect(plain == Rehearsal(outcome: .exited(0), output: expected))
        #expect(rehearsal.programs.map(\.executable) == [FileProbe.resolved(program)])
        guard case .system = try #require(rehearsal.programs.first).allocator else {
            Issue.record("\(rehearsal.programs)")
            return
        }
    }

    @Test func `a server that crashes when it is to end is told`() throws {
        let run = try server("falls").measure(on: .system)
        #expect(run.outcome == .broken("the server was ended by signal 6 while it was driven or when it was to end"))
    }

    @Test func `a server that has much to say while a command asks for it is heard`() throws {
        let ready = "until test -S '\(socket)'; do sleep 0.02; done"
        #expect(try server("chatty", readiness: Readiness(ready)).rehearse(on: .system).outcome == .exited(0))
    }

    @Test func `a command that asks for a server that has ended is ended`() throws {
        let absent = ServerRunner(
            try Program(finding: ["false"]), drive: ShellCommand("true"), readiness: Readiness("sleep 600"),
            secondsToReady: 600)
        #expect(
            try absent.measure(on: .system).outcome == .broken("the server exited with status 1 before it was ready"))
    }

    @Test func `the resident set is that of all the server's processes together, and all of them are ended`() throws {
        let run = try server("workers").measure(on: .system)
        #expect(run.outcome == .exited(0))
        #expect(run.peakResidentBytes < 48 << 20)
        #expect(run.resident.peak > 64 << 20)
        #expect(try allHaveEnded())
    }

    @Test func `a server that crashes while it is driven is told, with its last word`() throws {
        let rehearsal = try server("crash").rehearse(on: .system)
        #expect(rehearsal.outcome == .broken("the server was ended by signal 6 while it was driven"))
        #expect(rehearsal.complaint == "about to crash")
        #expect(try server("crash").measure(on: .system).outcome == rehearsal.outcome)
    }

    @Test func `a command that waits for ever for a server that has ended is ended`() throws {
        let drive = "'\(program)' drive '\(socket)'; sleep 600"
        let run = try server("crash", drive: drive).measure(on: .system)
        #expect(run.outcome == .broken("the server was ended by signal 6 while it was driven"))
    }

    @Test func `a server that goes to the background is told to stay`() throws {
        let run = try server("daemon").measure(on: .system)
        #expect(
            run.outcome
                == .broken(
                    "the server exited with status 0 before it was ready; if it goes to the background, have it stay "
                        + "in the foreground"))
        // Without adopting orphans, which a test process must not, the daemon is this test's to end.
        for process in String(decoding: try folder.read("socket.pid"), as: UTF8.self).split(separator: "\n") {
            if let process = Int32(process) { kill(process, SIGKILL) }
        }
    }

    @Test func `a server that never listens is given up, and ended`() throws {
        let rehearsal = try server("deaf", secondsToReady: 2).rehearse(on: .system)
        #expect(rehearsal.outcome == .broken("the server was not ready within 2 s"))
        #expect(rehearsal.complaint == "not listening")
        #expect(try allHaveEnded())
    }

    @Test func `a server that SIGTERM does not end is killed, and that is said`() throws {
        let rehearsal = try server("stubborn", secondsToEnd: 0.2).rehearse(on: .system)
        #expect(rehearsal.outcome == .exited(0))
        #expect(rehearsal.note == "the server went on for 0.2 s after SIGTERM and was killed")
        #expect(try allHaveEnded())
    }

    @Test func `a command that fails is the run's outcome, with its own last word`() throws {
        let rehearsal = try server(drive: "echo no answer >&2; exit 4").rehearse(on: .system)
        #expect(rehearsal.outcome == .exited(4))
        #expect(rehearsal.complaint == "no answer")
    }

    @Test func `readiness can be a command, tried until it succeeds`() throws {
        let ready =
            "test -S '\(socket)' && echo asked >> '\(folder.file("asked"))' && test $(wc -l < '\(folder.file("asked"))') -ge 3"
        let run = try server(readiness: Readiness(ready)).measure(on: .system)
        #expect(run.outcome == .exited(0))
        #expect(try folder.read("asked").count == 3 * "asked\n".utf8.count)
    }

    @Test func `a readiness command that hangs is given up with the server`() throws {
        let run = try server(readiness: Readiness("sleep 600"), secondsToReady: 0.5).measure(on: .system)
        #expect(run.outcome == .broken("the server was not ready within 0.5 s"))
        #expect(try allHaveEnded())
    }

    @Test func `a port is ready when something accepts there, and not before or after`() throws {
        let listener = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                #expect(bind(listener, pointer, length) == 0)
                #expect(getsockname(listener, pointer, &length) == 0)
            }
        }
        let port = UInt16(bigEndian: address.sin_port)
        #expect(!Readiness.accepts(port))
        #expect(listen(listener, 8) == 0)
        #expect(Readiness.accepts(port))
        #expect(ListeningSockets.isAny(in: [getpid()]))
        // The command would drive whoever has the port already.
        let error = #expect(throws: ShellCommandError.self) {
            try server(readiness: .port(port)).measure(on: .system)
        }
        #expect(error?.description.hasPrefix("port \(port) is in use already") == true)
        close(listener)
        #expect(!Readiness.accepts(port))
    }

    @Test func `a server that listens on IPv6 alone is ready, too`() throws {
        let source = """
            #include <arpa/inet.h>
            #include <stdio.h>
            #include <sys/socket.h>
            #include <unistd.h>
            int main(int count, char **arguments) {
                struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
                socklen_t length = sizeof address;
                int listener = socket(AF_INET6, SOCK_STREAM, 0);
                if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 8) != 0) return 77;
                getsockname(listener, (struct sockaddr *)&address, &length);
                FILE *file = fopen(arguments[1], "w");
                fprintf(file, "%d.", ntohs(address.sin6_port));
                fclose(file);
                for (;;) pause();
            }
            """
        let six = try ProgramBuilder.build(source, language: .c, name: "six")
        let null = try NullDevice()
        let child = try ChildProcess(
            ChildProcess.Request(
                path: six, arguments: ["six", ByteString(folder.file("port"))], environment: [], input: null.descriptor,
                output: null.descriptor, errors: null.descriptor))
        func port() -> UInt16? {
            guard let text = FileProbe.text(of: folder.file("port")), text.hasSuffix(".") else { return nil }
            return UInt16(text.dropLast())
        }
        while port() == nil, !child.hasEnded { usleep(2000) }
        // Where the machine has no IPv6 there is nothing to see.
        guard let port = port() else {
            #expect(try child.reap().outcome == .exited(77))
            return
        }
        #expect(Readiness.accepts(port))
        #expect(ListeningSockets.isAny(in: [child.pid]))
    }

    @Test func `what is left of a group is killed with it`() throws {
        let null = try NullDevice()
        var request = ShellCommand("(sleep 600 & echo $! > '\(socket).pid'); sleep 600").request(
            environment: RunSurroundings().environment, input: null.descriptor, output: null.descriptor,
            errors: null.descriptor)
        request.leadsGroup = true
        let child = try ChildProcess(request)
        while FileProbe.text(of: "\(socket).pid")?.hasSuffix("\n") != true { usleep(2000) }
        // The subshell ends, and the first sleep is nobody's child that is known.
        let first = try #require(Int32(FileProbe.text(of: "\(socket).pid")?.dropLast() ?? ""))
        while ProcessTree(root: child.pid).members().contains(first) { usleep(2000) }
        child.killTree()
        #expect(try allHaveEnded())
    }

    @Test func `what was typed is a port or a command`() {
        #expect(Readiness("6379") == .port(6379))
        #expect(Readiness("0") == .command(ShellCommand("0")))
        #expect(Readiness("65536") == .command(ShellCommand("65536")))
        #expect(Readiness("curl -sf localhost:80") == .command(ShellCommand("curl -sf localhost:80")))
    }

    @Test(.enabled(if: (try? AllocatorCatalogue().resolve("jemalloc")) != nil, "libjemalloc2 is not installed"))
    func `the server has the allocator and the command that drives it has not`() throws {
        let drive = """
            grep -q libjemalloc /proc/$(head -n 1 '\(socket).pid')/maps || exit 2
            ! grep -q libjemalloc /proc/self/maps
            """
        let jemalloc = try AllocatorCatalogue().resolve("jemalloc")
        #expect(try server(drive: drive).measure(on: jemalloc).outcome == .exited(0))
        #expect(try server(drive: drive).measure(on: .system).outcome == .exited(2))
    }

    @Test func `what sets a run up comes before each, and its failure ends the comparison`() throws {
        let mark = folder.file("mark")
        _ = try server(setup: "echo x >> '\(mark)'").measure(on: .system)
        _ = try server(setup: "echo x >> '\(mark)'").rehearse(on: .system)
        #expect(try folder.read("mark").count == 4)
        let error = #expect(throws: ShellCommandError.self) {
            try server(setup: "echo no disk >&2; exit 3").measure(on: .system)
        }
        #expect(error?.description == "the setup command 'echo no disk >&2; exit 3' exited with status 3: no disk")
    }
}
