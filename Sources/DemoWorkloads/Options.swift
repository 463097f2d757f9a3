// The words of the command line. No parser library: the workloads' own allocations are the point of this program.

/// What the command line asks for.
struct Options {
    /// Everything that is no option, in order.
    var words: [String] = []
    /// `--log FILE`: where `tracing-allocator` leaves its log.
    var logPath: String?
    /// `--naive roomy|small`: the child of `big-box`, on which stack.
    var naiveStack: BigBoxWorkload.NaiveStack?

    init(_ arguments: some Sequence<String>) throws(WorkloadError) {
        var rest = arguments.makeIterator()
        while let word = rest.next() {
            switch word {
            case "--log":
                guard let path = rest.next() else { throw WorkloadError(message: "--log needs a file name") }
                logPath = path
            case "--naive":
                guard let stack = rest.next().flatMap(BigBoxWorkload.NaiveStack.init) else {
                    throw WorkloadError(message: "--naive needs 'roomy' or 'small'")
                }
                naiveStack = stack
            default:
                guard !word.hasPrefix("-") || word == "--help" else {
                    throw WorkloadError(message: "no option named '\(word)'; see heaptrail-demo --help")
                }
                words.append(word)
            }
        }
    }
}
