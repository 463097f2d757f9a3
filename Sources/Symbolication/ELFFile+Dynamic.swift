// What the dynamic loader is told: the interpreter, the needed libraries, where to look for them, the build id.

extension ELFFile {
    /// The dynamic section, by what it means.
    package struct Dynamic: Sendable, Equatable {
        /// `DT_NEEDED`, in order.
        package var needed: [String] = []
        /// `DT_RPATH`, the folders as written.
        package var rpath: [String] = []
        /// `DT_RUNPATH`, the folders as written; where there is one, `DT_RPATH` is not used.
        package var runpath: [String] = []
        /// `DT_SONAME`.
        package var soname: String?
        /// `DT_FLAGS_1`.
        package var flags1: UInt64 = 0

        /// A section without entries.
        package init() {}

        /// `DF_1_NODEFLIB`: the default folders are not searched.
        package var ignoresDefaultFolders: Bool { flags1 & 0x800 != 0 }
        /// `DF_1_PIE`: a program, not a library.
        package var isProgram: Bool { flags1 & 0x0800_0000 != 0 }
    }

    private static let maximumDynamicBytes: UInt64 = 1 << 20

    /// The dynamic loader that the kernel starts; nil in a static program and in most libraries.
    package var interpreter: String? {
        guard let segment = segments.first(where: { $0.type == Segment.interpreter }), segment.fileBytes < 4096 else {
            return nil
        }
        let text = Window(contents(of: segment)).string(0)
        return text.isEmpty ? nil : text
    }

    /// The dynamic section; nil where there is none or it does not lie in the file.
    package var dynamic: Dynamic? {
        guard let segment = segments.first(where: { $0.type == Segment.dynamic }),
            segment.fileBytes <= Self.maximumDynamicBytes
        else { return nil }
        let table = Window(contents(of: segment))
        guard table.count >= 16 else { return nil }
        var entries: [(tag: UInt64, value: UInt64)] = []
        for start in stride(from: 0, through: table.count - 16, by: 16) {
            let tag = table.word(start, 8)
            if tag == 0 { break }
            entries.append((tag, table.word(start + 8, 8)))
        }
        let address = entries.first { $0.tag == 5 }?.value ?? 0
        let bytes = entries.first { $0.tag == 10 }?.value ?? 0
        let strings = Window(self.bytes(at: address, count: bytes) ?? [])
        func text(_ value: UInt64) -> String { strings.string(Int(exactly: value) ?? -1) }
        func folders(_ value: UInt64) -> [String] { text(value).split(separator: ":").map(String.init) }
        var result = Dynamic()
        for (tag, value) in entries {
            switch tag {
            case 1: result.needed.append(text(value))
            case 14: result.soname = text(value)
            case 15: result.rpath = folders(value)
            case 29: result.runpath = folders(value)
            case 0x6fff_fffb: result.flags1 = value
            default: break
            }
        }
        return result
    }

    /// A note's owner, type and contents.
    private struct Note {
        var owner: String
        var type: UInt64
        var contents: ArraySlice<UInt8>
    }

    private var notes: [Note] {
        var pieces = segments.filter { $0.type == Segment.note && $0.fileBytes < 1 << 20 }.map { contents(of: $0) }
        if pieces.isEmpty {
            pieces = sections.filter { $0.type == 7 && $0.bytes < 1 << 20 }.map { contents(of: $0) }
        }
        return pieces.flatMap(Self.notes)
    }

    private static func notes(in bytes: [UInt8]) -> [Note] {
        let window = Window(bytes)
        var notes: [Note] = []
        var start = 0
        while start + 12 <= bytes.count {
            let owner = Int(window.word(start, 4))
            let size = Int(window.word(start + 4, 4))
            let body = start + 12 + (owner + 3) & ~3
            guard body <= bytes.count, size <= bytes.count - body else { break }
            notes.append(
                Note(
                    owner: window.string(start + 12), type: window.word(start + 8, 4),
                    contents: bytes[body..<body + size]))
            start = body + (size + 3) & ~3
        }
        return notes
    }

    /// The GNU build id; empty where there is none.
    package var buildID: [UInt8] {
        notes.first { $0.owner == "GNU" && $0.type == 3 }.map { Array($0.contents) } ?? []
    }

    /// Whether the Go toolchain linked it.
    package var hasGoBuildID: Bool {
        notes.contains { $0.owner == "Go" && $0.type == 4 } || section(".note.go.buildid") != nil
            || section(".go.buildinfo") != nil
    }
}
