// The chain of contexts that a nominal type's descriptor begins: type in type, in an extension, in a file's or function's private scope, in a module.
// The layout is that of the Swift ABI (swift/ABI/Metadata.h); flags: kind in bits 0 to 4, generic bit 7, the kind's own in bits 16 to 31.

/// Reads descriptors of contexts.
struct SwiftContextReader {
    private enum Kind {
        static let module: UInt32 = 0
        static let `extension`: UInt32 = 1
        static let anonymous: UInt32 = 2
        static let `protocol`: UInt32 = 3
        static let `class`: UInt32 = 16
        static let structure: UInt32 = 17
        static let enumeration: UInt32 = 18
    }

    private static let deepestNesting = 32
    private static let isGeneric: UInt32 = 0x80
    private static let isActor: UInt32 = 1 << 23

    let image: SwiftImage

    /// What the chain from a descriptor outwards says.
    private struct Chain {
        var module = ""
        /// Innermost first, each with the generic arguments of it and its parents together.
        var levels: [(name: String, total: Int)] = []
    }

    /// The type whose descriptor is at `address`; nil for a descriptor of something else, and for what is none.
    func nominalType(at address: UInt64) -> SwiftNominalType? {
        guard let flags = flags(at: address) else { return nil }
        let kind: SwiftNominalType.Kind
        switch flags & 0x1F {
        case Kind.class: kind = flags & Self.isActor != 0 ? .actor : .class
        case Kind.structure: kind = .structure
        case Kind.enumeration: kind = .enumeration
        case Kind.protocol: kind = .protocol
        default: return nil
        }
        var chain = Chain()
        guard read(.address(address), into: &chain, depth: 0), !chain.levels.isEmpty, !chain.module.isEmpty else {
            return nil
        }
        var known = 0
        let levels = chain.levels.reversed().map { level in
            defer { known = max(known, level.total) }
            return SwiftNominalType.Level(level.name, arguments: max(0, level.total - known))
        }
        return SwiftNominalType(kind: kind, module: chain.module, levels: levels)
    }

    private func flags(at address: UInt64) -> UInt32? {
        guard address & 3 == 0, let flags = image.word(at: address) else { return nil }
        // The version byte is 0 in every compiler so far: anything else is no descriptor.
        return flags & 0xFF00 == 0 ? flags : nil
    }

    private func read(_ target: SwiftImage.Target, into chain: inout Chain, depth: Int) -> Bool {
        guard depth < Self.deepestNesting else { return false }
        guard case .address(let address) = target else { return readForeign(target, into: &chain) }
        guard let flags = flags(at: address) else { return false }
        switch flags & 0x1F {
        case Kind.module:
            guard let name = image.relative(at: address &+ 8).flatMap({ image.name(at: $0) }) else { return false }
            chain.module = name
            return true
        case Kind.class, Kind.structure, Kind.enumeration, Kind.protocol:
            guard let name = image.relative(at: address &+ 8).flatMap({ image.name(at: $0) }) else { return false }
            chain.levels.append((name, keyArguments(at: address, flags: flags)))
        case Kind.extension:
            // What is extended says where the type lies, whichever module extends it.
            guard let text = image.relative(at: address &+ 8) else { return false }
            let extended = DescriptorFile(image).type(at: text)
            guard case .nominal(let module, let path)? = extended else { break }
            let total = flags & Self.isGeneric == 0 ? 0 : Int(halfword(at: address &+ 12))
            for (index, level) in path.enumerated().reversed() {
                chain.levels.append((level.name, index == path.count - 1 ? total : 0))
            }
            chain.module = module
            return true
        case Kind.anonymous: break
        default: return false
        }
        guard let parent = image.relativeIndirectable(at: address &+ 4) else { return false }
        return read(parent, into: &chain, depth: depth + 1)
    }

    /// A parent in another file, by its symbol.
    private func readForeign(_ target: SwiftImage.Target, into chain: inout Chain) -> Bool {
        guard case .symbol(let name) = target else { return false }
        if let module = SwiftMangling.module(ofDescriptor: name) {
            chain.module = module
            return true
        }
        guard case .nominal(let module, let path)? = SwiftMangling.type(ofDescriptor: name) else { return false }
        chain.module = module
        chain.levels += path.reversed().map { ($0.name, 0) }
        return true
    }

    private func halfword(at address: UInt64) -> UInt16 {
        UInt16(truncatingIfNeeded: image.word(at: address & ~3).map { address & 2 == 0 ? $0 : $0 >> 16 } ?? 0)
    }

    /// How many generic arguments metadata of the type holds, its parents' counted.
    private func keyArguments(at address: UInt64, flags: UInt32) -> Int {
        guard flags & Self.isGeneric != 0, flags & 0x1F != Kind.protocol else { return 0 }
        // Behind the descriptor's own fields and two references: u16 parameters, requirements, key arguments, flags; then a byte each parameter.
        let header = address &+ (flags & 0x1F == Kind.class ? 44 : 28) &+ 8
        let parameters = Int(halfword(at: header))
        guard parameters > 0, parameters <= 64, let bytes = image.words(at: header &+ 8, count: (parameters + 3) / 4)
        else { return 0 }
        var count = 0
        for index in 0..<parameters {
            let byte = UInt8(truncatingIfNeeded: bytes[index / 4] >> (UInt32(index % 4) * 8))
            if byte & 0x80 != 0 { count += 1 }
        }
        return count
    }
}
