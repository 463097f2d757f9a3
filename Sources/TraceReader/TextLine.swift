// One line of the text dialect (FORMAT.md §6): `ALLOC: 0x105312010, size 505` or `FREE: …`, perhaps with an owner and a cause.

/// An event line, decoded.
struct TextLine {
    var kind: HeapEvent.Kind
    var address: UInt64
    var size: UInt64
    /// The bytes of `TYPE, cause CAUSE`, empty without an owner.
    var tail: UnsafeRawBufferPointer
    /// Whether other output precedes the event on the line.
    var hasForeignPrefix = false

    /// Bytes from a line's end in which an event behind other output is looked for.
    private static let longestAfterPrefix = 16384

    /// Decodes a line (without its end), `nil` when it holds no event. An event may follow other output on the line, as a program leaves it that
    /// writes to the same stream without ending its line; it must reach the line's end. O(line).
    init?(_ line: UnsafeRawBufferPointer) {
        var line = line
        if line.last == UInt8(ascii: "\r") { line = UnsafeRawBufferPointer(rebasing: line.dropLast()) }
        if let found = Self.decode(line) {
            self = found
            return
        }
        // Backwards, to the last event on the line; not further than an event is long, lest one endless line cost its square.
        var position = line.count - 4
        let furthest = max(4, line.count - Self.longestAfterPrefix)
        while position >= furthest {
            if line[position] == UInt8(ascii: ":"), line[position + 1] == UInt8(ascii: " "),
                line[position + 2] == UInt8(ascii: "0"), line[position + 3] == UInt8(ascii: "x")
            {
                for length in [5, 4] where position >= length {
                    let rest = UnsafeRawBufferPointer(rebasing: line[(position - length)...])
                    if var found = Self.decode(rest) {
                        found.hasForeignPrefix = true
                        self = found
                        return
                    }
                }
            }
            position -= 1
        }
        return nil
    }

    private init(kind: HeapEvent.Kind, address: UInt64, size: UInt64, tail: UnsafeRawBufferPointer) {
        self.kind = kind
        self.address = address
        self.size = size
        self.tail = tail
    }

    private static func decode(_ line: UnsafeRawBufferPointer) -> TextLine? {
        var reader = Reader(bytes: line)
        let kind: HeapEvent.Kind
        if reader.take("ALLOC: 0x") {
            kind = .allocation
        } else if reader.take("FREE: 0x") {
            kind = .free
        } else {
            return nil
        }
        guard let address = reader.number(base: 16), reader.take(", size "), let size = reader.number(base: 10) else {
            return nil
        }
        var tail = UnsafeRawBufferPointer(start: nil, count: 0)
        if !reader.isAtEnd {
            guard reader.take(", owner ") else { return nil }
            tail = UnsafeRawBufferPointer(rebasing: line[reader.position...])
            guard split(tail) != nil else { return nil }
        }
        return TextLine(kind: kind, address: address, size: size, tail: tail)
    }

    /// Owner and cause of a tail. The last `, cause ` separates them, for a type may hold commas (`Dictionary<String, Int>`).
    static func split(_ tail: UnsafeRawBufferPointer) -> (type: String, cause: String)? {
        let separator = Array(", cause ".utf8)
        var position = tail.count - separator.count - 1
        while position > 0 {
            if tail[position] == separator[0], tail[position..<position + separator.count].elementsEqual(separator) {
                let cause = tail[(position + separator.count)...]
                guard cause.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") }) else { return nil }
                return (String(decoding: tail[..<position], as: UTF8.self), String(decoding: cause, as: UTF8.self))
            }
            position -= 1
        }
        return nil
    }

    /// Takes fixed text and numbers off the front of a line.
    private struct Reader {
        let bytes: UnsafeRawBufferPointer
        var position = 0

        var isAtEnd: Bool { position == bytes.count }

        @inline(__always)
        mutating func take(_ text: StaticString) -> Bool {
            let length = text.utf8CodeUnitCount
            guard bytes.count - position >= length else { return false }
            for index in 0..<length where bytes[position + index] != text.utf8Start[index] { return false }
            position += length
            return true
        }

        /// A number of one digit at least that fits 64 bits.
        mutating func number(base: UInt64) -> UInt64? {
            var value: UInt64 = 0
            let start = position
            while position < bytes.count {
                let digit: UInt64
                switch bytes[position] {
                case let byte where byte >= 0x30 && byte <= 0x39: digit = UInt64(byte - 0x30)
                case let byte where byte | 0x20 >= 0x61 && byte | 0x20 <= 0x66 && base == 16:
                    digit = UInt64((byte | 0x20) - 0x61) + 10
                default: return position > start ? value : nil
                }
                let (scaled, isTooLarge) = value.multipliedReportingOverflow(by: base)
                let (sum, isOver) = scaled.addingReportingOverflow(digit)
                if isTooLarge || isOver { return nil }
                value = sum
                position += 1
            }
            return position > start ? value : nil
        }
    }
}
