// Both forms of the report, whole, against exact text.
import HeapAnalysis
import ProfileExport
import Testing
import TraceReader

@Suite struct ReportTests {
    private func request(_ keys: [GroupingKey]? = nil, view: ReportView = .totals) -> ReportRequest {
        var request = ReportRequest()
        request.keys = keys
        request.view = view
        return request
    }

    private func text(_ request: ReportRequest, width: Int = 100) throws -> [String] {
        let profile = try SampleProfile.make(fields: request.fields)
        let text = ReportText(profile: profile, request: request, style: TextStyle(width: width)).text()
        return text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    @Test func theDefaultReportReadsLikeThis() throws {
        let lines = try text(request())
        #expect(
            lines.prefix(14) == [
                "program      app (pid 4242)",
                "ran on       glibc, 1.5 µs, 1 thread, recorded by collector",
                "events       8: 5 allocations, 3 frees, 1 reallocation",
                "bytes        2.70 KiB allocated, peak 2.14 KiB after 1.2 µs",
                "live at end  2.14 KiB in 3 blocks",
                "temporary    2 (40.0%)",
                "lost         0 events, 1 unmatched free",
                "attributed   27.6% of bytes, 80.0% of allocations",
                "",
                "owner                    cause      allocs     bytes  share      peak      live  temp  slack",
                "Unattributed             unknown         1  1.95 KiB  72.4%  1.95 KiB  1.95 KiB     0      –",
                "Box<Matrix>              construct       1     505 B  18.3%       0 B       0 B     1   15 B",
                "std::vector<own::Point>  growth          3     256 B   9.3%     192 B     192 B     1   24 B",
                "",
            ])
        #expect(lines.contains("Cow.borrowed      3"))
        #expect(lines.allSatisfy { $0.count <= 100 })
    }

    @Test func theFirstRowsAreShownAndTheRestAnnounced() throws {
        var request = request([.owner])
        request.top = 1
        #expect(try text(request).dropFirst(11).first == "… 2 more rows: --top 3 shows them")
    }

    @Test func theDocumentIsCutOnlyWhereToldTo() throws {
        var request = request([.owner])
        func types() throws -> Int {
            let document = try ReportDocument(profile: SampleProfile.make(), request: request).json()
            return document.split(separator: "\n").count { $0.contains("{\"family\": ") }
        }
        #expect(try types() == 3)
        request.top = 2
        #expect(try types() == 2)
    }

    @Test func eachViewOrdersRowsByWhatItIsAbout() throws {
        var lines = ["ALLOC: 0x10, size 300, owner Box<A>, cause growth", "FREE: 0x10, size 300"]
        lines += [
            "ALLOC: 0x20, size 100, owner Box<A>, cause growth", "ALLOC: 0x30, size 250, owner Box<B>, cause growth",
        ]
        lines += ["ALLOC: 0x40, size 1, owner Box<B>, cause growth", "FREE: 0x40, size 1"]
        lines += ["ALLOC: 0x40, size 1, owner Box<B>, cause growth", "FREE: 0x40, size 1"]
        let trace = try Trace.open(bytes: Array((lines.joined(separator: "\n") + "\n").utf8))
        let profile = try #require(HeapProfile(analysing: trace, symbolicator: ListedSymbols()))
        func types(_ view: ReportView) -> [String] {
            let text = ReportText(profile: profile, request: request(view: view)).table()
            return text.split(separator: "\n").dropFirst().map { String($0.dropFirst(4).prefix(1)) }
        }
        #expect(types(.totals) == ["A", "B"])
        #expect(types(.peak) == ["B", "A"])
        #expect(types(.leaks) == ["B", "A"])
        #expect(types(.temporary) == ["B", "A"])
    }

    @Test func ownersStandBesideThemselvesOnAnotherAllocator() throws {
        let profile = try SampleProfile.make()
        let columns = ["glibc", "jemalloc"].map { OwnersByAllocator.Column(allocator: $0, profile: profile) }
        var request = request()
        request.leadingFamilies = ["Box"]
        request.top = 2
        let table = OwnersByAllocator(columns: columns, request: request).text()
        #expect(
            table == """
                owner         allocs     bytes  peak glibc  slack glibc  peak jemalloc  slack jemalloc
                Box<Matrix>        1     505 B         0 B         15 B            0 B            15 B
                Unattributed       1  1.95 KiB    1.95 KiB            –       1.95 KiB               –

                """)
    }

    @Test func leaksShowOnlyWhatIsLive() throws {
        let lines = try text(request(view: .leaks))
        #expect(!lines.contains { $0.hasPrefix("Box<Matrix>") })
        #expect(lines.contains { $0.hasPrefix("std::vector<own::Point>") && $0.contains("8.8%") })
    }

    @Test func explanationsNameTheRuleAndTheStack() throws {
        var request = request([.owner])
        request.explains = true
        request.filter.family = "Box"
        let lines = try text(request)
        #expect(lines.contains("    rule: tag"))
        #expect(lines.contains("      make (main.cpp:16)"))
        #expect(lines.contains("      main (main.cpp:48)"))
    }

    @Test func nothingToShowIsSaid() throws {
        var request = request()
        request.filter.text = "no such thing"
        #expect(try text(request).contains("no allocations to show"))
    }

    @Test func theDocumentIsExactlyThis() throws {
        let request = request([.owner])
        let document = try ReportDocument(profile: SampleProfile.make(), request: request).json()
        #expect(
            document == """
                {
                  "schema": "heaptrail.report/1",
                  "trace": {"program": "app", "pid": 4242, "allocator": "glibc", "mode": "collector", \
                "duration_ns": 1500, "threads": 1, "events": 8, "allocations": 5, "frees": 3, "reallocations": 1, \
                "bytes_allocated": 2761, "peak_bytes": 2192, "live_bytes": 2192, "live_blocks": 3, "temporary": 2, \
                "lost": 0, "unmatched_frees": 1, "inherited_frees": 0, "missing_frees": 0, "complete": true, \
                "sampled": false, "attached": false, "image": 1, "images": 1},
                  "attributed": {"allocations": 0.8, "bytes": 0.275625},
                  "rows": [
                    {"family": "Unattributed", "type": "unknown", "language": "c", "allocations": 1, "frees": 0, \
                "bytes": 2000, "live_blocks": 1, "live_bytes": 2000, "peak_bytes": 2000, "temporary": 0, \
                "slack_bytes": null, "lifetime_ns": {"median": null, "p99": null}},
                    {"family": "Box", "type": "Box<Matrix>", "language": "swift", "allocations": 1, "frees": 1, \
                "bytes": 505, "live_blocks": 0, "live_bytes": 0, "peak_bytes": 0, "temporary": 1, \
                "slack_bytes": 15, "lifetime_ns": {"median": 12, "p99": 12}},
                    {"family": "Array", "type": "std::vector<own::Point>", "language": "c++", "allocations": 3, \
                "frees": 1, "bytes": 256, "live_blocks": 2, "live_bytes": 192, "peak_bytes": 192, "temporary": 1, \
                "slack_bytes": 24, "lifetime_ns": {"median": 300, "p99": 300}}
                  ],
                  "counters": {"Cow.borrowed": 3}
                }

                """)
    }

    @Test(arguments: [
        ([GroupingKey.family], ["family", "language"]), ([.type], ["family", "type", "language"]),
        ([.cause], ["cause"]), ([.site], ["family", "type", "language", "cause", "site"]), ([.size], ["size"]),
        ([.thread, .module], ["thread", "module"]),
    ])
    func aRowsKeysAreThoseOfItsGrouping(keys: [GroupingKey], expected: [String]) throws {
        let request = request(keys)
        let document = try ReportDocument(profile: SampleProfile.make(fields: request.fields), request: request).json()
        let row = try #require(document.split(separator: "\n").first { $0.hasPrefix("    {") })
        let start = try #require(row.firstRange(of: "\"allocations\""))
        let keyPart = String(row[..<start.lowerBound])
        for name in expected { #expect(keyPart.contains("\"\(name)\": ")) }
        #expect(keyPart.split(separator: "\": ").count == expected.count + 1)
        #expect(!row.contains("\"rule\""))
    }

    @Test func viewsAddAKeyOfTheirOwnName() throws {
        for view in ReportView.allCases where view != .totals {
            let request = request(view: view)
            let profile = try SampleProfile.make(fields: request.fields)
            let document = ReportDocument(profile: profile, request: request).json()
            #expect(document.contains("\n  \"\(view.rawValue)\": "), "\(view)")
        }
        let profile = try SampleProfile.make(fields: .thread)
        let threads = ReportDocument(profile: profile, request: request(view: .thread)).json()
        #expect(
            threads.contains(
                "{\"thread\": 1, \"tid\": 71, \"name\": \"main\", \"allocations\": 5, \"frees\": 3, \"bytes\": 2761}"))
    }

    @Test func textInTheTraceIsEscaped() throws {
        let profile = try SampleProfile.make(program: "a\"b\\c\u{1}\n")
        let document = ReportDocument(profile: profile, request: request()).json()
        #expect(document.contains(#""program": "a\"b\\c\u0001\n""#))
    }

    @Test func whatIsNotKnownOfARowIsNull() throws {
        let modules = try ReportDocument(profile: SampleProfile.make(), request: request([.module])).json()
        #expect(modules.contains("{\"module\": null, \"allocations\": 1"))
        let lines = "ALLOC: 0x10, size 5, owner T, cause growth\nFREE: 0x10, size 5\n"
        let trace = try Trace.open(bytes: Array(lines.utf8))
        let profile = try #require(HeapProfile(analysing: trace, symbolicator: ListedSymbols()))
        let document = ReportDocument(profile: profile, request: request()).json()
        #expect(document.contains("\"type\": \"T\", \"language\": null, \"allocations\": 1, \"frees\": 1"))
        #expect(document.contains("\"slack_bytes\": null, \"lifetime_ns\": {\"median\": null, \"p99\": null}"))
        #expect(document.contains("\"pid\": null, \"allocator\": null, \"mode\": \"text\", \"duration_ns\": null"))
    }

    @Test func textThatWouldSteerATerminalIsMadeHarmless() {
        #expect(TextStyle.printable("a\u{1b}[31m\u{9b}1m\u{202e}é\r") == "a?[31m?1m?é?")
        #expect(TextStyle.printable("Box<Größe> → 木") == "Box<Größe> → 木")
    }

    @Test func theSameTraceGivesTheSameBytes() throws {
        let documents = try (0..<5).map { _ in
            try ReportDocument(profile: SampleProfile.make(), request: request([.site])).json()
        }
        #expect(Set(documents).count == 1)
    }
}
