// What makes two recordings unlike each other before any row is looked at.
@testable import HeapAnalysis
import Testing

@Suite struct DiffCaveatTests {
    @Test func `recordings that are not of one kind are told`() {
        var old = DiffSources.owners([("A", [10])])
        var new = old
        old.facts.isComplete = false
        old.facts.lost = 3
        old.facts.ending = .exited(0)
        new.facts.mode = "text"
        new.facts.isAttached = true
        new.facts.ending = .killed(9)
        new.facts.program = "/opt/other"
        #expect(
            DiffSources.diff(old, new).caveats == [
                .programs(old: "app", new: "other"), .incomplete(.old), .lost(.old, events: 3), .text(.new),
                .attached(.new),
                .endings(old: .exited(0), new: .killed(9)),
            ])
        var empty = new
        empty.events = []
        #expect(DiffSources.diff(new, empty).caveats.contains(.withoutEvents(.new)))
        var bare = DiffSources.owners([("A", [10])])
        bare.stacks = [:]
        #expect(DiffSources.diff(bare, bare).caveats == [.withoutStacks(.old), .withoutStacks(.new)])
    }
}
