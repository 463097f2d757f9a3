// A Swift type as a value, and its spelling: the one that demangled frames use, so that a type read from metadata and the same type
// named by a frame read alike.

/// A Swift type.
public indirect enum SwiftType: Hashable, Sendable {
    /// One level of a nominal type's name, with the generic arguments that belong to it.
    public struct Component: Hashable, Sendable {
        /// The name without its module.
        public var name: String
        /// Its own generic arguments, outer types' left aside.
        public var arguments: [SwiftType]

        /// A level of this name.
        public init(_ name: String, _ arguments: [SwiftType] = []) {
            self.name = name
            self.arguments = arguments
        }
    }

    /// An element of a tuple, or a parameter.
    public struct Element: Hashable, Sendable {
        /// The label; nil without one.
        public var label: String?
        /// The type.
        public var type: SwiftType

        /// An element of this type.
        public init(_ type: SwiftType, label: String? = nil) {
            self.label = label
            self.type = type
        }
    }

    /// A class, actor, structure, enumeration or protocol, outermost level first.
    case nominal(module: String, [Component])
    /// A tuple.
    case tuple([Element])
    /// A function: what stands before its parameters (`@Sendable `), the parameters, what stands before the arrow (`async throws `).
    case function(prefix: String, [Element], effects: String, result: SwiftType)
    /// `any P & Q`; `Any` without protocols.
    case existential([SwiftType], isObject: Bool)
    /// `T.Type`.
    case metatype(SwiftType)
    /// The heap box of a captured variable.
    case box(SwiftType)
    /// A type parameter or a type that is spelled by its name alone.
    case named(String)
    /// A type that is not known.
    case unknown

    /// Whether a part of it is not known.
    public var isIncomplete: Bool {
        switch self {
        case .nominal(_, let path): path.contains { $0.arguments.contains(where: \.isIncomplete) }
        case .tuple(let elements): elements.contains(where: \.type.isIncomplete)
        case .function(_, let parameters, _, let result):
            result.isIncomplete || parameters.contains(where: \.type.isIncomplete)
        case .existential(let protocols, _): protocols.contains(where: \.isIncomplete)
        case .metatype(let type), .box(let type): type.isIncomplete
        case .named: false
        case .unknown: true
        }
    }

    /// The levels of a nominal type without arguments, joined by dots, after its module; nil for other types.
    public var qualifiedName: String? {
        guard case .nominal(let module, let path) = self else { return nil }
        return ([module] + path.map(\.name)).joined(separator: ".")
    }

    /// The innermost level's generic arguments; none of other types.
    public var arguments: [SwiftType] {
        guard case .nominal(_, let path) = self else { return [] }
        return path.last?.arguments ?? []
    }
}

extension SwiftType: CustomStringConvertible {
    /// The spelling: `Dictionary<String, app.Point>`, inside another type sugared (`[String : app.Point]`), the standard library's prefix dropped,
    /// `_` for what is not known.
    public var description: String {
        if case .nominal(let module, let path) = self { return Self.spelled(module, path) }
        return sugared
    }

    /// The spelling as a part of another type, where the language has a shorter one: `[Int]`, `Int?`.
    public var sugared: String {
        switch self {
        case .nominal(let module, let path):
            if module == "Swift", path.count == 1 {
                let arguments = path[0].arguments
                switch (path[0].name, arguments.count) {
                case ("Optional", 1): return arguments[0].parenthesized + "?"
                case ("Array", 1): return "[\(arguments[0].sugared)]"
                case ("Dictionary", 2): return "[\(arguments[0].sugared) : \(arguments[1].sugared)]"
                default: break
                }
            }
            return Self.spelled(module, path)
        case .tuple(let elements): return Self.list(elements)
        case .function(let prefix, let parameters, let effects, let result):
            return "\(prefix)\(Self.list(parameters)) \(effects)-> \(result.sugared)"
        case .existential(let protocols, let isObject):
            if protocols.isEmpty { return isObject ? "AnyObject" : "Any" }
            let parts = protocols.map(\.sugared) + (isObject ? ["AnyObject"] : [])
            return "any " + parts.joined(separator: " & ")
        case .metatype(let type): return type.parenthesized + ".Type"
        case .box(let type): return type.sugared
        case .named(let name): return name
        case .unknown: return "_"
        }
    }

    private static func spelled(_ module: String, _ path: [Component]) -> String {
        let levels = path.map { level in
            let arguments = level.arguments.map(\.sugared).joined(separator: ", ")
            return arguments.isEmpty ? level.name : "\(level.name)<\(arguments)>"
        }
        return (module == "Swift" || module == "__C" || module.isEmpty ? levels : [module] + levels)
            .joined(separator: ".")
    }

    private static func list(_ elements: [Element]) -> String {
        let parts = elements.map { ($0.label.map { "\($0): " } ?? "") + $0.type.sugared }
        return "(\(parts.joined(separator: ", ")))"
    }

    private var parenthesized: String {
        switch self {
        case .function: "(\(sugared))"
        case .existential(let protocols, _) where !protocols.isEmpty: "(\(sugared))"
        default: sugared
        }
    }
}
