// Owners that would read alike in one table are told apart by what differs.
import HeapAnalysis
import ProfileExport
import TestSupport
import Testing
import TraceReader

@Suite("Owners in a table") struct OwnerTextTests {
    private typealias Tag = (family: String, type: String, language: String)

    /// The first words of the rows of a trace with one allocation under each of `tags`.
    private func owners(_ tags: [Tag]) throws -> [String] {
        var builder = TraceBuilder()
        builder.info([(2, "app"), (10, "/bin/app")])
        builder.clock(ticks: 1000, monotonic: 0, realtime: 0)
        builder.events { records in
            records.thread(71, "main")
            records.module(1, path: "/bin/app", from: 0x1000, to: 0x2000, bias: 0x1000)
            for (index, tag) in tags.enumerated() {
                let id = UInt32(index + 1)
                records.tag(id, family: tag.family, type: tag.type, cause: "unknown", language: tag.language)
                records.stack(id, frames: [0x1011, 0x1031], tag: id)
                records.allocate(0x10_0000 * UInt64(id), size: 64, stack: id, at: UInt64(1100 + id))
            }
        }
        builder.clock(ticks: 2000, monotonic: 3000, realtime: 3000)
        builder.end(ticks: 2000)
        var request = ReportRequest()
        request.keys = [.owner]
        let trace = try Trace.open(bytes: builder.bytes)
        let options = AnalysisOptions(fields: request.fields)
        let profile = try #require(HeapProfile(analysing: trace, options: options, symbolicator: ListedSymbols()))
        let table = ReportText(profile: profile, request: request, style: TextStyle(width: 120)).table()
        return table.split(separator: "\n").dropFirst().map { line in
            String(line[..<(line.firstRange(of: "  ")?.lowerBound ?? line.endIndex)])
        }.sorted()
    }

    @Test("what little is known of unattributed blocks keeps their rows apart")
    func unattributed() throws {
        let found = try owners([
            ("Unattributed", "alloc in main", "rust"), ("Unattributed", "object in main", "swift"),
            ("Unattributed", "unknown", "c"),
        ])
        #expect(found == ["Unattributed", "Unattributed: alloc in main", "Unattributed: object in main"])
    }

    @Test("owners that differ only by language are shown with it")
    func languages() throws {
        let found = try owners([("String", "String", "swift"), ("String", "String", "rust"), ("Box", "Box<_>", "rust")])
        #expect(found == ["Box<_>", "String (rust)", "String (swift)"])
    }

    @Test("owners that differ only by family are shown with it")
    func families() throws {
        let found = try owners([("Array", "Matrix", "swift"), ("Data", "Matrix", "swift")])
        #expect(found == ["Matrix (Array)", "Matrix (Data)"])
        let both = try owners([("Array", "M", "rust"), ("Array", "M", "swift"), ("Box", "M", "rust")])
        #expect(both == ["M (Array, rust)", "M (Array, swift)", "M (Box, rust)"])
    }

    @Test("a family stands before a type that does not say what the block is")
    func familiesBeforeTypes() throws {
        let found = try owners([
            ("Class", "app.Account", "swift"), ("Class", "new in app::run", "c++"), ("Box", "Int32", "swift"),
            ("Box", "any Error (app.Failure)", "swift"), ("Box", "std::any", "c++"), ("Box", "Box<Matrix>", "swift"),
            ("Closure", "closure in app.run() capturing Int", "swift"), ("Task", "task", "swift"),
            ("Task", "worker", "rust"), ("Runtime", "metadata", "swift"),
        ])
        #expect(
            found == [
                "Box Int32", "Box<Matrix>", "Class app.Account", "Runtime metadata", "Task worker",
                "any Error (app.Failure)", "closure in app.run() capturing Int", "new in app::run", "std::any", "task",
            ])
    }
}
