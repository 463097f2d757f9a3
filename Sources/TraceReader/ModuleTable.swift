// The modules (executable and shared libraries) of one image, each with the span of addresses and of time in which it was loaded.

/// A loaded module.
public struct ModuleInfo: Sendable, Equatable {
    /// The file's id.
    public let id: ModuleID
    /// Path of the file as the loader knew it.
    public let path: String
    /// The build id, empty when the file has none.
    public let buildID: [UInt8]
    /// First address of the mapping.
    public let start: UInt64
    /// The address behind the last.
    public let end: UInt64
    /// What was added to the file's own addresses when it was loaded.
    public let bias: UInt64
    /// Ticks from which it is known to be loaded.
    public let loadTime: UInt64
    /// Ticks from which its addresses may be another's; `UInt64.max` when it stayed to the end.
    public internal(set) var unloadTime: UInt64

    /// Whether the address lies in it.
    public func contains(_ address: UInt64) -> Bool { start <= address && address < end }
}

/// The modules of one image.
public struct ModuleTable: Sendable {
    private var modules: [ModuleInfo] = []
    private var index = SparseIndex()
    // Spans by start address, and for each the largest end up to it, which bounds the search among overlapping ones.
    private var spans: [Span] = []
    // Unloads in the order of the file, in which another stream's definition may still follow.
    private var unloads: [(module: UInt32, time: UInt64)] = []
    private var largestEnd: [UInt64] = []
    /// Whether no two modules ever held the same address, so that an address alone tells its module.
    public private(set) var isFixed = true

    /// The loads of exactly one range of addresses: a library that comes and goes has as many as it came.
    private struct Span: Sendable {
        let start: UInt64
        let end: UInt64
        /// Rows by load time.
        var rows: [Int] = []
        /// For each of `rows` the latest unload up to it, which bounds the search backwards in time.
        var latestUnload: [UInt64] = []
    }

    /// All modules in the order of definition.
    public var all: [ModuleInfo] { modules }
    /// How many loads of modules are known.
    public var count: Int { modules.count }

    /// The module last defined with this id.
    public subscript(module: ModuleID) -> ModuleInfo? { index.row(of: module.rawValue).map { modules[$0] } }

    /// The row (an index of ``all``) of the module that held an address at a time: load time ≤ time < unload time, the latest load
    /// first; else the latest that ever held it; else `nil`. Look up a frame by its return address − 1.
    ///
    /// O(log n) for each of the different ranges that ever overlapped the address, however often each was loaded.
    public func row(for address: UInt64, at time: UInt64) -> Int? {
        var low = 0
        var high = spans.count
        while low < high {
            let middle = (low + high) / 2
            if spans[middle].start <= address { low = middle + 1 } else { high = middle }
        }
        var atTime: Int?
        var ever: Int?
        var position = low
        while position > 0, largestEnd[position - 1] > address {
            position -= 1
            guard address < spans[position].end else { continue }
            if let row = row(of: position, at: time), isLater(row, than: atTime) { atTime = row }
            if let row = spans[position].rows.last, isLater(row, than: ever) { ever = row }
        }
        return atTime ?? ever
    }

    /// The latest load of a span that held at a time.
    private func row(of span: Int, at time: UInt64) -> Int? {
        var low = 0
        var high = spans[span].rows.count
        while low < high {
            let middle = (low + high) / 2
            if modules[spans[span].rows[middle]].loadTime <= time { low = middle + 1 } else { high = middle }
        }
        while low > 0, spans[span].latestUnload[low - 1] > time {
            low -= 1
            let row = spans[span].rows[low]
            if time < modules[row].unloadTime { return row }
        }
        return nil
    }

    /// The module that held an address at a time; see ``row(for:at:)``.
    public func module(for address: UInt64, at time: UInt64) -> ModuleInfo? {
        row(for: address, at: time).map { modules[$0] }
    }

    private func isLater(_ row: Int, than other: Int?) -> Bool {
        guard let other else { return true }
        return (modules[row].loadTime, row) > (modules[other].loadTime, other)
    }

    // MARK: Filling, by the scanner

    mutating func define(_ module: ModuleInfo) {
        modules.append(module)
        index.bind(module.id.rawValue, to: modules.count - 1)
    }

    mutating func noteUnload(_ module: ModuleID, at time: UInt64) { unloads.append((module.rawValue, time)) }

    /// Ends the loads that were unloaded: an unload means the latest load of its id that it does not precede. O(n log n).
    private mutating func applyUnloads() {
        if unloads.isEmpty { return }
        let loads = modules.indices.sorted { left, right in
            (modules[left].id.rawValue, modules[left].loadTime, left)
                < (modules[right].id.rawValue, modules[right].loadTime, right)
        }
        for unload in unloads {
            var low = 0
            var high = loads.count
            while low < high {
                let middle = (low + high) / 2
                let module = modules[loads[middle]]
                if (module.id.rawValue, module.loadTime) <= (unload.module, unload.time) {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            guard low > 0, modules[loads[low - 1]].id.rawValue == unload.module else { continue }
            modules[loads[low - 1]].unloadTime = min(modules[loads[low - 1]].unloadTime, unload.time)
        }
        unloads = []
    }

    /// Builds the order that look-ups need; called once, after the last definition. O(n log n).
    mutating func sortForLookup() {
        applyUnloads()
        func key(_ row: Int) -> (UInt64, UInt64, UInt64, Int) {
            (modules[row].start, modules[row].end, modules[row].loadTime, row)
        }
        spans = []
        for row in modules.indices.sorted(by: { key($0) < key($1) }) {
            let module = modules[row]
            if spans.last?.start != module.start || spans.last?.end != module.end {
                spans.append(Span(start: module.start, end: module.end))
            }
            let last = spans.count - 1
            spans[last].latestUnload.append(max(spans[last].latestUnload.last ?? 0, module.unloadTime))
            spans[last].rows.append(row)
        }
        isFixed =
            spans.allSatisfy { $0.rows.count == 1 } && zip(spans, spans.dropFirst()).allSatisfy { $0.end <= $1.start }
        var largest: UInt64 = 0
        largestEnd = spans.map { span in
            largest = max(largest, span.end)
            return largest
        }
    }
}
