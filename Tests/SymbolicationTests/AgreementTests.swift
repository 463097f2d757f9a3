// Our frames against llvm-symbolizer's, address by address, over every compiler and DWARF version at hand.
import Symbolication
import Testing

@Suite("Agreement with llvm-symbolizer", .enabled(if: Tool.llvmSymbolizer.exists, "llvm-symbolizer is not installed"))
struct AgreementTests {
    @Test(
        "C and C++ frames agree in depth, line and name",
        arguments: [Tool.gcc, .clang, .gxx, .clangxx], ["-gdwarf-4", "-gdwarf-5"])
    func cFamily(tool: Tool, version: String) throws {
        try #require(tool.exists, "\(tool.rawValue) is not installed")
        let isC = tool == .gcc || tool == .clang
        let fixture = try Fixture(isC ? "inlines.c" : "templates.cpp", tool, ["-O2", "-g", version])
        try expectAgreement(
            fixture, in: isC ? ["compute", "main"] : ["main", "hidden", "4GridI5PointE3add"], deepest: isC ? 3 : 6)
    }

    @Test("Sections compressed by the linker are read alike", .enabled(if: Tool.clangxx.exists, "no clang++"))
    func compressed() throws {
        let fixture = try Fixture("templates.cpp", .clangxx, ["-O2", "-g", "-gz=zlib"])
        try expectAgreement(fixture, in: ["main", "hidden"], deepest: 6)
    }

    @Test(
        "Rust frames agree in depth, line and name", .enabled(if: Tool.rustc.exists, "rustc is not installed"),
        arguments: ["legacy", "v0"])
    func rust(mangling: String) throws {
        let fixture = try RustFixture.build(mangling: mangling)
        try expectAgreement(fixture, in: ["make_matrix", "make_strings", "make_owned"], deepest: 5)
    }

    @Test("Swift frames agree in depth, line and name", .enabled(if: Tool.swiftc.exists, "swiftc is not installed"))
    func swift() throws {
        let fixture = try Fixture("points.swift", .swiftc, ["-O", "-g"])
        try expectAgreement(fixture, in: ["buildGroups", "buildNodes", "main"], deepest: 3)
    }

    /// Compares every address of the functions, and wants inline chains of at least `deepest` frames among them.
    private func expectAgreement(_ fixture: Fixture, in functions: [String], deepest: Int) throws {
        let addresses = try functions.flatMap { try Array(fixture.addresses(of: $0)) }
        let reference = try ReferenceSymbolizer.frames(of: fixture.path, at: addresses)
        try #require(reference.count == addresses.count)
        let symbolicator = Symbolicator()
        var depth = 0
        var differences: [String] = []
        for (address, expected) in zip(addresses, reference) {
            let frames = symbolicator.frames(in: fixture.module, at: address)
            depth = max(depth, frames.count)
            let agree =
                frames.count == expected.count
                && zip(frames, expected).allSatisfy { ($0.line ?? 0) == $1.line && hasName($0, $1.name) }
            if !agree { differences.append("\(String(address, radix: 16)): \(frames) instead of \(expected)") }
        }
        #expect(differences.isEmpty, "\(differences.count) of \(addresses.count) differ: \(differences.prefix(2))")
        #expect(depth >= deepest, "the fixture should have inlined calls")
        #expect(symbolicator.missingModules.isEmpty)
    }

    private func hasName(_ frame: SymbolicatedFrame, _ reference: String) -> Bool {
        // The reference takes an outermost name from the symbol table, which has suffixes (.cold, .llvm.1) that DWARF has
        // not; without a linkage name it says DWARF's short one.
        reference == frame.linkageName || reference.hasPrefix(frame.linkageName + ".")
            || reference.prefix { $0 != "." } == frame.linkageName.prefix { $0 != "." }
            || frame.function == reference || frame.function.hasSuffix("::" + reference)
    }
}

/// The Rust program in one of its two manglings.
enum RustFixture {
    static func build(mangling: String) throws -> Fixture {
        // The legacy scheme is chosen by default up to the release that makes v0 the default; asking for it is unstable.
        let choice = mangling == "v0" ? ["-C", "symbol-mangling-version=v0"] : []
        return try Fixture("owners.rs", .rustc, ["--edition", "2021", "-O", "-g"] + choice)
    }
}
