// ELF headers, on files made by hand and on real ones: exact contents, every truncation, hostile numbers.
import Foundation
import Symbolication
import TestSupport
import Testing

@Suite struct ELFFileTests {
    private var program: ELFBuilder {
        var builder = ELFBuilder()
        builder.interpreter = "/lib64/ld-linux-x86-64.so.2"
        builder.needed = ["libone.so.1", "libtwo.so"]
        builder.runpath = "$ORIGIN/lib:/opt/lib"
        builder.soname = "libself.so"
        builder.buildID = [0xab, 0xcd, 0xef, 0x01]
        builder.functions = [("main", 0x100, 40), ("helper", 0x140, 12)]
        builder.exports = ["malloc", "free"]
        return builder
    }

    @Test func `a program made by hand is read as it was written`() throws {
        let file = try ELFFile(bytes: program.bytes())
        #expect(file.isNative)
        #expect(file.kind == .shared)
        #expect(file.machineName == "x86-64")
        #expect(file.interpreter == "/lib64/ld-linux-x86-64.so.2")
        #expect(file.dynamic?.needed == ["libone.so.1", "libtwo.so"])
        #expect(file.dynamic?.runpath == ["$ORIGIN/lib", "/opt/lib"])
        #expect(file.dynamic?.rpath == [])
        #expect(file.dynamic?.soname == "libself.so")
        #expect(file.buildID == [0xab, 0xcd, 0xef, 0x01])
        #expect(file.damage == [])
        #expect(file.sections.map(\.name) == ["", ".symtab", ".strtab", ".dynsym", ".dynstr", ".shstrtab"])
    }

    @Test func `symbols are read from the table that was asked for`() throws {
        let file = try ELFFile(bytes: program.bytes())
        var names: [String] = []
        file.forEachSymbol(in: .full) { symbol in
            names.append("\(String(decoding: symbol.name, as: UTF8.self)) \(symbol.address) \(symbol.bytes)")
            return true
        }
        #expect(names == ["main 256 40", "helper 320 12"])
        #expect(file.symbols(among: ["malloc", "main", "calloc"], in: .dynamic, defined: true) == ["malloc"])
        #expect(file.symbols(among: ["malloc"], in: .dynamic, defined: false) == [])
    }

    @Test func `every truncation is an error or a file that names its damage, and never a trap`() throws {
        let bytes = program.bytes()
        for count in 0..<bytes.count {
            do {
                let file = try ELFFile(bytes: Array(bytes[..<count]))
                #expect(!file.damage.isEmpty, "\(count) of \(bytes.count) bytes")
                _ = (file.dynamic, file.buildID, file.interpreter, UnwindTables(of: file, functions: []))
            } catch {
                let isEarly = count < 64 + 4 * 56
                #expect(isEarly, "\(count): \(error)")
                #expect(count < 4 ? error == .notELF : error != .notELF)
            }
        }
    }

    @Test func `every byte of the headers may be anything`() throws {
        let bytes = program.bytes()
        for offset in 4..<min(bytes.count, 64 + 4 * 56) {
            for value: UInt8 in [0x00, 0x7f, 0xff] {
                var broken = bytes
                broken[offset] = value
                guard let file = try? ELFFile(bytes: broken) else { continue }
                _ = (file.dynamic, file.buildID, file.interpreter, file.hasGoBuildID)
                file.forEachSymbol(in: .full) { _ in true }
                _ = UnwindTables(of: file, functions: [])
            }
        }
        #expect(try ELFFile(bytes: bytes).damage == [])
    }

    @Test func `other machines' files tell what they are and nothing more`() throws {
        var other = program
        other.machine = 183
        let arm = try ELFFile(bytes: other.bytes())
        #expect(!arm.isNative)
        #expect(arm.machineName == "AArch64")
        var narrow = program.bytes()
        narrow[4] = 1
        let file = try ELFFile(bytes: narrow)
        #expect(file.wordBits == 32)
        #expect(!file.isNative)
        #expect(file.segments == [])
    }

    @Test func `a Go program is known by its note's section`() throws {
        var builder = program
        #expect(try !ELFFile(bytes: builder.bytes()).hasGoBuildID)
        builder.add(".note.go.buildid", type: 7)
        #expect(try ELFFile(bytes: builder.bytes()).hasGoBuildID)
    }

    @Test func `what is no ELF file is refused`() {
        for text in ["", "#!", "#!/bin/sh\n", "MZ and more than four bytes"] {
            #expect(throws: ELFFile.ReadError.notELF) { try ELFFile(bytes: Array(text.utf8)) }
        }
        #expect(throws: ELFFile.ReadError.self) { try ELFFile(path: "/nowhere/at-all") }
        #expect(throws: ELFFile.ReadError.notELF) { try ELFFile(path: "/tmp") }
    }
}

@Suite struct DebugInventoryTests {
    private func inventory(of builder: ELFBuilder) throws -> DebugInventory {
        let directory = try TestSupport.TemporaryDirectory()
        let path = try directory.write(builder.bytes(), to: "program")
        return DebugInventory(of: try ELFFile(path: path), path: path, debugDirectories: ["/nowhere"])
    }

    @Test func `a stripped file says where its debug file would lie`() throws {
        var builder = ELFBuilder()
        builder.buildID = [0xab, 0xcd, 0xef]
        builder.exports = ["exported"]
        builder.add(".gnu_debuglink", Array("program.debug".utf8) + [0, 0, 0, 1, 2, 3, 4])
        let found = try inventory(of: builder)
        #expect(found.isStripped)
        #expect(found.buildID == "abcdef")
        #expect(found.exportedFunctions == 1)
        #expect(found.depth == .none)
        #expect(found.hasDebugLink)
        #expect(found.debugFileCandidates.first == "/nowhere/.build-id/ab/cdef.debug")
        #expect(found.debugFileCandidates.dropFirst().contains { $0.hasSuffix("/.debug/program.debug") })
    }

    @Test(arguments: [
        ("__gxx_personality_v0", "c++"), ("rust_eh_personality", "rust"), ("plain", "c"),
    ])
    func `symbols tell the language where nothing else does`(symbol: String, language: String) throws {
        var builder = ELFBuilder()
        builder.functions = [(symbol, 0x10, 8)]
        #expect(try inventory(of: builder).languages == [language])
    }

    @Test(arguments: [("swift5_types", "swift"), (".note.go.buildid", "go")])
    func `sections tell the language of stripped files`(section: String, language: String) throws {
        var builder = ELFBuilder()
        builder.add(section)
        #expect(try inventory(of: builder).languages == [language])
    }

    @Test func `the places of Rust's panics stay in stripped files`() throws {
        var builder = ELFBuilder()
        builder.add(".rodata", Array("xx/rustc/59807616/library/core/src/option.rs".utf8))
        #expect(try inventory(of: builder).languages == ["rust"])
        builder = ELFBuilder()
        builder.add(".rodata", Array("xx/rustx/59807616/library".utf8))
        #expect(try inventory(of: builder).languages == ["c"])
    }

    @Test func `compressed symbols are seen`() throws {
        var builder = ELFBuilder()
        builder.add(".gnu_debugdata")
        #expect(try inventory(of: builder).hasMiniDebugInformation)
    }

    @Test(.enabled(if: Tool.gcc.exists, "no gcc"), arguments: [("-g", "full"), ("-g1", "lines"), ("-g0", "none")])
    func `the depth of debug information is that of the compiler's switch`(option: String, depth: String) throws {
        let fixture = try Fixture("inlines.c", .gcc, ["-O1", option])
        let found = DebugInventory(of: try ELFFile(path: fixture.path), path: fixture.path, debugDirectories: [])
        #expect(found.depth.rawValue == depth)
        #expect(found.languages == ["c"])
        #expect(found.functionSymbols > 3)
    }

    @Test(.enabled(if: Tool.gcc.exists, "no gcc"))
    func `a missing dwo file is named`() throws {
        let fixture = try Fixture("inlines.c", .gcc, ["-O1", "-g", "-gsplit-dwarf"])
        let folder = URL(fileURLWithPath: fixture.path).deletingLastPathComponent()
        let whole = DebugInventory(of: try ELFFile(path: fixture.path), path: fixture.path, debugDirectories: [])
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasSuffix(".dwo") {
            try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
        }
        let broken = DebugInventory(of: try ELFFile(path: fixture.path), path: fixture.path, debugDirectories: [])
        #expect(whole.missingSplitUnits == 0)
        #expect(broken.missingSplitUnits == 1)
        #expect(broken.missingSplitFile?.hasSuffix(".dwo") == true)
    }

    @Test(.enabled(if: Tool.gcc.exists, "no gcc"))
    func `code without unwind tables is measured`() throws {
        let options = ["-O1", "-g", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"]
        let bare = try Fixture("inlines.c", .gcc, options)
        let usual = try Fixture("inlines.c", .gcc, ["-O1", "-g"])
        func tables(_ path: String) throws -> UnwindTables {
            DebugInventory(of: try ELFFile(path: path), path: path, debugDirectories: []).unwindTables
        }
        #expect(try tables(usual.path).functions > tables(bare.path).functions)
    }
}
