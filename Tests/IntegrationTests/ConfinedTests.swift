// Programs that give up calls, rights, folders, limits and descriptors, and processes that come about in unusual ways:
// as native, and recorded to the block.

internal import Glibc
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct ConfinedTests {
    private static let anyone = ["seccomp", "strict", "limits", "locked", "fds", "daemon", "clone", "itself", "title"]
    private static let rootAlone = ["chroot", "user", "namespace"]

    private func record(_ how: String, options: [String]) throws -> Recording {
        try .likeNative(testProgram: "confined.c", how, options: options)
    }

    private func expectExact(_ report: Report) {
        #expect(report.events(ofSize: 21001) == Events(100, 0))
        #expect(report.events(ofSize: 21011) == Events(1000, 1000))
        #expect(report.events(ofSize: (4 << 20) + 7) == Events(1, 1))
        #expect(report.trace.lost == 0)
        #expect(report.trace.complete)
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.missingFrees == 0)
    }

    @Test(arguments: anyone, [[], ["--follow"]])
    func `a program that confines itself is recorded to the end`(how: String, options: [String]) throws {
        expectExact(try record(how, options: options).report(by: "size"))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can"), arguments: rootAlone, [[], ["--follow"]])
    func `a program that gives up root's rights is recorded to the end`(how: String, options: [String]) throws {
        expectExact(try record(how, options: options).report(by: "size"))
    }

    /// The one child's trace holds its ten blocks; the children in between allocate nothing of their own.
    private func expectChild(_ how: String, size: Int) throws {
        let recording = try record(how, options: ["--follow"])
        let reports = try recording.followed().values.map { try Recording.report(on: $0, by: "size") }
        let children = reports.filter { $0.events(ofSize: size) != Events(0, 0) }
        #expect(children.count == 1)
        #expect(children.first?.events(ofSize: size) == Events(10, 10))
        #expect(children.first?.trace.complete == true)
        #expect(children.first?.trace.lost == 0)
        #expect(!recording.remarks.contains { $0.contains("not recorded") || $0.contains("not be recorded") })
    }

    @Test(arguments: [("daemon", 21017), ("clone", 21019), ("title", 21031)])
    func `a daemon, a child of a bare clone and a worker of a server with a title are followed`(how: String, size: Int)
        throws
    {
        try expectChild(how, size: size)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can make a pid namespace"))
    func `a child that is the first process of a pid namespace is followed`() throws {
        try expectChild("namespace", size: 21013)
    }

    @Test(arguments: ["daemon", "clone"])
    func `a child that libc or a bare clone made is said to be unrecorded`(how: String) throws {
        let recording = try record(how, options: [])
        #expect(recording.remarks.contains { $0.contains("not recorded") && $0.contains("--follow") })
    }

    @Test func `a program that executes itself is recorded image by image`() throws {
        let recording = try record("itself", options: [])
        #expect(try recording.report().trace.images == 3)
        for image in 1...3 {
            let report = try recording.report(by: "size", options: ["--image", "\(image)"])
            #expect(report.events(ofSize: 21023) == Events(100, 0))
            #expect(report.trace.lost == 0)
        }
    }

    @Test func `a followed child that cannot be recorded is counted`() throws {
        let program = try ProgramBuilder.build(
            "int main(void) { return 0; }", language: .c, name: "static", arguments: ["-static"])
        let recording = try Recording("sh", ["-c", "\(program); \(program); true"], options: ["--follow"])
        #expect(recording.result.isSuccess)
        #expect(recording.remarks.contains { $0.contains("2 child processes could not be recorded") })
    }
}
