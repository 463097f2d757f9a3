// The two forms of a difference: what each says, against exact strings where the string is the promise.
import HeapAnalysis
import ProfileExport
import Symbolication
import Testing
import TestSupport
import TraceReader

struct DiffReportTests {
    /// A recording of Box<Matrix> and std::vector<own::Point> with so many blocks of each.
    private func profile(
        boxes: Int, points: Int, allocator: String = "glibc", usable: (UInt64) -> UInt64 = { $0 + 8 }
    ) throws -> HeapProfile {
        var builder = TraceBuilder()
        builder.info([(2, "app"), (4, allocator), (10, "/bin/app")])
        builder.clock(ticks: 1000, monotonic: 0, realtime: 0)
        builder.events { records in
            records.thread(71, "main")
            records.tag(1, family: "Box", type: "Box<Matrix>", cause: "construct", language: "swift")
            records.tag(2, family: "Array", type: "std::vector<own::Point>", cause: "growth", language: "c++")
            records.module(1, path: "/bin/app", from: 0x1000, to: 0x2000, bias: 0x1000)
            records.stack(1, frames: [0x1011, 0x1031], tag: 1)
            records.stack(2, frames: [0x1041, 0x1021, 0x1031], tag: 2)
            records.usable(size: 500, usable: usable(500))
            records.usable(size: 64, usable: usable(64))
            for number in 0..<boxes {
                records.allocate(0x10_0000 + UInt64(number) * 1024, size: 500, stack: 1, at: 1100 + UInt64(number))
            }
            for number in 0..<points {
                records.allocate(0x80_0000 + UInt64(number) * 1024, size: 64, stack: 2, at: 1200 + UInt64(number))
            }
        }
        builder.clock(ticks: 2000, monotonic: 3000, realtime: 3000)
        builder.end(ticks: 2000)
        let trace = try Trace.open(bytes: builder.bytes)
        let options = AnalysisOptions(fields: GroupingKey.size.fields)
        return try #require(HeapProfile(analysing: trace, options: options, symbolicator: ListedSymbols()))
    }

    private func text(_ diff: ProfileDiff, _ change: (inout DiffRequest) -> Void = { _ in }) -> String {
        var request = DiffRequest()
        change(&request)
        return DiffText(diff: diff, request: request, style: TextStyle(width: 140)).text()
    }

    private func json(_ diff: ProfileDiff, _ change: (inout DiffRequest) -> Void = { _ in }) -> String {
        var request = DiffRequest()
        change(&request)
        return DiffDocument(diff: diff, request: request).json()
    }

    @Test func `no difference is one sentence and no table`() throws {
        let one = try profile(boxes: 2, points: 1)
        let text = text(ProfileDiff(old: one, new: one))
        #expect(text.hasSuffix("\nno difference: same owners, causes and sites, same counts and bytes\n"))
        #expect(!text.contains("Box<Matrix>"))
        #expect(text.contains("allocations  3 "))
    }

    @Test func `changed rows show both sides and the change, the largest first, and the total`() throws {
        let diff = try ProfileDiff(old: profile(boxes: 2, points: 1), new: profile(boxes: 2, points: 5))
        let lines = text(diff).split(separator: "\n")
        let row = try #require(lines.first { $0.contains("std::vector<own::Point>") })
        let words = row.split(separator: " ", omittingEmptySubsequences: true)
        #expect(
            words.joined(separator: " ") == "std::vector<own::Point> 64 B 320 B +256 B +400.0% +4 +256 B +256 B = +32 B"
        )
        #expect(lines.contains { $0.hasPrefix("total") && $0.contains("1.04 KiB") && $0.contains("1.29 KiB") })
        #expect(lines.contains("1 of 2 rows by owner, cause and site differ"))
        #expect(lines.contains("1 row is the same: --all shows them"))
        #expect(!lines.contains { $0.hasPrefix("Box<Matrix>") })
        let all = text(diff) { $0.showsUnchanged = true }
        #expect(all.contains("Box<Matrix>"))
        #expect(!all.contains("--all"))
    }

    @Test func `rows on one side only are marked, and what the marks mean is said`() throws {
        let diff = try ProfileDiff(old: profile(boxes: 1, points: 0), new: profile(boxes: 0, points: 1))
        let text = text(diff)
        #expect(text.contains("\n-  Box<Matrix>"))
        #expect(text.contains("\n+  std::vector<own::Point>"))
        #expect(text.contains("+ in NEW only, - in OLD only"))
        #expect(text.contains("    –  "))
    }

    @Test func `on other allocators the same program is said to be the same, and slack goes by owner`() throws {
        let diff = try ProfileDiff(
            old: profile(boxes: 2, points: 1),
            new: profile(boxes: 2, points: 1, allocator: "jemalloc") { ($0 + 63) / 64 * 64 })
        let text = text(diff)
        #expect(
            text.contains(
                "the program did the same: same owners, causes and sites, same counts and bytes; only slack differs"))
        #expect(text.contains("note: different allocators: glibc and jemalloc"))
        #expect(
            text.contains(
                "slack: 24 B (2.2% of what was given) on glibc, 24 B (2.2% of what was given) on jemalloc, =; at the peak 24 B and 24 B"
            ))
        #expect(text.contains("on jemalloc 1 owner with more, +8 B; 1 owner with less, -8 B"))
        let document = json(diff)
        #expect(document.contains(#""verdict": "slack""#))
        #expect(document.contains(#""same_allocator": false"#))
        #expect(
            document.contains(
                #""family": "Box", "type": "Box<Matrix>", "language": "swift", "old": {"slack_bytes": 16,"#))
    }

    @Test func `the document has every row, figures that are not measured are null`() throws {
        let diff = try ProfileDiff(old: profile(boxes: 1, points: 2), new: profile(boxes: 1, points: 0) { _ in 1 })
        let document = json(diff)
        #expect(document.contains(#""schema": "heaptrail.diff/1""#))
        #expect(
            document.contains(
                #"{"family": "Array", "type": "std::vector<own::Point>", "language": "c++", "in": "old", "changed": true, "old": {"allocations": 2, "frees": 0, "bytes": 128, "live_blocks": 2, "live_bytes": 128, "peak_bytes": 128, "temporary": 0, "slack_bytes": 16}, "new": null, "delta": {"allocations": -2, "frees": 0, "bytes": -128, "live_blocks": -2, "live_bytes": -128, "peak_bytes": -128, "temporary": 0, "slack_bytes": -16}}"#
            ), "\(document)")
        #expect(document.contains(#""in": "both", "changed": false"#))
        // The usable size that is smaller than what was asked for is none.
        #expect(document.contains(#""slack_bytes": null}, "delta": {"allocations": 0,"#))
        #expect(document.contains(#""causes": ["#))
        #expect(document.contains(#""sites": ["#))
        #expect(!json(diff) { $0.keys = [.cause] }.contains(#""sites""#))
        #expect(!json(diff) { $0.top = 1 }.contains("Box<Matrix>"))
    }

    @Test func `remarks are the same in both forms`() throws {
        let one = try profile(boxes: 1, points: 0)
        let request: (inout DiffRequest) -> Void = {
            $0.isOneFile = true
            let changed = ReplacedModule(reason: .isAnotherBuild, names: .nowhere)
            $0.replacedModules = [.old: ["/bin/app": changed, "/lib/libx.so": changed]]
        }
        let text = text(ProfileDiff(old: one, new: one), request)
        let document = json(ProfileDiff(old: one, new: one), request)
        for remark in ["OLD and NEW are the same file", "/bin/app and 1 more changed since OLD was recorded"] {
            #expect(text.contains("note: " + remark))
            #expect(document.contains(remark))
        }
    }

    @Test func `a filter that nothing passes leaves nothing to compare`() throws {
        let one = try profile(boxes: 1, points: 0)
        let diff = ProfileDiff(old: one, new: one, filter: RowFilter(text: "nothing"))
        #expect(
            text(diff) { $0.filter = RowFilter(text: "nothing") }.hasSuffix(
                "neither recording has an allocation that passes the filter\n"))
        #expect(json(diff).contains(#""total": null"#))
    }
}
