// The one place where this process waits: for the end of a child, for its output, for a signal, for the next reading of the
// resident set. No thread, no timer, no signal handler.

internal import Glibc

/// Waits for what happens around children.
struct ChildWatch {
    /// What ended the wait.
    enum Event: Equatable {
        /// The child of this index has ended; it stays to be reaped.
        case ended(Int)
        /// The time is up.
        case timeIsUp
    }

    /// Where signals arrive that end the wait.
    let interrupts: Interrupts
    /// Seconds that a program has to end after a signal before it is killed.
    var secondsToEnd = 10.0

    /// Waits for the first of `children` to end.
    ///
    /// - Parameters:
    ///   - pipes: output to take in meanwhile.
    ///   - sampler: reads the resident set meanwhile.
    ///   - deadline: when to give up, on the monotonic clock.
    /// - Throws: `Interrupted` when a signal came; the children are as they were.
    func wait(
        for children: [ChildProcess], pipes: [OutputPipe] = [], sampler: inout ResidentSampler?,
        until deadline: UInt64? = nil
    ) throws(Interrupted) -> Event {
        while true {
            var descriptors = children.map(\.handle) + pipes.map(\.source) + [interrupts.descriptor]
            // poll passes over what is negative; a kernel without handles is asked every millisecond.
            var timeout: Int32 = children.contains { $0.handle < 0 } ? 1 : -1
            if let sampler { timeout = Self.sooner(timeout, sampler.millisecondsToNext) }
            if let deadline {
                let now = ResidentSampler.now()
                timeout = Self.sooner(timeout, now >= deadline ? 0 : Int32((deadline - now) / 1_000_000 + 1))
            }
            var polls = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let count = poll(&polls, nfds_t(polls.count), timeout)
            descriptors = []
            if count > 0, let interrupted = interrupts.take() { throw interrupted }
            for (index, child) in children.enumerated() {
                if child.handle < 0 || polls[index].revents != 0, child.hasEnded {
                    for pipe in pipes { pipe.drain() }
                    return .ended(index)
                }
            }
            for (index, pipe) in pipes.enumerated() where count > 0 && polls[children.count + index].revents != 0 {
                pipe.take()
            }
            sampler?.readIfDue()
            if let deadline, ResidentSampler.now() >= deadline { return .timeIsUp }
        }
    }

    /// Waits for a child's end without reading anything.
    func wait(
        for child: ChildProcess, pipes: [OutputPipe] = [], until deadline: UInt64? = nil
    ) throws(Interrupted) -> Event {
        var sampler: ResidentSampler?
        return try wait(for: [child], pipes: pipes, sampler: &sampler, until: deadline)
    }

    /// Sends a child a signal and kills it, and what descends from it, if it goes on for `secondsToEnd`, or on a further
    /// interrupt.
    ///
    /// - Parameters:
    ///   - number: the signal; nil where the child has it already.
    ///   - pipes: output to take in meanwhile, so that the child can write what it has to say.
    /// - Returns: whether it ended by itself.
    @discardableResult
    func end(_ child: ChildProcess, by number: Int32?, pipes: [OutputPipe] = []) -> Bool {
        if let number { child.signal(number) }
        let deadline = ResidentSampler.now() + UInt64(secondsToEnd * 1e9)
        let event = try? wait(for: child, pipes: pipes, until: deadline)
        if event == .ended(0) { return true }
        child.killTree()
        return false
    }

    private static func sooner(_ one: Int32, _ other: Int32) -> Int32 { one < 0 ? other : min(one, other) }
}
