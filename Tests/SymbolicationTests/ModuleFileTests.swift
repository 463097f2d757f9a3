// Which files are believed: build ids, separate debug files, files that are gone or are something else.
import Foundation
import Symbolication
import Testing

@Suite(
    "Module files", .enabled(if: Tool.gcc.exists && Tool.objcopy.exists && Tool.readelf.exists, "no gcc or binutils"))
struct ModuleFileTests {
    private let expected = ["square", "sum_of_squares", "compute"]

    private func deepestNames(
        _ fixture: Fixture, at addresses: Range<UInt64>, _ module: ModuleDescription, _ directory: String
    )
        -> [String]
    {
        let symbolicator = Symbolicator(debugDirectories: [directory])
        let stacks = addresses.map { symbolicator.frames(in: module, at: $0).map(\.function) }
        return stacks.max { $0.count < $1.count } ?? []
    }

    private func build() throws -> (fixture: Fixture, addresses: Range<UInt64>, id: [UInt8]) {
        let fixture = try Fixture("inlines.c", .gcc, ["-O2", "-g", "-Wl,--build-id=sha1"])
        return (fixture, try fixture.addresses(of: "compute"), try fixture.buildID())
    }

    /// Moves symbols and debug information to `root/.build-id/xx/yyyy.debug`; returns root.
    private func separate(_ fixture: Fixture, id: [UInt8]) throws -> String {
        let hex = id.map { String(format: "%02x", $0) }.joined()
        let folder = fixture.url("debug/.build-id/\(hex.prefix(2))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let debug = folder.appendingPathComponent("\(hex.dropFirst(2)).debug").path
        try Tool.objcopy.run(["--only-keep-debug", fixture.path, debug])
        try Tool.strip.run([fixture.path])
        return fixture.url("debug").path
    }

    @Test("A debug file is found by build id")
    func debugFileByBuildID() throws {
        let (fixture, addresses, id) = try build()
        let root = try separate(fixture, id: id)
        let module = ModuleDescription(path: fixture.path, buildID: id)
        #expect(deepestNames(fixture, at: addresses, module, root) == expected)
        #expect(deepestNames(fixture, at: addresses, module, "/nonexistent").count == 1)
    }

    @Test("A program that is gone is read from its debug file")
    func programGone() throws {
        let (fixture, addresses, id) = try build()
        let root = try separate(fixture, id: id)
        try FileManager.default.removeItem(atPath: fixture.path)
        let module = ModuleDescription(path: fixture.path, buildID: id)
        #expect(deepestNames(fixture, at: addresses, module, root) == expected)
    }

    @Test("A debug file is found by its link, beside the program and in .debug", arguments: ["", ".debug/"])
    func debugFileByLink(folder: String) throws {
        let fixture = try Fixture("inlines.c", .gcc, ["-O2", "-g", "-Wl,--build-id=none"])
        let addresses = try fixture.addresses(of: "compute")
        try FileManager.default.createDirectory(at: fixture.url(".debug"), withIntermediateDirectories: true)
        let debug = fixture.url(folder + "program.debug").path
        try Tool.objcopy.run(["--only-keep-debug", fixture.path, debug])
        try Tool.objcopy.run(["--strip-all", "--add-gnu-debuglink=\(debug)", fixture.path])
        #expect(deepestNames(fixture, at: addresses, fixture.module, "/nonexistent") == expected)
    }

    @Test("A debug file whose checksum is not the link's is not used")
    func foreignDebugFile() throws {
        let fixture = try Fixture("inlines.c", .gcc, ["-O2", "-g", "-Wl,--build-id=none"])
        let addresses = try fixture.addresses(of: "compute")
        let debug = fixture.url("program.debug")
        try Tool.objcopy.run(["--only-keep-debug", fixture.path, debug.path])
        try Tool.objcopy.run(["--strip-all", "--add-gnu-debuglink=\(debug.path)", fixture.path])
        var bytes = try Data(contentsOf: debug)
        bytes.append(0)
        try bytes.write(to: debug)
        let names = deepestNames(fixture, at: addresses, fixture.module, "/nonexistent")
        #expect(names.count == 1)
        #expect(names[0].hasSuffix(" in program"))
    }

    @Test("A file of another build is not used, and is named as changed")
    func changedFile() throws {
        let (fixture, addresses, id) = try build()
        var other = id
        other[0] ^= 0xff
        let module = ModuleDescription(path: fixture.path, buildID: other)
        let symbolicator = Symbolicator(debugDirectories: [])
        let address = addresses.lowerBound
        let frames = symbolicator.frames(in: module, at: address)
        #expect(frames.map(\.function) == ["0x\(String(address, radix: 16)) in program (file changed)"])
        #expect(symbolicator.missingModules == [fixture.path: "build id differs"])
        let right = ModuleDescription(path: fixture.path, buildID: id)
        #expect(symbolicator.frames(in: right, at: address).last?.function == "compute")
    }

    @Test("Files that cannot be symbolicated are listed with the reason")
    func missing() throws {
        let (fixture, _, _) = try build()
        let text = fixture.url("text")
        try Data("no ELF file".utf8).write(to: text)
        let symbolicator = Symbolicator()
        for path in ["/nonexistent/libgone.so", "[vdso]", text.path, fixture.folder.path, ""] {
            let frames = symbolicator.frames(in: ModuleDescription(path: path, buildID: []), at: 16)
            #expect(frames.count == 1)
            #expect(frames[0].function.hasPrefix("0x10 in "))
        }
        #expect(symbolicator.missingModules["/nonexistent/libgone.so"] == "not found")
        #expect(symbolicator.missingModules["[vdso]"] == "not found")
        #expect(symbolicator.missingModules[text.path] == "not an ELF file")
        #expect(symbolicator.missingModules[fixture.folder.path] == "unreadable")
    }
}
