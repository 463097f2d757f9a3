// What the C library makes of chance is no difference; what is more than that is one.
@testable import HeapAnalysis
import Testing

@Suite struct DiffChanceTests {
    /// Two recordings of three blocks of one size, of which the allocators gave so much.
    private func diff(
        usable old: UInt64, _ new: UInt64, on allocators: (String, String) = ("glibc", "glibc")
    ) -> ProfileDiff {
        func source(_ usable: UInt64, _ allocator: String) -> ScriptedSource {
            var source = DiffSources.owners([("A", [100, 100, 100])])
            source.usable = [100: usable]
            source.facts.allocator = allocator
            return source
        }
        return DiffSources.diff(source(old, allocators.0), source(new, allocators.1))
    }

    @Test func `what glibc leaves on a block that it cut is chance, in either direction`() throws {
        for (old, new) in [(104, 120), (120, 104)] as [(UInt64, UInt64)] {
            let diff = diff(usable: old, new)
            let row = try #require(diff.rows(by: DiffSources.owner).first)
            #expect(row.hasOtherSlack)
            #expect(!diff.hasOtherSlack(row))
            #expect(diff.verdict == .nothing)
            // The figure itself is not hidden.
            #expect(row.change(.slackBytes) == 3 * (Int(new) - Int(old)))
        }
    }

    @Test func `more than that is a difference, and so is any on an allocator whose sizes are fixed`() {
        #expect(diff(usable: 104, 136).verdict == .slack)
        #expect(diff(usable: 104, 121).verdict == .slack)
        #expect(diff(usable: 112, 128, on: ("jemalloc", "jemalloc")).verdict == .slack)
        #expect(diff(usable: 104, 112, on: ("glibc", "jemalloc")).verdict == .slack)
    }

    /// A recording of so many threads, and of so many stacks that had to be made for them.
    private func threads(_ count: UInt32, stacks: Int) -> ScriptedSource {
        var source = DiffSources.owners([("A", [100])])
        source.own(9, family: "C", type: "libc: thread-local storage", cause: "runtime", addresses: [0x999])
        for number in 0..<stacks {
            source.events.append(.allocate(0x90_0000 + UInt64(number) * 512, size: 288, stack: 9, at: 0x2000))
        }
        for thread in 1...count {
            source.events.append(.allocate(UInt64(thread) << 24, size: 8, stack: 1, thread: thread, at: 0x3000))
        }
        return source
    }

    @Test func `a stack that a thread took over from another is a matter of order`() {
        #expect(DiffSources.diff(threads(4, stacks: 3), threads(4, stacks: 2)).verdict == .order)
        #expect(DiffSources.diff(threads(4, stacks: 3), threads(4, stacks: 3)).verdict == .nothing)
    }

    @Test func `another number of threads is not`() {
        // The same blocks of the program's, made by four threads and by three.
        var three = threads(3, stacks: 2)
        three.events.append(.allocate(99 << 24, size: 8, stack: 1, thread: 1, at: 0x3000))
        let diff = DiffSources.diff(threads(4, stacks: 3), three)
        #expect(diff.rows(by: DiffSources.owner).filter(\.isChanged).count == 1)
        #expect(diff.verdict == .different)
    }
}
