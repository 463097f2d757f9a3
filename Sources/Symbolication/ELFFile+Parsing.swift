// From bytes to an ELFFile: the header, the program headers, the section headers and their names. 64-bit little-endian
// files are read in full; of others only what tells that they are others.

extension ELFFile {
    private static let header64Bytes: UInt64 = 64
    private static let segmentBytes: UInt64 = 56
    private static let sectionBytes: UInt64 = 64

    /// Reads the headers of the file at `path`.
    package init(path: String) throws(ReadError) {
        try self.init(parsing: try ELFSource(path: path))
    }

    /// Reads the headers of a file that lies in memory.
    package init(bytes: [UInt8]) throws(ReadError) {
        try self.init(parsing: ELFSource(bytes: bytes))
    }

    private init(parsing source: ELFSource) throws(ReadError) {
        guard let magic = source.read(0, 4), magic == [0x7f, 0x45, 0x4c, 0x46] else { throw .notELF }
        guard let identity = source.read(0, 20) else { throw .truncated(needed: Self.header64Bytes, size: source.size) }
        let isLittleEndian = identity[5] != 2
        let wordBits = identity[4] == 1 ? 32 : 64
        let head = Window(identity)
        func half(_ offset: Int) -> UInt16 {
            let value = UInt16(truncatingIfNeeded: head.word(offset, 2))
            return isLittleEndian ? value : value.byteSwapped
        }
        guard wordBits == 64, isLittleEndian else {
            self.init(
                wordBits: wordBits, isLittleEndian: isLittleEndian, machine: half(18), kind: Kind(rawValue: half(16)),
                segments: [], sections: [], damage: [], source: source)
            return
        }
        guard let bytes = source.read(0, Self.header64Bytes) else {
            throw .truncated(needed: Self.header64Bytes, size: source.size)
        }
        let header = Window(bytes)
        let segments = try Self.segments(header, source)
        var damage: [String] = []
        for segment in segments where segment.type == Segment.load {
            if source.read(segment.offset &+ segment.fileBytes, 0) == nil {
                damage.append("a segment ends beyond the end of the file")
                break
            }
        }
        let sections = Self.sections(header, source)
        if sections == nil { damage.append("the section headers lie beyond the end of the file") }
        self.init(
            wordBits: 64, isLittleEndian: true, machine: half(18), kind: Kind(rawValue: half(16)), segments: segments,
            sections: sections ?? [], damage: damage, source: source)
    }

    private static func segments(_ header: Window, _ source: ELFSource) throws(ReadError) -> [Segment] {
        let count = header.word(56, 2)
        guard count > 0, header.word(54, 2) == segmentBytes else { return [] }
        let offset = header.word(32, 8)
        guard let table = source.read(offset, count * segmentBytes) else {
            throw .truncated(
                needed: offset.addingReportingOverflow(count * segmentBytes).partialValue, size: source.size)
        }
        let window = Window(table)
        return (0..<Int(count)).map { index in
            let start = index * Int(segmentBytes)
            return Segment(
                type: UInt32(window.word(start, 4)), flags: UInt32(window.word(start + 4, 4)),
                offset: window.word(start + 8, 8), address: window.word(start + 16, 8),
                fileBytes: window.word(start + 32, 8), memoryBytes: window.word(start + 40, 8))
        }
    }

    /// The section headers; nil where they do not lie in the file.
    private static func sections(_ header: Window, _ source: ELFSource) -> [Section]? {
        let offset = header.word(40, 8)
        if offset == 0 { return [] }
        guard header.word(58, 2) == sectionBytes else { return nil }
        var count = header.word(60, 2)
        var names = header.word(62, 2)
        // More sections than 16 bits can say: the first header has the numbers.
        if count == 0 || names == 0xffff, let first = source.read(offset, sectionBytes) {
            if count == 0 { count = Window(first).word(32, 8) }
            if names == 0xffff { names = Window(first).word(40, 4) }
        }
        guard count <= source.size / sectionBytes, let table = source.read(offset, count * sectionBytes) else {
            return nil
        }
        let window = Window(table)
        var sections = (0..<Int(count)).map { index in
            let start = index * Int(sectionBytes)
            return Section(
                name: "", type: UInt32(window.word(start + 4, 4)), flags: window.word(start + 8, 8),
                address: window.word(start + 16, 8), offset: window.word(start + 24, 8),
                bytes: window.word(start + 32, 8), link: Int(window.word(start + 40, 4)))
        }
        if let strings = Int(exactly: names), strings < sections.count,
            let text = source.read(sections[strings].offset, sections[strings].bytes)
        {
            let texts = Window(text)
            for index in sections.indices {
                sections[index].name = texts.string(Int(window.word(index * Int(sectionBytes), 4)))
            }
        }
        return sections
    }
}

/// Bytes that are read by offset, without ever reading outside: numbers there are 0 and strings empty.
struct Window {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The number of bytes.
    var count: Int { bytes.count }

    /// A little-endian number of `size` bytes at `offset`.
    func word(_ offset: Int, _ size: Int) -> UInt64 {
        guard offset >= 0, offset <= bytes.count - size else { return 0 }
        var value: UInt64 = 0
        for index in (0..<size).reversed() { value = value << 8 | UInt64(bytes[offset + index]) }
        return value
    }

    /// The text from `offset` up to the next zero byte.
    func string(_ offset: Int) -> String {
        guard offset >= 0, offset < bytes.count else { return "" }
        return String(decoding: bytes[offset...].prefix { $0 != 0 }, as: UTF8.self)
    }
}
