// The tags without a recorder: they must cost nothing and change nothing.

import HeaptrailTags
import Testing

private struct Failure: Error, Equatable {}

@Suite struct OwnerTagTests {
    @Test(.enabled(if: !OwnerTag.isRecorded, "a recorder is preloaded"))
    func `without a recorder a tag evaluates none of its strings`() {
        var evaluations = 0
        func word(_ text: String) -> String {
            evaluations += 1
            return text
        }
        let tag = OwnerTag(family: word("Box"), type: word("Box<Int>"), cause: .construct, language: word("swift"))
        #expect(withOwnerTag(tag) { 5 } == 5)
        #expect(evaluations == 0)
    }

    @Test func `a body's result and its typed error pass through`() {
        let tag = OwnerTag(family: "Box", type: "Box<Int>", cause: .construct)
        #expect(withOwnerTag(tag) { withOwnerTagsSuspended { withOwnerTag(tag) { "result" } } } == "result")
        #expect(throws: Failure()) { try withOwnerTag(tag) { () throws(Failure) in throw Failure() } }
    }

    @Test func `a counter takes any count`() {
        let counter = EventCounter("OwnerTagTests.events")
        counter.add()
        counter.add(0)
        counter.add(1_000_000)
    }

    @Test func `a type is spelled as its source spells it`() {
        struct Point {}
        struct Handle: ~Copyable {}
        #expect(OwnerTag.spelling(of: [Int: String].self) == "Dictionary<Int, String>")
        #expect(OwnerTag.spelling(of: [Point].self) == "Array<Point>")
        #expect(OwnerTag.spelling(of: Handle.self) == "Handle")
    }
}
