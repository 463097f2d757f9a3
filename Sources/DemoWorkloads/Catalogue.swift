// The list of workloads, and what they promise, as JSON for a test to read. Owns the order of `heaptrail-demo all`.

import HeaptrailTags

/// Every workload.
enum Catalogue {
    static let workloads: [any Workload.Type] = [
        BoxWorkload.self, BigBoxWorkload.self, TracingAllocatorWorkload.self, StringWorkload.self, CowWorkload.self,
        URLWorkload.self, JSONWorkload.self, MutexWorkload.self, PoolWorkload.self, SmallStringWorkload.self,
        AdaptiveSetWorkload.self,
    ]

    /// The workloads that a word stands for: one, or all of them; nil where there is none of that name.
    static func workloads(named name: String) -> [any Workload.Type]? {
        if name == "all" { return workloads }
        return workloads.first { $0.name == name }.map { [$0] }
    }

    /// The promise of some workloads run in one process, equal rows and counters added up.
    static func expectedJSON(_ name: String, _ workloads: [any Workload.Type]) -> String {
        var rows: [ExpectedRow] = []
        var counters: [String: Int] = [:]
        for workload in workloads {
            for row in workload.expected {
                if let index = rows.firstIndex(where: { $0.isSameOwner(as: row) }) {
                    rows[index] = rows[index].adding(row)
                } else {
                    rows.append(row)
                }
            }
            counters.merge(workload.counters, uniquingKeysWith: +)
        }
        let rowLines = rows.map { "    \($0.json)" }.joined(separator: ",\n")
        let counterList = counters.sorted { $0.key < $1.key }.map { "\(quoted($0.key)): \($0.value)" }
        return """
            {
              "workload": \(quoted(name)),
              "rows": [
            \(rowLines)
              ],
              "counters": {\(counterList.joined(separator: ", "))}
            }
            """
    }

    fileprivate static func quoted(_ text: String) -> String {
        var result = "\""
        for character in text {
            if character == "\"" || character == "\\" { result.append("\\") }
            result.append(character)
        }
        return result + "\""
    }
}

extension ExpectedRow {
    fileprivate func isSameOwner(as other: ExpectedRow) -> Bool {
        family == other.family && type == other.type && cause == other.cause && size == other.size
    }

    fileprivate func adding(_ other: ExpectedRow) -> ExpectedRow {
        ExpectedRow(
            family, type, cause, size: size, allocations: allocations + other.allocations, frees: frees + other.frees)
    }

    fileprivate var json: String {
        let fields = [
            "\"family\": \(Catalogue.quoted(family))", "\"type\": \(Catalogue.quoted(type))",
            "\"cause\": \(Catalogue.quoted(cause.rawValue))", "\"size\": \(size.map(String.init) ?? "null")",
            "\"allocations\": \(allocations)", "\"frees\": \(frees)",
        ]
        return "{\(fields.joined(separator: ", "))}"
    }
}
