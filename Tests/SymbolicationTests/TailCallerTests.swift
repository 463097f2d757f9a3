// Functions that left by a jump: found in the code of their caller, and kept from run to run.
import Foundation
import Symbolication
import TestSupport
import Testing

@Suite("Tail callers", .enabled(if: Tool.gcc.exists && Tool.readelf.exists, "gcc or readelf is not installed"))
struct TailCallerTests {
    private let fixture: Fixture
    private let module: ModuleDescription

    init() throws {
        fixture = try Fixture("jumps.c", .gcc, ["-O1", "-g", "-no-pie", "-Wl,--build-id=sha1"])
        module = try ModuleDescription(path: fixture.path, buildID: fixture.buildID())
    }

    /// What is said of every address of the caller, as if calls returned there.
    private func answers(_ cache: SymbolCache?) throws -> [SymbolicatedFrame?] {
        let symbolicator = Symbolicator(cache: cache)
        defer { symbolicator.saveCache() }
        let inner = try fixture.addresses(of: "inner").lowerBound
        return try fixture.addresses(of: "caller").map {
            symbolicator.tailCaller(in: module, returningTo: $0, inner: inner)
        }
    }

    @Test func `the function that a call was meant for is named where it left by a jump`() throws {
        #expect(try answers(nil).compactMap { $0?.function } == ["lost::outer"])
    }

    @Test func `a cache knows it without the module's file`() throws {
        let cache = SymbolCache(folder: fixture.url("cache").path)
        let addresses = try fixture.addresses(of: "caller")
        let inner = try fixture.addresses(of: "inner").lowerBound
        let expected = try answers(cache)
        #expect(expected.contains { $0 != nil })
        // The same size and time, other bytes: only a reader of the file could tell.
        var status = stat()
        #expect(stat(fixture.path, &status) == 0)
        try Data(count: Int(status.st_size)).write(to: URL(fileURLWithPath: fixture.path))
        #expect(utimensat(AT_FDCWD, fixture.path, [status.st_mtim, status.st_mtim], 0) == 0)
        let later = Symbolicator(cache: cache)
        #expect(addresses.map { later.tailCaller(in: module, returningTo: $0, inner: inner) } == expected)
        let without = Symbolicator()
        #expect(addresses.allSatisfy { without.tailCaller(in: module, returningTo: $0, inner: inner) == nil })
    }
}
