// What the tests see of an allocator: a tracing allocator's lines, parsed. Shared by the tests of this folder.

import SmartPointers

/// Collects the lines of a `TracingAllocator`.
final class AllocatorLog: Sendable {
    struct Event: Equatable {
        let word: String
        let address: String
        let size: Int
    }

    private let lines = Mutex<[String]>([])

    var allocator: TracingAllocator<SystemAllocator> {
        TracingAllocator(SystemAllocator()) { [self] line in
            lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
        }
    }

    var text: String { lines.withLock { $0.joined() } }

    /// The events; a line of any other form fails the look-up of its fields.
    var events: [Event] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count == 4, fields[0].hasSuffix(":"), fields[1].hasPrefix("0x"), fields[1].hasSuffix(","),
                fields[2] == "size",
                let size = Int(fields[3])
            else { return nil }
            return Event(word: String(fields[0].dropLast()), address: String(fields[1].dropLast()), size: size)
        }
    }

    var words: [String] { events.map { "\($0.word) \($0.size)" } }
}
