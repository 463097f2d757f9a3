// The operators of mangled types: nominal and generic types, tuples, functions, existentials, metatypes, type parameters, and the lowered forms
// that captures have.

extension SwiftMangling {
    /// What an operator's letter makes of what is on the stack; nil for one that makes no type.
    mutating func operation(_ letter: UInt8) -> Node? {
        switch letter {
        case UInt8(ascii: "C"), UInt8(ascii: "V"), UInt8(ascii: "O"), UInt8(ascii: "P"), UInt8(ascii: "a"): nominal()
        case UInt8(ascii: "L"): privateName()
        case UInt8(ascii: "E"): extended()
        case UInt8(ascii: "G"): bound()
        case UInt8(ascii: "t"): tuple().map { .type($0) }
        case UInt8(ascii: "c"): function().map { .type($0) }
        case UInt8(ascii: "I"): loweredFunction().map { .type($0) }
        case UInt8(ascii: "p"): protocols().map { .type(.existential($0, isObject: false)) }
        case UInt8(ascii: "m"): popType().map { .type(.metatype($0)) }
        case UInt8(ascii: "x"): .type(.named("A"))
        case UInt8(ascii: "q"): parameter().map { .type($0) }
        case UInt8(ascii: "Q"): member()
        case UInt8(ascii: "B"): builtin().map { .type($0) }
        case UInt8(ascii: "X"): special().map { .type($0) }
        case UInt8(ascii: "Y"): annotation()
        case UInt8(ascii: "K"): .effect("throws ")
        case UInt8(ascii: "z"): popType().map { .type(.box($0)) }
        case UInt8(ascii: "n"), UInt8(ascii: "h"): popType().map { .type($0) }
        case UInt8(ascii: "l"): .signature
        default: nil
        }
    }

    private mutating func nominal() -> Node? {
        guard let name = popIdentifier() else { return nil }
        return remember(popContext(adding: name))
    }

    private mutating func popContext(adding name: String) -> SwiftType? {
        switch stack.popLast() {
        case .identifier(let module)?, .module(let module)?: .nominal(module: module, [.init(name)])
        case .type(.nominal(let module, let path))?: .nominal(module: module, path + [.init(name)])
        default: nil
        }
    }

    /// `LL` gives a name the discriminator of its file, `L` and an index that of its function: both are left out.
    private mutating func privateName() -> Node? {
        if take("L") {
            guard popIdentifier() != nil, let name = popIdentifier() else { return nil }
            return .identifier(name)
        }
        guard index() != nil, let name = popIdentifier() else { return nil }
        return .identifier(name)
    }

    private mutating func extended() -> Node? {
        _ = pop(.signature)
        switch stack.popLast() {
        case .identifier?, .module?: break
        default: return nil
        }
        return popType().map { .type($0) }
    }

    private mutating func bound() -> Node? {
        // Innermost level first, for they are popped.
        var levels: [[SwiftType]] = []
        while true {
            var arguments: [SwiftType] = []
            while let type = popType() { arguments.append(type) }
            levels.append(arguments.reversed())
            if pop(.emptyList) { break }
            guard pop(.firstElement) else { return nil }
        }
        guard case .nominal(let module, var path)? = popType() else { return nil }
        for (distance, arguments) in levels.enumerated() {
            let level = path.count - 1 - distance
            guard level >= 0 else { return nil }
            path[level].arguments = arguments
        }
        return remember(.nominal(module: module, path))
    }

    /// Types with a mark before the second; nil where one is no type.
    private mutating func typeList() -> [SwiftType]? {
        if pop(.emptyList) { return [] }
        var types: [SwiftType] = []
        var isFirst = false
        repeat {
            isFirst = pop(.firstElement)
            guard let type = popType() else { return nil }
            types.append(type)
        } while !isFirst
        return types.reversed()
    }

    private mutating func tuple() -> SwiftType? {
        if pop(.emptyList) { return .tuple([]) }
        var elements: [SwiftType.Element] = []
        var isFirst = false
        repeat {
            isFirst = pop(.firstElement)
            _ = pop(.variadic)
            let label = popIdentifier()
            guard let type = popType() else { return nil }
            elements.append(.init(type, label: label))
        } while !isFirst
        return .tuple(elements.reversed())
    }

    private mutating func function() -> SwiftType? {
        var prefix = ""
        var effects = ""
        while let last = stack.last {
            if case .prefix(let text) = last {
                prefix = text + prefix
            } else if case .effect(let text) = last {
                effects = text + effects
            } else {
                break
            }
            stack.removeLast()
        }
        guard let parameters = popParameters(), let result = popParameters() else { return nil }
        var elements: [SwiftType.Element] = [.init(parameters)]
        if case .tuple(let list) = parameters { elements = list }
        for index in elements.indices {
            if case .box(let type) = elements[index].type { elements[index].type = .named("inout \(type)") }
        }
        return .function(prefix: prefix, elements, effects: effects, result: result)
    }

    private mutating func popParameters() -> SwiftType? { pop(.emptyList) ? .tuple([]) : popType() }

    /// A function as compiled code passes it: conventions of its parameters and results, whose types lie on the stack.
    private mutating func loweredFunction() -> SwiftType? {
        _ = take("e")
        var prefix = take("A") ? "@isolated(any) " : ""
        guard "ygxt".utf8.contains(advance()) else { return nil }
        for convention in ["B", "C", "M", "O", "K", "W"] as [Unicode.Scalar] where take(convention) { break }
        if take("A") || take("G") { return nil }  // a coroutine
        if take("h") { prefix += "@Sendable " }
        var effects = take("H") ? "async " : ""
        _ = take("T")
        let parameters = conventions("iclbnxgeypv")
        let results = conventions("rodua")
        let isThrowing = take("z")
        if isThrowing {
            guard "rodua".utf8.contains(advance()) else { return nil }
            effects += "throws "
        }
        guard take("_") else { return nil }
        if isThrowing, popType() == nil { return nil }
        guard let result = popTypes(results), let list = popTypes(parameters) else { return nil }
        return .function(
            prefix: prefix, list.map { .init($0) }, effects: effects,
            result: result.count == 1 ? result[0] : .tuple(result.map { .init($0) }))
    }

    private mutating func conventions(_ letters: String) -> Int {
        var count = 0
        while position < text.count, letters.utf8.contains(peek()) {
            position += 1
            count += 1
            while take("w") || take("T") || take("I") || take("L") {}
        }
        return count
    }

    private mutating func popTypes(_ count: Int) -> [SwiftType]? {
        var types: [SwiftType] = []
        for _ in 0..<count {
            guard let type = popType() else { return nil }
            types.append(type)
        }
        return types.reversed()
    }

    private mutating func protocols() -> [SwiftType]? {
        if pop(.emptyList) { return [] }
        var result: [SwiftType] = []
        var isFirst = false
        repeat {
            isFirst = pop(.firstElement)
            if let type = popType() {
                result.append(type)
            } else {
                guard let name = popIdentifier(), let type = popContext(adding: name) else { return nil }
                result.append(type)
            }
        } while !isFirst
        return result.reversed()
    }

    private mutating func parameter() -> SwiftType? {
        if take("z") { return .named("A") }
        var depth = 0
        if take("d") {
            guard let number = index() else { return nil }
            depth = number + 1
        }
        guard let number = index() else { return nil }
        return Self.parameter(depth: depth, index: depth > 0 ? number : number + 1)
    }

    /// The name that demanglers give a type parameter: `A`, `B`, one level further in `A1`.
    static func parameter(depth: Int, index: Int) -> SwiftType {
        var name = ""
        var rest = index
        repeat {
            name.unicodeScalars.append(Unicode.Scalar(UInt8(ascii: "A") + UInt8(rest % 26)))
            rest /= 26
        } while rest > 0
        return .named(depth == 0 ? name : "\(name)\(depth)")
    }

    /// An associated type of a type parameter: `A.Element`.
    private mutating func member() -> Node? {
        let letter = advance()
        var base: SwiftType?
        if letter == UInt8(ascii: "z") || letter == UInt8(ascii: "Z") {
            base = .named("A")
        } else if letter == UInt8(ascii: "y") || letter == UInt8(ascii: "Y") {
            base = parameter()
            if base == nil { return nil }
        } else if letter != UInt8(ascii: "x"), letter != UInt8(ascii: "X") {
            return nil
        }
        var names: [String] = []
        var isFirst = letter >= UInt8(ascii: "a")
        repeat {
            if letter < UInt8(ascii: "a") { isFirst = pop(.firstElement) }
            _ = popType()  // the protocol
            guard let name = popIdentifier() else { return nil }
            names.append(name)
        } while !isFirst
        guard let base = base ?? popType() else { return nil }
        return remember(.named(([base.description] + names.reversed()).joined(separator: ".")))
    }

    private mutating func builtin() -> SwiftType? {
        switch advance() {
        case UInt8(ascii: "o"): return .named("Builtin.NativeObject")
        case UInt8(ascii: "O"): return .named("AnyObject")
        case UInt8(ascii: "b"): return .named("Builtin.BridgeObject")
        case UInt8(ascii: "p"): return .named("Builtin.RawPointer")
        case UInt8(ascii: "w"): return .named("Builtin.Word")
        case UInt8(ascii: "e"): return .named("Builtin.Executor")
        case UInt8(ascii: "j"): return .named("Builtin.Job")
        case UInt8(ascii: "D"): return .named("Builtin.DefaultActorStorage")
        case UInt8(ascii: "c"): return .named("Builtin.RawUnsafeContinuation")
        case UInt8(ascii: "t"): return .named("Builtin.SILToken")
        case UInt8(ascii: "A"): return .named("Builtin.ImplicitActor")
        case UInt8(ascii: "i"): return index().map { .named("Builtin.Int\($0 - 1)") }
        case UInt8(ascii: "f"): return index().map { .named("Builtin.FPIEEE\($0 - 1)") }
        default: return nil
        }
    }

    private mutating func special() -> SwiftType? {
        switch advance() {
        case UInt8(ascii: "E"), UInt8(ascii: "f"), UInt8(ascii: "K"), UInt8(ascii: "A"): return function()
        case UInt8(ascii: "C"), UInt8(ascii: "B"), UInt8(ascii: "L"):
            guard case .function(let prefix, let parameters, let effects, let result)? = function() else { return nil }
            return .function(prefix: "@convention(c) " + prefix, parameters, effects: effects, result: result)
        case UInt8(ascii: "o"), UInt8(ascii: "u"): return popType()
        case UInt8(ascii: "w"): return popType()
        case UInt8(ascii: "b"): return popType().map { .box($0) }
        case UInt8(ascii: "p"): return popType().map { .metatype($0) }
        case UInt8(ascii: "M"):
            guard "tTo".utf8.contains(advance()) else { return nil }
            return popType().map { .metatype($0) }
        case UInt8(ascii: "m"):
            guard "tTo".utf8.contains(advance()) else { return nil }
            return popType().map { .metatype($0) }
        case UInt8(ascii: "l"): return protocols().map { .existential($0, isObject: true) }
        case UInt8(ascii: "c"):
            guard let superclass = popType(), let list = protocols() else { return nil }
            return .existential([superclass] + list, isObject: false)
        case UInt8(ascii: "x"): return box()
        case UInt8(ascii: "X"):
            guard pop(.signature), typeList() != nil else { return nil }
            return box()
        default: return nil
        }
    }

    /// The box of a captured variable, by the types of its fields.
    private mutating func box() -> SwiftType? {
        guard let fields = typeList() else { return nil }
        let plain = fields.map { field in
            if case .box(let type) = field { return type }
            return field
        }
        return .box(plain.count == 1 ? plain[0] : .tuple(plain.map { .init($0) }))
    }

    private mutating func annotation() -> Node? {
        switch advance() {
        case UInt8(ascii: "a"): return .effect("async ")
        case UInt8(ascii: "b"): return .prefix("@Sendable ")
        case UInt8(ascii: "c"): return popType().map { .prefix("@\($0) ") }
        case UInt8(ascii: "K"): return popType().map { .effect("throws(\($0)) ") }
        case UInt8(ascii: "A"): return .prefix("@isolated(any) ")
        case UInt8(ascii: "C"): return .prefix("nonisolated(nonsending) ")
        case UInt8(ascii: "T"), UInt8(ascii: "i"), UInt8(ascii: "k"), UInt8(ascii: "t"):
            return popType().map { .type($0) }
        case UInt8(ascii: "u"): return .effect("")
        default: return nil
        }
    }
}
