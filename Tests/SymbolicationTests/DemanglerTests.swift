// Literal symbols of each scheme and the names they stand for.
import Testing

@testable import Symbolication

@Suite("Demangling")
struct DemanglerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var raw: String
        var name: String
        var language: SourceLanguage
        var testDescription: String { raw }

        init(_ raw: String, _ name: String, _ language: SourceLanguage) {
            self.raw = raw
            self.name = name
            self.language = language
        }
    }

    @Test(
        "A symbol is spelled as its language does",
        arguments: [
            Case("_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<int, std::allocator<int>>::push_back", .cxx),
            Case(
                "_ZNSt6vectorIS_IiSaIiEESaIS1_EE7reserveEm",
                "std::vector<std::vector<int, std::allocator<int>>, std::allocator<std::vector<int, std::allocator<int>>>>"
                    + "::reserve", .cxx),
            Case("_ZN3FooC2Ev", "Foo::Foo", .cxx),
            Case("_ZN12_GLOBAL__N_16hiddenEv", "(anonymous namespace)::hidden", .cxx),
            Case("_ZN3foo3barEi.cold", "foo::bar", .cxx),
            Case("_ZrsR3FooS0_", "operator>>", .cxx),
            Case("_ZN5alloc5boxed12Box$LT$T$GT$3new17h0123456789abcdefE", "alloc::boxed::Box<T>::new", .rust),
            Case(
                "_ZN69_$LT$alloc..boxed..Box$LT$T$C$A$GT$$u20$as$u20$core..clone..Clone$GT$5clone17h78450747fb9d5fceE",
                "<alloc::boxed::Box<T,A> as core::clone::Clone>::clone", .rust),
            Case(
                "_ZN3own4make17h4055e460f61ef92eE.llvm.8222275564598117154", "own::make", .rust),
            Case("_RNvCs8FuadBBDvY2_3own4make", "own::make", .rust),
            Case(
                "_RNvMs3_NtCslNYArtu3iFV_5alloc7raw_vecINtB5_6RawVechE8grow_oneB7_",
                "<alloc::raw_vec::RawVec<u8>>::grow_one", .rust),
            Case("$sSa6appendyyxnF", "Array.append(_:)", .swift),
            Case("$sSS6appendyySSF", "String.append(_:)", .swift),
            Case("$s4main5PointV1xSivg", "main.Point.x.getter", .swift),
            Case("$sSi1loiySbSi_SitFZ", "static Int.<(_:_:)", .swift),
            Case("$s4main4NodeCACycfc", "main.Node.init()", .swift),
            Case("$s4main4NodeCfD", "main.Node.__deallocating_deinit", .swift),
            Case("malloc", "malloc", .c),
            Case("compute.part.0", "compute", .c),
            Case("nested.0", "nested", .c),
            Case("_RNvCs8FuadBBDvY2_3own4make.153", "own::make", .rust),
            Case("compute.constprop.1.cold", "compute", .c),
            Case("memcpy@@GLIBC_2.14", "memcpy", .c),
            Case("_ZZZZ", "_ZZZZ", .cxx),
            Case("$s", "$s", .swift),
            Case("_R0", "_R0", .rust),
            Case("", "", .c),
        ])
    func names(example: Case) {
        let result = Demangler.demangle(example.raw)
        #expect(result.name == example.name)
        #expect(result.language == example.language)
    }

    @Test(
        "The demangler's full Swift text becomes short",
        arguments: [
            ("Swift.Dictionary.subscript.modify : (A) -> B?", "Dictionary.subscript.modify"),
            (
                "generic specialization <Swift.String, Swift.Array<main.Point>> of Swift._NativeDictionary.copy() -> ()",
                "specialized _NativeDictionary.copy()"
            ),
            (
                "function signature specialization <Arg[0] = [Closure Propagated : $s1, Argument Types : []> of generic "
                    + "specialization <Swift.Int> of Swift.Sequence.sorted(by: (A, A) throws -> Swift.Bool) throws -> [A]",
                "specialized Sequence.sorted(by:)"
            ),
            (
                "closure #1 (Swift.Int) -> Swift.Int in closure #2 () -> () in main.run() -> ()",
                "closure #1 in closure #2 in main.run()"
            ),
            ("closure #1 @Sendable () async -> () in main.run(with: A) -> ()", "closure #1 in main.run(with:)"),
            ("inner #1 (x: Swift.Int) -> () in main.run() -> ()", "inner #1(x:) in main.run()"),
            ("$defer #1 () -> () in main.run() -> ()", "$defer #1() in main.run()"),
            (
                "(extension in Swift):Swift.Collection.map<A, B where B: Swift.Error>((A.Element) throws(B) -> A1) throws(B) "
                    + "-> Swift.Array<A1>", "Collection.map(_:)"
            ),
            (
                "Foundation.(Decoder in _253740BCDA65E3CDE1C3C821988B0A01).decode(_: Swift.Int.Type, forKey: A) throws -> "
                    + "Swift.Int", "Foundation.Decoder.decode(_:forKey:)"
            ),
            ("static Swift.Int.>> infix(Swift.Int, Swift.Int) -> Swift.Int", "static Int.>>(_:_:)"),
            (
                "protocol witness for Swift.Hashable.hash(into: inout Swift.Hasher) -> () in conformance main.Key : "
                    + "Swift.Hashable in main", "protocol witness for Hashable.hash(into:) in conformance main.Key"
            ),
            ("(1) await resume partial function for main.run() async -> ()", "main.run()"),
            (
                "partial apply forwarder for closure #1 () -> () in main.run() -> ()",
                "partial apply for closure #1 in main.run()"
            ),
            ("main.run@Sendable () -> ()", "main.run()"),
            ("outlined copy of Swift.Optional<main.Key>", "outlined copy of Optional<main.Key>"),
            ("type metadata accessor for (Swift.Int, Swift.Int)", "type metadata accessor for (Int, Int)"),
            ("", ""), ("(((", "((("), (">>>", ">>>"), ("a(", "a("), (" in  in ", " in "),
        ])
    func swiftText(full: String, short: String) {
        #expect(SwiftName.simplifiedText(full) == short)
    }

    @Test("The types of a Swift specialization are listed")
    func swiftArguments() {
        let symbol = "$sSa6appendyyxnFSi_Tg5"
        #expect(Demangler.demangle(symbol).name == "specialized Array.append(_:)")
        #expect(Demangler.swiftSpecializationArguments(symbol) == ["Int"])
        #expect(Demangler.swiftSpecializationArguments("$sSa6appendyyxnF") == [])
    }

    @Test("A C++ name of several thousand characters is demangled")
    func longName() {
        let name = Demangler.demangle("_ZN1a1bI" + String(repeating: "5point", count: 800) + "E3getEv").name
        #expect(name == "a::b<" + Array(repeating: "point", count: 800).joined(separator: ", ") + ">::get")
    }

    @Test("A deeply nested name comes back, whatever its depth", arguments: [100, 1_000, 8_000, 9_000, 100_000])
    func deepName(length: Int) {
        let pointers = Demangler.demangle("_Z1fI" + String(repeating: "P", count: length) + "iEvv").name
        #expect(pointers.hasPrefix(length < 8_000 ? "f<int**" : "_Z1fIPP"))
        let templates = String(repeating: "1aI", count: length / 4) + "i" + String(repeating: "E", count: length / 4)
        #expect(Demangler.demangle("_Z1fI" + templates + "Evv").name.hasPrefix(length < 8_000 ? "f<a<a<" : "_Z1f"))
    }

    @Test("A name that would print without bound comes back raw")
    func bomb() {
        // Each type is a `b` of the type before it, twice: the output doubles with every level.
        func doubling(levels: Int) -> String {
            let numbers = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
            let types = (0..<levels).map { level in
                let before = "S\(numbers[2 * level + 1])_"
                return "1bI\(before)\(before)E"
            }
            return "_Z1fI1aIiiE" + types.joined() + "Evv"
        }
        #expect(Demangler.demangle(doubling(levels: 1)).name == "f<a<int, int>, b<a<int, int>, a<int, int>>>")
        let bomb = doubling(levels: 17)
        #expect(Demangler.demangle(bomb).name == bomb)
    }

    @Test("Any damaged symbol or text comes back as some name")
    func damaged() {
        let symbols = [
            "$sSa6appendyyxnFSi_Tg5", "$s4main5PointV1xSivg", "_ZNSt6vectorIS_IiSaIiEESaIS1_EE7reserveEm",
            "_ZN69_$LT$alloc..boxed..Box$LT$T$C$A$GT$$u20$as$u20$core..clone..Clone$GT$5clone17h78450747fb9d5fceE",
            "_RNvMs3_NtCslNYArtu3iFV_5alloc7raw_vecINtB5_6RawVechE8grow_oneB7_",
        ]
        let texts = [
            "generic specialization <Swift.Int> of closure #1 @Sendable () -> () in static M.(f in _253740BCDA65E3CDE1C3C821988B0A01)"
                + "<A>(x: A) -> ()",
            "partial apply forwarder for inner #1 (Swift.Int) -> () in (extension in M):Swift.Int.<< infix(A, B) -> C",
            "protocol witness for f@Sendable () -> () in conformance < where A: B> M.K<A> : P in M",
        ]
        var generator = RobustnessTests.Generator(state: 3)
        for _ in 0..<3_000 {
            #expect(
                !Demangler.demangle(mutated(symbols.randomElement(using: &generator) ?? "", &generator)).name.isEmpty)
            let text = mutated(texts.randomElement(using: &generator) ?? "", &generator)
            #expect(SwiftName.simplifiedText(text).utf8.count <= text.utf8.count + 32)
        }
    }

    /// The text with one to four bytes changed, removed or doubled.
    private func mutated(_ text: String, _ generator: inout RobustnessTests.Generator) -> String {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: bytes[index] = UInt8.random(in: 0x20...0x7E, using: &generator)
            case 1 where bytes.count > 1: bytes.remove(at: index)
            default: bytes.insert(bytes[index], at: index)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
