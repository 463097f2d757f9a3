// The committed golden files: made again byte for byte by the builder, and read back field by field.

import Glibc
import TestSupport
import Testing

@testable import TraceReader

/// The bytes of a committed golden file.
func goldenFile(_ name: String) throws -> [UInt8] {
    let file = fopen(goldenPath(name), "rb")
    try #require(file != nil, "no golden file \(name)")
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    return Array(bytes[..<fread(&bytes, 1, bytes.count, file)])
}

private func goldenPath(_ name: String) -> String {
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        + "/Golden/\(name)"
}

@Suite struct GoldenTraceTests {
    @Test(arguments: GoldenTrace.all)
    func `the builder makes the committed bytes`(golden: GoldenTrace) throws {
        if getenv("HEAPTRAIL_WRITE_GOLDEN") != nil {
            let file = fopen(goldenPath(golden.name), "wb")
            try #require(file != nil)
            #expect(fwrite(golden.bytes, 1, golden.bytes.count, file) == golden.bytes.count)
            fclose(file)
        }
        #expect(try goldenFile(golden.name) == golden.bytes)
    }

    @Test func `the committed columns hold the records they were packed from`() throws {
        let golden = GoldenTrace.program
        if getenv("HEAPTRAIL_WRITE_GOLDEN") != nil {
            let bytes = GoldenTrace.compact(golden.bytes)
            let file = fopen(goldenPath(golden.name), "wb")
            try #require(file != nil)
            #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
            fclose(file)
        }
        let bytes = try goldenFile(golden.name)
        let events = try #require(ChunkSpan.all(of: bytes).first { $0.kind == 2 })
        #expect(bytes[events.start + 7] == 2)
        #expect(bytes.count < golden.bytes.count / 3)
        let trace = try Trace.open(bytes: bytes)
        #expect(trace.isComplete)
        #expect(try allEvents(of: trace) == allEvents(of: Trace.open(bytes: golden.bytes)))
    }

    @Test func `the header, information, clock, losses and end are read`() throws {
        let trace = try Trace.open(bytes: goldenFile("every-record.trace"))
        #expect(trace.isComplete)
        #expect(trace.cutOffset == nil)
        #expect(trace.corruption == nil)
        #expect(trace.mode == .collector)
        #expect(trace.architecture == .amd64)
        #expect(trace.processID == 4242)
        #expect(trace.pageSize == 4096)
        #expect(trace.host == "forge")
        #expect(trace.program == "./matrix")
        #expect(trace.arguments == ["./matrix", "--rows", "5"])
        #expect(trace.executablePath == "/srv/matrix/matrix")
        #expect(trace.workingDirectory == "/srv/matrix")
        #expect(trace.allocator == "glibc")
        #expect(trace.allocatorPath == "/lib/libc.so.6")
        #expect(trace.recorderVersion == "0.1.0")
        #expect(trace.kernel == "6.1.0")
        #expect(trace.options == "--when-full wait")
        #expect(trace.warnings == ["first warning", "second warning"])
        #expect(trace.nanosecondsPerTick == 0.5)
        #expect(trace.isClockCalibrated)
        #expect(trace.startTicks == 1000)
        #expect(trace.lastTicks == 2_001_000)
        #expect(trace.losses.allocations == 1)
        #expect(trace.losses.frees == 3)
        #expect(trace.losses.bytes == 300)
        #expect(trace.losses.reason == .ringFull)
        #expect(trace.end == TraceEnd(how: .exited, status: 3, ticks: 2_001_000))
    }

    @Test func `every kind of event record is delivered`() throws {
        let trace = try Trace.open(bytes: goldenFile("every-record.trace"))
        let thread = ThreadSerial(1)
        let jump: UInt64 = 1060 + (1 << 20)
        func allocation(
            _ time: UInt64, _ address: UInt64, _ size: UInt64, _ stack: UInt32, code: UInt8 = 0, half: Bool = false,
            type: UInt64 = 0
        ) -> HeapEvent {
            HeapEvent(
                kind: .allocation, time: time, thread: thread, address: address, size: size, stack: StackID(stack),
                alignmentCode: code, isReallocationHalf: half, typeID: type)
        }
        func free(_ time: UInt64, _ address: UInt64, half: Bool = false, type: UInt64 = 0) -> HeapEvent {
            HeapEvent(
                kind: .free, time: time, thread: thread, address: address, isReallocationHalf: half, typeID: type)
        }
        #expect(
            events(of: trace) == [
                allocation(1010, 0x10_0000, 505, 1), allocation(1020, 0x10_0400, 64, 2, code: 4),
                allocation(1030, 0x10_0800, 96, 2, type: 0x7F00_1000), free(1040, 0x10_0800, half: true),
                allocation(1050, 0x10_0C00, 192, 1, half: true), free(1060, 0x10_0400, type: 0x7F00_2000),
                allocation(jump, 0x10_1000, 8, 0),
                allocation(jump, 0x10_0000_0000_0000, 1 << 33, 2, code: 16 + 21, type: 0x7F00_1000),
                free(jump, 0x10_0000_0000_0000, half: true),
                allocation(2_000_000, 0x20_0000_0000_0000, 1 << 34, 1, half: true),
                free(2_000_000, 0x20_0000_0000_0000, type: 0x7F00_1000),
            ])
        #expect(trace.allocations == 7)
        #expect(trace.frees == 4)
    }

    @Test func `definitions are bound to their ids`() throws {
        let trace = try Trace.open(bytes: goldenFile("every-record.trace"))
        #expect(trace.stacks.count == 3)
        #expect(trace.stacks.frames(of: StackID(1)) == [0x401010, 0x402020, 0x403030])
        #expect(trace.stacks.frames(of: StackID(2)) == [0x404040, 0x402020, 0x403030])
        #expect(trace.stacks[StackID(1)]?.tag == TagID(1))
        #expect(trace.stacks[StackID(2)]?.isTruncated == true)
        #expect(trace.stacks[StackID(2)]?.firstUse == 1020)
        #expect(trace.stacks[StackID(2)]?.typeID == 0)
        #expect(trace.stacks[StackID(3)]?.typeID == 0x7F00_2000)
        #expect(trace.stacks.frames(of: StackID(3)) == [0x405050, 0x403030])
        #expect(
            trace.tags == [
                TagID(1): OwnerTagInfo(family: "Box", type: "Box<Matrix>", cause: "construct", language: "swift")
            ])
        #expect(trace.typeNames == [0x7F00_1000: "Array<Point>"])
        #expect(
            trace.tables()?.metadata == [
                0x7F00_1000: MetadataRecord(kind: .nominalClass, descriptor: 0x40_6000, arguments: [0x7F00_2000]),
                0x7F00_2000: MetadataRecord(kind: .nominalStruct, kindWord: 0x200, descriptor: 0x40_5000),
                0x7F00_3000: MetadataRecord(
                    kind: .function, kindWord: 0x302, descriptor: 0, arguments: [0x7F00_2000], flags: 0x401_0000),
            ])
        #expect(trace.tables()?.taskNames == [9: "reader"])
        #expect(trace.counters == [CounterInfo(id: CounterID(1), name: "Cow.borrowed", total: 7)])
        #expect(trace.usableSizes.usableSize(size: 505, alignmentCode: 0) == 520)
        #expect(trace.usableSizes.usableSize(size: 505, alignmentCode: 1) == nil)
        #expect(
            trace.threads == [ThreadInfo(serial: ThreadSerial(1), threadID: 4242, name: "matrix", exactTotals: nil)])
        let module = try #require(trace.modules.module(for: 0x401010, at: 1010))
        #expect(module.path == "/srv/matrix/matrix")
        #expect(module.buildID == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        #expect(trace.modules[ModuleID(2)]?.bias == 0x600000)
        #expect(trace.modules[ModuleID(2)]?.unloadTime == 2_000_000)
    }

    @Test func `streams of several threads and lanes are merged by time, frees first`() throws {
        let trace = try Trace.open(bytes: goldenFile("threads.trace"))
        #expect(trace.images.map(\.number) == [1, 2])
        #expect(trace.lastImage == 2)
        #expect(trace.executablePath == "/srv/worker")
        #expect(trace.arguments == ["worker"])
        let merged = events(of: trace)
        #expect(merged.map(\.time) == [1010, 1020, 1020, 1035, 1036, 1040, 1050, 1060, 1080, 1090])
        #expect(merged.map(\.thread.rawValue) == [1, 2, 2, 1, 1, 1, 2, 1, 3, 1])
        #expect(merged.map { $0.kind == .free ? 0 : $0.size } == [100, 0, 300, 16, 0, 200, 0, 0, 24, 600])
        #expect(
            merged.map(\.isReallocationHalf) == [false, false, false, false, false, false, false, true, false, true])
        #expect(trace.threads.map(\.name) == ["main", "worker", ""])
        #expect(trace.end?.how == .signalled)
        #expect(trace.end?.status == 9)
    }

    @Test func `each image has its own events and definitions`() throws {
        let trace = try Trace.open(bytes: goldenFile("threads.trace"))
        #expect(events(of: trace, image: 1).map(\.address) == [0x100])
        #expect(trace.tables(image: 1)?.stacks.frames(of: StackID(1)) == [0xE001])
        #expect(trace.tables(image: 2)?.stacks.frames(of: StackID(1)) == [0x1001, 0x1002])
        #expect(trace.tables(image: 1)?.allocations == 1)
        #expect(trace.tables(image: 3) == nil)
        #expect(events(of: trace, image: 3).isEmpty)
        #expect(trace.allocations == 7)
    }

    @Test func `a sampled trace keeps weights and exact totals`() throws {
        let trace = try Trace.open(bytes: goldenFile("sampled.trace"))
        #expect(trace.isSampled)
        #expect(trace.isForkedChild)
        #expect(trace.sampleBytes == 524_288)
        #expect(trace.nanosecondsPerTick == 1)
        let merged = events(of: trace)
        #expect(merged.filter { $0.kind == .allocation }.map(\.weight) == [128.5, 1.25])
        #expect(merged.map(\.isFreedNext) == [false, false, true, false])
        #expect(
            trace.threads.map(\.exactTotals) == [
                AllocationTotals(allocations: 1100, frees: 1000, bytes: 5_500_000, reallocations: 7),
                AllocationTotals(allocations: 3, frees: 2, bytes: 96),
            ])
        #expect(
            trace.tables()?.unplacedTotals
                == AllocationTotals(allocations: 10, frees: 9, bytes: 80, reallocations: 1))
        #expect(trace.threads.count == 2)
        #expect(trace.end?.how == .turnedOff)
    }
}
