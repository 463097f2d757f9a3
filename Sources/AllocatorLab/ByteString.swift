// Words of a command line and variables of an environment, which are bytes to the kernel and to the program that gets them.

internal import Glibc

/// A string as the kernel has it: bytes, none of them zero, that need not be UTF-8. A `String` would change those that are
/// not.
public struct ByteString: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The bytes, without a zero at the end.
    public let bytes: [UInt8]

    /// Takes bytes as they are, up to the first zero.
    public init(bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes.prefix { $0 != 0 })
    }

    /// Takes a text's UTF-8.
    public init(_ text: String) {
        self.init(bytes: text.utf8)
    }

    /// Takes the bytes up to the zero.
    public init(cString: UnsafePointer<CChar>) {
        bytes = Array(UnsafeRawBufferPointer(start: cString, count: strlen(cString)))
    }

    /// Takes a literal's UTF-8.
    public init(stringLiteral text: String) {
        self.init(text)
    }

    /// The text, to be shown: what is not UTF-8 is replaced by U+FFFD.
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// Whether it is UTF-8, so that its description is what it is.
    public var isText: Bool { String(validating: bytes, as: UTF8.self) != nil }

    /// What follows a beginning; nil where it begins otherwise.
    func dropping(prefix: String) -> ArraySlice<UInt8>? {
        bytes.starts(with: prefix.utf8) ? bytes.dropFirst(prefix.utf8.count) : nil
    }

    /// A copy with a zero at its end, for `free`.
    fileprivate func copy() -> UnsafeMutablePointer<CChar>? {
        (bytes + [0]).withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { strdup($0.baseAddress!) }
        }
    }

    /// The variables of this process.
    static var environment: [ByteString] {
        var variables: [ByteString] = []
        var cursor = environ
        while let entry = cursor.pointee {
            variables.append(ByteString(cString: entry))
            cursor += 1
        }
        return variables
    }
}

extension [ByteString] {
    /// Calls a function with these strings as `execve` takes them: an array of pointers, its last one null.
    public func withCStrings<Result, Failure: Error>(
        _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: count + 1)
        for (index, string) in enumerated() {
            (pointers + index).initialize(to: string.copy())
        }
        (pointers + count).initialize(to: nil)
        defer {
            for index in indices { free(pointers[index]) }
            pointers.deallocate()
        }
        return try body(pointers)
    }
}
