// Owners from the Swift runtime's metadata: what each storage class stands for, how contexts are told apart, and who has the last word where frames
// know the block too.
@testable import HeapAnalysis
import Symbolication
import Testing
import TraceReader

@Suite("Owners from runtime metadata") struct RuntimeTypeTests {
    @Test(
        "storage classes of the standard library are the values that they store",
        arguments: [
            ("Swift._ContiguousArrayStorage<app.Point>", "Array", "Array<app.Point>"),
            ("Swift._ContiguousArrayStorage<Swift.Array<Swift.Int>>", "Array", "Array<Array<Int>>"),
            ("Swift.__EmptyArrayStorage", "Array", "Array"),
            ("Swift.__StringStorage", "String", "String"),
            ("Swift.__SharedStringStorage", "String", "String"),
            ("Swift._DictionaryStorage<Swift.String, app.Point>", "Dictionary", "Dictionary<String, app.Point>"),
            ("Swift._SetStorage<(Swift.Int, app.Point)>", "Set", "Set<(Int, app.Point)>"),
            ("Foundation.__DataStorage", "Data", "Data"),
            ("FoundationEssentials.__DataStorage", "Data", "Data"),
            ("Swift.CheckedContinuationCanary", "Task", "continuation"),
            ("Swift.AsyncStream<Swift.Int>._Storage", "Task", "AsyncStream<Int>"),
            ("Swift.WritableKeyPath<app.Point, Swift.Double>", "Class", "WritableKeyPath<app.Point, Double>"),
            (
                "app.Node<Swift.Dictionary<Swift.Int, () -> Swift.Bool>>", "Class",
                "app.Node<Dictionary<Int, () -> Bool>>"
            ),
            ("app.Outer<Swift.Int>.Inner<app.Swift.Name>", "Class", "app.Outer<Int>.Inner<app.Swift.Name>"),
        ])
    func storage(name: String, family: String, type: String) {
        var source = ScriptedSource()
        source.typeNames[7] = name
        source.events = [.allocate(16, size: 64, at: 1, type: 7)]
        let owner = source.profile().stacks.first?.attribution.owner
        #expect(owner == Owner(family: family, type: type, language: "swift"))
    }

    private struct Facts: FunctionFacts {
        var closures: Bool?
        var captured: [SwiftType] = []

        func formsClosures(_ linkageName: String) -> Bool? { closures }
        func capturesVariable(_ linkageName: String, of type: SwiftType) -> Bool { captured.contains(type) }
    }

    private static let int = SwiftType.nominal(module: "Swift", [.init("Int")])
    private static let large = SwiftType.nominal(module: "app", [.init("Large")])
    private static let tree = SwiftType.nominal(module: "app", [.init("Tree")])

    private func owner(_ captures: SwiftCaptures, _ facts: Facts) -> String {
        let owner = RuntimeOwner.context(captures, creator: ("app.f()", "$s3app1fyyF"), facts: facts)
        return "\(owner.family): \(owner.type)"
    }

    @Test("a context of several values, of functions or with metadata is a closure's")
    func closures() {
        #expect(
            owner(SwiftCaptures(types: [Self.int, Self.large]), Facts(closures: false))
                == "Closure: closure in app.f() capturing Int, app.Large")
        #expect(owner(SwiftCaptures(types: [.named("A")]), Facts()) == "Closure: closure in app.f() capturing A")
        #expect(
            owner(SwiftCaptures(types: [Self.int], keepsMetadata: true), Facts(closures: false))
                == "Closure: closure in app.f() capturing Int")
        #expect(owner(SwiftCaptures(types: [], keepsMetadata: true), Facts()) == "Closure: closure in app.f()")
    }

    @Test("a context of one value is a box where the function forms no closures")
    func boxes() {
        #expect(owner(SwiftCaptures(types: [Self.large]), Facts(closures: false)) == "Box: app.Large")
        #expect(
            owner(SwiftCaptures(types: [Self.large]), Facts(closures: true))
                == "Box: app.Large, captured or boxed in app.f()")
        #expect(
            owner(SwiftCaptures(types: [Self.large]), Facts(closures: nil))
                == "Box: app.Large, captured or boxed in app.f()")
        #expect(
            owner(SwiftCaptures(types: [Self.large], isReference: true), Facts(closures: true))
                == "Closure: closure in app.f() capturing app.Large")
        #expect(
            owner(SwiftCaptures(types: [Self.int]), Facts(closures: true))
                == "Closure: closure in app.f() capturing Int")
    }

    @Test("a variable that a closure of the same function captures has a box of its own")
    func variables() {
        #expect(
            owner(SwiftCaptures(types: [Self.int]), Facts(closures: true, captured: [Self.int]))
                == "Box: captured Int in app.f()")
    }

    @Test("the payload of an indirect case is its enumeration's, unless a closure may have captured it")
    func indirectCases() {
        let pair = SwiftType.tuple([.init(Self.tree), .init(Self.tree)])
        #expect(
            owner(SwiftCaptures(types: [pair], indirectEnumeration: Self.tree), Facts(closures: true))
                == "Box: app.Tree")
        let leaf = SwiftCaptures(types: [Self.int], indirectEnumeration: Self.tree)
        #expect(owner(leaf, Facts(closures: false)) == "Box: app.Tree")
        #expect(owner(leaf, Facts(closures: true)) == "Closure: closure in app.f() capturing Int")
    }

    private func claim(_ family: String, _ type: String, _ cause: Cause) -> Claim {
        Claim(family: family, type: type, language: "swift", cause: cause, rule: "test")
    }

    @Test("the type is the metadata's, the cause the frames', where both speak of the same kind of owner")
    func causes() {
        let array = RuntimeOwner(family: "Array", type: "Array<Int>", cause: .construct, rule: "r")
        let grown = array.attribution(beside: claim("Array", "Array", .growth), site: nil)
        #expect(grown.owner.type == "Array<Int>")
        #expect(grown.cause == .growth)
        let other = array.attribution(beside: claim("String", "String", .growth), site: nil)
        #expect(other.owner.family == "Array")
        #expect(other.cause == .construct)
        #expect(array.attribution(beside: nil, site: nil).cause == .construct)
    }

    @Test("frames name the element of a pooled array and the labels of tuples, for they know more")
    func precision() {
        var pooled = RuntimeOwner(family: "Array", type: "Array<AnyObject>", cause: .construct, rule: "r")
        pooled.isPooled = true
        let refined = pooled.attribution(beside: claim("Array", "ContiguousArray<app.Node>", .growth), site: nil)
        #expect(refined.owner.type == "Array<app.Node>")
        #expect(refined.rule == "r.specialized")
        #expect(
            pooled.attribution(beside: claim("Array", "Array", .growth), site: nil).owner.type == "Array<AnyObject>")
        let tuples = RuntimeOwner(family: "Array", type: "Array<(Int, [String : Int])>", cause: .construct, rule: "r")
        let labelled = tuples.attribution(
            beside: claim("Array", "Array<(key: Int, value: [String : Int])>", .growth), site: nil)
        #expect(labelled.owner.type == "Array<(key: Int, value: [String : Int])>")
        let unlike = tuples.attribution(beside: claim("Array", "Array<(key: Int, value: Int)>", .growth), site: nil)
        #expect(unlike.owner.type == "Array<(Int, [String : Int])>")
    }

    @Test("boxes say what they hold, and errors what they are once they are freed")
    func recordedBoxes() {
        var source = ScriptedSource()
        source.typeNames = [1: "app.Large", 2: "app.Failure"]
        source.runtimeTypes = [
            10: MetadataRecord(kind: .box, descriptor: 0, arguments: [1]),
            11: MetadataRecord(kind: .errorBox, descriptor: 0),
            2: MetadataRecord(kind: .nominalStruct, descriptor: 0x1000),
        ]
        source.events = [
            .allocate(16, size: 64, at: 1, type: 10), .allocate(32, size: 64, stack: 2, at: 2, type: 11),
            .allocate(48, size: 64, stack: 3, at: 3, type: 11), .freeTyped(48, type: 2, at: 4),
        ]
        let types = source.profile().rows(by: [.family, .type]).map { "\($0.key.family!): \($0.key.type!)" }
        #expect(Set(types) == ["Box: app.Large", "Box: any Error", "Box: any Error (app.Failure)"])
    }

    @Test("blocks that say different types as they are freed leave their stack's type open")
    func freedTypes() {
        var source = ScriptedSource()
        source.typeNames = [1: "app.First", 2: "app.Second"]
        source.events = [
            .allocate(16, size: 64, at: 1), .freeTyped(16, type: 1, at: 2), .allocate(16, size: 64, at: 3),
            .freeTyped(16, type: 1, at: 4), .allocate(32, size: 64, stack: 2, at: 5), .freeTyped(32, type: 1, at: 6),
            .allocate(32, size: 64, stack: 2, at: 7), .freeTyped(32, type: 2, at: 8),
        ]
        let rows = source.profile().rows(by: [.family, .type])
        #expect(rows.first { $0.key.type == "app.First" }?.figures.allocations == 2)
        #expect(rows.first { $0.key.family == "Unattributed" }?.figures.allocations == 2)
        #expect(rows.count == 2)
    }

    @Test("types that lead to themselves, or to nothing, end as unknown")
    func endless() {
        var source = ScriptedSource()
        source.runtimeTypes = [
            1: MetadataRecord(kind: .tuple, descriptor: 0, arguments: [1, 2]),
            2: MetadataRecord(kind: .metatype, descriptor: 0, arguments: [3]),
            4: MetadataRecord(kind: .box, descriptor: 0, arguments: [1]),
            5: MetadataRecord(kind: .function, descriptor: 0, arguments: [], flags: .max),
        ]
        let names = RuntimeTypeNames(source: source)
        #expect(names.type(1).description == "(_, _.Type)")
        #expect(names.type(5) == .unknown)
        #expect(names.type(99) == .unknown)
        #expect(names.evidence(99).map(\.text) == nil)
        guard case .owner(let owner, _)? = names.evidence(4) else {
            Issue.record("a box without an owner")
            return
        }
        #expect(owner.type == "(_, _.Type)")
    }

    @Test("every rule that metadata decides by is explained")
    func explained() {
        for name in RuntimeTypeRules.names { #expect(RuntimeTypeRules.text(of: name)?.isEmpty == false) }
        let used = [
            "Swift._SetStorage<Int>", "Swift._ContiguousArrayStorage<Int>", "Swift.__StringStorage", "app.Node",
        ]
        for name in used {
            var source = ScriptedSource()
            source.typeNames[1] = name
            source.events = [.allocate(16, size: 64, at: 1, type: 1)]
            let rule = source.profile().stacks.first?.attribution.rule ?? ""
            #expect(RuntimeTypeRules.text(of: rule) != nil, "\(rule)")
        }
    }
}
