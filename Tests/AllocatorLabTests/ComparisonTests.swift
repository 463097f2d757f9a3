// The arithmetic and the renderings of a comparison, on given numbers.

import Foundation
import ProfileExport
import Testing

@testable import AllocatorLab

private func run(
    wall: UInt64 = 1_000_000, cpu: UInt64 = 1_000_000, resident: UInt64 = 1 << 20, faults: UInt64 = 100,
    _ outcome: RunOutcome = .exited(0)
) -> RunMeasurement {
    RunMeasurement(
        outcome: outcome, wallNanoseconds: wall, userNanoseconds: cpu, peakResidentBytes: resident, minorFaults: faults)
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

    @Test func `the spread is that of the middle, whatever the outliers`() throws {
        #expect(try #require(Spread([7])).deviation == 0)
        let clean = try #require(Spread([8, 9, 10, 11, 12]))
        #expect(clean.deviation == 1.4826)
        #expect(try #require(Spread([8, 9, 10, 11, 1200])).deviation == 1.4826)
    }

    @Test func `the tables set medians, spread and ratios in columns, the fastest first`() {
        #expect(
            sample.table(title: "prog arg", colour: false)
                == """
                prog arg
                medians of 3 runs each, in turn, after one to warm up; ratios to glibc

                                wall ± spread            min … max  ratio      CPU  ratio     user   system
                  jemalloc  750.0 ms ± 0.0 ms  750.0 ms … 750.0 ms   0.50  1.000 s   0.80  1.000 s  0.00 ms
                  glibc     1.500 s ± 0.148 s    1.400 s … 1.612 s   1.00  1.250 s   1.00  1.250 s  0.00 ms
                  mimalloc                  –                    –      –        –      –        –        –

                             peak RSS ± spread   ratio  mean RSS  minor faults  major  switches  forced
                  jemalloc   2.0 GiB ± 0.0 GiB  204.80         –           999      0         0       0
                  glibc     10.0 MiB ± 0.0 MiB    1.00         –        12,345      0         0       0
                  mimalloc                   –       –         –             –      –         –       –

                no verdict: 10 runs of each are the fewest that can give one (--runs 10)

                """)
    }

    @Test func `a table wider than the terminal goes on below, with nothing left out`() {
        let narrow = sample.table(title: "prog", colour: false, width: 80)
        #expect(narrow.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(
            narrow.contains(
                """
                  mimalloc                  –                    –      –        –      –

                               user   system
                  jemalloc  1.000 s  0.00 ms
                  glibc     1.250 s  0.00 ms
                  mimalloc        –        –

                """))
        for width in [1, 40, 200] {
            let words = { (text: String) in Set(text.split { " \n".contains($0) }) }
            #expect(words(sample.table(title: "", colour: false, width: width)) == words(narrow).subtracting(["prog"]))
        }
    }

    /// Twelve runs each: `b` takes `ratio` times as long as `a`, give or take the noise.
    private func pair(ratio: Double, noise: [Double]) -> Comparison {
        func runs(_ factor: Double, _ noise: [Double]) -> [RunMeasurement] {
            noise.map { run(wall: UInt64(1e8 * factor * $0), cpu: UInt64(1e8), resident: 10 << 20) }
        }
        return Comparison(
            runs: noise.count,
            rows: [
                .init(allocator: "a", runs: runs(1, noise)), .init(allocator: "b", runs: runs(ratio, noise.reversed())),
            ])
    }

    private let quiet = [1.00, 1.01, 0.99, 1.02, 1.00, 0.98, 1.01, 1.00, 0.99, 1.01, 1.00, 1.00]
    private let loud = [1.00, 1.51, 0.79, 1.32, 1.10, 0.68, 1.41, 1.00, 0.89, 1.21, 0.90, 1.15]

    @Test func `colour marks ratios with a verdict and changes nothing else`() {
        let slower = pair(ratio: 1.25, noise: quiet)
        let plain = slower.table(title: "prog", colour: false)
        let coloured = slower.table(title: "prog", colour: true)
        #expect(coloured.contains("\u{1b}[31m1.25\u{1b}[0m"))
        #expect(!coloured.contains("m1.00\u{1b}"))
        #expect(pair(ratio: 0.8, noise: quiet).table(title: "", colour: true).contains("\u{1b}[32m0.8"))
        #expect(!pair(ratio: 1.25, noise: loud).table(title: "", colour: true).contains("\u{1b}["))
        var stripped = coloured
        for code in ["\u{1b}[32m", "\u{1b}[31m", "\u{1b}[0m"] {
            stripped = stripped.replacingOccurrences(of: code, with: "")
        }
        #expect(stripped == plain)
    }

    @Test func `verdicts say what the runs bear out and no more`() {
        func words(_ comparison: Comparison) -> String { comparison.verdicts() }
        #expect(
            words(pair(ratio: 1.25, noise: quiet)) == """
                beside a, with 99 % confidence (range of the ratio):
                  b  wall      25 % longer (1.21 … 1.29)
                     CPU       the same within 1 % (1.00 … 1.00)
                     peak RSS  the same within 1 % (1.00 … 1.00)

                """)
        #expect(words(pair(ratio: 0.8, noise: quiet)).contains("wall      20 % shorter (0.7"))
        #expect(words(pair(ratio: 3, noise: quiet)).contains("wall      3.00 times as long"))
        let close = words(pair(ratio: 1.034, noise: quiet))
        #expect(close.contains("wall      3 % longer (1.003 … 1.066)"), "\(close)")
        #expect(words(pair(ratio: 1.02, noise: loud)).contains("wall      no difference beyond noise"))
        #expect(words(pair(ratio: 9, noise: [1, 1, 1])).hasPrefix("no verdict: 10 runs of each"))
    }

    @Test func `a ratio is taken over the rounds in which both counted`() {
        let runs = (0..<4).map { run(wall: UInt64(100 << $0)) }
        let rows: [Comparison.Row] = [
            .init(allocator: "a", rounds: [runs[0], nil, runs[1], runs[1]]),
            .init(allocator: "b", rounds: [runs[1], runs[3], nil, runs[2]]),
        ]
        let comparison = Comparison(runs: 4, rows: rows)
        #expect(comparison.pairedRatio(ofRow: 1, .wall)?.pairs == 2)
        #expect(comparison.pairedRatio(ofRow: 1, .wall)?.median == 2)
        #expect(comparison.pairedRatio(ofRow: 0, .wall) == nil)
    }

    @Test func `an allocator that could not be had is a row without figures, and the last`() throws {
        let comparison = sample.adding(missing: "tcmalloc", because: "not installed")
        #expect(comparison.rows.last?.allocator == "tcmalloc")
        #expect(comparison.rows.last?.failure == "not installed")
        let lines = comparison.table(title: "", colour: false).split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("  tcmalloc ") && $0.hasSuffix("–") })
    }

    @Test func `a server's table has what it held after it was driven`() {
        var driven = run()
        driven.residentAfterDrive = 7 << 20
        let text = Comparison(runs: 1, rows: [.init(allocator: "a", runs: [driven])]).table(title: "s", colour: false)
        #expect(text.contains("after drive"))
        #expect(text.contains("7.0 MiB"))
        #expect(!text.contains("ratios to"))
    }

    @Test func `the share that reading took is that of the runs' time together`() {
        var one = run(wall: 100)
        one.readingNanoseconds = 5
        let row = Comparison.Row(allocator: "a", rounds: [one, nil, run(wall: 300)])
        #expect(Comparison(runs: 3, rows: [row]).readingShare == 0.0125)
        #expect(Comparison(runs: 1, rows: [.init(allocator: "a", runs: [])]).readingShare == nil)
    }

    @Test func `the chart is that of the run in the middle`() throws {
        var runs = [3, 1, 2].map { run(wall: $0 * 1000) }
        for index in runs.indices {
            for step in 0..<6 {
                runs[index].resident.append(nanoseconds: UInt64(step), value: runs[index].wallNanoseconds)
            }
        }
        let row = Comparison.Row(allocator: "a", runs: runs)
        #expect(row.typicalResident?.peak == 2000)
        #expect(row.meanResidentBytes?.median == 2000)
        let text = Comparison(runs: 3, rows: [row]).table(title: "", colour: false)
        #expect(text.contains("resident set of all processes over time: 0 … 0.00 ms wide, 0 … 2.0 KiB high\n"))
        #expect(text.hasSuffix("read from outside, which took 0.0 % of one processor\n"))
    }

    @Test func `durations, sizes and counts read well at every magnitude`() {
        #expect(Comparison.duration(0.000_284) == "0.28 ms")
        #expect(Comparison.duration(0.0123) == "12.3 ms")
        #expect(Comparison.duration(61.5) == "61.500 s")
        #expect(Comparison.size(512) == "512 B")
        #expect(Comparison.size(1023 * 1024) == "1023.0 KiB")
        #expect(Comparison.size(1024 * 1024) == "1.0 MiB")
        #expect(Comparison.grouped(0) == "0")
        #expect(Comparison.grouped(1_234_567.5) == "1,234,568")
        #expect(Comparison.fixed(0.005, 2) == "0.01")
        #expect(Comparison.fixed(12, 0) == "12")
    }

    @Test func `the document has exactly the keys of its schema`() throws {
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(sample.json().document().utf8)) as? [String: Any])
        #expect(
            Set(object.keys) == [
                "schema", "runs", "warmup_runs", "confidence", "sampling_cpu_share", "remarks", "rows",
            ])
        #expect(object["schema"] as? String == "heaptrail.compare/1")
        #expect(object["runs"] as? Int == 3)
        let rows = try #require(object["rows"] as? [[String: Any]])
        #expect(rows.map { $0["allocator"] as? String } == ["glibc", "jemalloc", "mimalloc"])
        let spreads: Set = [
            "wall_s", "cpu_s", "user_s", "system_s", "peak_rss_bytes", "mean_rss_bytes", "rss_after_drive_bytes",
            "minor_faults", "major_faults", "voluntary_switches", "involuntary_switches",
        ]
        for row in rows {
            #expect(
                Set(row.keys)
                    == spreads.union([
                        "allocator", "failure", "runs_counted", "rss_over_time", "ratio_to_first", "paired_ratio",
                        "verdict",
                    ]))
            for key in spreads {
                #expect(Set(try #require(row[key] as? [String: Any]).keys) == ["median", "min", "max", "spread"])
            }
            for key in ["ratio_to_first", "paired_ratio", "verdict"] {
                #expect(Set(try #require(row[key] as? [String: Any]).keys) == ["wall", "cpu", "peak_rss"])
            }
        }
        let wall = try #require(rows[0]["wall_s"] as? [String: Double])
        #expect(wall.filter { $0.key != "spread" } == ["median": 1.5, "min": 1.4, "max": 1.612])
        #expect(abs((wall["spread"] ?? 0) - 0.14826) < 1e-9)
        let resident = try #require(rows[1]["peak_rss_bytes"] as? [String: Int])
        #expect(resident["median"] == 1 << 31)
        #expect((rows[1]["verdict"] as? [String: String])?["wall"] == "too few runs")
        let paired = try #require((rows[1]["paired_ratio"] as? [String: Any])?["wall"] as? [String: Any])
        #expect(paired["median"] as? Double == 0.5)
        #expect(paired["pairs"] as? Int == 1)
        #expect(paired["low"] is NSNull && paired["high"] is NSNull)
    }

    @Test func `a ratio's interval goes from its low end to its high one`() throws {
        let base = (0..<10).map { _ in run(wall: 1_000_000) }
        let other = (0..<10).map { run(wall: 500_000 + UInt64($0) * 10_000) }
        let rows = [("glibc", base), ("other", other)].map { Comparison.Row(allocator: $0.0, rounds: $0.1) }
        let text = Comparison(runs: 10, rows: rows).json().document()
        #expect(text.contains(#""paired_ratio": {"wall": {"median": 0.545, "low": 0.5, "high": 0.59, "pairs": 10}"#))
        #expect(text.contains(#""verdict": {"wall": "less", "#))
    }

    @Test func `what was not measured is null in the document`() throws {
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(sample.json().document().utf8)) as? [String: Any])
        let row = try #require((object["rows"] as? [[String: Any]])?.last)
        let wall = try #require(row["wall_s"] as? [String: Any])
        #expect(wall.values.allSatisfy { $0 is NSNull })
        let ratios = try #require(row["ratio_to_first"] as? [String: Any])
        #expect(ratios.values.allSatisfy { $0 is NSNull })
    }
}
