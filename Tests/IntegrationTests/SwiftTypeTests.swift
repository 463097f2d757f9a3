// Types of Swift allocations as the runtime tells them: a program that knows the metadata of its types and how many objects
// it makes of each is recorded in every way there is, and the trace must say the same.

internal import Foundation
internal import Glibc
import TestSupport
import Testing
import TraceReader

@Suite(
    .enabled(if: BuildProducts.areBuilt, Machine.notBuilt),
    .enabled(if: SourceLanguage.swift.isAvailable, "no swiftc here"))
struct SwiftTypeTests {
    /// How the program gets its Swift runtime.
    enum Runtime: String, CaseIterable {
        /// From libswiftCore, as a library.
        case library
        /// Within the executable, which has its symbols.
        case within = "static"
        /// Within the executable, whose symbols were removed.
        case stripped

        var isWithin: Bool { self != .library }
    }

    /// A line of the program: a type, its metadata, objects of it, its generic arguments.
    struct Made: Hashable {
        var name: String
        var metadata: UInt64
        var count: Int
        var arguments: [UInt64]

        init(line: Substring) throws {
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 4, let metadata = UInt64(parts[1]), let count = Int(parts[2]) else {
                throw TestSupportError("no line of a type: \(line)")
            }
            name = String(parts[0])
            self.metadata = metadata
            self.count = count
            arguments = parts[3].split(separator: ",").compactMap { UInt64($0) }
        }
    }

    static func program(_ runtime: Runtime = .library) throws -> String {
        let arguments = ["-Onone", "-parse-as-library"] + (runtime.isWithin ? ["-static-stdlib"] : [])
        let program = try ProgramBuilder.build(
            testProgram: "swift-types.swift", language: .swift, arguments: arguments)
        guard runtime == .stripped else { return program }
        let stripped = program + "-stripped"
        if !FileManager.default.fileExists(atPath: stripped) {
            let work = "\(stripped).\(UUID().uuidString)"
            try runChecked(Tool.require("strip"), ["-o", work, program])
            rename(work, stripped)
        }
        return stripped
    }

    /// What the program said it made; its sums checked.
    private func made(_ output: String) throws -> [Made] {
        let made = try output.split(separator: "\n").map { try Made(line: $0) }
        #expect(made.map(\.name) == Self.names)
        #expect(made.last?.count == 752)
        return made.dropLast()
    }
    private static let names = [
        "Leaf", "Node", "Node", "Pair", "Inner", "_ContiguousArrayStorage", "Broken", "Refused", "caught",
    ]

    /// How many allocations and frees of each type a trace has.
    private func counts(_ trace: Trace) throws -> (allocations: [UInt64: Int], frees: [UInt64: Int]) {
        let tables = try #require(trace.tables())
        var allocations: [UInt64: Int] = [:]
        var frees: [UInt64: Int] = [:]
        trace.forEachEvent { (event: HeapEvent) in
            let type = tables.typeID(of: event)
            if type == 0 { return }
            if event.kind == .allocation {
                allocations[type, default: 0] += 1
            } else {
                frees[type, default: 0] += 1
            }
        }
        return (allocations, frees)
    }

    /// Holds a trace against what the program made. Errors are told by their boxes as they are freed; `isTold` false: all types are.
    private func expect(_ trace: Trace, toHold made: [Made], isTold: Bool = true) throws {
        #expect(trace.isComplete)
        let (allocations, frees) = try counts(trace)
        let metadata = try #require(trace.tables()).metadata
        let time = trace.lastTicks
        for type in made {
            let isError = type.name == "Broken" || type.name == "Refused"
            let counted = isTold && !isError ? allocations : frees
            #expect(counted[type.metadata] == type.count, "\(type)")
            let record = try #require(metadata[type.metadata], "\(type)")
            #expect(record.arguments == type.arguments)
            #expect(record.kind == (type.name == "Broken" ? .nominalStruct : isError ? .nominalEnum : .nominalClass))
            let module = try #require(trace.modules.module(for: record.descriptor, at: time), "\(type)")
            #expect(try Self.name(at: record.descriptor, in: module) == type.name)
        }
        if isTold {
            let boxes = metadata.filter { $0.value.kind == .errorBox }.keys.reduce(0) {
                $0 + allocations[$1, default: 0]
            }
            #expect(boxes == 40)
        }
        // Captured variables, closures' contexts and the payloads of an indirect enum: 12 of each of the first two, 4 × (7 + 8) payloads.
        let contexts = metadata.filter { $0.value.kind == .context }.keys
        let counted = isTold ? allocations : frees
        #expect(contexts.reduce(0) { $0 + counted[$1, default: 0] } >= 12 + 60)
        for type in contexts {
            let descriptor = try #require(metadata[type]).descriptor
            #expect(descriptor == 0 || trace.modules.module(for: descriptor, at: time) != nil)
        }
    }

    /// The name in a nominal type descriptor, as the module's file has it.
    private static func name(at descriptor: UInt64, in module: ModuleInfo) throws -> String {
        let file = try ElfBytes(module.path)
        let at = descriptor - module.bias
        let offset = Int64(try file.int32(at: at + 8))
        return try file.text(at: UInt64(Int64(at + 8) + offset))
    }

    // MARK: - One process

    @Test(arguments: Runtime.allCases)
    func `every object has the type that the runtime gave it`(runtime: Runtime) throws {
        let recording = try Recording(Self.program(runtime))
        #expect(recording.result.status == .exited(0))
        #expect(recording.programErrors == "")
        let trace = try Trace.open(path: recording.trace)
        try expect(trace, toHold: made(recording.result.stdout), isTold: runtime != .stripped)
        let says = trace.warnings.contains { $0.contains("allocation hook") }
        #expect(says == (runtime == .stripped), "\(trace.warnings)")
    }

    @Test(
        arguments: [
            ["--no-stacks"], ["--max-depth", "3"], ["--when-full", "drop"], ["--compact"], ["--follow"],
        ])
    func `however it is recorded`(options: [String]) throws {
        let recording = try Recording(Self.program(), options: options)
        #expect(recording.result.status == .exited(0))
        try expect(Trace.open(path: recording.trace), toHold: made(recording.result.stdout))
    }

    @Test func `types are left alone on request`() throws {
        let recording = try Recording(Self.program(), options: ["--no-swift-types"])
        let trace = try Trace.open(path: recording.trace)
        let (allocations, frees) = try counts(trace)
        #expect(allocations.isEmpty && frees.isEmpty)
        #expect(try #require(trace.tables()).metadata.isEmpty)
        #expect(try made(recording.result.stdout).count == 8)
    }

    @Test(arguments: ["jemalloc", "mimalloc", "tcmalloc"])
    func `on another allocator, too`(allocator: String) throws {
        guard Machine.hasAllocator(allocator) else { try skip("\(allocator) is not installed") }
        let recording = try Recording(Self.program(), options: ["--allocator", allocator])
        #expect(recording.result.status == .exited(0))
        try expect(Trace.open(path: recording.trace), toHold: made(recording.result.stdout))
    }

    @Test(arguments: [false, true])
    func `without the tool in front`(isAlone: Bool) throws {
        let folder = try TemporaryDirectory()
        // Beside the tool a collector is started; in a folder of its own the library drains by a thread.
        let library = isAlone ? folder.file("libheaptrail.so") : try BuildProducts.preload()
        if isAlone { try FileManager.default.copyItem(atPath: BuildProducts.preload(), toPath: library) }
        let trace = folder.file("alone.trace")
        let result = try run(
            Self.program(), [], environment: .inherited(adding: ["LD_PRELOAD": library, "HEAPTRAIL_OUTPUT": trace]))
        #expect(result.status == .exited(0) && result.stderr == "")
        // A report waits for the collector's end.
        _ = try Recording.report(on: trace)
        try expect(Trace.open(path: trace), toHold: made(result.stdout))
    }

    @Test func `a report on the compacted trace is the same to the byte`() throws {
        let recording = try Recording(Self.program(.stripped))
        let packed = recording.trace + ".packed"
        try runChecked(BuildProducts.heaptrail(), ["compact", recording.trace, "-o", packed])
        for view in [["--by", "type"], ["--json", "--by", "site"], ["--json", "--explain"]] {
            #expect(
                try runChecked(BuildProducts.heaptrail(), ["report", recording.trace] + view)
                    == runChecked(BuildProducts.heaptrail(), ["report", packed] + view), "\(view)")
        }
        let raw = try Trace.open(path: recording.trace), compacted = try Trace.open(path: packed)
        #expect(raw.tables()?.metadata == compacted.tables()?.metadata)
        let (one, other) = try (counts(raw), counts(compacted))
        #expect(one == other)
    }

    @Test func `text lines are as they were`() throws {
        let recording = try Recording(Self.program(), options: ["--format", "text"])
        #expect(recording.result.status == .exited(0))
        let lines = try String(contentsOfFile: recording.trace, encoding: .utf8).split(separator: "\n")
        #expect(lines.count > 1000)
        #expect(lines.allSatisfy { TextEvent(String($0)) != nil })
    }

    // MARK: - Tasks, late runtimes, processes that run already

    @Test(arguments: [Runtime.library, .within])
    func `eight tasks that allocate, throw and catch side by side come to the same`(runtime: Runtime) throws {
        let program = try Self.program(runtime)
        let native = try run(program, ["8"])
        let recording = try Recording(program, ["8"])
        #expect(recording.result.status == native.status)
        #expect(recording.result.stdout == native.stdout)
        let trace = try Trace.open(path: recording.trace)
        let (allocations, frees) = try counts(trace)
        let metadata = try #require(trace.tables()).metadata
        let boxes = metadata.filter { $0.value.kind == .errorBox }.keys.reduce(0) { $0 + allocations[$1, default: 0] }
        // Of numbers 0 to 3999, 1334 and 1333 are thrown as errors of the two types.
        #expect(boxes == 8 * (1334 + 1333))
        #expect(frees.values.sorted() == [8 * 1333, 8 * 1334])
        #expect(allocations.values.contains(8 * 4000))
    }

    @Test func `a sample has types as often as all events do`() throws {
        let recording = try Recording(
            Self.program(), ["4"], options: ["--sample", "2KiB"],
            environment: .inherited(adding: ["HEAPTRAIL_SAMPLE_SEED": "5"]))
        #expect(recording.result.status == .exited(0))
        let trace = try Trace.open(path: recording.trace)
        let tables = try #require(trace.tables())
        var typed = 0.0
        trace.forEachEvent { (event: HeapEvent) in
            if event.kind == .allocation, tables.metadata[tables.typeID(of: event)] != nil {
                typed += event.weight
            }
        }
        // 66,000 of 98,000 allocations have types; the estimate's standard error is below a tenth of that.
        #expect(typed > 40_000 && typed < 95_000, "\(typed)")
    }

    @Test(
        .enabled(if: AttachedProcess.isPermitted, "this system does not let a process be traced"),
        arguments: [Runtime.library, .within])
    func `a process that runs already is hooked while it stands still`(runtime: Runtime) throws {
        let folder = try TemporaryDirectory()
        let process = try AttachedProcess(Self.program(runtime), ["wait"])
        #expect(try process.line() == "ready")
        let recorder = try AttachedProcess(
            BuildProducts.heaptrail(), ["record", "--pid", String(process.pid), "-o", folder.file("window.trace")],
            readsErrors: true)
        #expect(try recorder.line().contains("attached"))
        try process.write("go\n")
        let lines = try Self.names.map { _ in try process.line() }
        #expect(try process.line() == "done")
        kill(recorder.pid, SIGINT)
        #expect(try recorder.status() == .exited(0))
        try expect(
            Trace.open(path: folder.file("window.trace")), toHold: made(lines.joined(separator: "\n")))
        // Detached, it goes on as before.
        try process.write("end\n")
        #expect(try process.status() == .exited(0))
    }

    @Test func `a runtime that is loaded late is hooked when it comes`() throws {
        let plugin = try ProgramBuilder.build(
            """
            final class Plugged { var value = 3 }
            @_cdecl("plugged") public func plugged(_ count: Int) -> Int {
                (0..<count).map { _ in Plugged() }.reduce(0) { $0 + $1.value }
            }
            """, language: .swift, name: "libplugged.so", arguments: ["-Onone", "-emit-library", "-parse-as-library"])
        let host = try ProgramBuilder.build(
            """
            #include <dlfcn.h>
            #include <stdio.h>
            int main(int count, char **arguments) {
                void *library = dlopen(arguments[count - 1], RTLD_NOW);
                long (*plugged)(long) = (long (*)(long))dlsym(library, "plugged");
                printf("%ld\\n", plugged(40));
                return 0;
            }
            """, language: .c, name: "swift-host", arguments: ["-ldl"])
        let recording = try Recording(host, [plugin])
        #expect(recording.result.stdout == "120\n")
        let trace = try Trace.open(path: recording.trace)
        let (allocations, _) = try counts(trace)
        let metadata = try #require(trace.tables()).metadata
        let time = trace.lastTicks
        let plugged = try metadata.filter {
            guard $0.value.kind == .nominalClass else { return false }
            guard let module = trace.modules.module(for: $0.value.descriptor, at: time) else { return false }
            return try Self.name(at: $0.value.descriptor, in: module) == "Plugged"
        }
        #expect(plugged.count == 1)
        #expect(plugged.keys.first.flatMap { allocations[$0] } == 40)
    }
}
