// Swift's descriptors of types and of captures, read from the ELF files on this machine: what a process's metadata points to is constant data of a
// module, so its name needs no process.

/// What a nominal type's descriptor says.
public struct SwiftNominalType: Hashable, Sendable {
    /// What kind of type it is.
    public enum Kind: Sendable {
        case `class`
        case actor
        case structure
        case enumeration
        case `protocol`
        case other
    }

    /// One level of its name.
    public struct Level: Hashable, Sendable {
        /// The name without its module.
        public var name: String
        /// How many generic arguments belong to this level, of those that metadata holds.
        public var arguments: Int

        /// A level of this name.
        public init(_ name: String, arguments: Int = 0) {
            self.name = name
            self.arguments = arguments
        }
    }

    /// What kind of type it is.
    public var kind: Kind
    /// Its module.
    public var module: String
    /// Its names, outermost level first.
    public var levels: [Level]

    /// A type of these parts.
    public init(kind: Kind, module: String, levels: [Level]) {
        self.kind = kind
        self.module = module
        self.levels = levels
    }

    /// The type with generic arguments, in the order in which metadata holds them: outermost level first. Those that are missing are not known.
    public func type(arguments: [SwiftType]) -> SwiftType {
        var rest = arguments[...]
        return .nominal(
            module: module,
            levels.map { level in
                var own = Array(rest.prefix(level.arguments))
                rest = rest.dropFirst(level.arguments)
                while own.count < level.arguments { own.append(.unknown) }
                return SwiftType.Component(level.name, own)
            })
    }
}

/// What a capture descriptor says: the context of a closure, the box of a captured variable, of an indirect enumeration's case or of an existential.
public struct SwiftCaptures: Hashable, Sendable {
    /// What is captured; type parameters are those of the function that captures.
    public var types: [SwiftType]
    /// Whether generic arguments are kept too, as only closures do.
    public var keepsMetadata: Bool
    /// Whether the only capture is an object, which is a reference and never boxed for its size.
    public var isReference: Bool
    /// The enumeration whose indirect case this is the payload of.
    public var indirectEnumeration: SwiftType?

    /// Captures of these types.
    public init(
        types: [SwiftType], keepsMetadata: Bool = false, isReference: Bool = false,
        indirectEnumeration: SwiftType? = nil
    ) {
        self.types = types
        self.keepsMetadata = keepsMetadata
        self.isReference = isReference
        self.indirectEnumeration = indirectEnumeration
    }
}

/// Reads descriptors by module and address.
///
/// A file is opened when the first address asks for it; one whose build id is not the module's is not used. Answers are kept. Not thread-safe.
public final class SwiftDescriptors {
    private var files: [ModuleDescription: DescriptorFile?] = [:]
    private let path: (ModuleDescription) -> String

    /// Makes a reader that has opened nothing.
    /// - Parameter path: where the file of a module lies now.
    public init(path: @escaping (ModuleDescription) -> String = \.path) { self.path = path }

    /// The nominal type whose descriptor lies at an ELF virtual address of a module; nil for anything else.
    ///
    /// O(depth of its name), each a few reads of the file.
    public func nominalType(in module: ModuleDescription, at address: UInt64) -> SwiftNominalType? {
        file(of: module)?.nominalType(at: address)
    }

    /// The captures whose descriptor lies at an ELF virtual address of a module; nil for anything else.
    ///
    /// O(captures); the first one of a module reads its enumerations' fields too.
    public func captures(in module: ModuleDescription, at address: UInt64) -> SwiftCaptures? {
        file(of: module)?.captures(at: address)
    }

    /// Whether a closure that keeps something is formed in the function of this symbol; nil where the module's symbols do not say.
    ///
    /// O(log closures); the first question to a module reads its symbols.
    public func formsClosures(_ linkageName: String, in module: ModuleDescription) -> Bool? {
        file(of: module)?.closures.areFormed(in: linkageName)
    }

    /// The generic enumeration of a module, with its arguments, of which `payload` is an indirect case's; nil where it is none's or of several.
    ///
    /// O(such cases of the module); the first question reads the fields of its enumerations.
    public func enumeration(ofPayload payload: SwiftType, in module: ModuleDescription) -> SwiftType? {
        file(of: module)?.enumerations.genericEnumeration(ofPayload: payload)
    }

    /// The builtin type whose metadata lies at an ELF virtual address of a module, by its symbol; nil for anything else.
    ///
    /// O(1); the first question reads the module's exported symbols.
    public func builtinType(in module: ModuleDescription, at address: UInt64) -> SwiftType? {
        file(of: module)?.builtinType(at: address)
    }

    private func file(of module: ModuleDescription) -> DescriptorFile? {
        if let known = files[module] { return known }
        var opened: DescriptorFile?
        if let file = try? ELFFile(path: path(module)), file.wordBits == 64, file.isLittleEndian,
            module.buildID.isEmpty || file.buildID == module.buildID
        {
            opened = DescriptorFile(SwiftImage(file: file))
        }
        files[module] = .some(opened)
        return opened
    }
}

/// The descriptors of one file.
final class DescriptorFile {
    let image: SwiftImage
    private var contexts: [UInt64: SwiftNominalType?] = [:]
    private var captures: [UInt64: SwiftCaptures?] = [:]
    private(set) lazy var closures = SwiftClosureNames(image)
    private(set) lazy var enumerations = SwiftIndirectCases(self)
    /// Builtin types by the addresses of their metadata's symbols.
    private lazy var builtins = image.builtinTypes()
    /// Names of the classes that references led to.
    private var classes: Set<String> = []

    init(_ image: SwiftImage) { self.image = image }

    /// The type whose descriptor is at `address`.
    func nominalType(at address: UInt64) -> SwiftNominalType? {
        if let known = contexts[address] { return known }
        let read = SwiftContextReader(image: image).nominalType(at: address)
        contexts[address] = .some(read)
        return read
    }

    /// The captures whose descriptor is at `address`.
    func captures(at address: UInt64) -> SwiftCaptures? {
        if let known = captures[address] { return known }
        var read = readCaptures(at: address)
        if let types = read?.types, types.count == 1, read?.keepsMetadata == false {
            read?.indirectEnumeration =
                enumerations.enumeration(ofPayload: types[0]) ?? enumerations.genericEnumeration(ofPayload: types[0])
        }
        captures[address] = .some(read)
        return read
    }

    /// The builtin type whose metadata is at `address`, one word behind its symbol.
    func builtinType(at address: UInt64) -> SwiftType? { builtins[address &- 8] }

    private static let mostCaptures = 512

    private func readCaptures(at address: UInt64) -> SwiftCaptures? {
        guard address & 3 == 0, let counts = image.words(at: address, count: 3) else { return nil }
        let count = Int(counts[0])
        guard count <= Self.mostCaptures, counts[1] <= Self.mostCaptures, counts[2] <= Self.mostCaptures else {
            return nil
        }
        var types: [SwiftType] = []
        for index in 0..<count {
            guard let text = image.relative(at: address &+ 12 &+ UInt64(index) * 4) else { return nil }
            types.append(type(at: text) ?? .unknown)
        }
        return SwiftCaptures(
            types: types, keepsMetadata: counts[1] > 0 || counts[2] > 0,
            isReference: types.count == 1 && types[0].qualifiedName.map(classes.contains) ?? false)
    }

    /// The type that the mangled text at `address` means.
    func type(at address: UInt64) -> SwiftType? {
        guard let text = image.mangledText(at: address) else { return nil }
        return SwiftMangling.type(of: text) { [self] kind, position, offset in
            let field = address &+ UInt64(position)
            let target = field &+ UInt64(bitPattern: Int64(offset))
            switch kind {
            case 1: return bareType(.address(target))
            case 2: return image.pointer(at: target).flatMap { bareType($0) }
            default: return nil
            }
        }
    }

    /// The type without arguments that a reference to its descriptor means.
    func bareType(_ target: SwiftImage.Target) -> SwiftType? {
        switch target {
        case .address(let address):
            guard let nominal = nominalType(at: address) else { return nil }
            let type = SwiftType.nominal(module: nominal.module, nominal.levels.map { .init($0.name) })
            if nominal.kind == .class || nominal.kind == .actor, let name = type.qualifiedName { classes.insert(name) }
            return type
        case .symbol(let name):
            let type = SwiftMangling.type(ofDescriptor: name)
            if name.hasSuffix("CMn"), let name = type?.qualifiedName { classes.insert(name) }
            return type
        }
    }
}
