// A URL's query as pairs over the URL's own bytes.

import HeaptrailTags
import SmartPointers

/// Text as bytes, borrowed from the URL or owned. Bytes and not `String`: a `String` hides an owner of up to 15 bytes
/// inside itself, and `hello world` has 11.
private typealias Bytes = BorrowedArray<UInt8>

/// Parses the three pairs of a query; decodes the value that needs it; changes one key.
enum URLWorkload: Workload {
    static let name = "url"
    static let summary = "query pairs as Cow over the URL's bytes; only what is decoded or changed is owned"

    static let expected = [
        ExpectedRow("Cow", "Cow<BorrowedArray<UInt8>>", .copyOnWrite, allocations: 2)
    ]

    static let counters = ["Cow.borrowed": 5, "Cow.owned": 2]

    static func run(_ options: Options) {
        warmUp {
            var sample = queryPairs(of: BorrowedString("?a=%41"))
            sample[0].key.toMut { key in key[0] = UInt8(ascii: "b") }
        }
        let url = BorrowedString("https://example.com/rust?page=1024&sort=desc&extra=hello%20world")
        var pairs = queryPairs(of: url)
        show(pairs)
        pairs[2].key.toMut { key in key[0] = UInt8(ascii: "E") }
        say("url: changed the last key")
        show(pairs)
    }

    private static func queryPairs(of url: BorrowedString) -> [(key: Cow<Bytes>, value: Cow<Bytes>)] {
        var pairs: [(key: Cow<Bytes>, value: Cow<Bytes>)] = []
        var rest = url.split(atFirst: "?").tail
        while let query = rest {
            let (pair, others) = query.split(atFirst: "&")
            let (key, value) = pair.split(atFirst: "=")
            pairs.append((decoded(key), decoded(value ?? BorrowedString(UnsafeBufferPointer(start: nil, count: 0)))))
            rest = others
        }
        return pairs
    }

    /// The text itself where nothing is escaped; else a decoded owner.
    private static func decoded(_ text: BorrowedString) -> Cow<Bytes> {
        guard text.firstIndex(of: UInt8(ascii: "%")) != nil else { return Cow(borrowing: Bytes(text.bytes)) }
        return Cow(owningResultOf: {
            [UInt8](unsafeUninitializedCapacity: text.count) { buffer, count in
                // By index: in an unoptimised build a slice's elements go through coroutines, with frames on the heap.
                var offset = 0
                while offset < text.count {
                    var byte = text.bytes[offset]
                    if byte == UInt8(ascii: "%"), let escaped = escapedByte(in: text, at: offset) {
                        byte = escaped
                        offset += 2
                    }
                    buffer.initializeElement(at: count, to: byte)
                    count += 1
                    offset += 1
                }
            }
        })
    }

    /// The byte that `%` and two digits at an offset stand for.
    private static func escapedByte(in text: BorrowedString, at offset: Int) -> UInt8? {
        guard offset + 2 < text.count, let high = hexadecimalDigit(text.bytes[offset + 1]),
            let low = hexadecimalDigit(text.bytes[offset + 2])
        else { return nil }
        return high << 4 | low
    }

    private static func hexadecimalDigit(_ letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): letter - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): letter - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): letter - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func show(_ pairs: [(key: Cow<Bytes>, value: Cow<Bytes>)]) {
        for pair in pairs { say("url: \(text(pair.key)) = \(text(pair.value))") }
    }

    private static func text(_ cow: Cow<Bytes>) -> String {
        let text = cow.withBorrow { String(decoding: $0.elements, as: UTF8.self) }
        return "\(text) (\(cow.isBorrowed ? "borrowed" : "owned"))"
    }
}
