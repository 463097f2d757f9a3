// A compacted trace beside the one it was made of: the same events in the same order, the same tables, facts, losses and end; the same records word
// for word; cut where it was cut.

import TestSupport
import Testing
import TraceCompaction
import TraceReader

/// The bytes of a trace, compacted.
func compacted(_ bytes: [UInt8], level: Int = 3) throws -> [UInt8] {
    var result: [UInt8] = []
    var options = TraceCompactor.Options()
    options.level = level
    let outcome = try TraceCompactor.write(Trace.open(bytes: bytes), options: options) { result += $0 }
    #expect(outcome.bytes == UInt64(result.count))
    return result
}

/// The words of every stream, in the order of its chunks, and for each the image, thread and lane.
func streams(of trace: Trace) throws -> [[UInt64]: [UInt64]] {
    var words: [[UInt64]: [UInt64]] = [:]
    try trace.forEachChunk { chunk in
        guard chunk.kind == 2 else { return }
        words[[UInt64(chunk.image), UInt64(chunk.thread), UInt64(chunk.lane)], default: []] +=
            chunk.payload.bindMemory(to: UInt64.self)
    }
    return words
}

/// Expects that two traces tell the same.
func expectSame(_ one: Trace, _ other: Trace) throws {
    #expect(try streams(of: one) == streams(of: other))
    #expect(one.images == other.images)
    for image in one.images.map(\.number) {
        var events: [[HeapEvent]] = [[], []]
        one.forEachEvent(image: image) { events[0].append($0) }
        other.forEachEvent(image: image) { events[1].append($0) }
        #expect(events[0] == events[1])
        let left = try #require(one.tables(image: image))
        let right = try #require(other.tables(image: image))
        #expect(left.threads == right.threads)
        #expect(left.counters == right.counters)
        #expect(left.tags == right.tags)
        #expect(left.typeNames == right.typeNames)
        #expect(left.taskNames == right.taskNames)
        #expect(left.firstTime == right.firstTime)
        #expect(left.lastTime == right.lastTime)
        #expect(left.usableSizes.count == right.usableSizes.count)
        #expect(left.stacks.count == right.stacks.count)
        for row in 0..<left.stacks.count {
            let id = left.stacks[row].id
            #expect(left.stacks[id] == right.stacks[id])
            #expect(left.stacks.frames(of: id) == right.stacks.frames(of: id))
        }
        #expect(left.modules.count == right.modules.count)
        for module in left.modules.all {
            #expect(right.modules[module.id]?.path == module.path)
            #expect(right.modules[module.id]?.loadTime == module.loadTime)
            #expect(right.modules[module.id]?.unloadTime == module.unloadTime)
        }
    }
    #expect(one.isComplete == other.isComplete)
    #expect(one.end == other.end)
    #expect(one.losses == other.losses)
    #expect(one.warnings == other.warnings)
    #expect(one.program == other.program)
    #expect(one.arguments == other.arguments)
    #expect(one.mode == other.mode)
    #expect(one.isSampled == other.isSampled)
    #expect(one.isForkedChild == other.isForkedChild)
    #expect(one.nanosecondsPerTick == other.nanosecondsPerTick)
    #expect(one.lastTicks == other.lastTicks)
}

@Suite struct TraceCompactorTests {
    /// Two images, several threads whose chunks interleave, a lane, definitions by one thread that another uses.
    private func threads(chunks: Int = 12, complete: Bool = true) -> [UInt8] {
        var builder = TraceBuilder(flags: 8)
        builder.info([(2, "./worker"), (3, "./worker\0-j\0" + "4\0"), (4, "glibc"), (9, "careful")])
        builder.clock(ticks: 1000, monotonic: 1, realtime: 2)
        builder.events(thread: 1, image: 1, from: 900) {
            $0.image(1, executable: "/usr/bin/env", directory: "/", arguments: ["env"])
            $0.allocate(0x9000, size: 3, at: 910)
        }
        var times: [UInt32: UInt64] = [:]
        for chunk in 0..<chunks {
            for thread in UInt32(1)...3 {
                let start = times[thread] ?? UInt64(1000 + thread)
                builder.events(thread: thread, lane: chunk % 5 == 4 ? 1 : 0, image: 2, from: start) { records in
                    if chunk == 0 {
                        records.thread(UInt64(70 + thread), "early")
                        records.module(thread, path: "/lib/\(thread).so", from: 0x1000, to: 0x2000)
                        // Both were asked before either answer was known; the first in time is the one that counts.
                        records.usable(size: 100, usable: 104 + UInt64(thread))
                    }
                    if chunk == 3 { records.moduleGone(thread % 3 + 1) }
                    records.stack(UInt32(chunk * 4) + thread, frames: [0x1100, 0x1200 + UInt64(chunk)])
                    for step in UInt64(0)..<60 {
                        let address = UInt64(thread) << 20 | step << 6
                        let time = start + step * 52
                        if step % 4 == 3 {
                            records.free(address - 64, at: time)
                        } else {
                            records.allocate(
                                address, size: 100 + step, stack: UInt32(chunk * 4) + thread, at: time + 1)
                        }
                    }
                    times[thread] = records.time
                }
                if chunk == 1 {
                    builder.events(thread: thread, image: 2, from: 0, definitions: true) {
                        $0.thread(UInt64(70 + thread), "late")
                    }
                }
            }
            builder.round(watermark: UInt64(2000 + chunk))
        }
        builder.losses(allocations: 3, frees: 2, bytes: 1, reason: 1)
        builder.chunk(kind: 900, skippable: true, payload: [1, 2, 3])
        builder.clock(ticks: 9000, monotonic: 5001, realtime: 5002)
        if complete { builder.end(how: 2, status: 9, ticks: 9000) }
        return builder.bytes
    }

    @Test func `a trace of threads and images tells the same, in less`() throws {
        let raw = threads()
        let packed = try compacted(raw)
        let trace = try Trace.open(bytes: packed)
        #expect(trace.isComplete)
        #expect(trace.tables(image: 2)?.threads.map(\.name) == ["late", "late", "late"])
        #expect(trace.usableSizes.usableSize(size: 100, alignmentCode: 0) == 105)
        try expectSame(Trace.open(bytes: raw), trace)
        #expect(packed.count < raw.count / 3)
    }

    @Test func `compacting twice changes nothing, at another level neither`() throws {
        let once = try compacted(threads())
        #expect(try compacted(threads()) == once)
        try expectSame(Trace.open(bytes: once), Trace.open(bytes: compacted(once)))
        try expectSame(Trace.open(bytes: once), Trace.open(bytes: compacted(once, level: 19)))
    }

    @Test func `a cut trace stays cut, with everything up to there`() throws {
        let raw = threads()
        for length in stride(from: 64, to: raw.count, by: 997) {
            let trace = try Trace.open(bytes: Array(raw[..<length]))
            let packed = try Trace.open(bytes: compacted(Array(raw[..<length])))
            #expect(!packed.isComplete)
            #expect(packed.corruption == nil)
            try expectSame(trace, packed)
        }
    }

    @Test func `streams that do not go on where they were are not joined`() throws {
        var builder = TraceBuilder()
        builder.events(from: 1000) { $0.allocate(0x10, size: 1, at: 1010) }
        builder.events(from: 5000) { $0.free(0x10, at: 5010) }
        builder.events(from: 5010) { $0.usable(size: 5, usable: 8) }
        builder.events(from: 5010) { $0.allocate(0x20, size: 2, at: 5020) }
        builder.end()
        try expectSame(Trace.open(bytes: builder.bytes), Trace.open(bytes: compacted(builder.bytes)))
    }

    @Test func `records of a later version are carried as they are`() throws {
        var builder = TraceBuilder(minor: 7, flags: 2, sampleBytes: 4096)
        builder.events {
            $0.sample(0x1000, size: 4096, weight: 128.5, at: 1100)
            $0.extended(30, argument: 12345, [1, .max, 0])
            $0.totals(allocations: 1000, frees: 900, bytes: 5_000_000)
        }
        builder.chunk(kind: 500, skippable: true, codec: 9, payload: [1, 2, 3, 4, 5])
        builder.end()
        let packed = try compacted(builder.bytes)
        try expectSame(Trace.open(bytes: builder.bytes), Trace.open(bytes: packed))
        #expect(packed.count { $0 == 5 } > 0)
    }

    @Test func `a trace of many streams at once is read with bounded memory, or refused`() throws {
        // 80 streams that overlap, each with a chunk of 16 MiB that packs to next to nothing.
        let words = [UInt64](repeating: 0, count: 2 << 20 - 4) + [1 << 20 | 1]
        let codec = PayloadCodec()
        var stored = [UInt8](repeating: 0, count: PayloadCodec.bound(words.count * 8))
        let count = try #require(
            words.withUnsafeBytes { raw in
                stored.withUnsafeMutableBytes { codec.pack(.zstd, level: 1, firstTime: 0, raw, into: $0) }
            })
        func trace(overlapping: Bool) throws -> Trace {
            var builder = TraceBuilder()
            for thread in UInt32(1)...66 {
                let start = overlapping ? 1000 : 1000 * UInt64(thread)
                builder.chunk(
                    kind: 2, codec: 1, thread: thread, image: 1, firstTime: start, frees: 1, rawBytes: words.count * 8,
                    payload: Array(stored[..<count]))
            }
            return try Trace.open(bytes: builder.bytes)
        }
        #expect(throws: TraceError.self) { try trace(overlapping: true) }
        let apart = try trace(overlapping: false)
        var events = 0
        apart.forEachEvent { _ in events += 1 }
        #expect(events == 66)
    }
}
