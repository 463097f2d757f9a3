// From type ids to types: the words of metadata say how types are put together, the descriptors in the modules' files how they are called.

internal import Symbolication
internal import TraceReader

/// Names the types of one image of a trace.
final class RuntimeTypeNames<Source: ProfileSource> {
    private static var deepestNesting: Int { 24 }
    private static var longestArguments: Int { 64 }

    private let source: Source
    private let descriptors: SwiftDescriptors
    private var types: [UInt64: SwiftType] = [:]
    private var modules: [Int: LoadedModule] = [:]
    /// Types of the variables that closures made by each function capture, by its symbol.
    private var captured: [String: Set<SwiftType>] = [:]

    /// - Parameter path: where the file of a module lies now.
    init(source: Source, path: @escaping (ModuleDescription) -> String = \.path) {
        self.source = source
        descriptors = SwiftDescriptors(path: path)
    }

    /// The type of an id; unknown where the trace or the files do not say. O(its parts) for one not seen before.
    func type(_ id: UInt64) -> SwiftType { type(id, depth: 0) }

    private func type(_ id: UInt64, depth: Int) -> SwiftType {
        if let known = types[id] { return known }
        guard depth < Self.deepestNesting else { return .unknown }
        // Until it is known, for a type may lead back to itself.
        types[id] = .unknown
        let result = read(id, depth: depth + 1)
        types[id] = result
        return result
    }

    private func read(_ id: UInt64, depth: Int) -> SwiftType {
        if let name = source.typeName(id), let type = SwiftType(name: name) { return type }
        guard let record = source.runtimeType(id) else { return .unknown }
        let arguments = record.arguments.prefix(Self.longestArguments)
        switch record.kind {
        case .nominalClass, .nominalStruct, .nominalEnum:
            return nominal(record)?.type(arguments: arguments.map { type($0, depth: depth) }) ?? .unknown
        case .tuple: return .tuple(arguments.map { .init(type($0, depth: depth)) })
        case .function:
            guard let result = arguments.first else { return .unknown }
            return .function(
                prefix: record.isSendable ? "@Sendable " : "",
                arguments.dropFirst().map { .init(type($0, depth: depth)) },
                effects: (record.isAsync ? "async " : "") + (record.isThrowing ? "throws " : ""),
                result: type(result, depth: depth))
        case .existential:
            var protocols = arguments.map { ($0, false) }
            if record.hasSuperclass, !protocols.isEmpty { protocols[0].1 = true }
            return .existential(
                protocols.map { $0.1 ? type($0.0, depth: depth) : bareType(ofDescriptor: $0.0) },
                isObject: protocols.isEmpty && record.isAnyObject)
        case .metatype:
            return arguments.first.map { .metatype(type($0, depth: depth)) } ?? .unknown
        case .opaque:
            if record.descriptor != 0 { return bareType(ofDescriptor: record.descriptor) }
            return place(of: id).flatMap { descriptors.builtinType(in: $0.module, at: $0.address) } ?? .unknown
        case .box, .errorBox, .context, .other: return .unknown
        }
    }

    /// What the trace says of an id.
    func record(_ id: UInt64) -> MetadataRecord? { source.runtimeType(id) }

    private func nominal(_ record: MetadataRecord) -> SwiftNominalType? {
        guard let place = place(of: record.descriptor) else { return nil }
        return descriptors.nominalType(in: place.module, at: place.address)
    }

    private func bareType(ofDescriptor address: UInt64) -> SwiftType {
        guard let place = place(of: address) else { return .unknown }
        return descriptors.nominalType(in: place.module, at: place.address)?.type(arguments: []) ?? .unknown
    }

    /// What the capture descriptor of a context's record says, and the module that it is in.
    func captures(_ record: MetadataRecord) -> (SwiftCaptures, module: ModuleDescription)? {
        guard let place = place(of: record.descriptor),
            let captures = descriptors.captures(in: place.module, at: place.address)
        else { return nil }
        return (captures, place.module)
    }

    /// The generic enumeration of whose indirect case the value in a box is the payload: one that is part of the value.
    func enumeration(boxedBy record: MetadataRecord, payload: SwiftType) -> SwiftType? {
        var waiting = Array(record.arguments.prefix(Self.longestArguments))
        var seen: Set<UInt64> = []
        while let id = waiting.popLast(), seen.count < Self.longestArguments {
            guard seen.insert(id).inserted, let part = self.record(id) else { continue }
            if part.kind == .nominalEnum, let place = place(of: part.descriptor),
                let found = descriptors.enumeration(ofPayload: payload, in: place.module)
            {
                return found
            }
            if part.kind != .existential { waiting += part.arguments.prefix(Self.longestArguments) }
        }
        return nil
    }

    /// What is known of the functions of a module.
    func facts(of module: ModuleDescription) -> any FunctionFacts { ModuleFacts(names: self, module: module) }

    /// The types of the variables that a context of this type id captures; none of other types.
    func capturedVariables(_ id: UInt64) -> [SwiftType] {
        guard let record = record(id), record.kind == .context, let (captures, _) = captures(record) else { return [] }
        return captures.types.compactMap { type in
            if case .box(let variable) = type { variable } else { nil }
        }
    }

    /// Notes that the function of this symbol makes a closure that captures variables of these types.
    func note(captured types: [SwiftType], in linkageName: String) {
        captured[linkageName, default: []].formUnion(types)
    }

    private struct ModuleFacts: FunctionFacts {
        let names: RuntimeTypeNames
        let module: ModuleDescription

        func formsClosures(_ linkageName: String) -> Bool? {
            names.descriptors.formsClosures(linkageName, in: module)
        }

        func capturesVariable(_ linkageName: String, of type: SwiftType) -> Bool {
            names.captured[linkageName]?.contains(type) ?? false
        }
    }

    private func place(of address: UInt64) -> (module: ModuleDescription, address: UInt64)? {
        guard address != 0, let row = source.moduleRow(for: address, at: .max) else { return nil }
        if modules[row] == nil { modules[row] = source.module(row: row) }
        guard let module = modules[row] else { return nil }
        return (module.description, address &- module.bias)
    }
}

extension SwiftType {
    /// The type of a ready name, such as `Swift._DictionaryStorage<Swift.String, app.Point>`; nil for an empty one.
    init?(name: String) {
        guard !name.isEmpty else { return nil }
        var path: [Component] = []
        var level = ""
        var argument = ""
        var arguments: [SwiftType] = []
        var depth = 0
        var previous: Character = " "
        for character in name {
            defer { previous = character }
            let closes = ">)]".contains(character) && !(character == ">" && previous == "-")
            if closes { depth -= 1 }
            if depth == 0 {
                switch character {
                case ".":
                    path.append(Component(level, arguments))
                    (level, arguments) = ("", [])
                case ">":
                    arguments.append(.named(argument.withoutStandardModule))
                    argument = ""
                case "<": break
                default: level.append(character)
                }
            } else if depth == 1, character == "," {
                arguments.append(.named(argument.withoutStandardModule))
                argument = ""
            } else if depth > 0, !(argument.isEmpty && character == " ") {
                argument.append(character)
            }
            if "<([".contains(character) { depth += 1 }
        }
        path.append(Component(level, arguments))
        guard path.count > 1, path.allSatisfy({ !$0.name.isEmpty && !$0.name.contains(" ") }) else {
            self = .named(name.withoutStandardModule)
            return
        }
        self = .nominal(module: path.removeFirst().name, path)
    }
}

extension String {
    /// The text with the standard library's own prefix dropped.
    fileprivate var withoutStandardModule: String {
        var result = ""
        var rest = self[...]
        while let found = rest.firstRange(of: "Swift.") {
            let before = rest[..<found.lowerBound]
            result += before
            let isWhole = before.last.map { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") } ?? true
            if !isWhole { result += "Swift." }
            rest = rest[found.upperBound...]
        }
        return result + rest
    }
}
