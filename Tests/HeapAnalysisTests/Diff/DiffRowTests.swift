// Rows of two scripted recordings: matched by name, ordered by what changed.
@testable import HeapAnalysis
import Testing

@Suite struct DiffRowTests {
    @Test func `two recordings of the same events differ in nothing`() {
        let one = DiffSources.owners([("A", [10, 20]), ("B", [30])])
        let diff = DiffSources.diff(one, one)
        #expect(diff.verdict == .nothing)
        #expect(diff.caveats.isEmpty)
        #expect(diff.rows(by: DiffSources.owner).allSatisfy { !$0.isChanged && !$0.hasOtherSlack })
        for figure in DiffFigure.ofProgram { #expect(diff.total?.change(figure) == 0) }
    }

    @Test func `rows are matched by name, whatever order their stacks come in`() {
        let diff = DiffSources.diff(
            DiffSources.owners([("A", [10]), ("B", [20, 20])]), DiffSources.owners([("B", [20, 20]), ("A", [10])]))
        #expect(diff.verdict == .nothing)
        #expect(diff.rows(by: DiffSources.owner).map(\.key.row.type) == ["B", "A"])
    }

    @Test func `changes are new less old, the largest first, and rows on one side are marked`() throws {
        let old = DiffSources.owners([("A", [100]), ("Gone", [50]), ("Same", [7])])
        let new = DiffSources.owners([("A", [100, 8]), ("New", [300, 300]), ("Same", [7])])
        let rows = DiffSources.diff(old, new).rows(by: DiffSources.owner)
        #expect(rows.map(\.key.row.type) == ["New", "Gone", "A", "Same"])
        #expect(rows.map { $0.change(.bytes) } == [600, -50, 8, 0])
        #expect(rows.map { $0.change(.allocations) } == [2, -1, 1, 0])
        #expect(rows.map { $0.old == nil } == [true, false, false, false])
        #expect(rows.map { $0.new == nil } == [false, true, false, false])
        #expect(rows.map(\.isChanged) == [true, true, true, false])
        let total = try #require(DiffSources.diff(old, new).total)
        #expect(total.change(.bytes) == 558)
        #expect(total.old?.figures.bytes == 157)
        #expect(DiffSources.diff(old, new).verdict == .different)
    }

    @Test func `a change of what is live or at the peak counts as much as one of all bytes`() {
        var old = DiffSources.owners([("Kept", [500]), ("More", [100])])
        old.events.append(.free(0x1000, at: 0x9000))
        let new = DiffSources.owners([("Kept", [500]), ("More", [100, 60])])
        let rows = DiffSources.diff(old, new).rows(by: DiffSources.owner)
        #expect(rows.map(\.key.row.type) == ["Kept", "More"])
        #expect(rows[0].change(.liveBytes) == 500)
        #expect(rows[0].change(.bytes) == 0)
        #expect(rows[0].change(.frees) == -1)
    }

    @Test func `causes of one owner are rows of their own`() {
        let diff = DiffSources.diff(
            DiffSources.owners([("A", [10])]), DiffSources.owners([("A", [10])], cause: "clone"))
        #expect(diff.verdict == .different)
        #expect(diff.rows(by: DiffSources.owner).allSatisfy { !$0.isChanged })
        #expect(diff.rows(by: .cause).map { $0.key.row.cause } == [.clone, .construct])
    }
}
