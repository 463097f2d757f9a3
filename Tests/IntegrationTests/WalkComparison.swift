// A program's run under the recorder with libunwind watching beneath it, and the comparison of both, stack by stack.
// Tests/Programs/walk-oracle.c says what is watched and how it is written down.

internal import Foundation
internal import TestSupport
internal import Testing
internal import TraceReader

/// What came of comparing the stacks of a trace with libunwind's of the same allocations.
struct WalkComparison {
    /// Stacks that are equal frame by frame, up to the recorder's entry of the thread where it made the thread's.
    private(set) var equal = 0
    /// Stacks that say they were cut at the depth limit, and hold libunwind's innermost frames.
    private(set) var truncated = 0
    /// Stacks that say they ended early, and hold libunwind's innermost frames.
    private(set) var endedEarly = 0
    /// Stacks that lack a last frame of libunwind's that lies in no module.
    private(set) var withoutGarbage = 0
    /// Stacks that differ; and in words the first few of those that differ or ended early.
    private(set) var differing = 0
    private(set) var differences: [String] = []
    /// Allocations that libunwind saw and the trace lacks.
    private(set) var missing = 0
    /// Frames of the deepest stack.
    private(set) var deepest = 0

    /// Why the comparison cannot be made here; nil where it can.
    static let obstacle: String? = {
        guard BuildProducts.areBuilt else { return "the release products are not built" }
        return (try? oracle()) == nil ? "libunwind8 is not installed" : nil
    }()

    /// The library that watches.
    private static func oracle() throws -> String {
        try ProgramBuilder.build(
            testProgram: "walk-oracle.c", language: .c, name: "walk-oracle.so",
            arguments: ["-O2", "-fPIC", "-shared", "-l:libunwind.so.8"])
    }

    /// Records `program` and compares every n-th stack of each thread.
    init(_ program: String, _ arguments: [String] = [], options: [String] = [], every: Int = 1, timeout: Double = 240)
        throws
    {
        let directory = try TemporaryDirectory()
        let file = directory.file("oracle")
        let environment = ProcessEnvironment.inherited(adding: [
            "LD_PRELOAD": try Self.oracle(), "WALK_ORACLE_FILE": file, "WALK_ORACLE_EVERY": "\(every)",
        ])
        let recording = try Recording(
            program, arguments, options: options, environment: environment, timeout: timeout)
        #expect(recording.result.isSuccess, "\(recording.result.stderr)")
        let trace = try Trace.open(path: recording.trace)
        #expect(trace.isComplete)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        compare(bytes.withUnsafeBytes { Array($0.bindMemory(to: UInt64.self)) }, trace)
    }

    private mutating func compare(_ words: [UInt64], _ trace: Trace) {
        var allocations: [UInt64: [HeapEvent]] = [:]
        trace.forEachEvent { event in
            if event.kind == .allocation { allocations[event.address, default: []].append(event) }
        }
        var at = 0
        while at + 4 <= words.count {
            let (address, clock, size, count) = (words[at], words[at + 1], words[at + 2], Int(words[at + 3]))
            let wanted = words[at + 4..<at + 4 + count].filter { $0 != 1 }
            at += 4 + count
            // The recorder stamps after the real allocation, under which libunwind looked; the address is free before.
            let events = allocations[address] ?? []
            var (low, high) = (0, events.count)
            while low < high {
                let middle = (low + high) / 2
                if events[middle].time < clock { low = middle + 1 } else { high = middle }
            }
            guard low < events.count, case let event = events[low], event.size == size else {
                missing += 1
                continue
            }
            compare(wanted, event, trace)
        }
    }

    private mutating func compare(_ wanted: [UInt64], _ event: HeapEvent, _ trace: Trace) {
        let got = trace.stacks.frames(of: event.stack)
        let info = trace.stacks[event.stack]
        deepest = max(deepest, got.count)
        let rest = wanted.dropFirst(got.count)
        let modules = rest.map { trace.modules.module(for: $0 - 1, at: event.time)?.path }
        guard !got.isEmpty, wanted.starts(with: got) else { return differ(wanted, got, event, trace) }
        if info?.isTruncated == true {
            truncated += 1
        } else if rest.count == 1, modules[0] == nil {
            withoutGarbage += 1
        } else if info?.endedEarly == true {
            endedEarly += 1
            note(wanted, got, event, trace)
        } else if rest.count <= 2, modules.allSatisfy({ $0?.contains("libc.so") == true }) {
            equal += 1
        } else {
            differ(wanted, got, event, trace)
        }
    }

    private mutating func differ(_ wanted: [UInt64], _ got: [UInt64], _ event: HeapEvent, _ trace: Trace) {
        differing += 1
        note(wanted, got, event, trace)
    }

    private mutating func note(_ wanted: [UInt64], _ got: [UInt64], _ event: HeapEvent, _ trace: Trace) {
        guard differences.count < 3 else { return }
        func text(_ frames: [UInt64]) -> String {
            frames.prefix(40).map { frame in
                guard let module = trace.modules.module(for: frame, at: event.time) else {
                    return String(frame, radix: 16)
                }
                return "\(module.path.split(separator: "/").last ?? "")+\(String(frame - module.bias, radix: 16))"
            }.joined(separator: " ")
        }
        differences.append("size \(event.size): recorded \(text(got)); libunwind \(text(wanted))")
    }

    /// Expects that nothing differs, and nothing ended early.
    func expectEqual(atLeast least: Int, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(differing == 0, "\(differences)", sourceLocation: sourceLocation)
        #expect(missing == 0, sourceLocation: sourceLocation)
        #expect(endedEarly == 0, "\(differences)", sourceLocation: sourceLocation)
        #expect(withoutGarbage == 0, sourceLocation: sourceLocation)
        #expect(equal >= least, sourceLocation: sourceLocation)
    }
}
