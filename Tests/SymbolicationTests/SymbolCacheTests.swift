// What is kept from run to run: the same answers with and without, and nothing used that does not hold any more.
import Foundation
import Testing

@testable import Symbolication

@Suite("Symbol cache", .enabled(if: Tool.gxx.exists, "g++ is not installed"))
struct SymbolCacheTests {
    private let fixture: Fixture
    private let module: ModuleDescription
    private let addresses: [UInt64]

    init() throws {
        fixture = try Fixture("templates.cpp", .gxx, ["-std=c++17", "-O2", "-g", "-Wl,--build-id=sha1"])
        module = try ModuleDescription(path: fixture.path, buildID: fixture.buildID())
        addresses = try fixture.functions().values.sorted { $0.lowerBound < $1.lowerBound }.flatMap(Array.init) + [.max]
    }

    private var folder: String { fixture.url("cache/deeper").path }
    private var cache: SymbolCache { SymbolCache(folder: folder) }

    /// The cache's files.
    private func files() throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: URL(fileURLWithPath: folder), includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
    }

    private func answers(
        _ addresses: [UInt64], of module: ModuleDescription? = nil, cache: SymbolCache?
    ) -> [[SymbolicatedFrame]] {
        let symbolicator = Symbolicator(cache: cache)
        defer { symbolicator.saveCache() }
        return addresses.map { symbolicator.frames(in: module ?? self.module, at: $0) }
    }

    @Test func `answers are the same with and without, in any order and bit by bit`() throws {
        let expected = answers(addresses, cache: nil)
        #expect(expected.contains { $0.contains { !$0.templateArguments.isEmpty } })
        // Half of them learnt by one run, the rest, backwards, by a second; a third has all.
        let half = addresses.indices.filter { $0 % 2 == 0 }
        #expect(answers(half.map { addresses[$0] }, cache: cache) == half.map { expected[$0] })
        #expect(answers(addresses.reversed(), cache: cache) == expected.reversed())
        let file = try #require(try files().first)
        let learnt = try Data(contentsOf: file)
        #expect(answers(addresses, cache: cache) == expected)
        #expect(try Data(contentsOf: file) == learnt)
        #expect(try files().count == 1)
    }

    @Test func `a cached answer does not open the module's file`() throws {
        let expected = answers(addresses, cache: cache)
        // The same size and times, other bytes: only a reader of the file could tell.
        let attributes = try FileManager.default.attributesOfItem(atPath: fixture.path)
        let date = try #require(attributes[.modificationDate] as? Date)
        let size = try #require(attributes[.size] as? Int)
        var times = [timespec(), timespec()]
        var status = stat()
        #expect(stat(fixture.path, &status) == 0)
        times[0] = status.st_mtim
        times[1] = status.st_mtim
        try Data(count: size).write(to: URL(fileURLWithPath: fixture.path))
        #expect(utimensat(AT_FDCWD, fixture.path, times, 0) == 0)
        #expect(date.timeIntervalSince1970 > 0)
        #expect(answers(addresses, cache: cache) == expected)
        #expect(answers(addresses, cache: nil) != expected)
    }

    @Test func `of a module that changed, nothing is asked that would be of another build`() throws {
        let expected = answers(addresses, cache: cache)
        try Data(count: 100).write(to: URL(fileURLWithPath: fixture.path))
        // What was learnt is of the build that ran, and so are the answers; without it nothing is known.
        #expect(answers(addresses, cache: cache) == expected)
        #expect(answers(addresses, cache: nil) != expected)
    }

    @Test func `a debug file that comes later is found`() throws {
        let root = fixture.url("debug").path
        let symbolicator = Symbolicator(debugDirectories: [root], cache: cache)
        let before = addresses.map { symbolicator.frames(in: module, at: $0) }
        symbolicator.saveCache()
        #expect(try files().count == 1)
        let name = SymbolCacheInputs.hexadecimal(module.buildID)
        let place = "\(root)/.build-id/\(name.prefix(2))"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: fixture.path, toPath: "\(place)/\(name.dropFirst(2)).debug")
        #expect(cache.load(module, debugDirectories: [root]) == nil)
        #expect(!before.isEmpty)
    }

    @Test func `a damaged or foreign file is no file, and is replaced`() throws {
        let expected = answers(addresses, cache: cache)
        let file = try #require(try files().first)
        let whole = [UInt8](try Data(contentsOf: file))
        var state: UInt64 = 11
        func random(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        for round in 0..<200 {
            var bytes = whole
            switch round % 4 {
            case 0: bytes.removeLast(1 + random(bytes.count - 1))
            case 1: bytes[random(bytes.count)] ^= UInt8(1 + random(255))
            case 2: bytes = (0..<random(300)).map { _ in UInt8(random(256)) }
            default:
                // A right checksum over wrong numbers.
                bytes[16 + random(bytes.count - 16)] ^= UInt8(1 + random(255))
                withUnsafeBytes(of: CachedSymbols.checksum(bytes[16...])) { bytes.replaceSubrange(8..<16, with: $0) }
            }
            guard let symbols = CachedSymbols(parsing: bytes) else { continue }
            for offset in symbols.offsets.prefix(50) { _ = symbols.frames(at: offset, modulePath: "") }
        }
        try Data("not symbols".utf8).write(to: file)
        #expect(answers(addresses, cache: cache) == expected)
        #expect([UInt8](try Data(contentsOf: file)) == whole)
    }

    @Test func `nothing is kept of a module without a build id, nor where nothing can be written`() throws {
        let nameless = ModuleDescription(path: module.path, buildID: [])
        #expect(answers(addresses, of: nameless, cache: cache) == answers(addresses, of: nameless, cache: nil))
        #expect(!FileManager.default.fileExists(atPath: folder))
        let blocked = SymbolCache(folder: fixture.path + "/cache")
        #expect(answers(addresses, cache: blocked) == answers(addresses, cache: nil))
    }

    @Test func `the files used longest ago go when there is no room`() throws {
        _ = answers(addresses, cache: cache)
        let bytes = try Data(contentsOf: try #require(try files().first)).count
        // Room for four files at a quarter each; older ones of other modules lie there.
        let small = SymbolCache(folder: folder, limit: bytes * 4)
        for number in 0..<6 {
            let path = folder + "/0\(number).symbols"
            try Data(count: bytes).write(to: URL(fileURLWithPath: path))
            let old = [timespec(tv_sec: 1000 + number, tv_nsec: 0), timespec(tv_sec: 1000 + number, tv_nsec: 0)]
            #expect(utimensat(AT_FDCWD, path, old, 0) == 0)
        }
        let own = try #require(try files().first { !$0.lastPathComponent.hasPrefix("0") })
        try FileManager.default.removeItem(at: own)
        _ = answers(addresses, cache: small)
        #expect(
            try files().map(\.lastPathComponent)
                == ["03.symbols", "04.symbols", "05.symbols", own.lastPathComponent].sorted())
    }

    @Test func `processes side by side leave a whole file`() async throws {
        let expected = answers(addresses, cache: nil)
        let module = module
        let cache = cache
        let addresses = addresses
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<8 {
                group.addTask {
                    let symbolicator = Symbolicator(cache: cache)
                    let asked = addresses.indices.filter { $0 % 8 != number }
                    let found = asked.map { symbolicator.frames(in: module, at: addresses[$0]) }
                    symbolicator.saveCache()
                    return found == asked.map { expected[$0] }
                }
            }
            for await isRight in group { #expect(isRight) }
        }
        #expect(answers(addresses, cache: cache) == expected)
        #expect(try files().count == 1)
    }
}
