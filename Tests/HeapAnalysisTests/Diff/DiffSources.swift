// What the tests of differences are made of: scripted recordings of owners, of sites, and samples.
@testable import HeapAnalysis
import Symbolication

/// Scripted recordings to compare.
enum DiffSources {
    /// The fields of rows by owner.
    static let owner = GroupingKey.owner.fields

    /// A recording in which stack n allocates blocks of an owner's.
    static func owners(_ owners: [(type: String, sizes: [UInt64])], cause: String = "construct") -> ScriptedSource {
        var source = ScriptedSource()
        source.facts.program = "app"
        source.facts.allocator = "glibc"
        source.facts.nanosecondsPerTick = 1
        var address: UInt64 = 0x1000
        for (index, owner) in owners.enumerated() {
            let stack = UInt32(index + 1)
            source.own(stack, family: "Class", type: owner.type, cause: cause, addresses: place(of: owner.type))
            for size in owner.sizes {
                source.events.append(.allocate(address, size: size, stack: stack, at: address))
                address += 0x1000
            }
        }
        return source
    }

    /// A sample in which each of `owners` was hit so often by allocations of 100 bytes, each of which stands for `weight`.
    static func sample(_ owners: [(type: String, hits: Int)], weight: Float = 10) -> ScriptedSource {
        var source = ScriptedSource()
        source.facts.isSampled = true
        source.facts.sampleBytes = 1000
        for (index, owner) in owners.enumerated() {
            let stack = UInt32(index + 1)
            source.own(stack, family: "Class", type: owner.type, cause: "construct", addresses: place(of: owner.type))
            for hit in 0..<owner.hits {
                source.events.append(
                    .allocate(
                        UInt64(index + 1) << 20 | UInt64(hit) * 256, size: 100, stack: stack, at: 1, weight: weight))
            }
        }
        return source
    }

    /// A recording of an executable whose functions have these places.
    static func sites(
        _ sites: [(function: String, file: String?, line: Int?)], executable: String = "/bin/app"
    ) -> HeapProfile {
        var source = ScriptedSource()
        source.facts.executablePath = executable
        source.modules = [
            (0..<0x1000, LoadedModule(description: ModuleDescription(path: executable, buildID: []), bias: 0))
        ]
        var frames: [UInt64: [SymbolicatedFrame]] = [:]
        for (number, site) in sites.enumerated() {
            source.own(
                UInt32(number + 1), family: "Box", type: "Box<T>", cause: "construct", addresses: [UInt64(number) + 1])
            source.events.append(.allocate(UInt64(number + 1) * 16, size: 8, stack: UInt32(number + 1), at: 1))
            frames[UInt64(number)] = [
                SymbolicatedFrame(
                    function: site.function, file: site.file, line: site.line, language: .c, modulePath: executable)
            ]
        }
        return source.profile(symbolicator: ListedSymbols(frames))
    }

    /// The difference between two scripted recordings.
    static func diff(_ old: ScriptedSource, _ new: ScriptedSource, filter: RowFilter = RowFilter()) -> ProfileDiff {
        ProfileDiff(old: old.profile(), new: new.profile(), filter: filter)
    }

    /// Where an owner allocates, the same in every recording.
    private static func place(of type: String) -> [UInt64] { [type.utf8.reduce(1) { $0 * 31 + UInt64($1) }] }
}
