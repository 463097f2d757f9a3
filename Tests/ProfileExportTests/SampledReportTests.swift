// The report of a sampled trace: what is marked as an estimate, and what the document adds.
import HeapAnalysis
import ProfileExport
import Testing
import TestSupport
import TraceReader

struct SampledReportTests {
    private func profile(hasTotals: Bool, samples: Int = 2) throws -> HeapProfile {
        var builder = TraceBuilder(flags: 2, sampleBytes: 524_288)
        builder.info([(2, "app"), (4, "glibc"), (10, "/bin/app")])
        builder.events { records in
            records.thread(71, "main")
            records.tag(1, family: "Box", type: "Box<Matrix>", cause: "construct", language: "swift")
            records.stack(1, frames: [0x1011, 0x1031], tag: 1)
            if samples > 0 { records.sample(0x10_0000, size: 1024, stack: 1, weight: 512, at: 1100) }
            if samples > 1 { records.sample(0x20_0000, size: 4096, stack: 1, weight: 128, at: 1200) }
            if samples > 0 { records.free(0x10_0000, at: 1300) }
        }
        if hasTotals {
            builder.events(definitions: true) {
                $0.totals(allocations: 1000, frees: 900, bytes: 1_048_576, reallocations: 7)
            }
        }
        builder.end(ticks: 2000)
        let trace = try Trace.open(bytes: builder.bytes)
        let options = AnalysisOptions(fields: [])
        return try #require(HeapProfile(analysing: trace, options: options, symbolicator: ListedSymbols()))
    }

    @Test func `the document says how large the sample is, and how far figures may be off`() throws {
        let document = try ReportDocument(profile: profile(hasTotals: true), request: ReportRequest()).json()
        #expect(
            document.contains(#""allocations": 1000, "frees": 900, "reallocations": 7, "bytes_allocated": 1048576"#))
        #expect(
            document.contains(
                #""sample_bytes": 524288, "samples": 2, "exact_totals": true, "standard_error": {"allocations": 0.0, "#)
        )
        #expect(document.contains(#""sampled": true"#))
        #expect(
            document.contains(#""allocations": 640, "frees": 512, "bytes": 1048576, "live_blocks": 128"#), "\(document)"
        )
        #expect(
            document.contains(#""standard_error": {"allocations": 527.0"#)
                || document.contains(#""standard_error": {"allocations": 527"#))
    }

    @Test func `reallocations that nobody counted are null`() throws {
        let document = try ReportDocument(profile: profile(hasTotals: false), request: ReportRequest()).json()
        #expect(document.contains(#""allocations": 640, "frees": 512, "reallocations": null"#))
        #expect(document.contains(#""exact_totals": false"#))
    }

    @Test func `text marks estimates, and leaves exact totals unmarked`() throws {
        let text = try ReportText(profile: profile(hasTotals: true), request: ReportRequest()).text()
        #expect(text.contains("1,900: 1,000 allocations, 900 frees, 7 reallocations (exact)"))
        #expect(text.contains("sample       2 allocations, one every 512 KiB on average"))
        #expect(text.contains("1.00 MiB allocated, peak ≈1.00 MiB ± "))
        #expect(text.contains("≈640"))
        #expect(text.contains("±"))
        let estimated = try ReportText(profile: profile(hasTotals: false), request: ReportRequest()).text()
        #expect(estimated.contains("≈1,152: 640 allocations, 512 frees, reallocations not counted"))
        #expect(estimated.contains("≈1.00 MiB ± "))
    }

    @Test func `a sample of nothing is a report of nothing, with its totals`() throws {
        let text = try ReportText(profile: profile(hasTotals: true, samples: 0), request: ReportRequest()).text()
        #expect(text.contains("1,000 allocations, 900 frees"))
        #expect(text.contains("no allocation was sampled"))
    }

    @Test func `how many blocks are left is exact where the totals are`() throws {
        let text = try ReportText(profile: profile(hasTotals: true, samples: 0), request: ReportRequest()).text()
        #expect(text.contains("live at end  ≈0 B in 100 blocks"))
        let document = try ReportDocument(profile: profile(hasTotals: true), request: ReportRequest()).json()
        #expect(document.contains(#""live_blocks": 100,"#))
        let estimated = try ReportText(profile: profile(hasTotals: false), request: ReportRequest()).text()
        #expect(estimated.contains(" in ≈128 blocks"))
    }
}
