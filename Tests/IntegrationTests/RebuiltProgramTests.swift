// Recordings of a program that was built anew where it lay: the old build's functions keep their names, from the copy that its recording kept or from what
// an earlier report asked; names of the build that lies there now are never shown for it.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct RebuiltProgramTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// Another function before the one that both builds have, so that the addresses of one build are another function's in the other.
    private static let before = """
        #include <stdlib.h>
        static void *volatile sink;
        __attribute__((noinline)) void parse(void) { sink = malloc(100); sink = malloc(200); }
        int main(void) { parse(); return 0; }
        """
    private static let after = """
        #include <stdlib.h>
        static void *volatile sink;
        __attribute__((noinline)) void added(void) { for (int i = 0; i < 50; i++) sink = malloc(i); }
        __attribute__((noinline)) void parse(void) { sink = malloc(100); sink = malloc(200); sink = malloc(300); }
        int main(void) { added(); parse(); return 0; }
        """
    private static let flags = ["-O1", "-fno-builtin", "-fno-optimize-sibling-calls"]

    private func build(_ source: String, id: String = "-Wl,--build-id=sha1") throws -> String {
        try ProgramBuilder.build(source, language: .c, name: "app", arguments: Self.flags + [id])
    }

    /// Puts a build where the program lies.
    private func install(_ build: String) throws -> String {
        let place = folder.file("app")
        try? FileManager.default.removeItem(atPath: place)
        try FileManager.default.copyItem(atPath: build, toPath: place)
        try FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: place)
        return place
    }

    /// What is kept from run to run, of its own.
    private func environment(_ cache: String = "cache") -> ProcessEnvironment {
        .inherited(adding: ["XDG_CACHE_HOME": folder.file(cache)])
    }

    /// Records the old build, then the new one at its place.
    private func record(
        keeping: Bool, reportingFirst: Bool = false, id: String = "-Wl,--build-id=sha1"
    ) throws -> (old: Recording, new: Recording) {
        var environment = environment()
        if !keeping {
            environment = .exactly(environment.variables.merging(["HEAPTRAIL_NO_CACHE": "1"]) { $1 })
        }
        let old = try Recording(install(build(Self.before, id: id)), environment: environment)
        if reportingFirst {
            _ = try runChecked(BuildProducts.heaptrail(), ["report", old.trace], environment: self.environment())
        }
        let new = try Recording(install(build(Self.after, id: id)), environment: environment)
        return (old, new)
    }

    private func sites(_ trace: String) throws -> ProcessResult {
        try run(
            BuildProducts.heaptrail(), ["report", trace, "--by", "site", "--filter", "app"], environment: environment())
    }

    private func diff(_ old: Recording, _ new: Recording) throws -> String {
        let result = try run(BuildProducts.heaptrail(), ["diff", old.trace, new.trace], environment: environment())
        #expect(result.isSuccess, "\(result.stderr)")
        return result.stdout
    }

    @Test func `a recording keeps its program, so that the next build's does not take its names`() throws {
        let (old, new) = try record(keeping: true)
        let text = try diff(old, new)
        #expect(text.contains("changed since OLD was recorded: its names are from the copy that was kept of it"))
        // `added` is new; `parse` is in both and makes one more.
        let rows = text.split(separator: "\n")
        #expect(rows.contains { $0.hasPrefix("+") && $0.contains("added") }, "\(text)")
        #expect(rows.contains { !$0.hasPrefix("+") && $0.contains("parse") && $0.contains("+1 ") }, "\(text)")
        #expect(!text.contains("0x"))
        let report = try sites(old.trace)
        #expect(report.stdout.contains("parse"))
        #expect(!report.stdout.contains("added"))
        #expect(report.stderr.contains("changed since the recording: its names are from the copy that was kept of it"))
        let fresh = try sites(new.trace)
        #expect(fresh.stderr == "")
    }

    @Test func `what an earlier report asked still names the old build`() throws {
        let (old, new) = try record(keeping: false, reportingFirst: true)
        let text = try diff(old, new)
        #expect(text.contains("changed since OLD was recorded: its names are those that earlier reports found"))
        let rows = text.split(separator: "\n")
        #expect(rows.contains { !$0.hasPrefix("+") && $0.contains("parse") && $0.contains("+1 ") }, "\(text)")
    }

    @Test func `without either, the old build's functions have no names, and that is said`() throws {
        let (old, new) = try record(keeping: false)
        let text = try diff(old, new)
        #expect(text.contains("changed since OLD was recorded: the names of its functions are not known"))
        let report = try sites(old.trace)
        #expect(!report.stdout.contains("added"))
        #expect(!report.stdout.contains("parse"))
        #expect(report.stderr.contains("changed since the recording: no symbols for it"))
    }

    @Test func `a program without a build id is not named by a file that was written later`() throws {
        let (old, _) = try record(keeping: true, id: "-Wl,--build-id=none")
        let report = try sites(old.trace)
        #expect(!report.stdout.contains("added"))
        #expect(report.stderr.contains("no build id tells whether it is the same"))
    }

    @Test func `a program that is removed is named by its copy`() throws {
        let old = try Recording(install(build(Self.before)), environment: environment())
        try FileManager.default.removeItem(atPath: folder.file("app"))
        let report = try sites(old.trace)
        #expect(report.stdout.contains("parse"))
        try FileManager.default.removeItem(atPath: folder.file("cache"))
        #expect(try sites(old.trace).stderr.contains("is gone since the recording: no symbols for it"))
    }

    @Test func `nothing is kept of the system's programs, and nothing where no cache is wanted`() throws {
        _ = try Recording("/bin/true", environment: environment())
        _ = try record(keeping: false)
        #expect(!FileManager.default.fileExists(atPath: folder.file("cache")))
        _ = try record(keeping: true)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.file("cache/heaptrail"))
        #expect(names.filter { $0.hasSuffix(".build") }.count == 2)
    }
}
