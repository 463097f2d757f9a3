// Definitions built by hand where the golden traces are too tame: shared prefixes, ids out of all proportion, bases that do not exist, modules
// that follow each other at one address.

import TestSupport
import Testing
import TraceReader

@Suite struct TraceDefinitionTests {
    private func trace(_ write: (inout RecordWriter) -> Void) throws -> Trace {
        var builder = TraceBuilder()
        builder.events(write)
        builder.end()
        return try Trace.open(bytes: builder.bytes)
    }

    @Test func `a chain of stacks keeps the outermost frames of its bases`() throws {
        let trace = try trace {
            $0.stack(1, frames: [4, 3, 2, 1])
            $0.stack(2, frames: [6, 5], base: 1, kept: 2)
            $0.stack(3, frames: [], base: 2, kept: 3)
            $0.stack(4, frames: [9], base: 1, kept: 4)
            $0.stack(5, frames: [7])
        }
        #expect(trace.stacks.frames(of: StackID(2)) == [6, 5, 2, 1])
        #expect(trace.stacks.frames(of: StackID(3)) == [5, 2, 1])
        #expect(trace.stacks.frames(of: StackID(4)) == [9, 4, 3, 2, 1])
        #expect(trace.stacks.frames(of: StackID(5)) == [7])
        #expect(trace.stacks.undefinedStacks == 0)
    }

    @Test func `every ancestor of a deep stack can be a base`() throws {
        let depth: UInt64 = 300
        let trace = try trace {
            $0.stack(1, frames: (1...depth).reversed())
            for kept in 1...depth { $0.stack(UInt32(kept) + 1, frames: [1000 + kept], base: 1, kept: UInt16(kept)) }
        }
        for kept in 1...depth {
            let frames = trace.stacks.frames(of: StackID(UInt32(kept) + 1))
            #expect(frames == [1000 + kept] + (1...kept).reversed())
        }
    }

    @Test func `a base that was never defined, or too deep, leaves a stack that ends early`() throws {
        let trace = try trace {
            $0.stack(1, frames: [1])
            $0.stack(2, frames: [2], base: 99, kept: 3)
            $0.stack(3, frames: [3], base: 1, kept: 2)
        }
        #expect(trace.isComplete)
        #expect(trace.stacks.undefinedStacks == 2)
        #expect(trace.stacks[StackID(2)]?.endedEarly == true)
        #expect(trace.stacks.frames(of: StackID(2)) == [2])
        #expect(trace.stacks[StackID(3)]?.endedEarly == true)
        #expect(trace.stacks[StackID(1)]?.endedEarly == false)
    }

    @Test func `the largest stack ids cost no more than small ones`() throws {
        let trace = try trace {
            $0.stack(.max, frames: [1])
            $0.stack(1 << 28, frames: [2])
            $0.stack(5, frames: [3])
            $0.wideAllocate(0x10, size: 1, stack: UInt64(UInt32.max))
        }
        #expect(trace.stacks.count == 3)
        #expect(trace.stacks.frames(of: StackID(.max)) == [1])
        #expect(trace.stacks.frames(of: StackID(1 << 28)) == [2])
        #expect(trace.stacks.row(of: StackID(5)) == 2)
        #expect(trace.stacks.row(of: StackID(6)) == nil)
        #expect(trace.stacks[.none] == nil)
        #expect(events(of: trace).map(\.stack) == [StackID(.max)])
    }

    @Test func `chained definitions cannot grow a stack without bound`() throws {
        let trace = try trace {
            $0.stack(1, frames: [UInt64](repeating: 1, count: 40_000))
            $0.stack(2, frames: [UInt64](repeating: 2, count: 30_000), base: 1, kept: 40_000)
        }
        #expect(trace.stacks[StackID(2)]?.depth == 30_000)
        #expect(trace.stacks[StackID(2)]?.endedEarly == true)
    }

    @Test func `a stack's first use is the allocation that follows it, in a later chunk too`() throws {
        var builder = TraceBuilder()
        builder.events(from: 1000) {
            $0.allocate(0x10, size: 1, at: 1001)
            $0.stack(1, frames: [1])
        }
        builder.events(thread: 2, from: 1500) { $0.allocate(0x20, size: 1, stack: 1, at: 3000) }
        builder.events(from: 1001) {
            $0.free(0x10, at: 1500)
            $0.allocate(0x10, size: 1, stack: 1, at: 2000)
        }
        builder.end()
        let trace = try Trace.open(bytes: builder.bytes)
        #expect(trace.stacks[StackID(1)]?.firstUse == 2000)
    }

    @Test func `the module of an address is the one loaded at the time`() throws {
        let trace = try trace {
            $0.setTime(100)
            $0.module(1, path: "first.so", from: 0x1000, to: 0x3000)
            $0.module(9, path: "around.so", from: 0x8000, to: 0x9000)
            $0.setTime(200)
            $0.moduleGone(1)
            $0.setTime(300)
            $0.module(2, path: "second.so", from: 0x2000, to: 0x4000)
            $0.setTime(400)
            $0.moduleGone(2)
        }
        func path(_ address: UInt64, _ time: UInt64) -> String? { trace.modules.module(for: address, at: time)?.path }
        #expect(path(0x2000, 150) == "first.so")
        #expect(path(0x2FFF, 350) == "second.so")
        #expect(path(0x1000, 350) == "first.so")
        #expect(path(0x2000, 199) == "first.so")
        #expect(path(0x2000, 200) == "second.so")
        #expect(path(0x2000, 50) == "second.so")
        #expect(path(0x3000, 150) == "second.so")
        #expect(path(0x8FFF, 500) == "around.so")
        #expect(path(0x4000, 350) == nil)
        #expect(path(0x0FFF, 150) == nil)
        #expect(trace.modules[ModuleID(1)]?.unloadTime == 200)
        #expect(trace.modules[ModuleID(9)]?.unloadTime == .max)
    }

    @Test func `every address at every time has the module that a search of all of them finds`() throws {
        var state: UInt64 = 7
        func next(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        let trace = try trace {
            for id in 1...200 as ClosedRange<UInt32> {
                $0.setTime(next(1000))
                let start = next(6) * 0x100
                $0.module(id, path: "\(id)", from: start, to: start + next(4) * 0x100)
                $0.setTime(next(1000))
                if next(5) > 0 { $0.moduleGone(id) }
            }
        }
        let rows = trace.modules.all.enumerated()
        for address in stride(from: 0, to: 0xA00, by: 0x80) as StrideTo<UInt64> {
            for time in stride(from: 0, through: 1000, by: 37) as StrideThrough<UInt64> {
                let holders = rows.filter { $0.element.contains(address) }
                let then = holders.filter { $0.element.loadTime <= time && time < $0.element.unloadTime }
                let wanted = (then.isEmpty ? holders : then).max {
                    ($0.element.loadTime, $0.offset) < ($1.element.loadTime, $1.offset)
                }
                #expect(trace.modules.row(for: address, at: time) == wanted?.offset)
            }
        }
    }

    @Test func `a chunk of definitions serves every thread, and may hold no event`() throws {
        var builder = TraceBuilder()
        builder.events(thread: 0, definitions: true) {
            $0.setTime(50)
            $0.stack(1, frames: [1, 2])
        }
        builder.events(thread: 5) { $0.allocate(0x10, size: 1, stack: 1, at: 1000) }
        builder.end()
        let trace = try Trace.open(bytes: builder.bytes)
        #expect(trace.stacks.frames(of: StackID(1)) == [1, 2])
        #expect(trace.stacks[StackID(1)]?.firstUse == 50)
        #expect(trace.threads.map(\.serial) == [ThreadSerial(5)])

        var hiding = TraceBuilder()
        hiding.events(definitions: true) { $0.free(0x10, at: 1000) }
        #expect(try Trace.open(bytes: hiding.bytes).corruption?.isCorrupt == true)
    }

    @Test func `a type's metadata keeps its words, its kind where it is known, and stays inside its record`() throws {
        let trace = try trace {
            $0.metadata(0x1000, kind: 99, kindWord: 0x307, descriptor: 0x2000, [1, 2, 3])
            $0.metadata(0x1008, kind: 1, descriptor: 0x3000, [1, 2, 3], count: 2)
        }
        #expect(
            trace.tables()?.metadata == [
                0x1000: MetadataRecord(kind: .other, kindWord: 0x307, descriptor: 0x2000, arguments: [1, 2, 3]),
                0x1008: MetadataRecord(kind: .nominalClass, descriptor: 0x3000, arguments: [1]),
            ])
        for count in [0, 5] {
            var builder = TraceBuilder()
            builder.events { $0.metadata(0x1000, kind: 1, descriptor: 0x3000, [1, 2, 3], count: count) }
            #expect(try Trace.open(bytes: builder.bytes).corruption?.isCorrupt == true, "\(count) words")
        }
    }

    @Test func `a program executed in the place of another goes by its own name`() throws {
        var builder = TraceBuilder()
        builder.info([(2, "env"), (3, "env\0worker\0"), (4, "glibc"), (10, "/usr/bin/env"), (7, "/")])
        builder.events(image: 1) {
            $0.image(1, executable: "/usr/bin/env", directory: "/", arguments: ["env", "worker"])
        }
        let before = try Trace.open(bytes: builder.bytes)
        #expect(before.program == "env")
        #expect(before.arguments == ["env", "worker"])
        builder.events(image: 2) {
            $0.image(2, executable: "/srv/worker", directory: "/srv", arguments: ["worker", "-v"])
        }
        let after = try Trace.open(bytes: builder.bytes)
        #expect(after.program == "worker")
        #expect(after.arguments == ["worker", "-v"])
        #expect(after.executablePath == "/srv/worker")
        #expect(after.workingDirectory == "/srv")
        #expect(after.allocator == "glibc")
        builder.info(image: 2, [(2, "./worker"), (4, "jemalloc")])
        #expect(try Trace.open(bytes: builder.bytes).program == "./worker")
        #expect(try Trace.open(bytes: builder.bytes).allocator == "jemalloc")
    }

    @Test func `losses are the larger of the recorder's total and its streams' sums`() throws {
        var builder = TraceBuilder()
        builder.events {
            $0.loss(allocations: 5, frees: 1, bytes: 100)
            $0.loss(allocations: 5, frees: 1, bytes: 100)
        }
        builder.losses(allocations: 3, frees: 7, bytes: 50, reason: 4)
        let losses = try Trace.open(bytes: builder.bytes).losses
        #expect(losses.allocations == 10)
        #expect(losses.frees == 7)
        #expect(losses.bytes == 200)
        #expect(losses.events == 17)
        #expect(losses.reason == .collectorGone)
        builder.events { $0.loss(allocations: 0, frees: 40, bytes: 0) }
        #expect(try Trace.open(bytes: builder.bytes).losses.frees == 42)
    }

    @Test func `a clock read once is calibrated against the start`() throws {
        var builder = TraceBuilder(startTicks: 1000, startNanoseconds: 5000)
        builder.clock(ticks: 3000, monotonic: 1, realtime: 6000)
        #expect(try Trace.open(bytes: builder.bytes).nanosecondsPerTick == 0.5)
        let uncalibrated = try Trace.open(bytes: TraceBuilder().bytes)
        #expect(!uncalibrated.isClockCalibrated)
        #expect(uncalibrated.nanosecondsPerTick == 1)
    }
}
