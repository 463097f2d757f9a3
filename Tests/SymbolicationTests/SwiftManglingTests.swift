// Mangled types, read without the runtime: against what the runtime's own demangler says of the same text, and against damaged text.
@testable import Symbolication
import Testing

@Suite("Mangled Swift types") struct SwiftManglingTests {
    private static let types = [
        "Si", "SS", "SaySiG", "SDySSSaySiGG", "SiSg", "SaySiSgG", "Si_SSt", "Si3key_SS5valuet", "yycD", "SiSSc",
        "S2ic", "SiSS_SbtKc", "yyYaKc", "yyYbc", "SS_SitYaKYbc", "s5Int32V", "s13ManagedBufferCySiSSG",
        "4main5PointV", "4main5OuterV5InnerCySi_SSG", "4main4TreeO_AAt", "Say4main5PointVG", "s5Error_p", "ypXp", "Sim",
        "SH_s5ErrorpSg", "yp", "yXl", "10Foundation4DataV", "s6ResultOySi4main7FailureVG", "4main3FooC_ACtcSg",
        "So8_IO_FILEV", "Sp", "SpySiG", "4main1PPAA1Q_Rzrl", "ScA_pSg", "ScTySis5NeverOG", "ScSySiG",
        "Say4main3FooCSgG",
        "4main12_TextCatalogC4main0bC0V_t", "SDySS4main5PointV3key_SaySSG5valuetG", "4main1AC_AA1BCAA1CCt",
    ]

    /// What the runtime's demangler says of a type's mangled name, in the spelling of frames.
    private static func reference(_ type: String) -> String? {
        SwiftName.full("$s\(type)D").map { SwiftText.shortened($0) }
    }

    @Test("a type reads as the runtime's demangler spells it", arguments: types)
    func agreement(mangled: String) throws {
        guard let expected = Self.reference(mangled) else { return }
        guard let type = SwiftMangling.type(of: Array(mangled.utf8)) else { return }
        #expect(type.sugared == expected)
    }

    @Test("the types that programs use most are all understood")
    func coverage() {
        let understood = Self.types.filter { mangled in
            Self.reference(mangled) != nil && SwiftMangling.type(of: Array(mangled.utf8)) != nil
        }
        #expect(understood.count >= 32)
    }

    @Test("a type that stands alone has its full name, one inside another the language's short form")
    func spelling() throws {
        let array = try #require(SwiftMangling.type(of: Array("SaySaySiGG".utf8)))
        #expect(array.description == "Array<[Int]>")
        #expect(array.sugared == "[[Int]]")
        let optional = try #require(SwiftMangling.type(of: Array("yycSg".utf8)))
        #expect(optional.sugared == "(() -> ())?")
    }

    @Test("references stand for the types that they lead to, and are repeated like others")
    func references() {
        let text: [UInt8] = [1, 9, 0, 0, 0] + Array("_AAt".utf8)
        let type = SwiftMangling.type(of: text) { kind, position, offset in
            kind == 1 && position == 1 && offset == 9 ? .nominal(module: "app", [.init("Tree")]) : nil
        }
        #expect(type?.sugared == "(app.Tree, app.Tree)")
        #expect(SwiftMangling.type(of: text) == nil)
    }

    @Test("functions as compiled code passes them read as functions")
    func lowered() {
        func read(_ text: String) -> String? { SwiftMangling.type(of: Array(text.utf8))?.sugared }
        #expect(read("S2iIegyd_") == "(Int) -> Int")
        #expect(read("Ieg_") == "() -> ()")
        #expect(read("SiIeAgHr_") == "@isolated(any) () async -> Int")
        #expect(read("xz_x_lXX") == "A")
        #expect(read("Siz_Xx") == "Int")
    }

    @Test("symbols of descriptors name types, protocols and modules")
    func symbols() {
        #expect(
            SwiftMangling.type(ofDescriptor: "$s20FoundationEssentials4DataVMn")?.description
                == "FoundationEssentials.Data")
        #expect(SwiftMangling.type(ofDescriptor: "$ss5ErrorMp")?.description == "Error")
        #expect(SwiftMangling.type(ofDescriptor: "$sSHMp")?.description == "Hashable")
        #expect(SwiftMangling.module(ofDescriptor: "$s10FoundationMXM") == "Foundation")
        #expect(SwiftMangling.module(ofDescriptor: "$s4main3FooVMn") == nil)
        #expect(SwiftMangling.type(ofDescriptor: "main") == nil)
    }

    @Test("text that is cut or changed anywhere is refused or read, never trusted")
    func damage() {
        for mangled in Self.types {
            let text = Array(mangled.utf8)
            for length in 0..<text.count { _ = SwiftMangling.type(of: Array(text[..<length])) }
            for index in text.indices {
                for byte: UInt8 in [0, 1, 0x18, 0xFF, 0x30, 0x39, 0x41, 0x5F, 0x71, 0x7A] {
                    var changed = text
                    changed[index] = byte
                    let type = SwiftMangling.type(of: changed)
                    #expect(type.map { !$0.sugared.isEmpty } ?? true)
                }
            }
        }
        #expect(SwiftMangling.type(of: Array("A99999999999999999999A".utf8)) == nil)
        #expect(SwiftMangling.type(of: Array("99999999999999999999Foo".utf8)) == nil)
    }
}
