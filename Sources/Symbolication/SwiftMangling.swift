// Mangled types as compiled programs hold them: the names of Swift's ABI with references to descriptors in between, which the runtime's own
// demangler cannot follow outside its process. This reads types alone, not functions or witnesses; what it does not know it refuses.
//
// A mangled type is a program for a stack machine: each letter pops what it needs and pushes a node. Identifiers, nominal and bound types, and
// references are remembered, for `A…` to repeat them.

/// Reads one mangled type.
struct SwiftMangling {
    /// What lies on the stack.
    enum Node: Equatable {
        case type(SwiftType)
        case identifier(String)
        case module(String)
        case emptyList
        case firstElement
        case variadic
        /// Words of a function type that stand before its parameters, or before its arrow.
        case prefix(String)
        case effect(String)
        case signature
    }

    /// Answers which type a reference means: the address of its four bytes' field, the kind byte, the offset in them.
    typealias Resolver = (_ kind: UInt8, _ position: Int, _ offset: Int32) -> SwiftType?

    static let longestText = 4096

    let text: [UInt8]
    let resolve: Resolver
    var position = 0
    var stack: [Node] = []
    private var substitutions: [Node] = []
    private var words: [ArraySlice<UInt8>] = []

    init(_ text: [UInt8], resolve: @escaping Resolver = { _, _, _ in nil }) {
        self.text = text
        self.resolve = resolve
    }

    /// The type that the whole text means; nil for what is no type or not understood.
    static func type(of text: [UInt8], resolve: @escaping Resolver = { _, _, _ in nil }) -> SwiftType? {
        guard !text.isEmpty, text.count <= longestText else { return nil }
        var reader = SwiftMangling(text, resolve: resolve)
        while reader.position < reader.text.count {
            guard let node = reader.next(), reader.stack.count < 256 else { return nil }
            reader.stack.append(node)
        }
        guard reader.stack.count == 1, case .type(let type) = reader.stack[0] else { return nil }
        return type
    }

    /// The type of a symbol such as `$s3app5PointVMn`, a nominal type's descriptor, or `$s3app5ShapeMp`, a protocol's.
    static func type(ofDescriptor symbol: String) -> SwiftType? {
        var text = Array(symbol.utf8)
        guard text.starts(with: "$s".utf8), text.count > 4 else { return nil }
        let suffix = text.suffix(2)
        text = Array(text.dropFirst(2).dropLast(2))
        if suffix.elementsEqual("Mp".utf8) {
            if let whole = type(of: text) { return whole }
            guard case .existential(let protocols, _)? = type(of: text + "_p".utf8) else { return nil }
            return protocols.first
        }
        return suffix.elementsEqual("Mn".utf8) ? type(of: text) : nil
    }

    /// The module of a symbol such as `$s3appMXM`.
    static func module(ofDescriptor symbol: String) -> String? {
        let text = Array(symbol.utf8)
        guard text.starts(with: "$s".utf8), text.suffix(3).elementsEqual("MXM".utf8) else { return nil }
        var reader = SwiftMangling(Array(text.dropFirst(2).dropLast(3)))
        switch reader.next() {
        case .identifier(let name)?, .module(let name)?: return reader.position == reader.text.count ? name : nil
        default: return nil
        }
    }

    // MARK: - The machine

    mutating func remember(_ node: Node) -> Node {
        substitutions.append(node)
        return node
    }

    mutating func remember(_ type: SwiftType?) -> Node? { type.map { remember(.type($0)) } }

    func peek() -> UInt8 { position < text.count ? text[position] : 0 }

    mutating func advance() -> UInt8 {
        let byte = peek()
        position += 1
        return byte
    }

    mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: byte) else { return false }
        position += 1
        return true
    }

    mutating func pop(_ node: Node) -> Bool {
        guard stack.last == node else { return false }
        stack.removeLast()
        return true
    }

    mutating func popType() -> SwiftType? {
        guard case .type(let type)? = stack.last else { return nil }
        stack.removeLast()
        return type
    }

    mutating func popIdentifier() -> String? {
        guard case .identifier(let name)? = stack.last else { return nil }
        stack.removeLast()
        return name
    }

    mutating func natural() -> Int? {
        var value: Int?
        while (0x30...0x39).contains(peek()) {
            let digit = Int(advance() - 0x30)
            guard (value ?? 0) < 1_000_000 else { return nil }
            value = (value ?? 0) * 10 + digit
        }
        return value
    }

    /// `_` is 0, `0_` is 1.
    mutating func index() -> Int? {
        if take("_") { return 0 }
        guard let number = natural(), take("_") else { return nil }
        return number + 1
    }

    private mutating func next() -> Node? {
        let byte = advance()
        switch byte {
        case 0xFF: return next()  // padding before a reference
        case 0x01...0x17: return reference(byte)
        case UInt8(ascii: "A"): return repeated()
        case UInt8(ascii: "S"): return standard()
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            position -= 1
            return identifier().map { remember(.identifier($0)) }
        case UInt8(ascii: "s"): return .module("Swift")
        case UInt8(ascii: "y"): return .emptyList
        case UInt8(ascii: "_"): return .firstElement
        case UInt8(ascii: "d"): return .variadic
        default: return operation(byte)
        }
    }

    private mutating func reference(_ kind: UInt8) -> Node? {
        guard position + 4 <= text.count else { return nil }
        var offset: UInt32 = 0
        for index in (0..<4).reversed() { offset = offset << 8 | UInt32(text[position + index]) }
        let type = resolve(kind, position, Int32(bitPattern: offset))
        position += 4
        return remember(type)
    }

    private mutating func repeated() -> Node? {
        var count: Int?
        while true {
            let byte = advance()
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"):
                guard push(Int(byte - UInt8(ascii: "a")), times: count ?? 1) else { return nil }
                count = nil
            case UInt8(ascii: "A")...UInt8(ascii: "Z"):
                guard push(Int(byte - UInt8(ascii: "A")), times: count ?? 1) else { return nil }
                return stack.removeLast()
            case UInt8(ascii: "_"):
                let index = (count ?? -1) + 27
                return substitutions.indices.contains(index) ? substitutions[index] : nil
            default:
                position -= 1
                guard let number = natural() else { return nil }
                count = number
            }
        }
    }

    private mutating func push(_ index: Int, times: Int) -> Bool {
        guard substitutions.indices.contains(index), (1...64).contains(times) else { return false }
        for _ in 0..<times { stack.append(substitutions[index]) }
        return true
    }

    private mutating func standard() -> Node? {
        if take("o") { return .module("__C") }
        if take("C") { return .module("__C_Synthesized") }
        if take("g") {
            return remember(popType().map { .nominal(module: "Swift", [.init("Optional", [$0])]) })
        }
        let count = natural() ?? 1
        let table = take("c") ? SwiftStandardTypes.concurrency : SwiftStandardTypes.core
        guard let name = table[advance()], (1...64).contains(count) else { return nil }
        let node = Node.type(.nominal(module: "Swift", [.init(name)]))
        for _ in 1..<count { stack.append(node) }
        return node
    }

    /// An identifier, words of which may stand for earlier ones (`0A4Test`).
    private mutating func identifier() -> String? {
        var hasWords = false
        if take("0") {
            if peek() == UInt8(ascii: "0") { return nil }  // punycode: no name that is worth its decoder
            hasWords = true
        }
        var name: [UInt8] = []
        repeat {
            while hasWords, case let byte = peek(), isLetter(byte) {
                position += 1
                let isLast = byte <= UInt8(ascii: "Z")
                let index = Int(byte - UInt8(ascii: isLast ? "A" : "a"))
                guard words.indices.contains(index) else { return nil }
                name += words[index]
                if isLast { hasWords = false }
            }
            if take("0") { break }
            guard let length = natural(), length > 0, position + length <= text.count else { return nil }
            let slice = text[position..<position + length]
            name += slice
            noteWords(of: slice)
            position += length
        } while hasWords
        return name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
    }

    private mutating func noteWords(of slice: ArraySlice<UInt8>) {
        var start: Int?
        for index in slice.startIndex...slice.endIndex {
            let byte = index < slice.endIndex ? slice[index] : 0
            if let begin = start, Self.isWordEnd(byte, after: slice[index - 1]) {
                if index - begin >= 2, words.count < 26 { words.append(slice[begin..<index]) }
                start = nil
            }
            if start == nil, !(0x30...0x39).contains(byte), byte != UInt8(ascii: "_"), byte != 0 { start = index }
        }
    }

    private static func isWordEnd(_ byte: UInt8, after previous: UInt8) -> Bool {
        if byte == UInt8(ascii: "_") || byte == 0 { return true }
        return !(0x41...0x5A).contains(previous) && (0x41...0x5A).contains(byte)
    }

    private func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) }
}

/// The types of the standard library that have a letter of their own.
enum SwiftStandardTypes {
    static let core: [UInt8: String] = table([
        "A": "AutoreleasingUnsafeMutablePointer", "a": "Array", "b": "Bool", "D": "Dictionary", "d": "Double",
        "f": "Float", "h": "Set", "I": "DefaultIndices", "i": "Int", "J": "Character", "N": "ClosedRange",
        "n": "Range", "O": "ObjectIdentifier", "P": "UnsafePointer", "p": "UnsafeMutablePointer",
        "R": "UnsafeBufferPointer", "r": "UnsafeMutableBufferPointer", "S": "String", "s": "Substring", "u": "UInt",
        "V": "UnsafeRawPointer", "v": "UnsafeMutableRawPointer", "W": "UnsafeRawBufferPointer",
        "w": "UnsafeMutableRawBufferPointer", "q": "Optional", "B": "BinaryFloatingPoint", "E": "Encodable",
        "e": "Decodable", "F": "FloatingPoint", "G": "RandomNumberGenerator", "H": "Hashable", "j": "Numeric",
        "K": "BidirectionalCollection", "k": "RandomAccessCollection", "L": "Comparable", "l": "Collection",
        "M": "MutableCollection", "m": "RangeReplaceableCollection", "Q": "Equatable", "T": "Sequence",
        "t": "IteratorProtocol", "U": "UnsignedInteger", "X": "RangeExpression", "x": "Strideable",
        "Y": "RawRepresentable", "y": "StringProtocol", "Z": "SignedInteger", "z": "BinaryInteger",
    ])

    static let concurrency: [UInt8: String] = table([
        "A": "Actor", "C": "CheckedContinuation", "c": "UnsafeContinuation", "E": "CancellationError",
        "e": "UnownedSerialExecutor", "F": "Executor", "f": "SerialExecutor", "G": "TaskGroup",
        "g": "ThrowingTaskGroup", "h": "TaskExecutor", "I": "AsyncIteratorProtocol", "i": "AsyncSequence",
        "J": "UnownedJob", "M": "MainActor", "P": "TaskPriority", "S": "AsyncStream", "s": "AsyncThrowingStream",
        "T": "Task", "t": "UnsafeCurrentTask",
    ])

    private static func table(_ names: [String: String]) -> [UInt8: String] {
        Dictionary(uniqueKeysWithValues: names.map { ($0.key.utf8.first!, $0.value) })
    }
}
