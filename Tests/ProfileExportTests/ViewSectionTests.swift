// What the views add to a report, in both forms, on a trace built byte by byte whose truth is known.
import HeapAnalysis
import ProfileExport
import Testing
import TestSupport
import TraceReader

@Suite struct ViewSectionTests {
    /// On main: 3 Rust strings of 23 bytes and 1 of 40, all at the peak; 4 boxes of 57 bytes that the worker frees after 2 ms; 2 buffers of 50
    /// bytes freed at once. A tick is a nanosecond.
    private func trace() throws -> Trace {
        var builder = TraceBuilder()
        builder.info([(2, "app"), (4, "glibc"), (10, "/bin/app")])
        builder.clock(ticks: 0, monotonic: 0, realtime: 0)
        builder.events { records in
            records.thread(71, "main")
            records.tag(1, family: "String", type: "String", cause: "clone", language: "rust")
            records.tag(2, family: "Box", type: "Box<Node>", cause: "construct", language: "rust")
            records.tag(3, family: "Array", type: "Vec<u8>", cause: "construct", language: "rust")
            records.module(1, path: "/bin/app", from: 0x1000, to: 0x2000, bias: 0x1000)
            for stack in 1...3 as ClosedRange<UInt32> {
                records.stack(stack, frames: [0x1011, 0x1031], tag: stack)
            }
            for (size, usable) in [(23, 24), (40, 40), (57, 72), (50, 56)] as [(UInt64, UInt64)] {
                records.usable(size: size, usable: usable)
            }
            for index in 0..<2 as Range<UInt64> {
                records.allocate(0x90_0000, size: 50, stack: 3, at: 1000 + index * 20)
                records.free(0x90_0000, at: 1010 + index * 20)
            }
            for index in 0..<3 as Range<UInt64> {
                records.allocate(0x10_0000 + index * 64, size: 23, stack: 1, at: 2000 + index)
            }
            records.allocate(0x20_0000, size: 40, stack: 1, at: 2010)
            for index in 0..<4 as Range<UInt64> {
                records.allocate(0x30_0000 + index * 128, size: 57, stack: 2, at: 3000 + index)
            }
        }
        builder.events(thread: 2, from: 2_003_000) { records in
            records.thread(72, "worker")
            for index in 0..<4 as Range<UInt64> { records.free(0x30_0000 + index * 128, at: 2_003_000 + index) }
        }
        builder.clock(ticks: 4_000_000, monotonic: 4_000_000, realtime: 4_000_000)
        builder.end(ticks: 4_000_000)
        return try Trace.open(bytes: builder.bytes)
    }

    private func request(_ view: ReportView, _ keys: [GroupingKey]? = nil) -> ReportRequest {
        var request = ReportRequest()
        request.view = view
        request.keys = keys
        return request
    }

    private func profile(_ request: ReportRequest) throws -> HeapProfile {
        try #require(HeapProfile(analysing: trace(), options: request.analysis, symbolicator: ListedSymbols()))
    }

    /// The lines of the report under its header.
    private func text(_ request: ReportRequest, width: Int = 100) throws -> [String] {
        let text = try ReportText(profile: profile(request), request: request, style: TextStyle(width: width)).text()
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        return Array(lines.drop { !$0.isEmpty }.dropFirst().dropLast())
    }

    private func document(_ request: ReportRequest) throws -> String {
        try ReportDocument(profile: profile(request), request: request).json()
    }

    /// The lines of a document that make up a member of it.
    private func member(_ name: String, of document: String) -> [String] {
        let lines = document.split(separator: "\n").map(String.init)
        guard let start = lines.firstIndex(where: { $0.hasPrefix("  \"\(name)\": ") }) else { return [] }
        let end = lines[(start + 1)...].firstIndex { $0.hasPrefix("  \"") || $0.hasPrefix("}") } ?? lines.endIndex
        var found = Array(lines[start..<end])
        if found.last?.hasSuffix(",") == true { found[found.count - 1].removeLast() }
        return found
    }

    @Test(arguments: ReportView.allCases)
    func `several views together say what each says alone`(first: ReportView) throws {
        var all = ReportRequest()
        all.views = [first] + ReportView.allCases
        #expect(all.views.count == ReportView.allCases.count)
        let together = try document(all)
        #expect(try member("rows", of: together) == member("rows", of: document(request(first))))
        for view in ReportView.allCases {
            let alone = try document(request(view))
            for name in [view.rawValue, "flows"] where name != "flows" || view == .thread {
                #expect(member(name, of: together) == member(name, of: alone), "\(name)")
                #expect(view == .totals || !member(name, of: together).isEmpty, "\(name)")
            }
        }
    }

    @Test func `several views are sections of the text, one after the other`() throws {
        var two = ReportRequest()
        two.views = [.leaks, .peak, .leaks]
        let lines = try text(two)
        #expect(lines.filter { $0.hasPrefix("── ") } == ["── leaks ──", "── peak ──"])
        let parts = lines.split { $0.hasPrefix("── ") }
        #expect(try parts.map { Array($0) } == [text(request(.leaks)) + [""], text(request(.peak))])
    }

    @Test func `the peak says who owned it and where it was asked for`() throws {
        #expect(
            try text(request(.peak)) == [
                "owner      cause      at peak  share  blocks  allocs  bytes   live",
                "Box<Node>  construct    228 B  67.7%       4       4  228 B    0 B",
                "String     clone        109 B  32.3%       4       4  109 B  109 B",
                "",
                "site at the peak    owner      cause      at peak  share  blocks",
                "make (main.cpp:16)  Box<Node>  construct    228 B  67.7%       4",
                "make (main.cpp:16)  String     clone        109 B  32.3%       4",
            ])
        let document = try document(request(.peak))
        #expect(document.contains(#""bytes": 337,"#))
        #expect(document.contains(#""blocks": 8,"#))
        #expect(document.contains(#""after_ns": 2003,"#))
        #expect(
            document.contains(
                #"{"family": "Box", "type": "Box<Node>", "language": "rust", "bytes": 228, "blocks": 4, "share": 0.676558}"#
            ))
    }

    @Test func `temporaries have a share of their site's allocations, bytes and a rate`() throws {
        let lines = try text(request(.temporary))
        #expect(lines[0] == "owner    cause      temp   share  of own  temp bytes  a second  allocs  bytes")
        #expect(lines[1].hasPrefix("Vec<u8>  construct     2  100.0%  100.0%       100 B"))
        #expect(lines.contains { $0.hasPrefix("make (main.cpp:16)   Vec<u8>  construct     2  100.0%       100 B") })
        let document = try document(request(.temporary))
        #expect(document.contains(#""allocations": 2,"#))
        #expect(document.contains(#""temporary": 2, "share_of_own": 1.0, "bytes": 100, "per_second": "#))
    }

    @Test func `lifetimes stand in decades, of everything and of each row`() throws {
        let lines = try text(request(.lifetimes))
        #expect(lines[0] == "owner      cause      allocs  share  median     p99  <µ··m··s+  live  by others")
        #expect(lines[1].hasPrefix("Box<Node>  construct       4  40.0%"))
        #expect(lines[1].hasSuffix("····█····     0     100.0%"))
        #expect(lines[2].hasSuffix("·········     4          –"))
        #expect(lines[3].hasSuffix("█········     0       0.0%"))
        #expect(lines.contains("under 1 µs            2  20.0%  ████████████████████"))
        #expect(lines.contains("1 ms – 10 ms          4  40.0%  ████████████████████████████████████████"))
        #expect(lines.contains("live at the end       4  40.0%  ████████████████████████████████████████"))
        let document = try document(request(.lifetimes))
        #expect(document.contains(#""bounds_ns": [1000, 10000, "#))
        #expect(document.contains(#""freed": 4, "live": 0, "counts": [0, 0, 0, 0, 4, 0, 0, 0, 0], "median_ns": "#))
        #expect(document.contains(#""freed_by_others": 4"#))
    }

    @Test func `threads say what crosses between them`() throws {
        let lines = try text(request(.thread))
        #expect(
            lines.contains(
                "4 of 6 blocks freed (66.7%; 228 B) were freed by another thread than the one that allocated them"))
        #expect(
            lines.contains(
                "allocated by ↓ freed by →  1 main  2 worker"))
        #expect(lines.contains("1 main                          2         4"))
        #expect(lines.contains("1 main        2 worker       4  228 B  Box<Node>"))
        let document = try document(request(.thread))
        #expect(
            document.contains(
                #"{"from": 1, "to": 2, "blocks": 4, "bytes": 228, "family": "Box", "type": "Box<Node>", "language": "rust"}"#
            ))
        #expect(document.contains(#""freed": 6,"#))
        #expect(document.contains(#""share": 0.666667,"#))
        let owners = try text(request(.thread, [.owner]))
        #expect(owners.contains { $0.hasPrefix("Box<Node>        4    100.0%  228 B  1 main") })
    }

    @Test func `sizes say what rounding up costs and what a byte less would save`() throws {
        let lines = try text(request(.size))
        #expect(lines.contains("glibc rounded up by 75 B (14.6% of what it gave), 63 B at the peak"))
        #expect(lines.contains { $0.hasPrefix("   72  57") })
        #expect(lines.contains { $0.hasPrefix("Box<Node>                    57     72      1 B       56") })
        let document = try document(request(.size))
        #expect(
            document.contains(
                #""size": 57, "usable": 72, "below": 56, "excess": 1, "allocations": 4, "peak_blocks": 4, "saves_each": 16, "saves": 64, "saves_at_peak": 64}"#
            ))
        #expect(document.contains(#""slack_bytes_at_peak": 63,"#))
    }

    @Test func `strings say what room inside would change`() throws {
        let lines = try text(request(.strings))
        #expect(lines[1].hasPrefix("String  clone       4  109 B"))
        #expect(!lines.contains { $0.hasPrefix("Box<Node>") })
        #expect(lines.contains("      23        3  75.0%   69 B     69 B  ██████████████████████████████"))
        #expect(
            lines.contains {
                $0.hasPrefix("  23 B   24 B            3  75.0%        69 B       72 B          0 B         72 B")
            })
        #expect(lines.contains("make (main.cpp:16)     String  clone        4     0     3     3     3"))
        let document = try document(request(.strings))
        #expect(
            document.contains(#"{"inline_capacity": 23, "value_bytes": 24, "removed": {"allocations": 3, "bytes": 69"#))
        #expect(
            document.contains(#""cost_bytes_at_peak": 32, "net_bytes_at_peak": 40, "net_bytes_at_peak_at_most": 40}"#))
    }

    @Test(arguments: ReportView.allCases, [40, 80, 100, 200])
    func `no view is wider than the terminal, but for its sentences`(view: ReportView, width: Int) throws {
        for keys in [nil, [.site], [.family], [.thread, .module]] as [[GroupingKey]?] {
            for line in try text(request(view, keys), width: width) where line.contains("  ") {
                #expect(line.count <= max(width, 100), "\(view) \(line)")
            }
        }
    }

    @Test(arguments: ReportView.allCases)
    func `every view takes every grouping, filter and cut`(view: ReportView) throws {
        for key in GroupingKey.allCases {
            var request = request(view, [key])
            request.top = 1
            request.filter = RowFilter(text: "main.cpp")
            let whole = try document(request)
            #expect(whole.contains("\n  \"rows\": ["))
            #expect(try !text(request).isEmpty)
            request.filter = RowFilter(family: "Nothing")
            #expect(try document(request).contains("\n  \"rows\": []"))
            #expect(try text(request).first == "no allocations to show")
        }
    }

    @Test(arguments: ReportView.allCases)
    func `text traces are shown without what they do not tell`(view: ReportView) throws {
        let lines = "ALLOC: 0x10, size 5, owner Box<T>, cause growth\nFREE: 0x10, size 5\nALLOC: 0x20, size 7\n"
        let trace = try Trace.open(bytes: Array(lines.utf8))
        let request = request(view)
        let profile = try #require(
            HeapProfile(analysing: trace, options: request.analysis, symbolicator: ListedSymbols()))
        let document = ReportDocument(profile: profile, request: request).json()
        let text = ReportText(profile: profile, request: request).text()
        switch view {
        case .lifetimes:
            #expect(document.contains(#""counts": null, "median_ns": null, "p99_ns": null, "freed_by_others": null"#))
            #expect(text.contains("no lifetimes"))
        case .thread:
            #expect(document.contains("\n  \"flows\": null"))
            #expect(text.contains("no flows"))
        case .size:
            #expect(document.contains(#""slack_bytes": null,"#))
            #expect(text.contains("no size classes"))
        case .temporary: #expect(document.contains(#""bytes": 5, "per_second": null"#))
        case .peak: #expect(document.contains(#""after_ns": null"#))
        default: break
        }
    }

    @Test(arguments: ReportView.allCases)
    func `a trace without events is a report of nothing`(view: ReportView) throws {
        var builder = TraceBuilder()
        builder.info([(2, "app")])
        builder.end(ticks: 1)
        let request = request(view)
        let trace = try Trace.open(bytes: builder.bytes)
        let profile = try #require(
            HeapProfile(analysing: trace, options: request.analysis, symbolicator: ListedSymbols()))
        #expect(ReportDocument(profile: profile, request: request).json().contains("\n  \"rows\": []"))
        #expect(ReportText(profile: profile, request: request).text().contains("no allocations to show"))
    }
}
