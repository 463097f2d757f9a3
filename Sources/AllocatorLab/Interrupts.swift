// Signals that ask the tool to end, taken from a descriptor, so that a wait for a child is also a wait for them.

internal import CLaunch

/// The tool was asked to end while a program ran.
public struct Interrupted: Error, Equatable {
    /// The signal's number.
    public let signal: Int32
    /// Whether it was typed at the terminal, so that the programs in the foreground have it, too.
    public let isFromTerminal: Bool
}

/// Where SIGINT, SIGTERM and SIGHUP arrive.
public struct Interrupts: Sendable {
    let descriptor: Int32

    /// No signals: they do what they usually do.
    public static let none = Interrupts(descriptor: -1)

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// From now on those signals no longer end this process; whoever waits for a child is told of them.
    public static func watching() -> Interrupts {
        Interrupts(descriptor: ht_launch_watch_interrupts())
    }

    /// From now on the processes that lose their parent are this process's children.
    public static func adoptOrphans() {
        ht_launch_adopt_orphans()
    }

    /// Goes on in a child of this process, which waits for it and ends as it does: so that what was started is ended although
    /// one of the two is killed. To be called before there are threads and children; where no child can be had all stays as
    /// it is.
    public static func supervise() {
        _ = ht_launch_supervise()
    }

    /// The next signal, if one has come.
    func take() -> Interrupted? {
        guard descriptor >= 0 else { return nil }
        var interrupt = ht_launch_interrupt()
        guard ht_launch_take_interrupt(descriptor, &interrupt) else { return nil }
        return Interrupted(signal: interrupt.signal, isFromTerminal: interrupt.from_terminal)
    }
}
