// What a run leaves behind: processes whose parents have ended. They would go on beside the runs that follow, so they are
// ended, and what they used is added to the run's account. Only where orphans become this process's children, for else they
// cannot be told from anybody's.

internal import Glibc

/// The processes that have become this one's children without its doing.
final class Leftovers {
    /// What was charged to those that came after this value was made, children they waited for included.
    private(set) var charged: [rusage] = []

    private let isOurs: Bool
    private let secondsToEnd: Double
    /// What was there before: the doing of the command that set the run up.
    private var before: Set<Int32> = []

    /// What ends by itself within this time was on its way out, such as the rest of a pipeline.
    private static let secondsOfGrace = 0.05

    /// Notes what is there now.
    ///
    /// - Parameters:
    ///   - isOurs: whether orphans come to this process, which has no other children.
    ///   - secondsToEnd: how long they have after SIGTERM.
    init(isOurs: Bool, secondsToEnd: Double) {
        self.isOurs = isOurs
        self.secondsToEnd = secondsToEnd
        before = Set(living())
        charged = []
    }

    /// Ends what is there, by SIGTERM, and by SIGKILL what that does not end.
    ///
    /// - Returns: the names of those that came after this value was made, and did not end by themselves.
    @discardableResult
    func end() -> [String] {
        wait(seconds: Self.secondsOfGrace) { before.isSuperset(of: $0) }
        let left = living()
        let names = left.filter { !before.contains($0) }.map { process in
            let name = FileProbe.text(of: "/proc/\(process)/comm") ?? ""
            return String(name.prefix { $0 != "\n" })
        }
        for process in left { ProcessTree(root: process).signal(SIGTERM) }
        if !left.isEmpty { wait(seconds: secondsToEnd) { $0.isEmpty } }
        // The children of what is killed become this process's, in turn.
        while true {
            let living = living()
            if living.isEmpty { return names }
            for process in living { ProcessTree(root: process).signal(SIGKILL) }
            usleep(1000)
        }
    }

    /// Waits for those that live to be as they should, for so long at most.
    private func wait(seconds: Double, until isDone: ([Int32]) -> Bool) {
        let deadline = ResidentSampler.now() + UInt64(seconds * 1e9)
        while !isDone(living()), ResidentSampler.now() < deadline { usleep(1000) }
    }

    /// The children of this process that live; those that have ended are reaped and their account is kept.
    private func living() -> [Int32] {
        if !isOurs { return [] }
        return ProcessTree.children(of: getpid()).filter { process in
            var usage = rusage()
            guard wait4(process, nil, WNOHANG, &usage) == process else { return true }
            if !before.contains(process) { charged.append(usage) }
            return false
        }
    }
}
