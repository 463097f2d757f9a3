// The one place where this process waits: for the end of a child, for its output, for a signal, for the next reading from
// outside. No thread, no timer, no signal handler.

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
    ///   - observer: reads meanwhile what it is due to read.
    ///   - deadline: when to give up, on the monotonic clock.
    /// - Throws: `Interrupted` when a signal came; the children are as they were.
    func wait(
        for children: [ChildProcess], pipes: [OutputPipe] = [], observer: inout RunObserver,
        until deadline: UInt64? = nil
    ) throws(Interrupted) -> Event {
        while true {
            var descriptors = children.map(\.handle) + pipes.map(\.source) + [interrupts.descriptor]
            // poll passes over what is negative; a kernel without handles is asked every millisecond.
            var timeout: Int32 = children.contains { $0.handle < 0 } ? 1 : -1
            if let next = observer.millisecondsToNext { timeout = Self.sooner(timeout, next) }
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
            observer.readIfDue()
            if let deadline, ResidentSampler.now() >= deadline { return .timeIsUp }
        }
    }

    /// Waits for a child's end without reading anything.
    func wait(
        for child: ChildProcess, pipes: [OutputPipe] = [], until deadline: UInt64? = nil
    ) throws(Interrupted) -> Event {
        var observer = RunObserver()
        return try wait(for: [child], pipes: pipes, observer: &observer, until: deadline)
    }

    /// Sends a child a signal and kills it, and what descends from it, if it goes on for `secondsToEnd`.
    ///
    /// - Parameters:
    ///   - number: the signal; nil where the child has it already.
    ///   - pipes: output to take in meanwhile, so that the child can write what it has to say.
    /// - Returns: whether it ended by itself.
    /// - Throws: `Interrupted` when a signal came; the child is killed.
    @discardableResult
    func end(_ child: ChildProcess, by number: Int32?, pipes: [OutputPipe] = []) throws(Interrupted) -> Bool {
        if let number { child.signal(number) }
        let deadline = ResidentSampler.now() + UInt64(secondsToEnd * 1e9)
        do {
            if try wait(for: child, pipes: pipes, until: deadline) == .ended(0) { return true }
        } catch {
            child.killTree()
            throw error
        }
        child.killTree()
        return false
    }

    /// Ends a child because this process was asked to end: passes the signal on, unless the child has it, and kills it on a
    /// further one. One that follows at once is the first again, sent to the tool and to its group.
    func end(_ child: ChildProcess, after interrupt: Interrupted, pipes: [OutputPipe] = []) {
        if !interrupt.isFromTerminal { child.signal(interrupt.signal) }
        let began = ResidentSampler.now()
        let deadline = began + UInt64(secondsToEnd * 1e9)
        var hasEnded = false
        repeat {
            hasEnded = (try? wait(for: child, pipes: pipes, until: deadline)) == .ended(0)
        } while !hasEnded && ResidentSampler.now() < min(deadline, began + Self.nanosecondsOfEcho)
        if !hasEnded { child.killTree() }
    }

    private static let nanosecondsOfEcho: UInt64 = 300_000_000

    private static func sooner(_ one: Int32, _ other: Int32) -> Int32 { one < 0 ? other : min(one, other) }
}
