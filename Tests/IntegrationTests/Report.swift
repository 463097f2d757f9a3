// The JSON of `heaptrail report --json` (schema heaptrail.report/1) as Swift values, for every suite of this folder.
// Owns decoding alone: recording and asking for a report is Recording.swift's.

internal import Foundation

/// A decoded report.
struct Report: Decodable {
    /// What the trace as a whole came to.
    struct Facts: Decodable {
        let program: String
        let pid: Int?
        let allocator: String?
        let mode: String
        let threads: Int
        let events: Int
        let allocations: Int
        let frees: Int
        let reallocations: Int
        let bytesAllocated: Int
        let peakBytes: Int
        let liveBytes: Int
        let liveBlocks: Int
        let temporary: Int
        let lost: Int
        let unmatchedFrees: Int
        let inheritedFrees: Int
        let missingFrees: Int
        let complete: Bool
        let sampled: Bool
        let attached: Bool
        let image: Int
        let images: Int
        // Of sampled traces alone.
        let sampleBytes: Int?
        let samples: Int?
        let exactTotals: Bool?
        let standardError: StandardError?
    }

    /// How far the estimates of a sampled trace may be off.
    struct StandardError: Decodable {
        let allocations: Double
        let frees: Double
        let bytes: Double
        let liveBlocks: Double
        let liveBytes: Double
        let peakBytes: Double
        let temporary: Double
    }

    /// The shares of what an owner could be named for; nil where nothing was allocated.
    struct Attributed: Decodable {
        let allocations: Double?
        let bytes: Double?
    }

    /// One row: the keys it was grouped by and its figures.
    struct Row: Decodable {
        let family: String?
        let type: String?
        let language: String?
        let cause: String?
        let site: String?
        let module: String?
        let size: Int?
        let thread: Int?
        let rule: String?
        let stack: [String]?
        let allocations: Int
        let frees: Int
        let bytes: Int
        let liveBlocks: Int
        let liveBytes: Int
        let peakBytes: Int
        let temporary: Int
        let slackBytes: Int?
        let standardError: StandardError?
    }

    /// One thread of `--view thread`.
    struct ThreadFacts: Decodable {
        let thread: Int
        let tid: Int?
        let name: String?
        let allocations: Int
        let frees: Int
        let bytes: Int
    }

    let schema: String
    let trace: Facts
    let attributed: Attributed
    let rows: [Row]
    let counters: [String: Int]
    /// Present with `--view thread`.
    let thread: [ThreadFacts]?

    /// Decodes the document.
    init(json: [UInt8]) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(Report.self, from: Data(json))
    }

    /// The allocations and frees of the rows of one size.
    func events(ofSize size: Int) -> Events {
        rows.filter { $0.size == size }.reduce(into: Events(0, 0)) { sum, row in
            sum.allocations += row.allocations
            sum.frees += row.frees
        }
    }
}

/// A pair of counts.
struct Events: Equatable, CustomStringConvertible {
    var allocations: Int
    var frees: Int

    init(_ allocations: Int, _ frees: Int) {
        self.allocations = allocations
        self.frees = frees
    }

    var description: String { "\(allocations) allocations, \(frees) frees" }
}
