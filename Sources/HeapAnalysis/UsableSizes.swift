// What the allocator gives for a size and alignment, remembered during the pass: a flat array for the small sizes that make up nearly all
// events, a dictionary for the rest. Unknown sizes stay unknown; they are never taken for zero slack.

/// A cache over a lookup of usable sizes.
struct UsableSizes {
    /// Gives the usable size for a size and an alignment code, or nil when the trace does not know it.
    typealias Lookup = (_ size: UInt64, _ alignmentCode: UInt8) -> UInt64?

    private struct Key: Hashable {
        var size: UInt64
        var alignmentCode: UInt8
    }

    private static let smallSizes = 4096
    private static let notAsked = -2
    /// The answer for a size whose usable size is not known.
    static let unknown = -1

    private let lookup: Lookup
    private var small: [Int]
    private var rest: [Key: Int] = [:]

    init(lookup: @escaping Lookup) {
        self.lookup = lookup
        small = Array(repeating: Self.notAsked, count: Self.smallSizes)
    }

    /// Usable bytes less requested bytes, or `unknown`. O(1).
    @inline(__always)
    mutating func slack(size: UInt64, alignmentCode: UInt8) -> Int {
        if alignmentCode == 0, size < UInt64(Self.smallSizes) {
            let known = small[Int(truncatingIfNeeded: size)]
            if known != Self.notAsked { return known }
        }
        return slowSlack(size: size, alignmentCode: alignmentCode)
    }

    @inline(never)
    private mutating func slowSlack(size: UInt64, alignmentCode: UInt8) -> Int {
        let isSmall = alignmentCode == 0 && size < UInt64(Self.smallSizes)
        let key = Key(size: size, alignmentCode: alignmentCode)
        if !isSmall, let known = rest[key] { return known }
        var slack = Self.unknown
        if let usable = lookup(size, alignmentCode), usable >= size, let difference = Int(exactly: usable - size) {
            slack = difference
        }
        if isSmall { small[Int(size)] = slack } else { rest[key] = slack }
        return slack
    }
}
