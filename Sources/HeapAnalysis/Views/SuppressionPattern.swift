// The pattern of a suppression, as LeakSanitizer reads it: a part of the text, `*` for any text, `^` and `$` for its beginning and end.
//
// LeakSanitizer looks for each part between wildcards where it occurs first and never tries a later place, so that `$` behind a part that occurs twice
// does not hold. What a file suppresses there it suppresses here, so this does the same.

struct SuppressionPattern: Sendable, Hashable {
    private enum Token: Sendable, Hashable {
        case literal([UInt8])
        case anything
        case end
    }

    private let tokens: [Token]
    private let isAnchored: Bool

    init(_ text: String) {
        var bytes = Array(text.utf8)[...]
        isAnchored = bytes.first == UInt8(ascii: "^")
        if isAnchored { bytes = bytes.dropFirst() }
        var tokens: [Token] = []
        while let first = bytes.first {
            if first == UInt8(ascii: "*") {
                tokens.append(.anything)
                bytes = bytes.dropFirst()
            } else if first == UInt8(ascii: "$") {
                tokens.append(.end)
                break
            } else {
                let literal = bytes.prefix { $0 != UInt8(ascii: "*") && $0 != UInt8(ascii: "$") }
                tokens.append(.literal(Array(literal)))
                bytes = bytes.dropFirst(literal.count)
            }
        }
        self.tokens = tokens
    }

    /// Whether the pattern holds of a text; of an empty one it never does. O(text × parts).
    func matches(_ text: [UInt8]) -> Bool {
        if text.isEmpty { return false }
        var position = 0
        var mustStart = isAnchored
        var isFree = false
        for token in tokens {
            switch token {
            case .anything:
                mustStart = false
                isFree = true
            case .end:
                return position == text.count || isFree
            case .literal(let part):
                guard let found = Self.first(part, in: text, from: position) else { return false }
                if mustStart, found != position { return false }
                position = found + part.count
                mustStart = false
                isFree = false
            }
        }
        return true
    }

    private static func first(_ part: [UInt8], in text: [UInt8], from start: Int) -> Int? {
        guard let head = part.first, text.count - start >= part.count else { return nil }
        let last = text.count - part.count
        var index = start
        while index <= last {
            if text[index] == head, text[index..<(index + part.count)].elementsEqual(part) { return index }
            index += 1
        }
        return nil
    }
}
