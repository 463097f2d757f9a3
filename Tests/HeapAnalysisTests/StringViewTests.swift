// Strings: what a block's size says of the text in it, and what a type with more room inside would change.
@testable import HeapAnalysis
import Symbolication
import Testing

@Suite struct StringViewTests {
    @Test(arguments: [
        // Asked for by Swift 6.3 for String(repeating:count:) of these lengths.
        (16, 64), (17, 64), (22, 64), (23, 64), (24, 64), (31, 64), (32, 80), (39, 80), (40, 80), (47, 80), (48, 96),
        (55, 96), (56, 96), (63, 96), (64, 112), (65, 112), (66, 112), (71, 112), (72, 128), (80, 128), (100, 144),
        (200, 256),
    ])
    func `a Swift string's size serves the lengths that asked for it`(length: Int, size: Int) {
        #expect(StringLayout.swift.lengths(ofBlock: size)?.contains(length) == true)
    }

    @Test func `each length belongs to one size of Swift's, and each size to its lengths`() {
        var sizes: [Int: Int] = [:]
        for size in 1...4096 {
            for length in StringLayout.swift.lengths(ofBlock: size) ?? 1...1 where length >= 16 {
                #expect(sizes[length] == nil, "\(length)")
                sizes[length] = size
            }
        }
        #expect(sizes.keys.sorted() == Array(16...sizes.keys.max()!))
        #expect(StringLayout.swift.lengths(ofBlock: 48) == nil)
        #expect(StringLayout.swift.lengths(ofBlock: 65) == nil)
    }

    @Test func `Rust's capacity is the size, C++ adds a zero byte, libc++ rounds up`() {
        #expect(StringLayout.rust.lengths(ofBlock: 23) == 23...23)
        #expect(StringLayout.libstdcxx.lengths(ofBlock: 17) == 16...16)
        #expect(StringLayout.libstdcxx.lengths(ofBlock: 16) == nil)
        #expect(StringLayout.libcxx.lengths(ofBlock: 32) == 23...31)
        #expect(StringLayout.libcxx.lengths(ofBlock: 48) == 32...47)
        #expect(StringLayout.libcxx.lengths(ofBlock: 26) == 25...25)
    }

    /// Stack 1 a Rust String, 2 a Swift one, 3 a wide C++ string, 4 a Box.
    private func source() -> ScriptedSource {
        var source = ScriptedSource()
        for (id, family, type, language) in [
            (1, "String", "String", "rust"), (2, "String", "String", "swift"), (3, "String", "std::wstring", "c++"),
            (4, "Box", "Box<T>", "rust"),
        ] as [(UInt32, String, String, String)] {
            source.stacks[id] = SourceStack(
                addresses: [], tag: TagEvidence(family: family, type: type, cause: "construct", language: language),
                firstUse: 0, isTruncated: false)
        }
        return source
    }

    private func profile(_ source: ScriptedSource) -> HeapProfile {
        var options = AnalysisOptions()
        options.sizedFamily = StringStorage.family
        return ProfileBuilder(source: source, options: options, symbolicator: ListedSymbols())
            .build(attributor: Attributor(executablePath: nil))
    }

    @Test func `only the sizes of strings are kept apart`() {
        var source = source()
        for size in 1...50 {
            source.events.append(.allocate(UInt64(size) * 0x100, size: UInt64(size), stack: 1, at: UInt64(size)))
            source.events.append(.allocate(UInt64(size) * 0x100 + 16, size: UInt64(size), stack: 4, at: UInt64(size)))
        }
        let profile = profile(source)
        #expect(profile.cells.filter { $0.size != nil }.count == 50)
        #expect(profile.cells.filter { $0.size == nil }.map(\.figures.allocations) == [50])
        #expect(profile.rows(by: .family).map(\.figures.allocations) == [50, 50])
    }

    @Test func `the what-if counts what fits for certain`() throws {
        var source = source()
        var address: UInt64 = 0x1000
        for (length, count) in [(15, 5), (22, 4), (23, 3), (24, 2), (30, 6), (31, 7)] as [(UInt64, Int)] {
            for _ in 0..<count {
                source.events.append(.allocate(address, size: length, stack: 1, at: address))
                address += 64
            }
        }
        // At the peak all live, and then the five shortest go.
        for index in 0..<5 { source.events.append(.free(0x1000 + UInt64(index) * 64, at: address)) }
        source.usable = [15: 24, 22: 24, 23: 24, 24: 24, 30: 40, 31: 40]
        let storage = StringStorage(profile(source), by: .type)
        #expect(storage.known.allocations == 27)
        #expect(storage.layouts == [.rust])
        #expect(storage.whatIf.map(\.capacity.bytes) == [15, 22, 23, 24, 30])
        #expect(storage.whatIf.map(\.certain.allocations) == [5, 9, 12, 14, 20])
        #expect(storage.whatIf.map(\.possible.allocations) == [5, 9, 12, 14, 20])
        let compact = storage.whatIf[3]
        #expect(compact.certain.bytes == 5 * 15 + 4 * 22 + 3 * 23 + 2 * 24)
        #expect(compact.certain.peakBytes == compact.certain.bytes)
        #expect(compact.certain.peakGiven == 14 * 24)
        // A value of 24 bytes is what a Rust String takes already; one of 32 costs 8 more for each of the 27.
        #expect(compact.costAtPeak == 0)
        #expect(compact.netAtPeak == 14 * 24)
        #expect(storage.whatIf[4].costAtPeak == 27 * 8)
        #expect(storage.whatIf[0].costAtPeak == -27 * 8)
        let row = try #require(storage.rows.first)
        #expect(storage.rows.count == 1)
        #expect(row.whatIf.map(\.certain.allocations) == [5, 9, 12, 14, 20])
    }

    @Test func `a size that serves several lengths says what is possible, not that it is so`() throws {
        var source = source()
        source.events = (1...10).map { .allocate($0 * 0x100, size: 64, stack: 2, at: $0) }
        source.events += [.allocate(0x5000, size: 80, stack: 2, at: 99)]
        let storage = StringStorage(profile(source), by: .type)
        for whatIf in storage.whatIf.dropFirst() {
            #expect(whatIf.certain.allocations == 0)
            #expect(whatIf.possible.allocations == 10)
            #expect(whatIf.netAtPeak == -11 * (whatIf.capacity.valueBytes - 16))
            #expect(whatIf.netAtPeakAtMost == 640 + whatIf.netAtPeak)
        }
        // Swift's own: those strings have a block because they do not fit.
        #expect(storage.whatIf[0].possible.allocations == 0)
        #expect(storage.bins.filter { $0.sums.allocations > 0 }.map(\.to) == [31, 47])
        #expect(storage.whatIf[1].possible.peakGiven == nil)
    }

    @Test func `types without a known layout are counted apart, and other families not at all`() {
        var source = source()
        source.events = [
            .allocate(0x10, size: 40, stack: 3, at: 1), .allocate(0x20, size: 65, stack: 2, at: 2),
            .allocate(0x30, size: 20, stack: 4, at: 3), .allocate(0x40, size: 20, stack: 1, at: 4),
        ]
        let storage = StringStorage(profile(source), by: .type)
        #expect(storage.unknown.allocations == 2)
        #expect(storage.known.allocations == 1)
        #expect(storage.rows.count == 1)
    }

    @Test func `samples count by their weight`() throws {
        var source = source()
        source.facts.isSampled = true
        source.events = [.allocate(0x10, size: 20, stack: 1, at: 1, weight: 100.5)]
        let storage = StringStorage(profile(source), by: .type)
        #expect(storage.known.allocations == 101 || storage.known.allocations == 100)
        #expect(storage.whatIf[1].certain.bytes == 2010)
        let error = try #require(storage.whatIf[1].certain.standardError)
        #expect(abs(error.allocations - (100.5 * 99.5).squareRoot()) < 0.01)
    }
}
