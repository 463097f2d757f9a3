// The keys and values of INFO chunks (FORMAT.md §3): who ran, with what arguments, on which allocator. Unknown keys are skipped, of a
// key given twice the last counts, and every warning counts.

/// What the INFO chunks of one image (or of the whole trace) say.
struct InfoEntries: Sendable {
    enum Key: UInt16, Sendable {
        case host = 1
        case program = 2
        case arguments = 3
        case allocator = 4
        case allocatorPath = 5
        case recorder = 6
        case directory = 7
        case kernel = 8
        case warning = 9
        case executable = 10
        case options = 11
    }

    private(set) var texts: [Key: String] = [:]
    private(set) var arguments: [String]?
    private(set) var warnings: [String] = []

    mutating func add(parsing window: ByteWindow) throws(TraceError) {
        var position = 0
        while position < window.count {
            let number = try window.load(position, as: UInt16.self)
            let length = try Int(window.load(position + 4, as: UInt32.self))
            let value = try window.slice(position + 8, length)
            position += 8 + (length + 7) & ~7
            guard let key = Key(rawValue: number) else { continue }
            switch key {
            case .arguments: arguments = value.texts
            case .warning: warnings.append(value.text)
            default: texts[key] = value.text
            }
        }
    }
}
