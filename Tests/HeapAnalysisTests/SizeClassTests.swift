// Size classes: what the trace proves of them, and that nothing is said of what it does not prove.
@testable import HeapAnalysis
import Testing

@Suite struct SizeClassTests {
    /// An allocator with classes of 32, 64, 96 and 128 bytes.
    private func source() -> ScriptedSource {
        var source = ScriptedSource()
        source.own(1, family: "Class", type: "Node", cause: "construct")
        source.own(2, family: "Class", type: "Leaf", cause: "construct")
        source.facts.allocator = "jemalloc"
        for size in 1...128 as ClosedRange<UInt64> { source.usable[size] = (size + 31) / 32 * 32 }
        return source
    }

    private func blocks(_ count: Int, of size: UInt64, stack: UInt32 = 1, from address: UInt64) -> [ScriptedEvent] {
        (0..<UInt64(count)).map { .allocate(address + $0 * 256, size: size, stack: stack, at: 10) }
    }

    private func classes(_ source: ScriptedSource, by fields: RowFields = .size) -> SizeClasses {
        SizeClasses(source.profile(fields: [.size]), by: fields)
    }

    @Test func `blocks just above a class say what a few bytes less would save`() throws {
        var source = source()
        source.events = blocks(10, of: 65, from: 0x10000) + blocks(1, of: 60, from: 0x20000)
        source.events += blocks(3, of: 65, stack: 2, from: 0x30000)
        source.events += (0..<4).map { .free(0x10000 + $0 * 256, at: 20) }
        let classes = classes(source)
        let edge = try #require(classes.edges.first)
        #expect(classes.edges.count == 2)
        #expect(edge.key.type == "Node")
        #expect((edge.size, edge.usable, edge.below, edge.excess) == (65, 96, 64, 1))
        #expect(edge.savedEach == 32)
        #expect(edge.saved == 320)
        #expect(edge.savedAtPeak == 320)
        #expect(classes.edges[1].saved == 96)
    }

    @Test func `no edge without the class below in the trace, nor further above it than a quarter`() {
        var source = source()
        source.events = blocks(10, of: 65, from: 0x10000)
        #expect(classes(source).edges.isEmpty)
        source.events += blocks(1, of: 64, from: 0x20000)
        #expect(classes(source).edges.count == 1)
        source.events = blocks(10, of: 73, from: 0x10000) + blocks(1, of: 64, from: 0x20000)
        #expect(classes(source).edges.isEmpty)
    }

    @Test func `a block of glibc's that is larger than its class proves no class`() {
        var source = source()
        source.facts.allocator = "glibc"
        // 56 + 8 fills 64: the class is 56. This block was found whole in a free one of 80.
        source.usable = [56: 72, 40: 40]
        source.events = blocks(10, of: 56, from: 0x10000) + blocks(1, of: 40, from: 0x20000)
        #expect(classes(source).edges.isEmpty)
        // 57 needs the class of 72, one byte above 56.
        source.usable = [57: 72, 56: 56]
        source.events = blocks(10, of: 57, from: 0x10000) + blocks(1, of: 56, from: 0x20000)
        #expect(classes(source).edges.map(\.saved) == [160])
    }

    @Test func `classes and owners sum to what the trace holds`() throws {
        var source = source()
        source.events = blocks(10, of: 65, from: 0x10000) + blocks(4, of: 70, stack: 2, from: 0x20000)
        source.events += blocks(2, of: 20, stack: 2, from: 0x30000)
        let classes = classes(source, by: [.type])
        #expect(classes.classes.map(\.usable) == [32, 96])
        #expect(classes.classes[1].asked == 65...70)
        #expect(classes.classes[1].figures.allocations == 14)
        #expect(classes.classes[1].figures.slackBytes == 10 * 31 + 4 * 26)
        #expect(classes.classes[1].slackAtPeak == 10 * 31 + 4 * 26)
        #expect(classes.owners.map(\.key.type) == ["Node", "Leaf"])
        #expect(classes.owners.map(\.slackBytes) == [310, 4 * 26 + 2 * 12])
        #expect(classes.total?.slackBytes == 310 + 128)
        #expect(classes.total?.unknown == 0)
    }

    @Test func `sizes whose usable size is not known are in no class`() {
        var source = source()
        source.events = blocks(3, of: 500, from: 0x10000) + blocks(1, of: 30, from: 0x20000)
        let classes = classes(source)
        #expect(classes.classes.map(\.usable) == [32])
        #expect(classes.total?.unknown == 3)
        #expect(classes.total?.knownBytes == 30)
        #expect(classes.total?.slackBytes == 2)
    }

    @Test func `blocks of another alignment have classes of their own`() {
        let aligned = CellKey.sizePart(65, alignmentCode: 5)
        let plain = CellKey.sizePart(65, alignmentCode: 0)
        #expect(aligned != plain)
        let key = CellKey(stack: 1, thread: 0, size: aligned, type: 0)
        #expect(key.bytesAsked == 65)
        #expect(key.alignmentCode == 5)
    }

    @Test func `temporary blocks have bytes where sizes are kept apart`() {
        var source = source()
        source.events = [.allocate(0x10, size: 40, at: 1), .free(0x10, at: 2), .allocate(0x20, size: 7, at: 3)]
        let sized = source.profile(fields: [.size]).rows(by: [])
        #expect(sized.first?.figures.temporaryBytes == 40)
        #expect(source.profile(fields: []).rows(by: []).first?.figures.temporaryBytes == nil)
    }
}
