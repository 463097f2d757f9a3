// Which enumerations have which indirect cases: it tells the payload of one from other users of the same kind of heap context.

/// The payloads of a file's indirect cases.
struct SwiftIndirectCases {
    private static let largestSection: UInt64 = 64 << 20
    private static let isIndirect: UInt32 = 1
    private static let enumeration: UInt32 = 2
    private static let payloadEnumeration: UInt32 = 3

    /// nil where several enumerations have the same.
    private var payloads: [SwiftType: SwiftType?] = [:]
    /// Of generic enumerations: payloads with type parameters, which mention the enumeration itself.
    private var patterns: [(payload: SwiftType, enumeration: SwiftType)] = []

    /// Reads the fields of a file's types. O(types).
    init(_ file: DescriptorFile) {
        let image = file.image
        for section in image.sections("swift5_fieldmd") where section.bytes <= Self.largestSection {
            let end = section.address &+ section.bytes
            var address = section.address
            // The mangled name, the superclass, kind and record size, the number of records.
            while address &+ 16 <= end, let header = image.words(at: address, count: 4) {
                let kind = header[2] & 0xFFFF
                let size = UInt64(header[2] >> 16)
                let count = UInt64(header[3])
                let records = address &+ 16
                guard size >= 12 || count == 0, count <= (end &- records) / max(size, 1) else { break }
                address = records &+ count &* size
                guard kind == Self.enumeration || kind == Self.payloadEnumeration else { continue }
                note(file, owner: records &- 16, first: records, size: size, count: count)
            }
        }
    }

    private mutating func note(_ file: DescriptorFile, owner: UInt64, first: UInt64, size: UInt64, count: UInt64) {
        for index in 0..<count {
            let record = first &+ index &* size
            guard let flags = file.image.word(at: record), flags & Self.isIndirect != 0,
                let text = file.image.relative(at: record &+ 4), let payload = file.type(at: text),
                let name = file.image.relative(at: owner), let type = file.type(at: name)
            else { continue }
            let key = payload.withoutLabels
            if key.mentionsParameter {
                if key.mentions(type) { patterns.append((key, type)) }
                continue
            }
            if let known = payloads[key], known != type {
                payloads[key] = .some(nil)
            } else {
                payloads[key] = type
            }
        }
    }

    /// The enumeration of which `payload` is an indirect case's; nil where there is none, and where there are several.
    func enumeration(ofPayload payload: SwiftType) -> SwiftType? { payloads[payload.withoutLabels] ?? nil }

    /// The generic enumeration, with its arguments, of which `payload` is an indirect case's; nil where there is none, and where there are several.
    ///
    /// O(such cases).
    func genericEnumeration(ofPayload payload: SwiftType) -> SwiftType? {
        var found: SwiftType?
        for (pattern, enumeration) in patterns {
            var arguments: [String: SwiftType] = [:]
            guard pattern.matches(payload.withoutLabels, &arguments),
                case .nominal(let module, var path) = enumeration, !path.isEmpty
            else { continue }
            path[path.count - 1].arguments = (0..<arguments.count).map {
                arguments[SwiftMangling.parameter(depth: 0, index: $0).sugared] ?? .unknown
            }
            let type = SwiftType.nominal(module: module, path)
            if let found, found != type { return nil }
            found = type
        }
        return found
    }
}

extension SwiftType {
    /// Whether a type parameter is a part of it.
    fileprivate var mentionsParameter: Bool {
        if case .named(let name) = self { return Self.isParameter(name) }
        return parts.contains(where: \.mentionsParameter)
    }

    /// Whether the nominal type of another, whatever its arguments, is a part of this one or all of it.
    public func mentions(_ other: SwiftType) -> Bool {
        if let name = qualifiedName, name == other.qualifiedName { return true }
        return parts.contains { $0.mentions(other) }
    }

    /// The types that it is put together of.
    private var parts: [SwiftType] {
        switch self {
        case .nominal(_, let path): path.flatMap(\.arguments)
        case .tuple(let elements): elements.map(\.type)
        case .function(_, let parameters, _, let result): parameters.map(\.type) + [result]
        case .existential(let protocols, _): protocols
        case .metatype(let type), .box(let type): [type]
        case .named, .unknown: []
        }
    }

    private static func isParameter(_ name: String) -> Bool { name.count == 1 && name.first?.isUppercase == true }

    /// Whether another type is this one with types in the place of its parameters.
    fileprivate func matches(_ other: SwiftType, _ arguments: inout [String: SwiftType]) -> Bool {
        if case .named(let name) = self, Self.isParameter(name) {
            if let known = arguments[name] { return known == other }
            arguments[name] = other
            return true
        }
        switch (self, other) {
        case (.nominal, .nominal):
            guard qualifiedName == other.qualifiedName else { return false }
        case (.tuple, .tuple), (.function, .function), (.existential, .existential), (.metatype, .metatype): break
        default: return self == other
        }
        let (mine, others) = (parts, other.parts)
        guard mine.count == others.count else { return false }
        for (part, otherPart) in zip(mine, others) where !part.matches(otherPart, &arguments) { return false }
        return true
    }
}

extension SwiftType {
    /// The type as captures describe it: without the labels of a tuple.
    var withoutLabels: SwiftType {
        guard case .tuple(let elements) = self else { return self }
        return .tuple(elements.map { .init($0.type) })
    }
}
