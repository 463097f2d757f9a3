// What the code around a call of operator new tells, on hints as gcc, clang and their libraries leave them.

import Testing

@testable import Symbolication

@Suite("The type that operator new is called for")
struct AllocatedTypeTests {
    private typealias Hint = AllocationEvidence.Hint

    private func type(
        _ size: AllocationEvidence.Size, filled: Bool = false, cut: Bool = false, _ hints: [AllocationEvidence.Hint]
    ) -> String? {
        var evidence = AllocationEvidence()
        evidence.hints = hints
        evidence.size = size
        evidence.isFilledInPlace = filled
        evidence.isCut = cut
        return evidence.type
    }

    private static let insert = "_ZSt29_Rb_tree_insert_and_rebalancebPSt18_Rb_tree_node_baseS0_RS_"
    private static let searchOfSet =
        "_ZNSt8_Rb_treeIllSt9_IdentityIlESt4lessIlESaIlEE14_M_lower_boundERKl"
    private static let set =
        "std::_Rb_tree<long, long, std::_Identity<long>, std::less<long>, std::allocator<long>>"
    private static let needRehash = "_ZNKSt8__detail20_Prime_rehash_policy14_M_need_rehashEmmm"

    @Test("a virtual table stored at the beginning of one block names its class, the last one where bases store theirs")
    func virtualTables() {
        let stores = [Hint(kind: .stored, name: "_ZTVN3geo5ShapeE"), Hint(kind: .stored, name: "_ZTVN3geo6CircleE")]
        #expect(type(.constant(16), stores) == "geo::Circle")
        #expect(type(.constant(16), [Hint(kind: .stored, name: "_ZTSN3geo6CircleE")]) == "geo::Circle")
    }

    @Test("a virtual table stored into an array is its first element's, not the block's")
    func virtualTableOfAnElement() {
        let hints = [
            Hint(kind: .stored, name: "_ZTVN3geo6CircleE"), Hint(kind: .check, name: "vector::_M_realloc_insert"),
        ]
        #expect(type(.variable, hints) == "more elements of std::vector")
    }

    @Test("a constructor that takes the block names its class")
    func constructors() {
        let constructor = Hint(kind: .passed, name: "_ZN3geo4MeshC1Ei")
        #expect(type(.constant(160), [constructor]) == "geo::Mesh")
        #expect(type(.constant(160), [Hint(kind: .passed, name: "_ZN3geo4Mesh5resetEi")]) == "one object")
        #expect(
            type(.constant(160), [Hint(kind: .passed, name: "_ZN3geo4MeshC1Ei", argument: 1)]) == "one object",
            "the block is an argument of the constructor, not its object")
    }

    @Test("a constructor before further writes may be a base's, and names nothing")
    func constructorOfABase() {
        #expect(type(.constant(160), filled: true, [Hint(kind: .passed, name: "_ZN3geo4MeshC2Ei")]) == "one object")
    }

    @Test("a coroutine's frame starts with the function that resumes it")
    func coroutines() {
        #expect(type(.constant(56), [Hint(kind: .stored, name: "_ZL8count_upi.actor")]) == "coroutine count_up")
        #expect(type(.constant(32), [Hint(kind: .stored, name: "_Z8count_upi.resume")]) == "coroutine count_up")
    }

    @Test("a tree's node takes the class of the only tree that its function works on")
    func treeNodes() {
        let hints = [
            Hint(kind: .passed, name: Self.insert, argument: 1), Hint(kind: .called, name: Self.insert),
            Hint(kind: .called, name: "_ZSt18_Rb_tree_decrementPSt18_Rb_tree_node_base"),
            Hint(kind: .called, name: Self.searchOfSet),
        ]
        #expect(type(.constant(40), filled: true, hints) == "node of \(Self.set)")
        #expect(type(.constant(40), filled: true, cut: true, hints) == "node of std::_Rb_tree")
        var twice = hints
        twice[1].count = 2
        #expect(type(.constant(40), filled: true, twice) == "node of std::_Rb_tree", "two insertions, one name")
    }

    @Test("an insertion that never steps back is one of equal keys")
    func equalKeys() {
        let hints = [
            Hint(kind: .passed, name: Self.insert, argument: 1), Hint(kind: .called, name: Self.insert),
            Hint(kind: .called, name: Self.searchOfSet),
        ]
        #expect(type(.constant(40), filled: true, hints) == "node of equal keys in \(Self.set)")
    }

    @Test("one length check in a function tells whose array it is, two do not")
    func lengthChecks() {
        let vector = Hint(kind: .check, name: "cannot create std::vector larger than max_size()")
        let string = Hint(kind: .check, name: "basic_string::_M_create")
        let deque = Hint(kind: .check, name: "cannot create std::deque larger than max_size()")
        #expect(type(.variable, [vector]) == "elements of std::vector")
        #expect(type(.plusOne, [string]) == "elements of std::string")
        #expect(type(.plusOne, [string, vector]) == "elements of std::string")
        #expect(type(.variable, [string, vector]) == "elements of std::vector")
        #expect(type(.variable, [vector, deque]) == nil)
        #expect(type(.variable, cut: true, [vector]) == nil)
        #expect(type(.constant(504), [deque]) == "elements of std::deque")
        #expect(type(.variable, []) == nil)
    }

    @Test("hash tables' nodes and buckets are told by what they are asked and how they are cleared")
    func hashTables() {
        let near = [Hint(kind: .near, name: Self.needRehash), Hint(kind: .called, name: Self.needRehash)]
        #expect(type(.constant(40), filled: true, near) == "node of std::_Hashtable")
        let cleared = near + [Hint(kind: .passed, name: "memset")]
        #expect(type(.variable, cleared) == "buckets of std::_Hashtable")
        let key = near + [Hint(kind: .passed, name: "memcpy"), Hint(kind: .check, name: "basic_string::_M_create")]
        #expect(type(.plusOne, key) == "elements of std::string", "a key that is copied into its node")
    }

    @Test("a function that copies values of this size says which std::function holds the block")
    func managers() {
        let manager =
            "_ZNSt17_Function_handlerIFddEZL4funcvEUldE_E10_M_managerERSt9_Any_dataRKS3_St18_Manager_operation"
        #expect(
            type(.constant(48), [Hint(kind: .managed, name: manager)]) == "target of std::function<double (double)>")
        #expect(type(.constant(48), [Hint(kind: .near, name: manager)]) == "one object", "of another size")
    }

    @Test("operator new[] is asked for arrays of objects, whatever stands around it")
    func arrays() {
        var evidence = AllocationEvidence()
        evidence.isArray = true
        evidence.hints = [Hint(kind: .check, name: "vector::reserve")]
        evidence.size = .variable
        #expect(evidence.type == "array of objects")
    }

    @Test("wide strings have the narrow ones' messages, and names of their own")
    func wideStrings() {
        let check = Hint(kind: .check, name: "basic_string::_M_create")
        func append(_ code: String) -> Hint {
            Hint(
                kind: .called,
                name: "_ZNSt7__cxx1112basic_stringI\(code)St11char_traitsI\(code)ESaI\(code)EE9_M_mutateEmmPK\(code)m")
        }
        #expect(type(.variable, [check]) == "elements of std::string")
        #expect(type(.variable, [check, append("c")]) == "elements of std::string")
        #expect(type(.variable, [check, append("w")]) == "elements of std::wstring")
        #expect(type(.variable, [check, append("w"), append("c")]) == nil)
    }
}
