// ELF files made by hand, for tests of what reads them: just enough headers, sections and a dynamic section to be taken
// for a program or a library. Nothing of them can be run.

/// Puts a 64-bit little-endian ELF file together.
public struct ELFBuilder {
    /// One section with its contents.
    public struct Section {
        var name: String
        var type: UInt32
        var flags: UInt64
        var bytes: [UInt8]
        var link: Int
    }

    /// `e_type`: 2 a program at fixed addresses, 3 a library or position-independent program.
    public var type: UInt16 = 3
    /// `e_machine`.
    public var machine: UInt16 = 62
    /// `PT_INTERP`.
    public var interpreter: String?
    /// `DT_NEEDED`.
    public var needed: [String] = []
    /// `DT_RPATH`.
    public var rpath: String?
    /// `DT_RUNPATH`.
    public var runpath: String?
    /// `DT_SONAME`.
    public var soname: String?
    /// The GNU build id.
    public var buildID: [UInt8] = []
    /// Names of functions of the full symbol table, with their addresses and lengths.
    public var functions: [(name: String, address: UInt64, bytes: UInt64)] = []
    /// Names of exported functions.
    public var exports: [String] = []
    private var extra: [Section] = []

    private static let segmentBytes = 56
    private static let headerBytes = 64

    /// A library without anything.
    public init() {}

    /// Adds a section.
    public mutating func add(_ name: String, _ bytes: [UInt8] = [0], type: UInt32 = 1, flags: UInt64 = 0) {
        extra.append(Section(name: name, type: type, flags: flags, bytes: bytes, link: 0))
    }

    /// The file's bytes. All of it is one segment at address 0, so that addresses are offsets.
    public func bytes() -> [UInt8] {
        var segments: [(type: UInt32, offset: Int, count: Int)] = []
        let segmentCount = 1 + (interpreter == nil ? 0 : 1) + (isDynamic ? 1 : 0) + (buildID.isEmpty ? 0 : 1)
        var body = [UInt8](repeating: 0, count: Self.headerBytes + segmentCount * Self.segmentBytes)
        func place(_ type: UInt32, _ bytes: [UInt8]) {
            segments.append((type, body.count, bytes.count))
            body += bytes + [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
        }
        if let interpreter { place(3, Array(interpreter.utf8) + [0]) }
        if !buildID.isEmpty { place(4, Self.note(owner: "GNU", type: 3, buildID)) }
        if isDynamic {
            let (strings, entries) = dynamicSection(stringsAt: body.count)
            body += strings
            place(2, entries)
        }
        var sections = [Section(name: "", type: 0, flags: 0, bytes: [], link: 0)] + extra
        addSymbols(functions, named: ".symtab", strings: ".strtab", type: 2, to: &sections)
        addSymbols(exports.map { ($0, 0x1000, 16) }, named: ".dynsym", strings: ".dynstr", type: 11, to: &sections)
        let table = placeSections(&sections, after: &body)
        segments.insert((1, 0, body.count), at: 0)
        body.replaceSubrange(0..<Self.headerBytes, with: header(segments.count, table, sections.count))
        for (index, segment) in segments.enumerated() {
            let start = Self.headerBytes + index * Self.segmentBytes
            let place = UInt64(segment.offset)
            let count = UInt64(segment.count)
            let fields: [UInt8] =
                Self.word(UInt64(segment.type), 4) + Self.word(5, 4) + Self.word(place, 8) + Self.word(place, 8)
                + Self.word(place, 8) + Self.word(count, 8) + Self.word(count, 8) + Self.word(8, 8)
            body.replaceSubrange(start..<start + Self.segmentBytes, with: fields)
        }
        return body
    }

    private var isDynamic: Bool {
        !needed.isEmpty || rpath != nil || runpath != nil || soname != nil || interpreter != nil
    }

    private func dynamicSection(stringsAt address: Int) -> (strings: [UInt8], entries: [UInt8]) {
        var strings: [UInt8] = [0]
        var entries: [UInt8] = []
        func add(_ tag: UInt64, _ text: String?) {
            guard let text else { return }
            entries += Self.word(tag, 8) + Self.word(UInt64(strings.count), 8)
            strings += Array(text.utf8) + [0]
        }
        needed.forEach { add(1, $0) }
        add(14, soname)
        add(15, rpath)
        add(29, runpath)
        strings += [UInt8](repeating: 0, count: (8 - strings.count % 8) % 8)
        entries +=
            Self.word(5, 8) + Self.word(UInt64(address), 8) + Self.word(10, 8) + Self.word(UInt64(strings.count), 8)
        return (strings, entries + [UInt8](repeating: 0, count: 16))
    }

    private func addSymbols(
        _ functions: [(name: String, address: UInt64, bytes: UInt64)], named: String, strings: String, type: UInt32,
        to sections: inout [Section]
    ) {
        if functions.isEmpty { return }
        var names: [UInt8] = [0]
        var table = [UInt8](repeating: 0, count: 24)
        for function in functions {
            table += Self.word(UInt64(names.count), 4) + [0x12, 0] + Self.word(1, 2)
            table += Self.word(function.address, 8) + Self.word(function.bytes, 8)
            names += Array(function.name.utf8) + [0]
        }
        sections.append(Section(name: named, type: type, flags: 0, bytes: table, link: sections.count + 1))
        sections.append(Section(name: strings, type: 3, flags: 0, bytes: names, link: 0))
    }

    /// Appends the sections' contents, then the table of their headers; returns where that begins.
    private func placeSections(_ sections: inout [Section], after body: inout [UInt8]) -> Int {
        var names: [UInt8] = []
        let offsets = (sections.map(\.name) + [".shstrtab"]).map { name in
            defer { names += Array(name.utf8) + [0] }
            return names.count
        }
        sections.append(Section(name: ".shstrtab", type: 3, flags: 0, bytes: names, link: 0))
        var table: [UInt8] = []
        for (section, name) in zip(sections, offsets) {
            let place = UInt64(body.count)
            body += section.bytes + [UInt8](repeating: 0, count: (8 - section.bytes.count % 8) % 8)
            table += Self.word(UInt64(name), 4) + Self.word(UInt64(section.type), 4) + Self.word(section.flags, 8)
            table += Self.word(place, 8) + Self.word(place, 8) + Self.word(UInt64(section.bytes.count), 8)
            table += Self.word(UInt64(section.link), 4) + Self.word(0, 4) + Self.word(1, 8) + Self.word(0, 8)
        }
        let start = body.count
        body += table
        return start
    }

    private func header(_ segments: Int, _ sectionTable: Int, _ sections: Int) -> [UInt8] {
        [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0] + Self.word(0, 8) + Self.word(UInt64(type), 2)
            + Self.word(UInt64(machine), 2) + Self.word(1, 4) + Self.word(0, 8) + Self.word(64, 8)
            + Self.word(UInt64(sectionTable), 8) + Self.word(0, 4) + Self.word(64, 2) + Self.word(56, 2)
            + Self.word(UInt64(segments), 2) + Self.word(64, 2) + Self.word(UInt64(sections), 2)
            + Self.word(UInt64(sections - 1), 2)
    }

    private static func note(owner: String, type: UInt64, _ contents: [UInt8]) -> [UInt8] {
        let name = Array(owner.utf8) + [0]
        func padded(_ bytes: [UInt8]) -> [UInt8] { bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4) }
        return word(UInt64(name.count), 4) + word(UInt64(contents.count), 4) + word(type, 4) + padded(name)
            + padded(contents)
    }

    /// A little-endian number.
    public static func word(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
}
