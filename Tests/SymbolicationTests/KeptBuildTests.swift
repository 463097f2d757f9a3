// A program that was built anew at its place: names of the build that ran, from its copy, or from what was learnt while it was there; never of the other build.
import Foundation
import Testing

@testable import Symbolication

@Suite("Kept builds", .enabled(if: Tool.gxx.exists, "g++ is not installed"))
struct KeptBuildTests {
    private let fixture: Fixture
    private let module: ModuleDescription
    private let addresses: [UInt64]
    private let expected: [[SymbolicatedFrame]]

    init() throws {
        fixture = try Fixture("templates.cpp", .gxx, ["-std=c++17", "-O2", "-g", "-Wl,--build-id=sha1"])
        module = try ModuleDescription(path: fixture.path, buildID: fixture.buildID())
        addresses = try fixture.functions().values.sorted { $0.lowerBound < $1.lowerBound }.flatMap(Array.init)
        let symbolicator = Symbolicator()
        expected = addresses.map { [module] in symbolicator.frames(in: module, at: $0) }
    }

    private var folder: String { fixture.url("kept").path }
    private var cache: SymbolCache { SymbolCache(folder: folder) }
    private var builds: KeptBuilds { KeptBuilds(folder: folder) }

    private func keep(_ path: String? = nil, in builds: KeptBuilds, as buildID: [UInt8]? = nil) {
        let descriptor = open(path ?? fixture.path, O_RDONLY)
        defer { close(descriptor) }
        builds.keep(descriptor: descriptor, buildID: buildID ?? module.buildID)
    }

    /// Builds the program anew, with another build id and everything at other addresses.
    private func rebuild() throws {
        let other = try Fixture("templates.cpp", .gxx, ["-std=c++17", "-O0", "-g", "-Wl,--build-id=sha1"])
        #expect(try other.buildID() != module.buildID)
        try FileManager.default.removeItem(atPath: fixture.path)
        try FileManager.default.copyItem(atPath: other.path, toPath: fixture.path)
    }

    private func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    @Test func `the copy answers as the program did, and that the program changed is known`() throws {
        keep(in: builds)
        try rebuild()
        let symbolicator = Symbolicator(builds: builds)
        #expect(addresses.map { symbolicator.frames(in: module, at: $0) } == expected)
        #expect(
            symbolicator.replacedModules == [module.path: ReplacedModule(reason: .isAnotherBuild, names: .copy)])
        #expect(symbolicator.missingModules.isEmpty)
        #expect(symbolicator.file(of: module) != module.path)
    }

    @Test func `without a copy, what was learnt of the build still names its functions`() throws {
        let asked = addresses.indices.filter { $0 % 2 == 0 }
        let before = Symbolicator(cache: cache)
        for index in asked { _ = before.frames(in: module, at: addresses[index]) }
        before.saveCache()
        try rebuild()
        for _ in 0..<2 {
            let symbolicator = Symbolicator(cache: cache)
            #expect(asked.map { symbolicator.frames(in: module, at: addresses[$0]) } == asked.map { expected[$0] })
            #expect(
                symbolicator.replacedModules == [module.path: ReplacedModule(reason: .isAnotherBuild, names: .answers)])
            // What nobody asked then has no name: the build that is there now has other functions at these addresses.
            let unknown = symbolicator.frames(in: module, at: addresses[1])
            #expect(unknown.map(\.function) == ["0x\(String(addresses[1], radix: 16)) in program (file changed)"])
            symbolicator.saveCache()
        }
    }

    @Test func `names of the wrong build are never shown`() throws {
        keep(in: builds)
        let before = Symbolicator(cache: cache)
        _ = before.frames(in: module, at: addresses[0])
        before.saveCache()
        try rebuild()
        // Neither a copy that became another file nor what was learnt under another id is believed.
        let copy = folder + "/" + SymbolCacheInputs.hexadecimal(module.buildID) + ".build"
        #expect(FileManager.default.fileExists(atPath: copy))
        try Data(contentsOf: URL(fileURLWithPath: fixture.path)).write(to: URL(fileURLWithPath: copy))
        let nothing = Symbolicator(cache: SymbolCache(folder: folder + "/none"), builds: builds)
        #expect(nothing.frames(in: module, at: addresses[0])[0].function.hasSuffix("(file changed)"))
        #expect(nothing.replacedModules[module.path] == ReplacedModule(reason: .isAnotherBuild, names: .nowhere))
        #expect(nothing.missingModules[module.path] == "build id differs")
    }

    @Test func `a program that is gone is named by its copy, too`() throws {
        keep(in: builds)
        try FileManager.default.removeItem(atPath: fixture.path)
        let symbolicator = Symbolicator(builds: builds)
        #expect(symbolicator.frames(in: module, at: addresses[0]) == expected[0])
        #expect(symbolicator.replacedModules == [module.path: ReplacedModule(reason: .isGone, names: .copy)])
        let without = Symbolicator()
        #expect(without.frames(in: module, at: addresses[0])[0].function.hasPrefix("0x"))
        #expect(without.replacedModules == [module.path: ReplacedModule(reason: .isGone, names: .nowhere)])
    }

    @Test func `a file without a build id that was written after the recording is not believed`() throws {
        let nameless = ModuleDescription(path: module.path, buildID: [])
        let date = try #require(
            FileManager.default.attributesOfItem(atPath: fixture.path)[.modificationDate] as? Date)
        let written = UInt64(date.timeIntervalSince1970)
        let early = Symbolicator()
        early.recordedUntil = (written - 10) * 1_000_000_000
        #expect(early.frames(in: nameless, at: addresses[0])[0].function.hasSuffix("(file changed)"))
        #expect(early.replacedModules == [module.path: ReplacedModule(reason: .isNewer, names: .nowhere)])
        // With a build id the time does not matter.
        #expect(early.frames(in: module, at: addresses[0]) == expected[0])
        let late = Symbolicator()
        late.recordedUntil = (written + 10) * 1_000_000_000
        #expect(late.frames(in: nameless, at: addresses[0]) == expected[0])
        #expect(late.replacedModules.isEmpty)
    }

    @Test func `only the build that was asked for is kept, once, and only what has symbols`() throws {
        var other = module.buildID
        other[0] ^= 0xff
        keep(in: builds, as: other)
        #expect(names(in: folder) == [])
        let bare = fixture.url("bare").path
        try Tool.objcopy.run(["--strip-all", fixture.path, bare])
        keep(bare, in: builds)
        #expect(names(in: folder) == [])
        keep(in: builds)
        keep(in: builds)
        let name = SymbolCacheInputs.hexadecimal(module.buildID) + ".build"
        #expect(names(in: folder) == [name])
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))
                == Data(contentsOf: URL(fileURLWithPath: fixture.path)))
    }

    @Test func `a file larger than a quarter of the room is not kept, and the oldest go where there is none`() throws {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: fixture.path)).count
        keep(in: KeptBuilds(folder: folder, limit: bytes * 4 - 4))
        #expect(names(in: folder) == [])
        let small = KeptBuilds(folder: folder, limit: bytes * 4)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for number in 0..<5 {
            let path = folder + "/0\(number).build"
            try Data(count: bytes).write(to: URL(fileURLWithPath: path))
            let old = [timespec(tv_sec: 1000 + number, tv_nsec: 0), timespec(tv_sec: 1000 + number, tv_nsec: 0)]
            #expect(utimensat(AT_FDCWD, path, old, 0) == 0)
        }
        // Answers that share the folder are another limit's.
        try Data(count: bytes * 8).write(to: URL(fileURLWithPath: folder + "/00.symbols"))
        keep(in: small)
        let own = SymbolCacheInputs.hexadecimal(module.buildID) + ".build"
        #expect(names(in: folder) == ["00.symbols", "02.build", "03.build", "04.build", own].sorted())
    }
}
