// The views on programs whose strings, sizes, lifetimes and threads are known to the block (Tests/Programs/views.*).

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct ViewTests {
    /// The member that a view adds to the document, as JSON.
    private func view(
        _ name: String, of recording: Recording, member: String? = nil, options: [String] = []
    ) throws -> Data {
        let text = try runChecked(
            BuildProducts.heaptrail(), ["report", recording.trace, "--view", name, "--json"] + options, timeout: 120)
        let document = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        return try JSONSerialization.data(withJSONObject: try #require(document[member ?? name]))
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ data: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: data)
    }

    private func record(
        _ file: String, _ language: SourceLanguage, _ arguments: [String], options: [String] = []
    ) throws -> Recording {
        let program = try ProgramBuilder.build(testProgram: file, language: language, arguments: arguments)
        let recording = try Recording(program, options: options)
        #expect(recording.result.stdout == "done\n")
        return recording
    }

    private struct Strings: Decodable {
        struct Sums: Decodable {
            let allocations: Int
            let bytes: Int
        }
        struct Capacity: Decodable {
            let from: Int
            let to: Int?
            let allocations: Int
        }
        struct WhatIf: Decodable {
            let inlineCapacity: Int
            let removed: Sums
            let removedAtMost: Sums
            let costBytesAtPeak: Int
        }
        struct Layout: Decodable {
            let layout: String
        }
        let allocations: Int
        let peakBlocks: Int
        let layouts: [Layout]
        let capacities: [Capacity]
        let whatIf: [WhatIf]
    }

    @Test(
        .enabled(if: SourceLanguage.rust.isAvailable, "rustc 1.66 or later is not installed"), arguments: [[], ["-O"]])
    func `Rust strings are told by length`(arguments: [String]) throws {
        let recording = try record("views.rs", .rust, arguments)
        let strings = try decode(Strings.self, view("strings", of: recording))
        #expect(strings.layouts.map(\.layout) == ["rust"])
        #expect(strings.allocations == 310)
        let counted = strings.capacities.filter { $0.allocations > 0 }
        #expect(counted.map(\.to) == [7, 15, 22, 23, 24, 30, 255])
        #expect(counted.map(\.allocations) == [90, 70, 50, 40, 30, 20, 10])
        #expect(strings.whatIf.map(\.inlineCapacity) == [15, 22, 23, 24, 30])
        #expect(strings.whatIf.map(\.removed.allocations) == [160, 210, 250, 280, 300])
        #expect(strings.whatIf.map(\.removedAtMost.allocations) == [160, 210, 250, 280, 300])
        #expect(strings.whatIf[3].removed.bytes == 90 * 7 + 70 * 15 + 50 * 22 + 40 * 23 + 30 * 24)
        // All live at the peak: a value of 16 bytes is 8 less than a String's, one of 32 is 8 more.
        #expect(strings.peakBlocks == 310)
        #expect(strings.whatIf.map(\.costBytesAtPeak) == [-310 * 8, 0, 0, 0, 310 * 8])
    }

    @Test(.enabled(if: SourceLanguage.swift.isAvailable, "swiftc is not installed"), arguments: [["-Onone"], ["-O"]])
    func `Swift strings are told by the lengths that their storage serves`(arguments: [String]) throws {
        let recording = try record("views.swift", .swift, arguments)
        let strings = try decode(Strings.self, view("strings", of: recording))
        #expect(strings.layouts.map(\.layout) == ["swift"])
        let counted = strings.capacities.filter { $0.allocations > 0 }
        #expect(counted.first { $0.to == 31 }?.allocations == 70)
        #expect(counted.first { $0.to == 47 }?.allocations == 20)
        #expect(counted.first { $0.to == 255 }?.allocations == 10)
        // The 50 of 15 bytes take no block.
        #expect(counted.allSatisfy { $0.from > 15 })
        for whatIf in strings.whatIf.dropFirst() {
            #expect(whatIf.removed.allocations == 0)
            #expect(whatIf.removedAtMost.allocations == 70)
        }
    }

    @Test(arguments: [["-O0"], ["-O1"]])
    func `C++ strings are told by length`(arguments: [String]) throws {
        let recording = try record("views.cpp", .cxx, arguments)
        let strings = try decode(Strings.self, view("strings", of: recording))
        #expect(strings.layouts.map(\.layout) == ["libstdc++"])
        #expect(strings.allocations == 210)
        #expect(strings.whatIf.map(\.removed.allocations) == [0, 140, 180, 180, 200])
    }

    @Test func `size classes name the blocks one byte above an edge`() throws {
        struct Sizes: Decodable {
            struct Edge: Decodable {
                let size: Int
                let usable: Int
                let below: Int
                let allocations: Int
                let saves: Int
                let savesAtPeak: Int
            }
            let allocator: String?
            let slackBytes: Int
            let edges: [Edge]
        }
        let recording = try record("views.cpp", .cxx, ["-O1"])
        let sizes = try decode(Sizes.self, view("size", of: recording))
        #expect(sizes.allocator == "glibc")
        let edge = try #require(sizes.edges.first { $0.size == 57 })
        #expect((edge.usable, edge.below, edge.allocations) == (72, 56, 300))
        #expect(edge.saves == 300 * 16)
        #expect(!sizes.edges.contains { $0.size == 4009 })
        let report = try recording.report(by: "size")
        #expect(sizes.slackBytes == report.rows.reduce(0) { $0 + ($1.slackBytes ?? 0) })
    }

    @Test func `lifetimes tell what is freed at once from what is kept for long, and who frees it`() throws {
        struct Lifetimes: Decodable {
            struct Row: Decodable {
                let size: Int?
                let freed: Int
                let live: Int
                let counts: [Int]
                let freedByOthers: Int
            }
            let boundsNs: [Int]
            let all: Row
            let rows: [Row]
        }
        let recording = try record("views.cpp", .cxx, ["-O1"])
        let lifetimes = try decode(Lifetimes.self, view("lifetimes", of: recording, options: ["--by", "size"]))
        let report = try recording.report()
        #expect(lifetimes.all.freed == report.trace.frees)
        #expect(lifetimes.all.counts.reduce(0, +) == report.trace.frees)
        #expect(lifetimes.all.live == report.trace.liveBlocks)
        func row(_ size: Int) throws -> Lifetimes.Row { try #require(lifetimes.rows.first { $0.size == size }) }
        #expect(lifetimes.boundsNs[4] == 10_000_000)
        // Blocks that slept with the program for 20 ms lived longer than 10 ms, however loaded the machine.
        #expect(try row(1213).counts[..<5].allSatisfy { $0 == 0 })
        #expect(try row(1213).freed == 50)
        #expect(try row(1201).freed == 200)
        #expect(try row(1217).live == 7)
        #expect(try row(1217).counts.allSatisfy { $0 == 0 })
        #expect(try row(1301).freedByOthers == 500)
        #expect(try row(1303).freedByOthers == 0)
    }

    @Test func `flows say which thread frees what another allocated`() throws {
        struct Flows: Decodable {
            struct Pair: Decodable {
                let from: Int
                let to: Int
                let blocks: Int
                let bytes: Int
            }
            let freed: Int
            let blocks: Int
            let unplaced: Int
            let pairs: [Pair]
        }
        let recording = try record("views.cpp", .cxx, ["-O1"])
        let flows = try decode(Flows.self, view("thread", of: recording, member: "flows"))
        let report = try recording.report(by: "thread", view: "thread")
        let maker = try #require(report.rows.first { $0.allocations >= 500 && $0.bytes == 500 * 1301 })
        let largest = try #require(flows.pairs.first)
        #expect(largest.from == maker.thread)
        #expect(largest.blocks == 500)
        #expect(largest.bytes == 500 * 1301)
        #expect(largest.to != largest.from)
        #expect(flows.freed == report.trace.frees)
        #expect(flows.pairs.reduce(0) { $0 + $1.blocks } == flows.blocks)
        #expect(flows.unplaced == 0)
    }

    @Test func `temporaries and the peak are told by site`() throws {
        struct Temporary: Decodable {
            struct Row: Decodable {
                let site: String?
                let temporary: Int
                let shareOfOwn: Double
                let bytes: Int
            }
            let allocations: Int
            let perSecond: Double
            let sites: [Row]
        }
        struct Peak: Decodable {
            struct Row: Decodable {
                let bytes: Int
                let blocks: Int
                let share: Double
            }
            let bytes: Int
            let blocks: Int
            let afterNs: Int
            let rows: [Row]
            let sites: [Row]
        }
        let recording = try record("views.cpp", .cxx, ["-O1"])
        let temporary = try decode(Temporary.self, view("temporary", of: recording))
        let first = try #require(temporary.sites.first)
        #expect(first.temporary == 200)
        #expect(first.shareOfOwn == 1)
        #expect(first.bytes == 200 * 1201)
        #expect(first.site?.contains("views.cpp:") == true)
        #expect(temporary.perSecond > 0)
        let peak = try decode(Peak.self, view("peak", of: recording))
        #expect(peak.rows.reduce(0) { $0 + $1.bytes } == peak.bytes)
        #expect(peak.sites.reduce(0) { $0 + $1.bytes } == peak.bytes)
        #expect(peak.rows.reduce(0) { $0 + $1.blocks } == peak.blocks)
        #expect(peak.bytes >= 500 * 1301)
        #expect(peak.afterNs > 20_000_000)
    }

    @Test(arguments: ["peak", "temporary", "lifetimes", "thread", "size", "strings"])
    func `every view takes a sample, a trace without stacks and one without events`(view: String) throws {
        for options in [["--sample", "1KiB"], ["--no-stacks"]] {
            let recording = try record("views.cpp", .cxx, ["-O1"], options: options)
            let document = try self.view(view, of: recording, options: ["--by", "owner,site"])
            #expect(document.count > 2, "\(options)")
            let text = try runChecked(BuildProducts.heaptrail(), ["report", recording.trace, "--view", view])
            #expect(text.contains("≈") == options.contains("--sample"), "\(options)")
        }
    }
}
