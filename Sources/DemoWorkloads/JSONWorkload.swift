// A JSON object decoded without copying its text.

import HeaptrailTags
import SmartPointers

/// Decodes two documents: one whose name can be borrowed, and one whose name has an escape and must be owned.
enum JSONWorkload: Workload {
    static let name = "json"
    static let summary = "a borrowed name out of a JSON object; an escaped one is owned"

    static let expected = [
        ExpectedRow("Cow", "Cow<BorrowedString> (plain)", .construct, allocations: 0),
        ExpectedRow("Cow", "Cow<BorrowedString>", .copyOnWrite, allocations: 1),
    ]

    static let counters = ["Cow.borrowed": 1, "Cow.owned": 1]

    static func run(_ options: Options) throws(WorkloadError) {
        let plain = BorrowedString(#"{"name": "Ferris the crab of Rust", "age": 10}"#)
        let escaped = BorrowedString(#"{"name": "Taylor \"Swift\" the bird", "age": 12}"#)
        warmUp { for sample in [plain, escaped] { _ = opaque(Person(json: sample)) } }
        let borrower = attributed("Cow", "Cow<BorrowedString> (plain)", .construct) { opaque(Person(json: plain)) }
        for person in [borrower, Person(json: escaped)] {
            guard let person else { throw WorkloadError(message: "a document of the demo does not parse") }
            say("json: \(person.name), \(person.age), \(person.name.isBorrowed ? "borrowed" : "owned")")
        }
    }
}

/// `{"name": "…", "age": N}`, the name over the document's own bytes where it has no escape.
private struct Person {
    let name: Cow<BorrowedString>
    let age: Int

    init?(json: BorrowedString) {
        var parser = Parser(rest: json)
        guard parser.skip("{"), parser.skip("\"name\""), parser.skip(":"), let name = parser.string(),
            parser.skip(","), parser.skip("\"age\""), parser.skip(":"), let age = parser.integer(), parser.skip("}"),
            parser.isAtEnd
        else { return nil }
        self.name = name
        self.age = age
    }
}

/// Reads the few forms that a `Person` needs; every step fails without harm on other input.
private struct Parser {
    var rest: BorrowedString

    /// The next byte. By its index: in an unoptimised build `first` goes through a coroutine, which has its frame on the heap.
    private var next: UInt8? { rest.isEmpty ? nil : rest.bytes[0] }

    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return rest.isEmpty
        }
    }

    mutating func skip(_ token: StaticString) -> Bool {
        skipSpace()
        let length = token.utf8CodeUnitCount
        guard rest.count >= length else { return false }
        for offset in 0..<length where rest.bytes[offset] != token.utf8Start[offset] { return false }
        rest = rest[length..<rest.count]
        return true
    }

    mutating func integer() -> Int? {
        skipSpace()
        var value: Int?
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
            let (product, overflow) = (value ?? 0).multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            value = sum
            rest = rest[1..<rest.count]
        }
        return value
    }

    mutating func string() -> Cow<BorrowedString>? {
        guard skip("\"") else { return nil }
        var end = 0
        var escapes = 0
        while end < rest.count, rest.bytes[end] != UInt8(ascii: "\"") {
            if rest.bytes[end] == UInt8(ascii: "\\") {
                guard end + 1 < rest.count, Self.meaning(ofEscape: rest.bytes[end + 1]) != nil else { return nil }
                escapes += 1
                end += 1
            }
            end += 1
        }
        guard end < rest.count else { return nil }
        let raw = rest[0..<end]
        rest = rest[end + 1..<rest.count]
        guard escapes > 0 else { return Cow(borrowing: raw) }
        return Cow(owningResultOf: { Self.unescaped(raw, length: raw.count - escapes) })
    }

    /// The text with every escape, already known to be one of the short ones, replaced by what it means.
    private static func unescaped(_ raw: BorrowedString, length: Int) -> String {
        String(unsafeUninitializedCapacity: length) { buffer in
            var count = 0
            var offset = 0
            while offset < raw.count {
                var byte = raw.bytes[offset]
                if byte == UInt8(ascii: "\\"), let meaning = meaning(ofEscape: raw.bytes[offset + 1]) {
                    byte = meaning
                    offset += 1
                }
                buffer[count] = byte
                count += 1
                offset += 1
            }
            return count
        }
    }

    /// What a letter means after a backslash; nil for `u` and its four digits, which no name here needs, and for no escape.
    private static func meaning(ofEscape letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): letter
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        default: nil
        }
    }

    private mutating func skipSpace() {
        while next == UInt8(ascii: " ") { rest = rest[1..<rest.count] }
    }
}
