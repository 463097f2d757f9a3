// From the type that the runtime was asked to allocate to the owner: the standard library's storage classes to the values that they store, other
// classes to themselves, boxes to what they hold.

internal import Symbolication
internal import TraceReader

/// An owner that the runtime's metadata names.
struct RuntimeOwner: Hashable {
    var family: String
    var type: String
    /// The cause where frames say nothing better.
    var cause: Cause
    var rule: String
    /// Whether the type's argument is what the standard library pools, `AnyObject`, not what the program wrote.
    var isPooled = false
}

/// What is known of functions that make contexts, by the names of their symbols.
protocol FunctionFacts {
    /// Whether a closure that keeps something is formed in it; nil where that is not known.
    func formsClosures(_ linkageName: String) -> Bool?
    /// Whether a closure that it makes captures a variable of this type.
    func capturesVariable(_ linkageName: String, of type: SwiftType) -> Bool
}

/// What is known of a block by its type id.
enum RuntimeTypeEvidence {
    /// An owner, and the type that names it, as the runtime calls it.
    case owner(RuntimeOwner, of: String)
    /// A context, which is shared by closures, captured variables, indirect cases and existentials: the function that made it tells.
    case context(SwiftCaptures, of: any FunctionFacts)

    /// What the metadata says, for a person who asks for the evidence.
    var text: String {
        switch self {
        case .owner(_, let type): return type
        case .context(let captures, _):
            let list = captures.types.map(\.sugared).joined(separator: "; ")
            let enumeration = captures.indirectEnumeration.map { ", payload of a case of \($0)" } ?? ""
            return
                "context of \(list.isEmpty ? "type arguments" : list)\(captures.keepsMetadata ? " and their metadata" : "")"
                + enumeration
        }
    }
}

extension RuntimeTypeNames {
    /// What a block's type id says of its owner; nil for nothing. O(parts of the type) for one not seen before.
    func evidence(_ id: UInt64) -> RuntimeTypeEvidence? {
        guard id != 0 else { return nil }
        let record = record(id)
        switch record?.kind {
        case .context?:
            guard let record, let (captures, module) = captures(record) else { return nil }
            return .context(captures, of: facts(of: module))
        case .box?:
            guard let boxed = record?.arguments.first.map({ type($0) }), boxed != .unknown else { return nil }
            if let enumeration = record.flatMap({ enumeration(boxedBy: $0, payload: boxed) }) {
                return .owner(
                    .payload(of: enumeration), of: "box of \(boxed.sugared), payload of a case of \(enumeration)")
            }
            return .owner(.boxed(boxed), of: "box of \(boxed.sugared)")
        case .errorBox?: return .owner(.error(nil), of: "box of any Error")
        // Only a box for an error tells the type of a value.
        case .nominalStruct?, .nominalEnum?: return .owner(.error(type(id)), of: "box of any Error: \(type(id))")
        case .nominalClass?, nil:
            let type = type(id)
            return type == .unknown ? nil : .owner(RuntimeOwner(object: type), of: type.fullName)
        default: return nil
        }
    }
}

extension RuntimeOwner {
    private static let containers: [String: (family: String, name: String, rule: String, arguments: Int)] = [
        "Swift._ContiguousArrayStorage": ("Array", "Array", "swift.metadata.array", 1),
        "Swift.__ContiguousArrayStorageBase": ("Array", "Array", "swift.metadata.array", 0),
        "Swift.__EmptyArrayStorage": ("Array", "Array", "swift.metadata.array", 0),
        "Swift.__StringStorage": ("String", "String", "swift.metadata.string", 0),
        "Swift.__SharedStringStorage": ("String", "String", "swift.metadata.string", 0),
        "Swift._DictionaryStorage": ("Dictionary", "Dictionary", "swift.metadata.dictionary", 2),
        "Swift.__RawDictionaryStorage": ("Dictionary", "Dictionary", "swift.metadata.dictionary", 0),
        "Swift._SetStorage": ("Set", "Set", "swift.metadata.set", 1),
        "Swift.__RawSetStorage": ("Set", "Set", "swift.metadata.set", 0),
        "Foundation.__DataStorage": ("Data", "Data", "swift.metadata.data", 0),
        "FoundationEssentials.__DataStorage": ("Data", "Data", "swift.metadata.data", 0),
        "Swift.CheckedContinuationCanary": ("Task", "continuation", "swift.metadata.continuation", 0),
    ]
    private static let streams: Set<String> = ["AsyncStream", "AsyncThrowingStream"]

    /// The owner of an object of this class.
    init(object type: SwiftType) {
        if let name = type.qualifiedName, let found = Self.containers[name] {
            let arguments = type.arguments
            let isKnown =
                found.arguments > 0 && arguments.count == found.arguments && arguments.allSatisfy { $0 != .unknown }
            let value = SwiftType.nominal(module: "Swift", [.init(found.name, isKnown ? arguments : [])])
            self.init(family: found.family, type: value.description, cause: .construct, rule: found.rule)
            isPooled = isKnown && arguments[0].description == "AnyObject"
            return
        }
        if case .nominal("Swift", let path) = type, path.count > 1, Self.streams.contains(path[0].name) {
            let stream = SwiftType.nominal(module: "Swift", [path[0]])
            self.init(family: "Task", type: stream.description, cause: .construct, rule: "swift.metadata.stream")
            return
        }
        self.init(family: "Class", type: type.description, cause: .construct, rule: "swift.metadata.class")
    }

    /// The owner of a box for one value of this type.
    static func boxed(_ type: SwiftType) -> RuntimeOwner {
        RuntimeOwner(family: "Box", type: type.description, cause: .boxing, rule: "swift.metadata.box")
    }

    /// The owner of the payload of an indirect case.
    static func payload(of enumeration: SwiftType) -> RuntimeOwner {
        RuntimeOwner(family: "Box", type: enumeration.description, cause: .boxing, rule: "swift.metadata.indirect")
    }

    /// The owner of the box of an error, of this type where it is known.
    static func error(_ type: SwiftType?) -> RuntimeOwner {
        let name = type.flatMap { $0 == .unknown ? nil : " (\($0))" } ?? ""
        return RuntimeOwner(family: "Box", type: "any Error" + name, cause: .boxing, rule: "swift.metadata.error")
    }

    /// The owner of a context that was made in a function.
    ///
    /// A closure's context and a captured variable's box look alike where one value is captured, and so do boxes of indirect cases and existentials;
    /// what the program's fields and functions say decides, and what they leave open is left open in the name.
    static func context(
        _ captures: SwiftCaptures, creator: (display: String, linkageName: String)?,
        facts: any FunctionFacts
    ) -> RuntimeOwner {
        guard captures.types.count == 1, !captures.keepsMetadata, let type = captures.types.first else {
            return closure(captures.types, in: creator?.display)
        }
        let forms = creator.flatMap { facts.formsClosures($0.linkageName) }
        if let enumeration = captures.indirectEnumeration {
            let isCertain = forms == false || type.isTuple || type.mentions(enumeration)
            if isCertain {
                return payload(of: enumeration)
            }
        }
        if let creator, facts.capturesVariable(creator.linkageName, of: type) {
            return RuntimeOwner(
                family: "Box", type: "captured \(type.sugared) in \(creator.display)", cause: .capture,
                rule: "swift.metadata.captured")
        }
        switch type {
        case .function, .box, .named, .unknown, .metatype: return closure(captures.types, in: creator?.display)
        case .tuple: break
        case .existential:
            if forms != false { return closure(captures.types, in: creator?.display) }
        case .nominal(let module, _):
            // The standard library's own values fit into an existential's three words, and so does a reference.
            if forms != false, captures.isReference || module == "Swift" {
                return closure(captures.types, in: creator?.display)
            }
        }
        if forms == false { return boxed(type) }
        let place = creator.map { " in \($0.display)" } ?? ""
        return RuntimeOwner(
            family: "Box", type: "\(type), captured or boxed\(place)", cause: .boxing, rule: "swift.metadata.context")
    }

    private static func closure(_ types: [SwiftType], in function: String?) -> RuntimeOwner {
        let place = function.map { " in \($0)" } ?? ""
        let list = types.map(\.sugared).joined(separator: ", ")
        return RuntimeOwner(
            family: "Closure", type: "closure\(place)\(types.isEmpty ? "" : " capturing \(list)")", cause: .capture,
            rule: "swift.metadata.closure")
    }
}

extension SwiftType {
    /// The name with the standard library's prefix, where it has one.
    fileprivate var fullName: String {
        if case .nominal("Swift", _) = self { "Swift.\(self)" } else { description }
    }

    fileprivate var isTuple: Bool {
        if case .tuple = self { true } else { false }
    }
}
