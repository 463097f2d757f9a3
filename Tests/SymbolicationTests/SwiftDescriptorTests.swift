// Descriptors of types and captures, read from programs that this machine's compiler makes, and from damaged copies of them.
import Foundation
@testable import Symbolication
import TestSupport
import Testing

@Suite(.enabled(if: SourceLanguage.swift.isAvailable, "swiftc is not installed"))
struct SwiftDescriptorTests {
    private static func program(_ arguments: [String]) throws -> String {
        try ProgramBuilder.build(
            testProgram: "swift-owners.swift", language: .swift, name: "owners",
            arguments: ["-parse-as-library", "-module-name", "owners"] + arguments)
    }

    /// Addresses of the type descriptors that a program registers.
    private static func types(of image: SwiftImage) -> [UInt64] {
        image.sections("swift5_type_metadata").flatMap { section in
            stride(from: section.address, to: section.address + section.bytes, by: 4).compactMap {
                image.relative(at: $0).map { $0 & ~3 }
            }
        }
    }

    /// Addresses of a program's capture descriptors, which lie one behind the other.
    private static func captures(of image: SwiftImage) -> [UInt64] {
        var found: [UInt64] = []
        for section in image.sections("swift5_capture") {
            var address = section.address
            while address < section.address + section.bytes, let counts = image.words(at: address, count: 3) {
                found.append(address)
                let words = 3 + UInt64(counts[0] & 0xFF) + 2 * UInt64(counts[1] & 0xFF)
                address += words * 4
            }
        }
        return found
    }

    @Test("types have their full names, kinds and numbers of arguments", arguments: [["-Onone"], ["-O"]])
    func nominalTypes(arguments: [String]) throws {
        let path = try Self.program(arguments)
        let file = try ELFFile(path: path)
        let module = ModuleDescription(path: path, buildID: file.buildID)
        let descriptors = SwiftDescriptors()
        var found: [String: SwiftNominalType.Kind] = [:]
        for address in Self.types(of: SwiftImage(file: file)) {
            let type = try #require(descriptors.nominalType(in: module, at: address))
            found[type.type(arguments: []).description] = type.kind
        }
        #expect(found["owners.Point"] == .structure)
        #expect(found["owners.Tree"] == .enumeration)
        #expect(found["owners.Plain"] == .class)
        #expect(found["owners.Counter"] == .actor)
        #expect(found["owners.Node<_>"] == .class)
        #expect(found["owners.Outer<_>.Inner<_>"] == .class)
    }

    @Test(
        "captures have their types, and the payload of an indirect case its enumeration",
        arguments: [["-Onone"], ["-O"]])
    func captured(arguments: [String]) throws {
        let path = try Self.program(arguments)
        let file = try ELFFile(path: path)
        let module = ModuleDescription(path: path, buildID: file.buildID)
        let descriptors = SwiftDescriptors()
        let all = Self.captures(of: SwiftImage(file: file)).compactMap { descriptors.captures(in: module, at: $0) }
        let lists = all.map { $0.types.map(\.sugared) }
        #expect(lists.contains(["Int", "owners.Plain"]))
        #expect(lists.contains(["(Int) -> Int"]))
        #expect(lists.contains(["Int", "String"]))
        #expect(!lists.joined().contains("_"))
        let payloads = Dictionary(grouping: all) { $0.indirectEnumeration?.description ?? "" }
        #expect(payloads["owners.Tree"]?.map { $0.types.map(\.sugared) } == [["(owners.Tree, owners.Tree)"]])
        #expect(payloads["owners.Expression"]?.count == 2)
    }

    @Test("functions that form closures are told from those that do not", arguments: [["-Onone"], ["-O"]])
    func closures(arguments: [String]) throws {
        let path = try Self.program(arguments)
        let module = ModuleDescription(path: path, buildID: [])
        let descriptors = SwiftDescriptors()
        #expect(descriptors.formsClosures("$s6owners9makeAdderyS2icSi_AA5PlainCtF", in: module) == true)
        #expect(descriptors.formsClosures("$s6owners4treeyAA4TreeOSiF", in: module) == false)
        #expect(descriptors.formsClosures("$s6owners5shapeyAA5Shape_pSiF", in: module) == false)
        #expect(descriptors.formsClosures("main", in: module) == nil)
    }

    @Test("a module that is missing, or another build, names nothing")
    func otherBuild() throws {
        let path = try Self.program(["-O"])
        let file = try ELFFile(path: path)
        let address = try #require(Self.types(of: SwiftImage(file: file)).first)
        let descriptors = SwiftDescriptors()
        #expect(descriptors.nominalType(in: ModuleDescription(path: path, buildID: [1, 2, 3]), at: address) == nil)
        #expect(descriptors.nominalType(in: ModuleDescription(path: "/nowhere", buildID: []), at: address) == nil)
        let module = ModuleDescription(path: path, buildID: [])
        #expect(descriptors.nominalType(in: module, at: address + 1) == nil)
        #expect(descriptors.nominalType(in: module, at: .max - 3) == nil)
        #expect(descriptors.captures(in: module, at: .max - 3) == nil)
    }

    @Test("damaged programs are read without harm", arguments: 0..<24)
    func damage(seed: Int) throws {
        let path = try Self.program(["-O"])
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let whole = try ELFFile(bytes: bytes)
        let image = SwiftImage(file: whole)
        let addresses = Self.types(of: image) + Self.captures(of: image)
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for section in whole.sections where section.isPresent && section.name.hasPrefix("swift5_") {
            for _ in 0..<(Int(section.bytes) / 16 + 1) {
                bytes[Int(section.offset) + next(Int(section.bytes))] = UInt8(next(256))
            }
        }
        if seed % 3 == 0 { bytes.removeLast(next(bytes.count / 2)) }
        guard let file = try? ELFFile(bytes: bytes) else { return }
        let damaged = DescriptorFile(SwiftImage(file: file))
        for address in addresses {
            _ = damaged.nominalType(at: address)
            _ = damaged.captures(at: address)
        }
        #expect(!addresses.isEmpty)
    }
}
