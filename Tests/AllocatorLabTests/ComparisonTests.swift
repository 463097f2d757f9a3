// The arithmetic and the renderings of a comparison, on given numbers.

import Foundation
import Testing

@testable import AllocatorLab

private func run(
    wall: UInt64 = 1_000_000, cpu: UInt64 = 1_000_000, resident: UInt64 = 1 << 20, faults: UInt64 = 100,
    _ outcome: RunOutcome = .exited(0)
) -> RunMeasurement {
    RunMeasurement(
        outcome: outcome, wallNanoseconds: wall, cpuNanoseconds: cpu, peakResidentBytes: resident, minorFaults: faults)
}

@Suite struct ComparisonTests {
    @Test func `the median is the middle value, or the mean of the two middle ones`() throws {
        let odd = try #require(Spread([5, 1, 3]))
        #expect(odd.median == 3 && odd.min == 1 && odd.max == 5)
        let even = try #require(Spread([4, 1, 3, 2]))
        #expect(even.median == 2.5 && even.min == 1 && even.max == 4)
        #expect(Spread([]) == nil)
    }

    @Test func `a ratio is the median over the first row's median`() {
        let comparison = Comparison(
            runs: 1,
            rows: [
                .init(allocator: "a", runs: [run(wall: 200, resident: 4096)]),
                .init(allocator: "b", runs: [run(wall: 300, resident: 1024)]),
                .init(allocator: "c", runs: []),
            ])
        #expect(comparison.ratioToFirst(comparison.rows[0], \.wallSeconds) == 1)
        #expect(comparison.ratioToFirst(comparison.rows[1], \.wallSeconds) == 1.5)
        #expect(comparison.ratioToFirst(comparison.rows[1], \.peakResidentBytes) == 0.25)
        #expect(comparison.ratioToFirst(comparison.rows[2], \.wallSeconds) == nil)
    }

    @Test func `there is no ratio to nothing or to zero`() {
        let missing = Comparison(
            runs: 1, rows: [.init(allocator: "a", runs: []), .init(allocator: "b", runs: [run()])])
        #expect(missing.ratioToFirst(missing.rows[1], \.wallSeconds) == nil)
        let zero = Comparison(
            runs: 1, rows: [.init(allocator: "a", runs: [run(cpu: 0)]), .init(allocator: "b", runs: [run()])])
        #expect(zero.ratioToFirst(zero.rows[1], \.cpuSeconds) == nil)
    }

    private let sample = Comparison(
        runs: 3,
        rows: [
            .init(
                allocator: "glibc",
                runs: [
                    run(wall: 1_500_000_000, cpu: 1_250_000_000, resident: 10 << 20, faults: 12_345),
                    run(wall: 1_400_000_000, cpu: 1_250_000_000, resident: 10 << 20, faults: 12_345),
                    run(wall: 1_612_000_000, cpu: 1_250_000_000, resident: 10 << 20, faults: 12_345),
                ]),
            .init(
                allocator: "jemalloc",
                runs: [run(wall: 750_000_000, cpu: 1_000_000_000, resident: 1 << 31, faults: 999)]),
            .init(allocator: "mimalloc", runs: []),
        ])

    @Test func `the table sets medians, spread and ratios in columns`() {
        #expect(
            sample.table(title: "prog arg", colour: false)
                == """
                prog arg
                medians of 3 runs each, in turn, after one to warm up

                                wall            min … max  ratio      CPU  ratio  peak RSS   ratio  minor faults
                  glibc      1.500 s    1.400 s … 1.612 s   1.00  1.250 s   1.00  10.0 MiB    1.00        12,345
                  jemalloc  750.0 ms  750.0 ms … 750.0 ms   0.50  1.000 s   0.80   2.0 GiB  204.80           999
                  mimalloc         –                    –      –        –      –         –       –             –

                """)
    }

    @Test func `colour marks ratios that are five per cent off and changes nothing else`() {
        let plain = sample.table(title: "prog", colour: false)
        let coloured = sample.table(title: "prog", colour: true)
        #expect(coloured.contains("\u{1b}[32m0.50\u{1b}[0m"))
        #expect(coloured.contains("\u{1b}[31m204.80\u{1b}[0m"))
        #expect(!coloured.contains("\u{1b}[32m1.00"))
        func ratio(_ wall: UInt64) -> String {
            Comparison(
                runs: 1,
                rows: [.init(allocator: "a", runs: [run(wall: 1000)]), .init(allocator: "b", runs: [run(wall: wall)])]
            ).table(title: "", colour: true)
        }
        #expect(ratio(1060).contains("\u{1b}[31m1.06\u{1b}[0m"))
        #expect(ratio(940).contains("\u{1b}[32m0.94\u{1b}[0m"))
        #expect(!ratio(1040).contains("\u{1b}["))
        #expect(!ratio(960).contains("\u{1b}["))
        var stripped = coloured
        for code in ["\u{1b}[32m", "\u{1b}[31m", "\u{1b}[0m"] {
            stripped = stripped.replacingOccurrences(of: code, with: "")
        }
        #expect(stripped == plain)
    }

    @Test func `durations, sizes and counts read well at every magnitude`() {
        #expect(Comparison.duration(0.000_284) == "0.28 ms")
        #expect(Comparison.duration(0.0123) == "12.3 ms")
        #expect(Comparison.duration(61.5) == "61.500 s")
        #expect(Comparison.size(512) == "0.5 KiB")
        #expect(Comparison.size(1023 * 1024) == "1023.0 KiB")
        #expect(Comparison.size(1024 * 1024) == "1.0 MiB")
        #expect(Comparison.grouped(0) == "0")
        #expect(Comparison.grouped(1_234_567.5) == "1,234,568")
        #expect(Comparison.fixed(0.005, 2) == "0.01")
        #expect(Comparison.fixed(12, 0) == "12")
    }

    @Test func `the document has exactly the keys of its schema`() throws {
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(sample.json().utf8)) as? [String: Any])
        #expect(Set(object.keys) == ["schema", "runs", "rows"])
        #expect(object["schema"] as? String == "heaptrail.compare/1")
        #expect(object["runs"] as? Int == 3)
        let rows = try #require(object["rows"] as? [[String: Any]])
        #expect(rows.map { $0["allocator"] as? String } == ["glibc", "jemalloc", "mimalloc"])
        for row in rows {
            #expect(
                Set(row.keys) == ["allocator", "wall_s", "cpu_s", "peak_rss_bytes", "minor_faults", "ratio_to_first"])
            for key in ["wall_s", "cpu_s", "peak_rss_bytes", "minor_faults"] {
                #expect(Set(try #require(row[key] as? [String: Any]).keys) == ["median", "min", "max"])
            }
            #expect(Set(try #require(row["ratio_to_first"] as? [String: Any]).keys) == ["wall", "cpu", "peak_rss"])
        }
        let wall = try #require(rows[0]["wall_s"] as? [String: Double])
        #expect(wall == ["median": 1.5, "min": 1.4, "max": 1.612])
        let resident = try #require(rows[1]["peak_rss_bytes"] as? [String: Int])
        #expect(resident["median"] == 1 << 31)
    }

    @Test func `what was not measured is null in the document`() throws {
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(sample.json().utf8)) as? [String: Any])
        let row = try #require((object["rows"] as? [[String: Any]])?.last)
        let wall = try #require(row["wall_s"] as? [String: Any])
        #expect(wall.values.allSatisfy { $0 is NSNull })
        let ratios = try #require(row["ratio_to_first"] as? [String: Any])
        #expect(ratios.values.allSatisfy { $0 is NSNull })
    }
}
