// What the blocks of one owner come to in a replay, and the sums of owners by family. Plain arithmetic.

internal import HeapAnalysis

extension Replay {
    /// Sums of the blocks of one owner, or of one family of owners.
    public struct OwnerSums: Equatable, Sendable {
        /// The family, such as `String`.
        public var family: String
        /// The owner as `report` names it, such as `Vec<u8>`; nil for the sums of a family.
        public var type: String?
        /// Allocations.
        public var allocations: UInt64 = 0
        /// Bytes asked for, over all allocations.
        public var bytes: UInt64 = 0
        /// Bytes given beyond them, over all allocations; nil where the allocator does not tell.
        public var slackBytes: UInt64?
        /// Bytes live at the trace's peak.
        public var peakBytes: UInt64 = 0
        /// Bytes given beyond those.
        public var peakSlackBytes: UInt64?
        /// Bytes in no block on the pages on which its blocks lie, at the trace's peak: what they alone keep from being given back. Pages of several
        /// owners are shared out by the bytes that each has there. nil where not measured.
        public var peakPinnedBytes: UInt64?
        /// The same after the last event.
        public var endPinnedBytes: UInt64?
        /// Calls that were timed one by one, frees too, in the run in which they took least.
        public var timedCalls: UInt64 = 0
        /// Nanoseconds that those took, the clock's own taken off.
        public var timedNanoseconds = 0.0

        /// Sums of nothing yet.
        public init(family: String, type: String? = nil) {
            self.family = family
            self.type = type
        }

        /// The name in a text.
        public var name: String { type ?? family }

        /// Mean nanoseconds of a call for its blocks; nil where not measured.
        public var nanosecondsPerCall: Double? {
            timedCalls > 0 ? timedNanoseconds / Double(timedCalls) : nil
        }

        /// Adds the figures of another owner.
        mutating func add(_ other: OwnerSums) {
            func sum(_ one: UInt64?, _ two: UInt64?) -> UInt64? {
                one == nil && two == nil ? nil : (one ?? 0) &+ (two ?? 0)
            }
            // Sums of impossible sizes run over rather than trap.
            allocations += other.allocations
            bytes &+= other.bytes
            slackBytes = sum(slackBytes, other.slackBytes)
            peakBytes &+= other.peakBytes
            peakSlackBytes = sum(peakSlackBytes, other.peakSlackBytes)
            peakPinnedBytes = sum(peakPinnedBytes, other.peakPinnedBytes)
            endPinnedBytes = sum(endPinnedBytes, other.endPinnedBytes)
            timedCalls += other.timedCalls
            timedNanoseconds += other.timedNanoseconds
        }
    }
}

extension Replay.Row {
    /// The owners' figures by family, the largest slack first. O(owners).
    public var families: [Replay.OwnerSums] {
        var sums: [String: Replay.OwnerSums] = [:]
        for owner in owners { sums[owner.family, default: Replay.OwnerSums(family: owner.family)].add(owner) }
        return sums.values.sorted(by: Replay.OwnerSums.hasMoreSlack)
    }

    /// Adds figures to those of each owner.
    ///
    /// - Parameters:
    ///   - parts: figures by the plan's numbers of owners, of which several may be one owner.
    ///   - names: the owners by those numbers.
    mutating func add(_ parts: some Sequence<(number: Int, sums: Replay.OwnerSums)>, of names: [Owner]) {
        var indices: [Replay.OwnerSums.Key: Int] = [:]
        for (index, owner) in owners.enumerated() { indices[owner.key] = index }
        for part in parts {
            var sums = part.sums
            (sums.family, sums.type) = (names[part.number].family, names[part.number].type)
            if let index = indices[sums.key] {
                owners[index].add(sums)
            } else {
                indices[sums.key] = owners.count
                owners.append(sums)
            }
        }
        owners.sort(by: Replay.OwnerSums.hasMoreSlack)
    }
}

extension Replay.OwnerSums {
    /// What tells owners apart.
    struct Key: Hashable {
        var family: String
        var type: String?
    }

    var key: Key { Key(family: family, type: type) }

    /// For each number of an owner the first one of the same owner.
    static func first(of owners: [Owner]) -> [Int] {
        var known: [Key: Int] = [:]
        return owners.enumerated().map { number, owner in
            let key = Key(family: owner.family, type: owner.type)
            let first = known[key] ?? number
            known[key] = first
            return first
        }
    }

    /// The order of owners in a row.
    static func hasMoreSlack(_ one: Self, _ two: Self) -> Bool {
        let left = (two.slackBytes ?? 0, two.bytes, one.family, one.name)
        return left < (one.slackBytes ?? 0, one.bytes, two.family, two.name)
    }
}
