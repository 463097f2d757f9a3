// A small file of text that a user wrote: rules, suppressions. Whatever else a path may lead to is one line of refusal.
internal import SystemPackage

enum TextInput {
    /// Bytes that such a file may have at most.
    private static let limit = 1 << 20

    /// The text at `path`.
    /// - Parameter noun: what the file should hold, for the error.
    /// - Throws: `Failure` 66 where nothing can be read, 65 where what is read is no text, or too much of it.
    static func read(_ path: String, noun: String) throws(Failure) -> String {
        let bytes: [UInt8]
        do {
            let descriptor = try FileDescriptor.open(FilePath(path), .readOnly)
            bytes = try descriptor.closeAfter { try contents(of: descriptor) }
        } catch {
            throw Failure(status: .noInput, "cannot read \(path): \(error); name a file of \(noun)")
        }
        if bytes.count > limit {
            throw Failure(status: .data, "\(path) has more than 1 MiB, which is no file of \(noun)")
        }
        if let position = bytes.firstIndex(of: 0) {
            throw Failure(
                status: .data, "\(path), line \(line(of: position, in: bytes)): a zero byte; this is no text of \(noun)"
            )
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            let position = firstInvalid(in: bytes)
            throw Failure(
                status: .data,
                "\(path), line \(line(of: position, in: bytes)): not UTF-8; this is no text of \(noun)")
        }
        return text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
    }

    /// What can be read, a little more than the limit at most.
    private static func contents(of descriptor: FileDescriptor) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count <= limit {
            let part = try [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
                count = try descriptor.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            if part.isEmpty { break }
            bytes += part
        }
        return bytes
    }

    private static func line(of position: Int, in bytes: [UInt8]) -> Int {
        bytes[..<position].count { $0 == UInt8(ascii: "\n") } + 1
    }

    private static func firstInvalid(in bytes: [UInt8]) -> Int {
        var start = 0
        for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") || index == bytes.count - 1 {
            if String(validating: bytes[start...index], as: UTF8.self) == nil { return start }
            start = index + 1
        }
        return start
    }
}
