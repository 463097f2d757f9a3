// `--view thread`: who allocates, who frees, and what crosses: a matrix of the threads between which most goes, the largest flows, and the owners
// whose blocks are freed by other threads. Such blocks take the slow path of most allocators, and of none where one thread keeps its own.
internal import HeapAnalysis
internal import Symbolication

struct ThreadSection: ViewSection {
    /// Threads in the matrix.
    private static let matrixThreads = 6

    private let profile: HeapProfile
    private let request: ReportRequest
    private let names: [Int: String]
    private let estimate: EstimateText

    init(_ profile: HeapProfile, _ request: ReportRequest) {
        self.profile = profile
        self.request = request
        names = profile.threadNames
        estimate = EstimateText(profile.trace)
    }

    /// Owners by the grouping of the rows, threads apart from it.
    private var ownerFields: RowFields {
        let fields = request.fields.subtracting([.thread, .size])
        return fields.isEmpty ? GroupingKey.owner.fields : fields
    }

    private var flows: ThreadFlows? { ThreadFlows(profile, by: ownerFields, filter: request.rowFilter) }

    // MARK: - Document

    /// The threads' own events.
    var json: JSONValue {
        .array(
            profile.threads.map { thread in
                .object([
                    ("thread", .integer(thread.serial)), ("tid", JSONValue(thread.threadID)),
                    ("name", JSONValue(thread.name)), ("allocations", .integer(thread.allocations)),
                    ("frees", .integer(thread.frees)), ("bytes", .integer(thread.bytes)),
                ])
            })
    }

    /// The member `flows`, which stands beside the view's own.
    var flowsJSON: JSONValue {
        guard let flows else { return .null }
        let owners = flows.owners.prefix(request.top ?? .max)
        return .object([
            ("freed", .integer(flows.freed)), ("blocks", .integer(flows.crossed)),
            ("bytes", .integer(flows.crossedBytes)), ("share", .share(of: flows.crossed, in: flows.freed)),
            ("unplaced", .integer(flows.unplaced)),
            ("pairs", .array(flows.crossing.prefix(request.top ?? .max).map { pair($0) })),
            (
                "owners",
                .array(
                    owners.map { owner in
                        .object(
                            owner.key.members(ownerFields) + [
                                ("freed", .integer(owner.freed)), ("blocks", .integer(owner.blocks)),
                                ("bytes", .integer(owner.bytes)), ("share", .share(of: owner.blocks, in: owner.freed)),
                                ("pairs", .integer(owner.pairs)), ("top", pair(owner.top)),
                            ])
                    })
            ),
        ])
    }

    private func pair(_ flow: ThreadFlows.Flow) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("from", .integer(flow.from)), ("to", .integer(flow.to)), ("blocks", .integer(flow.blocks)),
            ("bytes", .integer(flow.bytes)),
        ]
        if estimate.isEstimated {
            members.append(
                (
                    "standard_error",
                    .object([("blocks", .error(flow.error.blocks)), ("bytes", .error(flow.error.bytes))])
                ))
        }
        return .object(members + (flow.topOwner?.members(GroupingKey.owner.fields) ?? []))
    }

    // MARK: - Text

    func lines(_ style: TextStyle) -> [String] {
        var lines = ownEvents(style)
        guard let flows else { return lines + ["", style.dim("no flows: this trace does not tell threads apart")] }
        if flows.freed == 0 { return lines }
        lines.append("")
        if flows.crossing.isEmpty {
            lines.append("each block that was freed was freed by the thread that allocated it")
        } else {
            let share = estimate.percent(Double(flows.crossed) / Double(flows.freed))
            lines.append(
                "\(estimate.count(flows.crossed)) of \(estimate.count(flows.freed)) blocks freed (\(share); "
                    + "\(estimate.bytes(flows.crossedBytes))) were freed by another thread than the one that allocated them"
            )
        }
        if flows.unplaced > 0 {
            lines.append(
                style.dim(
                    "\(estimate.count(flows.unplaced)) more were freed out of order: by which thread is not known"))
        }
        if flows.crossing.isEmpty { return lines }
        return lines + matrix(flows, style) + pairs(flows, style) + owners(flows, style)
    }

    private func name(_ serial: Int) -> String { RowColumns.thread(serial, name: names[serial]) }

    private func ownEvents(_ style: TextStyle) -> [String] {
        var table = TextTable([
            .init(title: "thread's own events", isText: true), .init(title: "tid"), .init(title: "allocs"),
            .init(title: "frees"), .init(title: "bytes"),
        ])
        let shown = request.top ?? SectionTable.rows
        table.rows = profile.threads.prefix(shown).map { thread in
            let mark = thread.isExact ? "" : "≈"
            return [
                name(thread.serial), thread.threadID.map { String($0) } ?? "–",
                mark + NumberText.count(thread.allocations), mark + NumberText.count(thread.frees),
                mark + NumberText.bytes(thread.bytes),
            ]
        }
        var lines = [""] + table.lines(style)
        if profile.threads.count > shown {
            lines.append(style.dim("… \(NumberText.count(profile.threads.count - shown)) more threads"))
        }
        return lines
    }

    /// Blocks by allocating and freeing thread, of the threads between which most bytes go.
    private func matrix(_ flows: ThreadFlows, _ style: TextStyle) -> [String] {
        var bytes: [Int: Int] = [:]
        for flow in flows.crossing {
            bytes[flow.from, default: 0] += flow.bytes
            bytes[flow.to, default: 0] += flow.bytes
        }
        let threads = bytes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(Self.matrixThreads).map(\.key)
            .sorted()
        var blocks: [Int: [Int: Int]] = [:]
        for (thread, own) in flows.within { blocks[thread, default: [:]][thread] = own.blocks }
        for flow in flows.crossing { blocks[flow.from, default: [:]][flow.to] = flow.blocks }
        var table = TextTable(
            [.init(title: "allocated by ↓ freed by →", isText: true)]
                + threads.map { .init(title: String(name($0).prefix(12))) })
        table.rows = threads.map { from in
            [name(from)]
                + threads.map { to in
                    let count = blocks[from]?[to] ?? 0
                    return count == 0 ? "·" : estimate.count(count)
                }
        }
        return [""] + table.lines(style)
    }

    private func pairs(_ flows: ThreadFlows, _ style: TextStyle) -> [String] {
        var table = TextTable([
            .init(title: "allocated by", isText: true, readable: 14),
            .init(title: "freed by", isText: true, readable: 14),
            .init(title: "blocks"), .init(title: "bytes"), .init(title: "mostly", isText: true, readable: 16),
        ])
        let shown = request.top ?? SectionTable.rows
        table.rows = flows.crossing.prefix(shown).map { flow in
            [
                name(flow.from), name(flow.to), estimate.count(flow.blocks), estimate.bytes(flow.bytes),
                flow.topOwner.map { FrameText.printable(RowColumns.owner($0)) } ?? "",
            ]
        }
        var lines = [""] + table.lines(style)
        if flows.crossing.count > shown {
            lines.append(style.dim("… \(NumberText.count(flows.crossing.count - shown)) more pairs of threads"))
        }
        return lines
    }

    private func owners(_ flows: ThreadFlows, _ style: TextStyle) -> [String] {
        var table = TextTable(
            SectionTable.keyColumns(ownerFields) + [
                .init(title: "crossed"), .init(title: "of freed"), .init(title: "bytes"),
                .init(title: "mostly from", isText: true, dropOrder: 1, readable: 10),
                .init(title: "to", isText: true, dropOrder: 1, readable: 10), .init(title: "pairs", dropOrder: 2),
            ])
        table.rows = flows.owners.prefix(request.top ?? SectionTable.rows).map { owner in
            SectionTable.keyCells(owner.key, ownerFields) + [
                estimate.count(owner.blocks),
                estimate.percent(owner.freed == 0 ? nil : Double(owner.blocks) / Double(owner.freed)),
                estimate.bytes(owner.bytes), name(owner.top.from), name(owner.top.to), NumberText.count(owner.pairs),
            ]
        }
        return [""] + table.lines(style)
    }
}
