// `--view lifetimes`: how long blocks lived, in decades from a microsecond to ten seconds, of everything and of each row; what is live at the end
// has no lifetime yet and stands apart.
internal import HeapAnalysis
internal import Symbolication

struct LifetimeSection: ViewSection {
    private let profile: HeapProfile
    private let request: ReportRequest

    init(_ profile: HeapProfile, _ request: ReportRequest) {
        self.profile = profile
        self.request = request
    }

    var json: JSONValue {
        .object([
            ("bounds_ns", .array(LifetimeDistribution.bounds.map { .integer($0) })),
            ("all", .object(members(profile.rows(by: [], filter: request.rowFilter).first))),
            (
                "rows",
                .array(
                    request.rows(of: profile).prefix(request.top ?? .max).map { row in
                        .object(row.key.members(request.fields) + members(row))
                    })
            ),
        ])
    }

    /// The histogram of a row: a count below the first bound, between each two, and from the last on.
    private func members(_ row: ProfileRow?) -> [(String, JSONValue)] {
        let figures = row?.figures ?? HeapFigures()
        return [
            ("freed", .integer(figures.frees)), ("live", .integer(figures.liveBlocks)),
            (
                "counts",
                profile.trace.facts.nanosecondsPerTick == nil
                    ? .null
                    : .array((row?.lifetimes ?? LifetimeDistribution()).counts.map { .integer($0) })
            ),
            ("median_ns", JSONValue(row?.lifetime?.median)), ("p99_ns", JSONValue(row?.lifetime?.p99)),
            ("freed_by_others", JSONValue(figures.elsewhere)),
        ]
    }

    func lines(_ style: TextStyle) -> [String] {
        guard let all = profile.rows(by: [], filter: request.rowFilter).first else { return [] }
        guard let lifetimes = all.lifetimes else {
            return ["", style.dim("no lifetimes: the times of this trace are no times")]
        }
        let estimate = EstimateText(profile.trace)
        let counts = lifetimes.counts + [all.figures.liveBlocks]
        let total = counts.reduce(0, +)
        var table = TextTable([
            .init(title: "lived", isText: true), .init(title: "blocks"), .init(title: "share"),
            .init(title: "", isText: true, readable: 8),
        ])
        for (label, count) in zip(Self.labels, counts) {
            table.rows.append([
                label, estimate.count(count), estimate.percent(total == 0 ? nil : Double(count) / Double(total)),
                BarText.bar(count, largest: counts.max() ?? 0, width: min(40, style.width - 48)),
            ])
        }
        let legend = [
            "\(BarText.decadesTitle): shares of blocks that lived under 1 µs, under 10 µs, … 10 s and more",
            "by others: freed by another thread than the one that allocated them",
        ]
        return legend.map { style.dim($0) } + [""] + table.lines(style)
    }

    private static let labels: [String] = {
        let bounds = LifetimeDistribution.bounds.map(text)
        return ["under " + bounds[0]] + zip(bounds, bounds.dropFirst()).map { $0 + " – " + $1 }
            + [bounds[bounds.count - 1] + " and more", "live at the end"]
    }()

    /// A bound, which is a power of ten, without the zeros that a duration has.
    private static func text(_ bound: Int) -> String {
        switch bound {
        case ..<1_000_000: "\(bound / 1000) µs"
        case ..<1_000_000_000: "\(bound / 1_000_000) ms"
        default: "\(bound / 1_000_000_000) s"
        }
    }
}
