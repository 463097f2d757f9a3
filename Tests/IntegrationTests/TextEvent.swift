// One line of the text dialect, decoded as strictly as the format promises it. For the suites that read logs.

/// An event of a text log.
struct TextEvent: Equatable {
    let kind: String
    let address: UInt64
    let size: Int
    /// What follows the size, `, owner …` say; empty where the line ends there.
    let rest: String

    static func == (left: TextEvent, right: TextEvent) -> Bool {
        left.kind == right.kind && left.address == right.address && left.size == right.size
    }

    /// Decodes `ALLOC: 0x…, size N` or `FREE: 0x…, size N`; nil for any other line.
    init?(_ line: String) {
        let pattern = /(ALLOC|FREE): 0x([0-9a-f]+), size ([0-9]+)(, owner .*)?/
        guard let match = line.wholeMatch(of: pattern), let address = UInt64(match.2, radix: 16),
            let size = Int(match.3)
        else { return nil }
        kind = String(match.1)
        self.address = address
        self.size = size
        rest = match.4.map(String.init) ?? ""
    }
}
