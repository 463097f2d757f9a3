// Whether a row's figures are those of its allocator: what was seen of the programs that ran, held against the allocator
// that they were to run on.

internal import Glibc

/// Which of the programs seen in a rehearsal ran on another allocator than the row's.
struct AllocatorPlacement {
    /// A program that is not on the row's allocator.
    private struct Stranger {
        let program: SeenProgram
        let reason: String
    }

    private let allocator: Allocator
    private let programs: [SeenProgram]
    private let strangers: [Stranger]
    /// Shares of less processor time than this, a tenth of a second, say nothing.
    private static let fewestTicks = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK)) / 10))

    /// Holds what was seen against an allocator.
    init(of programs: [SeenProgram], on allocator: Allocator) {
        self.allocator = allocator
        self.programs = programs
        let judge = Judge(allocator)
        strangers = programs.compactMap { program in
            judge.reason(against: program).map { Stranger(program: program, reason: $0) }
        }
    }

    /// Why the figures are another allocator's, as a clause; nil where they are not: the programs that run on another
    /// one took half of the processor time, or the largest resident set.
    var failure: String? {
        guard isMost(strangers.map(\.program)),
            let largest = strangers.max(by: { Self.weighsLess($0.program, $1.program) })
        else { return nil }
        return "\(largest.program.name) does not run on it: \(largest.reason)"
    }

    /// Programs of little weight that run on another allocator, or one of weight of which nothing can be said, as a
    /// sentence; nil where there are none.
    var note: String? {
        if failure != nil { return nil }
        if let first = strangers.first {
            let others = strangers.count > 1 ? " and \(strangers.count - 1) more run" : " runs"
            let name = first.program.name
            return "of the programs that it starts, \(name)\(others) on another allocator: \(first.reason)"
        }
        let hidden = programs.filter { $0.allocator == .unknown }
        guard isMost(hidden), let first = hidden.first else { return nil }
        return "whether \(first.name) runs on it could not be seen"
    }

    /// Whether some programs took half of the processor time, or the largest resident set.
    private func isMost(_ some: [SeenProgram]) -> Bool {
        let ticks = some.reduce(0) { $0 + $1.ticks }
        let all = programs.reduce(0) { $0 + $1.ticks }
        let peak = programs.map(\.residentBytes).max() ?? 0
        let isLargest = some.contains { $0.residentBytes == peak }
        return isLargest || all >= Self.fewestTicks && ticks * 2 >= all
    }

    /// For a row of the C library's: the same allocator with the library in front of the one that serves a program now, and
    /// what that one is; nil where that is not what it needs.
    var repair: (allocator: Allocator, note: String)? {
        guard allocator.libraryPath == nil else { return nil }
        for stranger in strangers {
            guard case .library(let name, let path) = stranger.program.allocator, name != "musl",
                let library = stranger.program.systemLibrary
            else { continue }
            let linked = LinkedAllocator(name: name, path: path, systemLibrary: library)
            return (linked.inFront(of: allocator), linked.note(program: stranger.program.name))
        }
        return nil
    }

    private static func weighsLess(_ one: SeenProgram, _ other: SeenProgram) -> Bool {
        (one.ticks, one.residentBytes) < (other.ticks, other.residentBytes)
    }

    /// Tells what is on an allocator from what is not.
    private struct Judge {
        private let allocator: Allocator
        private let library: String?

        init(_ allocator: Allocator) {
            self.allocator = allocator
            library = allocator.libraryPath.map(FileProbe.resolved)
        }

        private var isSystems: Bool { library.map(ServingAllocator.isSystemLibrary) ?? true }

        /// Why a program is not on the allocator; nil where it is, or where that cannot be said.
        func reason(against program: SeenProgram) -> String? {
            switch program.allocator {
            case .unknown: return nil
            case .staticallyLinked:
                return isSystems ? nil : "it is statically linked, so nothing can be preloaded"
            case .foreign:
                return isSystems
                    ? nil : "it is no program of this machine's own kind, so the library cannot be preloaded"
            case .own(let name): return "it carries its own allocator (\(name))"
            case .system(let path):
                if isSystems { return nil }
                if program.hasOtherRights {
                    return "it runs with other rights than its caller, so the loader ignores preloads"
                }
                return
                    "the library was not preloaded (\(path) serves it), as where LD_PRELOAD is taken out of the environment"
            case .library(let name, let path):
                if let library, FileProbe.resolved(path) == library { return nil }
                return "\(name) (\(path)) stands in front"
            }
        }
    }
}
