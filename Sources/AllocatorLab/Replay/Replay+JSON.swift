// A replay as the document `heaptrail.replay/1`. A figure that was not measured is null, never 0.

public import ProfileExport

extension Replay {
    /// The document: its text is ``JSONValue/document()``.
    public func json() -> JSONValue {
        .object([
            ("schema", .string("heaptrail.replay/1")), ("events", Self.integer(plan.events)),
            ("threads", .integer(plan.threads)), ("runs", .integer(runs)), ("touch", .string(touch.rawValue)),
            ("calls_hash", .string(Self.hexadecimal(plan.hash))), ("waits", Self.integer(plan.waits)),
            ("peak_live_bytes", Self.integer(plan.peakBytes)), ("end_live_bytes", Self.integer(plan.liveBytes)),
            ("gaps", Self.gaps(plan.gaps)),
            ("own_ns_per_event", Self.spread(ownNanosecondsPerEvent)), ("rows", .array(rows.map(row))),
            ("differences", .array(differences.map(Self.difference))),
        ])
    }

    private static func gaps(_ gaps: ReplayGaps) -> JSONValue {
        .object([
            ("complete", .bool(gaps.isComplete)), ("cut", .bool(gaps.isCut)), ("attached", .bool(gaps.isAttached)),
            ("lost_allocations", integer(gaps.lostAllocations)), ("lost_frees", integer(gaps.lostFrees)),
            ("unmatched_frees", .integer(gaps.unmatchedFrees)), ("inherited_frees", .integer(gaps.inheritedFrees)),
            ("missing_frees", .integer(gaps.missingFrees)),
        ])
    }

    private static func difference(_ difference: Difference) -> JSONValue {
        .object([
            ("allocator", .string(difference.allocator)), ("least", .string(difference.least)),
            ("held_bytes", .integer(difference.held)), ("slack_bytes", .integer(difference.slack)),
            ("unwritten_slack_bytes", .integer(difference.unwritten)),
            ("external_bytes", .integer(difference.external)),
            ("external_bytes_from_the_start", .integer(difference.fromTheStart)),
            ("other_moment_bytes", .integer(difference.otherMoment)),
            (
                "size_classes",
                .array(
                    difference.sizeClasses.map {
                        .object([
                            ("from", integer($0.sizes.lowerBound)), ("to", integer($0.sizes.upperBound)),
                            ("slack_bytes", .integer($0.slack)),
                        ])
                    })
            ),
            (
                "owners",
                .array(
                    difference.owners.map {
                        .object([
                            ("family", .string($0.family)), ("owner", .string($0.owner)),
                            ("slack_bytes", .integer($0.slack)),
                        ])
                    })
            ),
        ])
    }

    private func row(_ row: Row) -> JSONValue {
        .object([
            ("allocator", .string(row.allocator)), ("simulated", .bool(row.isSimulated)),
            ("failure", JSONValue(row.failure)), ("ns_per_event", Self.spread(row.nanosecondsPerEvent)),
            ("below_own_cost", row.nanosecondsPerEvent == nil ? .null : .bool(row.isBelowOwnCost)),
            ("events_per_s", Self.spread(row.eventsPerSecond)),
            (
                "latency_ns",
                row.latencies.isEmpty
                    ? .null
                    : .object(zip(["malloc", "free", "realloc"], row.latencies).map { ($0, Self.latency($1)) })
            ),
            ("clock_ns", Self.number(row.clockNanoseconds)), ("clock_step_ns", Self.number(row.clockStepNanoseconds)),
            ("peak_rss_bytes", Self.integer(row.peakHeldBytes)), ("peak_live_bytes", Self.integer(plan.peakBytes)),
            ("peak_slack_bytes", Self.integer(row.peakSlackBytes)),
            ("rss_bytes_at_peak_live", Self.integer(row.heldBytesAtPeak)),
            ("internal_fragmentation", Self.number(internalFragmentation(row))),
            ("external_fragmentation", Self.number(externalFragmentation(row))),
            ("end_rss_bytes", Self.integer(row.endHeldBytes)), ("freed_rss_bytes", Self.integer(row.freedHeldBytes)),
            ("minor_faults", Self.integer(row.minorFaults)),
            ("families", .array(row.families.map(Self.sums))), ("owners", .array(row.owners.map(Self.sums))),
            ("size_classes", .array(row.sizeClasses.map(Self.sizeClass))),
            (
                "curve",
                .array(
                    row.curve.map { .array([Self.integer($0.events), Self.integer($0.live), Self.integer($0.held)]) })
            ),
        ])
    }

    private static func sums(_ sums: OwnerSums) -> JSONValue {
        .object(
            [("family", .string(sums.family))] + (sums.type.map { [("owner", .string($0))] } ?? []) + [
                ("allocations", integer(sums.allocations)),
                ("bytes", integer(sums.bytes)), ("slack_bytes", integer(sums.slackBytes)),
                ("peak_bytes", integer(sums.peakBytes)), ("peak_slack_bytes", integer(sums.peakSlackBytes)),
                ("peak_pinned_bytes", integer(sums.peakPinnedBytes)),
                ("end_pinned_bytes", integer(sums.endPinnedBytes)),
                ("ns_per_event", number(sums.nanosecondsPerCall)),
            ])
    }

    private static func sizeClass(_ sizes: SizeClass) -> JSONValue {
        .object([
            ("from", integer(sizes.sizes.lowerBound)), ("to", integer(sizes.sizes.upperBound)),
            ("allocations", integer(sizes.allocations)), ("slack_bytes", integer(sizes.slackBytes)),
            ("peak_bytes", integer(sizes.peakBytes)), ("peak_slack_bytes", integer(sizes.peakSlackBytes)),
        ])
    }

    private static func latency(_ latency: Latency?) -> JSONValue {
        guard let latency else { return .null }
        return .object([
            ("median", number(latency.median)), ("p99", number(latency.p99)), ("max", number(latency.max)),
        ])
    }

    private static func spread(_ spread: Spread?) -> JSONValue {
        .object([
            ("median", number(spread?.median)), ("min", number(spread?.min)), ("max", number(spread?.max)),
        ])
    }

    /// Rounded to three decimals: what lies behind them is noise.
    private static func number(_ value: Double?) -> JSONValue {
        value.map { .number(($0 * 1000).rounded() / 1000) } ?? .null
    }

    private static func integer(_ value: UInt64?) -> JSONValue { value.map { .integer(Int(clamping: $0)) } ?? .null }

    private static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
