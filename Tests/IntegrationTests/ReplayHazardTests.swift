// `heaptrail replay` on recordings of programs that do what replays could stumble over: every function there is, children, other images, losses.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: ReplayOutcome.isPossible, ReplayOutcome.notBuilt))
struct ReplayHazardTests {
    /// Replays on every allocator that is installed, once, and expects each to come to the report's figures.
    private func replayed(_ recording: Recording, _ report: Report) throws -> ReplayOutcome {
        let outcome = try ReplayOutcome(["--json", "-", "--runs", "1", recording.trace])
        #expect(outcome.result.status == .exited(0), "\(outcome.result.stderr)")
        #expect(outcome.number("peak_live_bytes") == report.trace.peakBytes)
        #expect(outcome.number("end_live_bytes") == report.trace.liveBytes)
        #expect(outcome.rows.count > 2)
        for row in outcome.rows { #expect(row["failure"] is NSNull, "\(row["allocator"] ?? "")") }
        return outcome
    }

    @Test func `blocks of every allocation function are replayed on every allocator`() throws {
        let program = try ProgramBuilder.build(
            testProgram: "api-grid.c", language: .c, arguments: ["-O0", "-fno-builtin"])
        let recording = try Recording(program)
        let report = try recording.wholeReport(by: "size")
        let outcome = try replayed(recording, report)
        #expect(outcome.number("events") == report.trace.events)
        #expect(outcome.gaps["complete"] as? Bool == true)
    }

    @Test func `of a followed child of fork the frees of its parent's blocks are left out, which is said`() throws {
        let program = try ProgramBuilder.build(
            testProgram: "processes.c", language: .c, arguments: ["-O0", "-fno-builtin"])
        let recording = try Recording(program, ["fork"], options: ["--follow"])
        let trace = try #require(recording.followed().values.first)
        let outcome = try ReplayOutcome(["--json", "-", "--runs", "1", "--allocators", "glibc,sim:buddy", trace])
        #expect(outcome.result.status == .exited(0))
        #expect((outcome.gaps["inherited_frees"] as? Int ?? 0) >= 10)
        #expect(outcome.gaps["complete"] as? Bool == false)
        let table = try ReplayOutcome(["--runs", "1", "--allocators", "glibc", trace]).result.stdout
        #expect(table.contains("\nincomplete: "))
        #expect(table.contains(" from before the fork left out\n"))
    }

    @Test func `the last of several images is replayed, and each of them by its number`() throws {
        let program = try ProgramBuilder.build(testProgram: "bench-churn.c", language: .c, arguments: ["-O1"])
        let recording = try Recording("env", ["X=1", program, "1", "3000"])
        let options = ["--json", "-", "--runs", "1", "--allocators", "glibc"]
        let last = try ReplayOutcome(options + [recording.trace])
        #expect(last.result.stderr.contains("this is image 2 of 2"))
        let images = try [1, 2].map { try ReplayOutcome(options + ["--image", "\($0)", recording.trace]) }
        #expect(last.number("events") == images[1].number("events"))
        #expect((last.number("events") ?? 0) > 6000)
        #expect((images[0].number("events") ?? 0) < 6000)
        #expect(images.allSatisfy { $0.result.status == .exited(0) })
    }

    @Test func `a trace that lost events is replayed as far as it is known, and is said to be incomplete`() throws {
        var builder = TraceBuilder()
        builder.events { records in
            for block in 0..<1000 as Range<UInt64> { records.allocate(0x1000 + block * 64, size: 40, at: 1001 + block) }
            for block in 0..<900 as Range<UInt64> { records.free(0x1000 + block * 64, at: 3000 + block) }
            records.free(0x90_0000, at: 4000)
        }
        builder.losses(allocations: 7, frees: 107, bytes: 999, reason: 1)
        builder.end()
        let folder = try TemporaryDirectory()
        let trace = try folder.write(builder.bytes, to: "lossy.trace")
        let outcome = try ReplayOutcome(["--json", "-", "--runs", "1", trace])
        #expect(outcome.result.status == .exited(0))
        #expect(outcome.result.stderr.contains("7 allocations and 107 frees were lost while recording"))
        #expect(outcome.number("events") == 1900)
        #expect(outcome.gaps["complete"] as? Bool == false)
        #expect(outcome.gaps["lost_allocations"] as? Int == 7)
        #expect(outcome.gaps["lost_frees"] as? Int == 107)
        #expect(outcome.gaps["unmatched_frees"] as? Int == 1)
        #expect(outcome.rows.allSatisfy { $0["failure"] is NSNull })
        let table = try ReplayOutcome(["--runs", "1", "--allocators", "glibc", trace]).result.stdout
        #expect(table.contains("\nincomplete: 7 allocations and 107 frees were lost while recording"))
    }

    @Test func `what keeps pages at the end is told by owner, for real allocators and simulated ones`() throws {
        let folder = try TemporaryDirectory()
        // Of a thousand blocks of 96 bytes each twentieth stays.
        var text = ""
        for block in 0..<1000 {
            text += "ALLOC: 0x\(block)0, size 96, owner \(block % 20 == 0 ? "Keeper" : "Goer"), cause construct\n"
        }
        for block in 0..<1000 where block % 20 != 0 { text += "FREE: 0x\(block)0, size 96\n" }
        let trace = try folder.write(text, to: "run.txt")
        let outcome = try ReplayOutcome(["--json", "-", "--runs", "1", "--allocators", "glibc,sim:bestfit", trace])
        for row in outcome.rows {
            let families = row["families"] as? [[String: Any]] ?? []
            let pinned = families.compactMap { $0["end_pinned_bytes"] as? Int }
            #expect(pinned.count == families.count, "\(row["allocator"] ?? "")")
            // A block on every other page of the first twenty-four at least, and at most one on each.
            let sum = pinned.reduce(0, +)
            #expect(sum > 20 * (4096 - 3 * 112) && sum < 50 * 4096, "\(row["allocator"] ?? ""): \(sum)")
        }
    }
}
