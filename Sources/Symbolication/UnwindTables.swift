// How much of a file's code its `.eh_frame` describes, and whether its functions keep frame pointers: what a call stack
// through it can rest on.

/// What a file gives to those who walk stacks through it.
package struct UnwindTables: Sendable, Equatable {
    /// Functions with a table entry.
    package var functions = 0
    /// Bytes of code that the entries cover.
    package var coveredBytes: UInt64 = 0
    /// Bytes of code in all: of the functions that the symbol table names or, without one, of the code sections, the
    /// padding between functions included.
    package var codeBytes: UInt64 = 0
    /// The share of sampled functions that begin by setting up a frame pointer; nil where none was looked at.
    package var framePointerShare: Double?

    /// The share of the code that is covered; nil where there is no code.
    package var coverage: Double? {
        codeBytes == 0 ? nil : min(1, Double(coveredBytes) / Double(codeBytes))
    }

    private static let sampledFunctions = 1000
    /// The start-up code of a C compiler, which nothing is called from, has small functions without entries.
    private static let smallestCountedBytes: UInt64 = 128
    private static let smallestSampledBytes: UInt64 = 32
    private static let prologueBytes: UInt64 = 24

    /// No tables.
    package init() {}

    /// Reads the tables of `file`.
    ///
    /// - Parameter functions: starts and lengths of those that its symbol table names, in any order.
    /// - Complexity: one pass over `.eh_frame`, n log n in the functions, and a thousand short reads of code.
    package init(of file: ELFFile, functions named: [(start: UInt64, bytes: UInt64)]) {
        var entries: [(start: UInt64, bytes: UInt64)] = []
        if let (bytes, address) = Self.frameSection(of: file) {
            Self.forEachEntry(in: Window(bytes), at: address) { entries.append(($0, $1)) }
        }
        functions = entries.count
        if named.isEmpty {
            codeBytes = Self.codeBytes(of: file)
            coveredBytes = min(codeBytes, entries.reduce(0) { $0 &+ $1.bytes })
        } else {
            count(named.filter { $0.bytes >= Self.smallestCountedBytes }, coveredBy: entries)
        }
        let large = entries.filter { $0.bytes >= Self.smallestSampledBytes }
        let step = max(1, large.count / Self.sampledFunctions)
        var looked = 0
        var kept = 0
        for index in stride(from: 0, to: large.count, by: step) {
            guard let prologue = file.bytes(at: large[index].start, count: Self.prologueBytes) else { continue }
            looked += 1
            if Self.setsFramePointer(prologue) { kept += 1 }
        }
        if looked > 0, file.machine == 62 { framePointerShare = Double(kept) / Double(looked) }
    }

    /// Counts each named function as covered or not, by where it starts.
    private mutating func count(
        _ named: [(start: UInt64, bytes: UInt64)], coveredBy entries: [(start: UInt64, bytes: UInt64)]
    ) {
        let sorted = entries.sorted { $0.start < $1.start }
        var next = 0
        var last: UInt64?
        for function in named.sorted(by: { $0.start < $1.start }) where function.start != last {
            last = function.start
            while next < sorted.count, sorted[next].start &+ sorted[next].bytes <= function.start { next += 1 }
            codeBytes &+= function.bytes
            if next < sorted.count, sorted[next].start <= function.start { coveredBytes &+= function.bytes }
        }
    }

    private static func codeBytes(of file: ELFFile) -> UInt64 {
        let executable: UInt64 = 4
        let sections = file.sections.filter { $0.flags & executable != 0 && !$0.name.hasPrefix(".plt") }
        if !sections.isEmpty { return sections.reduce(0) { $0 &+ $1.bytes } }
        return file.segments.filter { $0.type == ELFFile.Segment.load && $0.isExecutable }
            .reduce(0) { $0 &+ $1.fileBytes }
    }

    /// `.eh_frame`, by its section or, without section headers, by the index that the loader uses.
    private static func frameSection(of file: ELFFile) -> (bytes: [UInt8], address: UInt64)? {
        if let section = file.section(".eh_frame") { return (file.contents(of: section), section.address) }
        let relativeToHere: UInt64 = 0x1b
        guard let index = file.segments.first(where: { $0.type == ELFFile.Segment.unwindIndex }),
            case let header = Window(file.contents(of: index)), header.word(1, 1) == relativeToHere
        else { return nil }
        let distance = Int64(Int32(truncatingIfNeeded: header.word(4, 4)))
        let address = index.address &+ 4 &+ UInt64(bitPattern: distance)
        for segment in file.segments where segment.type == ELFFile.Segment.load {
            guard address >= segment.address, address &- segment.address < segment.fileBytes else { continue }
            let count = segment.fileBytes - (address - segment.address)
            return file.bytes(at: address, count: count).map { ($0, address) }
        }
        return nil
    }

    /// Calls `body` with the start and length of each entry, until the terminator or what cannot be read.
    private static func forEachEntry(in table: Window, at address: UInt64, _ body: (UInt64, UInt64) -> Void) {
        var encodings: [Int: UInt64] = [:]
        var start = 0
        while start + 8 <= table.count {
            let length = Int(table.word(start, 4))
            guard length >= 4, length != 0xffff_ffff, length <= table.count - start - 4 else { return }
            let identifier = Int(table.word(start + 4, 4))
            if identifier == 0 {
                encodings[start] = encoding(ofCommonEntryAt: start, in: table)
            } else if let encoding = encodings[start + 4 - identifier] {
                let wide = encoding & 0x0f == 0 || encoding & 0x07 == 4
                let size = wide ? 8 : 4
                let raw = table.word(start + 8, size)
                let value = wide ? raw : UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: raw)))
                let isRelative = encoding & 0x70 == 0x10
                let place = address &+ UInt64(start + 8)
                body(isRelative ? place &+ value : value, table.word(start + 8 + size, size))
            }
            start += 4 + length
        }
    }

    /// How the entries of a common entry spell addresses: the byte for `R` in its augmentation, 0 (absolute) without one.
    private static func encoding(ofCommonEntryAt start: Int, in table: Window) -> UInt64 {
        let augmentation = table.string(start + 9)
        guard augmentation.hasPrefix("z") else { return 0 }
        var cursor = start + 9 + augmentation.utf8.count + 1
        func skipNumber() {
            while table.word(cursor, 1) & 0x80 != 0 { cursor += 1 }
            cursor += 1
        }
        skipNumber()  // code alignment
        skipNumber()  // data alignment
        skipNumber()  // return address register
        skipNumber()  // length of what follows
        for letter in augmentation.utf8.dropFirst() {
            switch letter {
            case UInt8(ascii: "R"): return table.word(cursor, 1)
            case UInt8(ascii: "L"): cursor += 1
            case UInt8(ascii: "P"):
                let format = table.word(cursor, 1) & 0x0f
                cursor += 1 + (format & 0x07 == 3 ? 4 : 8)
            default: break
            }
        }
        return 0
    }

    /// `push rbp` followed by `mov rbp, rsp` within the first instructions.
    private static func setsFramePointer(_ code: [UInt8]) -> Bool {
        guard let push = code.prefix(8).firstIndex(of: 0x55) else { return false }
        let moves: [[UInt8]] = [[0x48, 0x89, 0xe5], [0x48, 0x8b, 0xec]]
        return (push + 1..<max(push + 1, code.count - 2)).contains { index in
            moves.contains { code[index..<index + 3].elementsEqual($0) }
        }
    }
}
