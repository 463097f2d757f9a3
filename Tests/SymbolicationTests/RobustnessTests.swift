// Damaged files: every answer must come, whatever it says.
import Foundation
import Symbolication
import Testing

@Suite("Damaged files", .enabled(if: Tool.gxx.exists, "g++ is not installed"))
struct RobustnessTests {
    /// A small generator with a fixed seed: the same damage in every run.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    private func probe(_ bytes: Data, _ fixture: Fixture, _ addresses: [UInt64]) throws {
        let damaged = fixture.url("damaged")
        try bytes.write(to: damaged)
        let symbolicator = Symbolicator(debugDirectories: [])
        let module = ModuleDescription(path: damaged.path, buildID: [])
        for address in addresses {
            let frames = symbolicator.frames(in: module, at: address)
            #expect(!frames.isEmpty && frames.count <= 128)
            #expect(frames.allSatisfy { !$0.function.isEmpty && $0.function.utf8.count < 1 << 20 })
        }
    }

    @Test("A file cut anywhere answers every address", arguments: ["-gdwarf-4", "-gdwarf-5"])
    func truncated(version: String) throws {
        let fixture = try Fixture("templates.cpp", .gxx, ["-O2", "-g", version])
        let addresses = Array(try fixture.addresses(of: "main")).enumerated().filter { $0.offset % 16 == 0 }.map(
            \.element)
        let whole = try Data(contentsOf: URL(fileURLWithPath: fixture.path))
        for part in 0..<64 { try probe(whole.prefix(whole.count * part / 64), fixture, addresses) }
        for size in [1, 4, 16, 63, 64, 65, 120] { try probe(whole.prefix(size), fixture, addresses) }
    }

    @Test("A file with flipped bits answers every address", arguments: ["-gdwarf-4", "-gdwarf-5"])
    func flipped(version: String) throws {
        let fixture = try Fixture("templates.cpp", .gxx, ["-O2", "-g", version])
        let addresses = Array(try fixture.addresses(of: "main")).enumerated().filter { $0.offset % 16 == 0 }.map(
            \.element)
        let whole = try Data(contentsOf: URL(fileURLWithPath: fixture.path))
        var generator = Generator(state: 42)
        for round in 0..<150 {
            var bytes = whole
            for _ in 0..<(1 + round % 40) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^=
                    UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
            }
            try probe(bytes, fixture, addresses)
        }
    }

    @Test(
        "Damaged debug sections answer every address",
        arguments: [".debug_info", ".debug_abbrev", ".debug_line", ".symtab"])
    func damagedSection(section: String) throws {
        let fixture = try Fixture("templates.cpp", .gxx, ["-O2", "-g"])
        let addresses = Array(try fixture.addresses(of: "main")).enumerated().filter { $0.offset % 16 == 0 }.map(
            \.element)
        let whole = try Data(contentsOf: URL(fileURLWithPath: fixture.path))
        let header = try #require(
            try Tool.readelf.run(["-SW", fixture.path]).split(separator: "\n").first { $0.contains("\(section) ") })
        // … name type address offset size …
        let fields = header[(header.range(of: section)?.upperBound ?? header.startIndex)...].split(separator: " ")
        let offset = try #require(Int(fields[2], radix: 16)), size = try #require(Int(fields[3], radix: 16))
        var generator = Generator(state: 7)
        for _ in 0..<100 {
            var bytes = whole
            for _ in 0..<4 {
                bytes[offset + Int.random(in: 0..<size, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            try probe(bytes, fixture, addresses)
        }
    }
}
