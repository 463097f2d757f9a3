// Whether one text holds another, byte by byte: what attribution asks of every frame's name and file, a dozen times each. The standard library's
// `contains` compares characters as Unicode sees them, which names in program text need not, at a hundred times the cost.

extension StringProtocol {
    /// Whether the UTF-8 bytes of `text` stand somewhere in this one's. O(count × text's count) at worst, O(count) as a rule.
    func contains(_ text: String) -> Bool {
        let found = utf8.withContiguousStorageIfAvailable { whole in
            text.utf8.withContiguousStorageIfAvailable { part in Self.holds(whole, part) }
        }
        if let known = found ?? nil { return known }
        return Array(utf8).withUnsafeBufferPointer { whole in
            Array(text.utf8).withUnsafeBufferPointer { part in Self.holds(whole, part) }
        }
    }

    private static func holds(_ whole: UnsafeBufferPointer<UInt8>, _ part: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = part.first else { return true }
        guard whole.count >= part.count else { return false }
        for start in 0...(whole.count - part.count) where whole[start] == first {
            var matched = 1
            while matched < part.count, whole[start + matched] == part[matched] { matched += 1 }
            if matched == part.count { return true }
        }
        return false
    }
}
