// Types of the Swift runtime: whose allocation takes an announced type, and what is copied of metadata, sound and damaged.
// The metadata is this process's own.

import CInterposerTestSupport
import CTraceFormat
internal import Synchronization
import Testing
import TraceReader

private class Node<T> {}
private final class Pair<K, V>: Node<V> {}
private struct Outer<A> {
    struct Inner<B> {}
    enum Choice { case one, two }
}
private protocol Shape {}
private class Pack<each T> {}
private struct Broken: Error {}

/// The address of a type's metadata, which is its id.
private func id(_ type: Any.Type) -> UInt64 { UInt64(UInt(bitPattern: unsafeBitCast(type, to: UnsafeRawPointer.self))) }

/// Memory that looks like metadata, or like an object. It is kept to the process's end, as metadata is.
private struct Words {
    private static let kept = Mutex<[UInt]>([])
    let start: UnsafeMutablePointer<UInt64>
    init(_ words: [UInt64]) {
        start = .allocate(capacity: words.count)
        start.initialize(from: words, count: words.count)
        let address = UInt(bitPattern: start)
        Self.kept.withLock { $0.append(address) }
    }
    var address: UInt64 { UInt64(UInt(bitPattern: start)) }
}

extension RecorderCore {
    @Suite("A type of the Swift runtime") struct SwiftTypeTests {
        /// What a recording says of types, each the type of one allocation.
        private func tables(_ types: [UInt64]) throws -> (trace: Trace, metadata: [UInt64: MetadataRecord]) {
            let session = try RecordingSession(options: RecorderOption.noStacks)
            perform(
                types.enumerated().flatMap {
                    [
                        Operation.announce($0.element, size: 64),
                        .allocateHooked(0x1000 + UInt64($0.offset) * 64, size: 64),
                    ]
                })
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            #expect(try typeIDs(of: trace) == types)
            return (trace, try #require(trace.tables()).metadata)
        }

        private func typeIDs(of trace: Trace) throws -> [UInt64] {
            let tables = try #require(trace.tables())
            return trace.events.map { tables.typeID(of: $0) }
        }

        private func metadata(of type: Any.Type) throws -> MetadataRecord {
            try #require(tables([id(type)]).metadata[id(type)])
        }

        @Test func `is taken by the allocation beneath the hook, and by no other`() throws {
            let session = try RecordingSession(options: RecorderOption.noStacks)
            let type = id(Node<Int>.self)
            perform([
                .allocateHooked(0x1000, size: 48),
                .announce(type, size: 48), .allocateHooked(0x2000, size: 48), .allocateHooked(0x3000, size: 48),
                .announce(type, size: 48), .allocateHooked(0x4000, size: 64), .allocateApart(0x5000, size: 48),
                .allocateHooked(0x6000, size: 48),
            ])
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            #expect(try typeIDs(of: trace) == [0, type, 0, 0, 0, type])
            #expect(trace.events.map(\.size) == [48, 48, 48, 64, 48, 48])
        }

        @Test func `of a sample is kept with its weight, and of no sample is forgotten`() throws {
            let session = try RecordingSession(options: RecorderOption.noStacks, sample: 1 << 16, seed: 7)
            let type = id(Node<Int>.self)
            perform(
                (0..<40_000).flatMap { number -> [Operation] in
                    let address = 0x10000 + UInt64(number) * 128
                    return number % 2 == 0
                        ? [.announce(type, size: 100), .allocateHooked(address, size: 100)]
                        : [.allocateHooked(address, size: 100)]
                })
            let (trace, _) = try session.trace()
            let samples = trace.events
            #expect(samples.allSatisfy { $0.weight > 600 })
            let tables = try #require(trace.tables())
            for sample in samples {
                let number = (sample.address - 0x10000) / 128
                #expect(tables.typeID(of: sample) == (number % 2 == 0 ? type : 0))
            }
            #expect(Set(samples.map(tables.typeID(of:))) == [type, 0])
        }

        @Test func `has a descriptor in a module that the trace knows, also without stacks`() throws {
            let (trace, metadata) = try tables([id(Node<Int>.self), id(Node<String>.self)])
            let first = try #require(metadata[id(Node<Int>.self)])
            let second = try #require(metadata[id(Node<String>.self)])
            #expect(first.descriptor == second.descriptor)
            #expect(first.kind == .nominalClass && first.kindWord == 0)
            let time = try #require(trace.events.first).time
            #expect(trace.modules.module(for: first.descriptor, at: time) != nil)
            let string = try #require(metadata[id(String.self)])
            #expect(trace.modules.module(for: string.descriptor, at: time)?.path.contains("libswiftCore") == true)
        }

        @Test func `names the generic arguments of nominal types, those of enclosing types first`() throws {
            #expect(try metadata(of: Node<[Int]>.self).arguments == [id([Int].self)])
            #expect(try metadata(of: Pair<Int, String>.self).arguments == [id(Int.self), id(String.self)])
            let inner = try metadata(of: Outer<Int>.Inner<Double>.self)
            #expect(inner.kind == .nominalStruct && inner.kindWord == 0x200)
            #expect(inner.arguments == [id(Int.self), id(Double.self)])
            let choice = try metadata(of: Outer<UInt8>.Choice.self)
            #expect(choice.kind == .nominalEnum && choice.arguments == [id(UInt8.self)])
            let optional = try metadata(of: Int?.self)
            #expect(optional.kind == .nominalEnum && optional.kindWord == 0x202)
            #expect(optional.arguments == [id(Int.self)])
            // Hashable's witness table is no argument.
            #expect(try metadata(of: [String: Int].self).arguments == [id(String.self), id(Int.self)])
            #expect(try metadata(of: Int.self).arguments.isEmpty)
        }

        @Test func `names what tuples, functions, metatypes and existentials are made of`() throws {
            let tuple = try metadata(of: (Int, String).self)
            #expect(tuple.kind == .tuple && tuple.arguments == [id(Int.self), id(String.self)])
            let function = try metadata(of: ((Int, Bool) -> String).self)
            #expect(function.kind == .function)
            #expect(function.arguments == [id(String.self), id(Int.self), id(Bool.self)])
            #expect(function.flags & 0xFFFF == 2)
            let metatype = try metadata(of: Int.Type.self)
            #expect(metatype.kind == .metatype && metatype.arguments == [id(Int.self)])
            let existential = try metadata(of: (any Shape).self)
            #expect(existential.kind == .existential && existential.arguments.count == 1)
            let bounded = try metadata(of: (any Shape & Node<Int>).self)
            #expect(bounded.arguments.count == 2 && bounded.arguments.first == id(Node<Int>.self))
            #expect(try metadata(of: (any Shape.Type).self).kindWord == 0x306)
            #expect(try metadata(of: Any.self).arguments.isEmpty)
        }

        @Test func `brings along every type that it names`() throws {
            let (_, metadata) = try tables([id(Node<[(Int, Double?)]>.self)])
            let parts: [Any.Type] = [
                [(Int, Double?)].self, (Int, Double?).self, Int.self, Double?.self, Double.self,
            ]
            for part in parts { #expect(metadata[id(part)] != nil, "\(part)") }
            #expect(metadata.count == 1 + parts.count)
        }

        @Test func `with a pack of parameters gives the pack's address, not its length`() throws {
            let pack = try metadata(of: Pack<Int, String>.self)
            #expect(pack.kind == .nominalClass && pack.arguments.count == 1)
            #expect(try #require(pack.arguments.first) > 4096)
        }

        @Test func `that cannot be read, or is anything, is described as such`() throws {
            let odd = Words([0x7F1, 0, 0, 0, 0, 0, 0, 0])
            let unreadable: [UInt64] = [8, 0x7FFF_FFFF_F000, 1 << 60, 0xDEAD_BEEF_DEAD_BEE8]
            let (_, metadata) = try tables(unreadable + [odd.address])
            for type in unreadable { #expect(metadata[type] == MetadataRecord(kind: .other, descriptor: 0)) }
            #expect(metadata[odd.address] == MetadataRecord(kind: .other, kindWord: 0x7F1, descriptor: 0))
            #expect(metadata.count == 5)
        }

        @Test func `that names itself, or far too many, ends`() throws {
            let cycle = Words([0x304, 0])
            cycle.start[1] = cycle.address
            let wide = Words([0x301, 1 << 40, 0] + [UInt64](repeating: 0, count: 200))
            for element in 0..<100 { wide.start[3 + element * 2] = id(Int.self) }
            let chain = (0..<40).map { _ in Words([0x304, 0]) }
            for (link, next) in zip(chain, chain.dropFirst()) { link.start[1] = next.address }
            // 24 tuples of 24 tuples, and so on.
            let many = (0..<600).map { _ in Words([0x301, 24, 0] + [UInt64](repeating: 0, count: 48)) }
            for (number, tuple) in many.enumerated() {
                for element in 0..<24 { tuple.start[3 + element * 2] = many[(number * 24 + element + 1) % 600].address }
            }
            let (_, metadata) = try tables([cycle.address, wide.address, chain[0].address, many[0].address])
            #expect(metadata[cycle.address]?.arguments == [cycle.address])
            #expect(metadata[wide.address]?.arguments == [UInt64](repeating: id(Int.self), count: 24))
            #expect(metadata[chain[7].address] != nil && metadata[chain[8].address] == nil)
            #expect(metadata[many[0].address] != nil)
            #expect(metadata.count < 100)
        }

        @Test func `of an error is told by its box as it is freed`() throws {
            let box = Words([0x501, 0, 0])
            let error = Words([box.address, 3, id(Broken.self), 0, 0, 0, 0, 0])
            let other = Words([77, 3, id(Broken.self), 0, 0, 0, 0, 0])
            let session = try RecordingSession(options: RecorderOption.noStacks)
            perform([
                .allocateHooked(other.address, size: 64), .freeHooked(other.address),
                .announce(box.address, size: 64), .allocateHooked(error.address, size: 64),
                .freeHooked(error.address),
                // No error box is left: this one is not looked at.
                .allocateHooked(error.address, size: 64), .freeHooked(error.address),
            ])
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            #expect(try typeIDs(of: trace) == [0, 0, box.address, id(Broken.self), 0, 0])
            let metadata = try #require(trace.tables()).metadata
            #expect(metadata[box.address] == MetadataRecord(kind: .errorBox, kindWord: 0x501, descriptor: 0))
            #expect(metadata[id(Broken.self)]?.kind == .nominalStruct)
        }
    }
}
