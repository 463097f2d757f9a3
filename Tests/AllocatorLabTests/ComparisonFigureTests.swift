// That every figure of a run keeps its name on its way to the table and the document.

import Foundation
import ProfileExport
import Testing

@testable import AllocatorLab

@Suite struct ComparisonFigureTests {
    /// A run of which no two figures are alike.
    private let distinct = RunMeasurement(
        outcome: .exited(0), wallNanoseconds: 11_000_000_000, userNanoseconds: 2_000_000_000,
        systemNanoseconds: 3_000_000_000, peakResidentBytes: 4 << 20, minorFaults: 5, majorFaults: 6,
        voluntarySwitches: 7, involuntarySwitches: 8, residentAfterDrive: 9 << 20)

    @Test func `every figure stands under its own name in the document`() throws {
        let comparison = Comparison(runs: 1, rows: [.init(allocator: "a", runs: [distinct])])
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(comparison.json().document().utf8)) as? [String: Any])
        let row = try #require((object["rows"] as? [[String: Any]])?.first)
        let medians = row.compactMapValues { value -> Double? in (value as? [String: Any])?["median"] as? Double }
        #expect(
            medians == [
                "wall_s": 11, "cpu_s": 5, "user_s": 2, "system_s": 3, "peak_rss_bytes": 4_194_304,
                "rss_after_drive_bytes": 9_437_184, "minor_faults": 5, "major_faults": 6, "voluntary_switches": 7,
                "involuntary_switches": 8,
            ])
    }

    @Test func `where the first allocator has no figures, there is no word of ratios to it`() {
        let rows: [Comparison.Row] = [.init(allocator: "a", runs: []), .init(allocator: "b", runs: [distinct])]
        let text = Comparison(runs: 1, rows: rows).table(title: "t", colour: false)
        #expect(text.hasPrefix("t\nmedians of 1 run each, in turn, after one to warm up\n\n"))
        #expect(!text.dropFirst(60).contains("\n\n\n"))
        #expect(!text.hasSuffix("\n\n"))
    }

    @Test func `every figure stands in its own column of the tables`() {
        let text = Comparison(runs: 1, rows: [.init(allocator: "a", runs: [distinct])]).table(title: "", colour: false)
        let times = text.split(separator: "\n").first { $0.hasPrefix("  a ") } ?? ""
        #expect(times.split(separator: " ").suffix(8) == ["1.00", "5.000", "s", "1.00", "2.000", "s", "3.000", "s"])
        let memory = text.split(separator: "\n").last { $0.hasPrefix("  a ") } ?? ""
        #expect(memory.split(separator: " ").suffix(7) == ["–", "9.0", "MiB", "5", "6", "7", "8"])
    }

    @Test func `what the kernel charged becomes the figures of the same names`() {
        let usage = ChildProcess.Usage(
            outcome: .exited(0), wallNanoseconds: 1, userNanoseconds: 2, systemNanoseconds: 3, peakResidentBytes: 4,
            minorFaults: 5, majorFaults: 6, voluntarySwitches: 7, involuntarySwitches: 8)
        #expect(
            RunMeasurement(usage, nil)
                == RunMeasurement(
                    outcome: .exited(0), wallNanoseconds: 1, userNanoseconds: 2, systemNanoseconds: 3,
                    peakResidentBytes: 4, minorFaults: 5, majorFaults: 6, voluntarySwitches: 7, involuntarySwitches: 8))
    }

    @Test func `what an orphan was charged is added, but for the peak, which is that of the largest`() {
        var usage = ChildProcess.Usage(
            outcome: .exited(0), wallNanoseconds: 1, userNanoseconds: 2, systemNanoseconds: 3, peakResidentBytes: 4096,
            minorFaults: 5, majorFaults: 6, voluntarySwitches: 7, involuntarySwitches: 8)
        var orphan = rusage()
        orphan.ru_utime = timeval(tv_sec: 1, tv_usec: 2)
        orphan.ru_stime = timeval(tv_sec: 0, tv_usec: 3)
        orphan.ru_maxrss = 2
        (orphan.ru_minflt, orphan.ru_majflt) = (10, 20)
        (orphan.ru_nvcsw, orphan.ru_nivcsw) = (30, 40)
        usage.add(orphan)
        #expect(usage.userNanoseconds == 1_000_002_002)
        #expect(usage.systemNanoseconds == 3003)
        #expect(usage.peakResidentBytes == 4096)
        #expect([usage.minorFaults, usage.majorFaults] == [15, 26])
        #expect([usage.voluntarySwitches, usage.involuntarySwitches] == [37, 48])
        orphan.ru_maxrss = 8
        usage.add(orphan)
        #expect(usage.peakResidentBytes == 8192)
    }
}
