// The loader's search for libraries, over folders made for the test, and beside ldd on this machine's programs.

internal import Foundation
import Symbolication
import TestSupport
import Testing

@testable import AllocatorLab

@Suite struct LibrarySearchTests {
    private let root: TemporaryDirectory

    init() throws { root = try TemporaryDirectory() }

    /// Writes a library or program made by hand and returns its path, links resolved.
    @discardableResult
    private func write(_ path: String, _ change: (inout ELFBuilder) -> Void = { _ in }) throws -> String {
        var builder = ELFBuilder()
        builder.soname = FileProbe.lastComponent(path)
        change(&builder)
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        try FileManager.default.createDirectory(atPath: root.file(folder), withIntermediateDirectories: true)
        return FileProbe.resolved(try root.write(builder.bytes(), to: path))
    }

    private func found(_ program: String, _ search: LibrarySearch) throws -> [String: String?] {
        let libraries = search.libraries(of: try ELFFile(path: program), path: program, interpreter: nil)
        return Dictionary(uniqueKeysWithValues: libraries.map { ($0.name, $0.path) })
    }

    private func search(environment: [String] = [], standard: [String] = [], levels: [String] = []) -> LibrarySearch {
        LibrarySearch(
            environmentFolders: environment.map(root.file), defaultFolders: standard.map(root.file),
            processorLevels: levels)
    }

    @Test func `what a library needs is found, too, and each once`() throws {
        let program = try write("bin/program") { $0.needed = ["libone.so", "libtwo.so"] }
        try write("lib/libone.so") { $0.needed = ["libtwo.so", "libthree.so"] }
        try write("lib/libtwo.so") { $0.needed = ["libone.so"] }
        try write("lib/libthree.so")
        let libraries = search(standard: ["lib"]).libraries(
            of: try ELFFile(path: program), path: program, interpreter: nil)
        #expect(libraries.map(\.name) == ["libone.so", "libtwo.so", "libthree.so"])
        #expect(libraries.map(\.neededBy) == ["program", "program", "libone.so"])
        #expect(libraries.allSatisfy { $0.path != nil })
    }

    @Test func `a missing library is named with the one that needs it`() throws {
        let program = try write("bin/program") { $0.needed = ["libone.so"] }
        try write("lib/libone.so") { $0.needed = ["libgone.so.3"] }
        let libraries = search(standard: ["lib"]).libraries(
            of: try ELFFile(path: program), path: program, interpreter: nil)
        #expect(libraries.last?.name == "libgone.so.3")
        #expect(libraries.last?.path == nil)
        #expect(libraries.last?.neededBy == "libone.so")
    }

    @Test func `DT_RPATH comes before LD_LIBRARY_PATH, DT_RUNPATH after it`() throws {
        let inside = try write("own/libone.so")
        let outside = try write("env/libone.so")
        let older = try write("bin/older") {
            $0.needed = ["libone.so"]
            $0.rpath = "$ORIGIN/../own"
        }
        let newer = try write("bin/newer") {
            $0.needed = ["libone.so"]
            $0.runpath = "${ORIGIN}/../own"
        }
        #expect(try found(older, search(environment: ["env"])) == ["libone.so": inside])
        #expect(try found(newer, search(environment: ["env"])) == ["libone.so": outside])
        #expect(try found(newer, search()) == ["libone.so": inside])
    }

    @Test func `DT_RPATH counts for the libraries' libraries, DT_RUNPATH does not`() throws {
        try write("own/libone.so") { $0.needed = ["libtwo.so"] }
        let second = try write("own/libtwo.so")
        let older = try write("bin/older") {
            $0.needed = ["libone.so"]
            $0.rpath = "$ORIGIN/../own"
        }
        let newer = try write("bin/newer") {
            $0.needed = ["libone.so"]
            $0.runpath = "$ORIGIN/../own"
        }
        #expect(try found(older, search())["libtwo.so"] == second)
        #expect(try found(newer, search())["libtwo.so"] == .some(nil))
    }

    @Test func `a library for another machine is passed over`() throws {
        let program = try write("bin/program") { $0.needed = ["libone.so"] }
        try write("arm/libone.so") { $0.machine = 183 }
        let right = try write("lib/libone.so")
        #expect(try found(program, search(standard: ["arm", "lib"])) == ["libone.so": right])
    }

    @Test func `the folder for the best processor is taken first`() throws {
        let program = try write("bin/program") { $0.needed = ["libone.so"] }
        let plain = try write("lib/libone.so")
        let better = try write("lib/glibc-hwcaps/x86-64-v3/libone.so")
        #expect(try found(program, search(standard: ["lib"])) == ["libone.so": plain])
        let levels = ["x86-64-v3", "x86-64-v2"]
        #expect(try found(program, search(standard: ["lib"], levels: levels)) == ["libone.so": better])
    }

    @Test func `a name with a slash is a path`() throws {
        let library = try write("lib/libone.so")
        let program = try write("bin/program") { $0.needed = [library, "/nowhere/libtwo.so"] }
        #expect(try found(program, search()) == [library: library, "/nowhere/libtwo.so": nil])
    }

    @Test(
        .enabled(if: Tool.isInstalled("ldd"), "no ldd"),
        arguments: ["bash", "perl", "git", "clang", "swiftc", "sqlite3", "gdb", "node"])
    func `the search finds what ldd finds`(name: String) throws {
        guard let program = Tool.find(name).map(FileProbe.resolved), let file = try? ELFFile(path: program) else {
            return
        }
        let listing = try runChecked(Tool.require("ldd"), [program])
        let expected = listing.split(separator: "\n").compactMap { line -> String? in
            let words = line.split { $0 == " " || $0 == "\t" }
            return words.count >= 3 && words[1] == "=>" ? FileProbe.resolved(String(words[2])) : nil
        }
        let libraries = LibrarySearch.system().libraries(of: file, path: program, interpreter: file.interpreter)
        #expect(Set(libraries.compactMap(\.path)) == Set(expected))
    }
}

@Suite struct LoaderCacheTests {
    /// A cache of the new form with these names and paths.
    private func cache(_ entries: [(String, String)]) -> [UInt8] {
        let strings = 48 + 24 * entries.count
        var table: [UInt8] = []
        var texts: [UInt8] = []
        for (name, path) in entries {
            table += ELFBuilder.word(0x0303, 4) + ELFBuilder.word(UInt64(strings + texts.count), 4)
            texts += Array(name.utf8) + [0]
            table += ELFBuilder.word(UInt64(strings + texts.count), 4) + ELFBuilder.word(0, 4) + ELFBuilder.word(0, 8)
            texts += Array(path.utf8) + [0]
        }
        return Array("glibc-ld.so.cache1.1".utf8) + ELFBuilder.word(UInt64(entries.count), 4)
            + ELFBuilder.word(UInt64(texts.count), 4) + [UInt8](repeating: 0, count: 20) + table + texts
    }

    private let entries = [
        ("libb.so.1", "/lib/libb.so.1"), ("liba.so", "/usr/lib/liba.so"), ("liba.so", "/lib/liba.so"),
    ]

    @Test func `names lead to their paths in the cache's order`() {
        let cache = LoaderCache(bytes: cache(entries))
        #expect(cache["liba.so"] == ["/usr/lib/liba.so", "/lib/liba.so"])
        #expect(cache["libb.so.1"] == ["/lib/libb.so.1"])
        #expect(cache["libc.so"] == [])
    }

    @Test func `an old table before the new one is stepped over`() {
        let old = Array("ld.so-1.7.0".utf8) + [0] + ELFBuilder.word(1, 4) + [UInt8](repeating: 7, count: 12)
        let padding = [UInt8](repeating: 0, count: (8 - old.count % 8) % 8)
        #expect(LoaderCache(bytes: old + padding + cache(entries))["libb.so.1"] == ["/lib/libb.so.1"])
    }

    @Test func `a cut or foreign cache gives what it has and never traps`() {
        let bytes = cache(entries)
        for count in 0..<bytes.count { _ = LoaderCache(bytes: Array(bytes[..<count]))["liba.so"] }
        #expect(LoaderCache(bytes: Array("something else".utf8))["liba.so"] == [])
        var many = bytes
        many.replaceSubrange(20..<24, with: [0xff, 0xff, 0xff, 0xff])
        #expect(LoaderCache(bytes: many)["liba.so"] == [])
    }

    @Test func `processor levels build on one another`() {
        let second = "cx16 popcnt sse4_1 sse4_2 ssse3"
        let third = "avx avx2 bmi1 bmi2 f16c fma abm movbe"
        #expect(ProcessorLevel.supported(cpuInformation: "flags\t\t: fpu \(second)\n") == ["x86-64-v2"])
        #expect(
            ProcessorLevel.supported(cpuInformation: "flags : \(second) \(third)\n") == ["x86-64-v3", "x86-64-v2"])
        #expect(ProcessorLevel.supported(cpuInformation: "flags : \(third)\n") == [])
        #expect(ProcessorLevel.supported(cpuInformation: "") == [])
    }
}
