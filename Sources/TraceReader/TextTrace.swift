// The text dialect read as a trace: thread 1, the line number as the time, and for each distinct pair of owner and cause a tag and a stack
// without frames that carries it, so that the analysis treats both dialects alike. Lines are parsed once to open and once for every walk
// over the events; nothing is kept a line.

/// The first pass over a text file.
struct TextScanner {
    /// So many of the first bytes tell a text from other files.
    static let judgedBytes = 1 << 16

    /// Whether a file that begins so is neither a trace nor a text: a quarter of its first bytes are zero.
    static func isOther(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let head = bytes.prefix(judgedBytes)
        guard head.count == judgedBytes, !head.starts(with: Format.magic) else { return false }
        return head.count { $0 == 0 } >= judgedBytes / 4
    }

    /// Finds the events and owners of a text file.
    /// - Throws: ``TraceError/foreign`` when no line holds an event, or the file's beginning is no text.
    static func scan(
        _ file: borrowing MappedFile, progress: (Double) -> Void = { _ in }
    ) throws(TraceError) -> TraceContents {
        if isOther(file.bytes) { throw .foreign }
        var contents = TraceContents()
        var tables = ImageTables(number: 1)
        var owners = TextOwners()
        var lines = TextLines(file.bytes)
        while let line = lines.next() {
            if lines.isReleaseDue() {
                file.releasePages()
                progress(lines.share)
            }
            guard let event = TextLine(line) else {
                contents.foreignLines += 1
                continue
            }
            if event.hasForeignPrefix { contents.foreignLines += 1 }
            if event.kind == .allocation { tables.allocations += 1 } else { tables.frees += 1 }
            tables.firstTime = tables.firstTime ?? lines.number
            tables.lastTime = lines.number
            let stack = owners.stack(of: event.tail)
            if stack != .none, tables.stacks.row(of: stack) == nil, let (type, cause) = TextLine.split(event.tail) {
                let tag = TagID(stack.rawValue)
                tables.tags[tag] = OwnerTagInfo(family: "", type: type, cause: cause, language: "")
                tables.stacks.define(
                    id: stack.rawValue, base: 0, kept: 0, flags: 0, tag: tag.rawValue, task: 0, time: lines.number,
                    frames: UnsafeBufferPointer(start: nil, count: 0))
            }
        }
        if tables.firstTime == nil { throw .foreign }
        if lines.unterminated > 0 {
            contents.foreignLines += 1
            contents.cutOffset = UInt64(file.bytes.count - lines.unterminated)
        }
        let serial = ThreadSerial(1)
        tables.threadsBySerial[serial] = ThreadInfo(serial: serial, threadID: 0, name: "")
        contents.allocations = tables.allocations
        contents.frees = tables.frees
        contents.images = [tables]
        return contents
    }
}

/// The lines of a file, each without its newline. A last line without one may have been torn and is not delivered.
struct TextLines {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var released = 0
    /// Number of the line that was delivered last, from 1.
    private(set) var number: UInt64 = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Bytes behind the last newline.
    var unterminated: Int { bytes.count - position }

    /// The share of the bytes that was read.
    var share: Double { Double(position) / Double(max(bytes.count, 1)) }

    /// Whether enough was read since the last time to let go of its pages; the line at hand stays readable.
    mutating func isReleaseDue() -> Bool {
        guard position - released >= Trace.releaseStride else { return false }
        released = position
        return true
    }

    mutating func next() -> UnsafeRawBufferPointer? {
        var end = position
        while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
        guard end < bytes.count else { return nil }
        defer { position = end + 1 }
        number += 1
        return UnsafeRawBufferPointer(rebasing: bytes[position..<end])
    }
}

/// Numbers the distinct owners of a text trace in the order of first appearance: the same numbers in every pass.
struct TextOwners {
    private var stacks: [String: StackID] = [:]

    mutating func stack(of tail: UnsafeRawBufferPointer) -> StackID {
        if tail.isEmpty { return .none }
        let text = String(decoding: tail, as: UTF8.self)
        if let stack = stacks[text] { return stack }
        let stack = StackID(UInt32(stacks.count + 1))
        stacks[text] = stack
        return stack
    }
}

extension Trace {
    /// Delivers the events of a text trace.
    @usableFromInline
    func forEachTextEvent<Visitor: EventVisitor>(
        image: Int?, span: EventSpan, _ visitor: inout Visitor
    ) throws(Visitor.Failure) {
        guard image == nil || image == lastImage else { return }
        var owners = TextOwners()
        var lines = TextLines(fileBytes)
        while let line = lines.next() {
            if lines.isReleaseDue() { releasePages() }
            guard let event = TextLine(line) else { continue }
            // Before an event is left out: owners are numbered in the order of their lines.
            let stack = owners.stack(of: event.tail)
            if lines.number > span.through { return }
            if let after = span.after, lines.number <= after { continue }
            try visitor.visit(
                HeapEvent(
                    kind: event.kind, time: lines.number, thread: ThreadSerial(1), address: event.address,
                    size: event.size, stack: stack))
        }
    }
}
