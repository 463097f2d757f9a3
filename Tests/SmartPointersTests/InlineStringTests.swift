// The small strings: their layout, their limits, and that they behave as strings.

import SmartPointers
import Testing

/// Text of a number of bytes.
private func text(_ count: Int) -> String { String((0..<count).map { Character(Unicode.Scalar(UInt8(97 + $0 % 26))) }) }

@Suite struct InlineStringTests {
    @Test func `the sizes are what the names promise`() {
        #expect(MemoryLayout<SmallString>.size == 32)
        #expect(MemoryLayout<SmallString>.stride == 32)
        #expect(SmallString.inlineCapacity == 30)
        #expect(MemoryLayout<CompactString>.size == 24)
        #expect(MemoryLayout<CompactString>.stride == 24)
        #expect(CompactString.inlineCapacity == 23)
    }

    @Test(arguments: 0...70)
    func `text of every length comes back, inline up to the limit`(count: Int) {
        let expected = text(count)
        let small = SmallString(expected)
        let compact = CompactString(expected)
        #expect(small.description == expected && compact.description == expected)
        #expect(small.isInline == (count <= 30))
        #expect(compact.isInline == (count <= 23))
        #expect(small.utf8Count == count && compact.utf8Count == count)
    }

    @Test(arguments: [0, 1, 22, 23, 24, 29, 30, 31, 64])
    func `appending byte by byte reaches the same text`(count: Int) {
        var small = SmallString()
        var compact = CompactString()
        for character in text(count) {
            small.append(character)
            compact.append(character)
        }
        #expect(small == SmallString(text(count)))
        #expect(compact == CompactString(text(count)))
    }

    @Test func `a shared heap text parts when one copy changes`() {
        var first = SmallString(text(40))
        let second = first
        first.append("!")
        #expect(first.description == text(40) + "!")
        #expect(second.description == text(40))
        var third = CompactString(text(40))
        let fourth = third
        third += "!"
        #expect(third != fourth)
        #expect(fourth.description == text(40))
    }

    @Test func `equality and hashing are those of String`() {
        let composed = SmallString("caf\u{E9}")
        let decomposed = SmallString("cafe\u{301}")
        #expect(composed == decomposed)
        #expect(composed.hashValue == decomposed.hashValue)
        // The Kelvin sign is canonically equivalent to the letter K, which is ASCII.
        #expect(CompactString("\u{212A}") == CompactString("K"))
        #expect(CompactString("\u{212A}").hashValue == CompactString("K").hashValue)
        #expect(SmallString("a") != SmallString("b"))
    }

    @Test func `an ASCII text hashes as the String of the same text`() {
        func hash(_ value: some Hashable) -> Int {
            var hasher = Hasher()
            value.hash(into: &hasher)
            return hasher.finalize()
        }
        for count in [0, 1, 15, 16, 30, 31] { #expect(hash(SmallString(text(count))) == hash(text(count))) }
    }

    @Test(arguments: [("a", "b"), ("a", "ab"), ("", "a"), ("Z", "a"), ("z", "\u{E9}"), ("e\u{301}", "\u{E9}")])
    func `order is that of String`(left: String, right: String) {
        #expect((SmallString(left) < SmallString(right)) == (left < right))
        #expect((SmallString(right) < SmallString(left)) == (right < left))
        #expect((CompactString(left) < CompactString(right)) == (left < right))
    }

    @Test(arguments: ["", "plain", "two\r\nlines", "caf\u{E9}", "\u{1F980} and \u{1F1F8}\u{1F1EA}"])
    func `the string-like API answers as String does`(text: String) {
        let small = SmallString(text)
        #expect(small.count == text.count)
        #expect(small.isEmpty == text.isEmpty)
        #expect(small.characters == Array(text))
        #expect(small.hasPrefix("pl") == text.hasPrefix("pl"))
        #expect(small.hasSuffix("s") == text.hasSuffix("s"))
        #expect(small.contains("a") == text.contains("a"))
        #expect(small.uppercased().description == text.uppercased())
        #expect(small.lowercased().description == text.lowercased())
        #expect("\(small)" == text)
        #expect((small + small).description == text + text)
    }

    @Test func `a literal, a Substring, print and a dictionary take small strings`() {
        var literal: SmallString = "Ferris"
        print(" the crab", terminator: "", to: &literal)
        #expect(literal.description == "Ferris the crab")
        #expect(CompactString("one two".dropFirst(4)).description == "two")
        #expect([SmallString("key"): 1]["key"] == 1)
    }
}
