// The golden traces: small files that hold every chunk and record kind, made by the builder and committed as bytes. The builder must make the
// committed bytes again, and the reader must find in them what is written here. After a deliberate change of the format, write them
// anew with `HEAPTRAIL_WRITE_GOLDEN=1 swift test --filter GoldenTraceTests`, and run the tests again without it.

import TestSupport
import Testing
import TraceCompaction
import TraceReader

/// A golden file: its name and the bytes that the builder makes for it.
struct GoldenTrace: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    var testDescription: String { name }

    static let all = [everyRecord, threads, sampled]

    /// The same, compacted: not committed, for how small zstd makes them is its own affair.
    static let compacted = all.map { GoldenTrace(name: "compact " + $0.name, bytes: compact($0.bytes)) }

    /// A thousand allocations of one thread: enough for columns to pay.
    static let program = GoldenTrace(name: "columns.trace", bytes: makeProgram())

    private static func makeProgram() -> [UInt8] {
        var builder = TraceBuilder()
        var dice = Dice(state: 2026)
        var live: [UInt64] = []
        builder.events(from: 1000) { records in
            records.stack(1, frames: [0x401010, 0x402020, 0x403030])
            records.stack(2, frames: [0x404040], base: 1, kept: 2)
            for _ in 0..<1000 {
                let time = records.time + 26 * (1 + dice.below(30))
                let address = 0x5000_0000 + dice.below(512) * 64
                records.allocate(address, size: 24 + dice.below(3) * 16, stack: UInt32(1 + dice.below(2)), at: time)
                live.append(address)
                if dice.below(20) == 0 {
                    let old = live.removeLast()
                    records.reallocate(old, to: old + 64, size: 2000, stack: 2, freed: time + 26, at: time + 78)
                    live.append(old + 64)
                }
                if live.count > 20 || dice.below(2) == 0 {
                    records.free(live.remove(at: Int(dice.below(UInt64(live.count)))), at: records.time + 52)
                }
            }
        }
        builder.end()
        return builder.bytes
    }

    static func compact(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        _ = try? TraceCompactor.write(Trace.open(bytes: bytes)) { result += $0 }
        return result
    }

    /// One image, every record kind, every chunk kind, an unknown chunk and sub-kind that may be skipped.
    static let everyRecord = GoldenTrace(name: "every-record.trace", bytes: makeEveryRecord())

    /// Two images, three threads and a signal handler's lane, interleaved in time across chunks.
    static let threads = GoldenTrace(name: "threads.trace", bytes: makeThreads())

    /// A sampled trace of a forked child on the monotonic clock.
    static let sampled = GoldenTrace(name: "sampled.trace", bytes: makeSampled())

    private static func makeEveryRecord() -> [UInt8] {
        var builder = TraceBuilder(startTicks: 1000)
        builder.info([
            (1, "forge"), (2, "./matrix"), (3, "./matrix\0--rows\0" + "5\0"), (4, "glibc"), (5, "/lib/libc.so.6"),
            (6, "0.1.0"),
            (7, "/srv/matrix"), (8, "6.1.0"), (9, "first warning"), (9, "second warning"), (10, "/srv/matrix/matrix"),
            (11, "--when-full wait"), (500, "a key of the future"),
        ])
        builder.clock(ticks: 1000, monotonic: 5_000_000, realtime: 1_700_000_000_000_000_000)
        builder.events(thread: 1, from: 1000) {
            $0.image(
                1, executable: "/srv/matrix/matrix", directory: "/srv/matrix", arguments: ["./matrix", "--rows", "5"])
            $0.thread(4242, "matrix")
            $0.module(
                1, path: "/srv/matrix/matrix", buildID: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], from: 0x400000, to: 0x500000)
            $0.tag(1, family: "Box", type: "Box<Matrix>", cause: "construct", language: "swift")
            $0.stack(1, frames: [0x401010, 0x402020, 0x403030], tag: 1)
            $0.usable(size: 505, usable: 520)
            $0.allocate(0x10_0000, size: 505, stack: 1, at: 1010)
            $0.stack(2, frames: [0x404040], base: 1, kept: 2, flags: 1)
            $0.allocate(0x10_0400, size: 64, stack: 2, alignment: 4, at: 1020)
            $0.type(0x7F00_1000, "Array<Point>")
            $0.metadata(0x7F00_2000, kind: 2, kindWord: 0x200, descriptor: 0x40_5000)
            $0.metadata(0x7F00_1000, kind: 1, descriptor: 0x40_6000, [0x7F00_2000])
            $0.allocate(0x10_0800, size: 96, stack: 2, type: 0x7F00_1000, at: 1030)
            $0.reallocate(0x10_0800, to: 0x10_0C00, size: 192, stack: 1, freed: 1040, at: 1050)
            $0.freedType(0x10_0400, 0x7F00_2000)
            $0.free(0x10_0400, at: 1060)
            $0.raw(0)
            $0.counter(1, "Cow.borrowed")
            $0.stack(3, frames: [0x405050], base: 1, kept: 1)
            $0.stackType(3, 0x7F00_2000)
            $0.count(1, 3)
            $0.count(1, 4)
            $0.extended(30, argument: 99, [1, 2, 3])
            $0.task(9, "reader")
            $0.allocate(0x10_1000, size: 8, at: 1060 + (1 << 20))
            $0.wideAllocate(0x10_0000_0000_0000, size: 1 << 33, stack: 2, alignment: 22, type: 0x7F00_1000)
            $0.wideReallocate(0x10_0000_0000_0000, to: 0x20_0000_0000_0000, size: 1 << 34, stack: 1, at: 2_000_000)
            $0.freedType(0x20_0000_0000_0000, 0x7F00_1000)
            $0.wideFree(0x20_0000_0000_0000)
            $0.metadata(0x7F00_3000, kind: 5, kindWord: 0x302, descriptor: 0, [0x7F00_2000], flags: 0x401_0000)
            $0.module(2, path: "/lib/plugin.so", from: 0x600000, to: 0x700000, bias: 0x600000)
            $0.moduleGone(2)
            $0.loss(allocations: 1, frees: 2, bytes: 300)
        }
        builder.round(watermark: 2_000_000)
        builder.chunk(kind: 900, skippable: true, payload: [1, 2, 3, 4, 5])
        builder.losses(allocations: 1, frees: 3, bytes: 300, reason: 1)
        builder.clock(ticks: 2_001_000, monotonic: 6_000_000, realtime: 1_700_000_000_001_000_000)
        builder.end(how: 1, status: 3, ticks: 2_001_000)
        builder.chunk(kind: 8, skippable: true, payload: [0, 0, 0, 0, 0, 0, 0, 0])
        return builder.bytes
    }

    private static func makeThreads() -> [UInt8] {
        var builder = TraceBuilder(mode: 2)
        builder.events(thread: 1, image: 1, from: 100) {
            $0.image(1, executable: "/usr/bin/env", directory: "/", arguments: ["env", "worker"])
            $0.stack(1, frames: [0xE001])
            $0.allocate(0x100, size: 10, stack: 1, at: 110)
        }
        builder.events(thread: 1, image: 2, from: 1000) {
            $0.image(2, executable: "/srv/worker", directory: "/srv", arguments: ["worker"])
            $0.thread(77, "main")
            $0.stack(1, frames: [0x1001, 0x1002])
            $0.allocate(0x1000, size: 100, stack: 1, at: 1010)
            $0.allocate(0x2000, size: 200, stack: 1, at: 1040)
        }
        builder.events(thread: 2, image: 2, from: 1000) {
            $0.thread(78, "worker")
            $0.free(0x1000, at: 1020)
            $0.allocate(0x1000, size: 300, stack: 1, at: 1020)
            $0.free(0x2000, at: 1050)
        }
        builder.events(thread: 1, lane: 1, image: 2, from: 1030) {
            $0.allocate(0x3000, size: 16, at: 1035)
            $0.free(0x3000, at: 1036)
        }
        builder.events(thread: 1, image: 2, from: 1040) {
            $0.reallocate(0x1000, to: 0x4000, size: 600, stack: 1, freed: 1060, at: 1090)
        }
        builder.events(thread: 3, image: 2, from: 1070) {
            $0.allocate(0x1000, size: 24, at: 1080)
        }
        builder.end(how: 2, status: 9, ticks: 1100)
        return builder.bytes
    }

    private static func makeSampled() -> [UInt8] {
        var builder = TraceBuilder(clock: 2, flags: 2 | 4, sampleBytes: 524_288)
        builder.events(from: 1000) {
            $0.sample(0x1000, size: 4096, weight: 128.5, at: 1100)
            $0.wideAllocate(0x2000, size: 1 << 20, weight: 1.25)
            $0.totals(allocations: 1000, frees: 900, bytes: 5_000_000)
            $0.wideFree(0x2000, isFreedNext: true)
            $0.free(0x1000, at: 1200)
        }
        builder.events(thread: 2, from: 1000) { $0.thread(4243, "of 1.0") }
        builder.events(thread: 1, definitions: true) {
            $0.totals(allocations: 1100, frees: 1000, bytes: 5_500_000, reallocations: 7)
        }
        builder.events(thread: 2, definitions: true) { $0.totals(allocations: 3, frees: 2, bytes: 96) }
        builder.events(thread: 0, definitions: true) {
            $0.totals(allocations: 10, frees: 9, bytes: 80, reallocations: 1)
        }
        builder.end(how: 3, ticks: 2000)
        return builder.bytes
    }
}
