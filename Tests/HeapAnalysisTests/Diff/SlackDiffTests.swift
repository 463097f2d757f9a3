// Slack by owner on two allocators.
@testable import HeapAnalysis
import Testing

@Suite struct SlackDiffTests {
    @Test func `slack by owner names who pays more, over the run and at the peak`() {
        var old = DiffSources.owners([("A", [10, 20]), ("B", [30])])
        var new = old
        old.usable = [10: 24, 20: 24, 30: 40]
        new.usable = [10: 16, 20: 64, 30: 32]
        var fields = DiffSources.owner
        fields.insert(.size)
        let slack = SlackDiff(old: old.profile(fields: fields), new: new.profile(fields: fields), by: DiffSources.owner)
        #expect(slack.rows.map(\.key.row.type) == ["A", "B"])
        #expect(slack.rows.map(\.change) == [32, -8])
        #expect(slack.rows.map(\.changeAtPeak) == [32, -8])
        #expect(slack.total.old?.slackBytes == 28)
        #expect(slack.total.new?.share == 52.0 / 112)
    }
}
