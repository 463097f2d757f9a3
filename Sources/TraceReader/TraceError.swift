// Why a trace cannot be read, or can be read only up to a point. Every case that is about the file's content names the byte offset.

/// What is wrong with a trace.
public enum TraceError: Error, Equatable, Sendable {
    /// The file could not be opened or read: the system's error number.
    case unreadable(path: String, errno: Int32)
    /// The file holds no bytes.
    case empty
    /// Neither the trace's magic nor a single event line of the text dialect.
    case foreign
    /// The file ends inside the file header: there is nothing to read.
    case cutInHeader(offset: UInt64)
    /// A checksum does not match or a field is outside its bounds.
    case corrupt(offset: UInt64, what: String)
    /// The trace was written by a later version of the format.
    case unsupportedVersion(offset: UInt64, major: Int, minor: Int)
    /// A byte order, pointer width, chunk kind or codec that this reader does not know.
    case unsupported(offset: UInt64, what: String)

    /// The byte of the file the error is about; 0 for an empty, foreign or unreadable file.
    public var offset: UInt64 {
        switch self {
        case .unreadable, .empty, .foreign: 0
        case .cutInHeader(let offset), .corrupt(let offset, _), .unsupportedVersion(let offset, _, _),
            .unsupported(let offset, _):
            offset
        }
    }

    /// Whether the file was read and found bad (exit status 65), as against not being readable at all (66).
    public var isBadData: Bool {
        if case .unreadable = self { false } else { true }
    }

    /// Whether a checksum or a bound failed.
    public var isCorrupt: Bool {
        if case .corrupt = self { true } else { false }
    }
}

extension TraceError: CustomStringConvertible {
    /// One line: what is wrong and at which byte.
    public var description: String {
        switch self {
        case .unreadable(let path, let number): "cannot read \(path): \(systemErrorText(number))"
        case .empty: "the file is empty (byte 0)"
        case .foreign: "not a Heaptrail trace: no magic at byte 0, and no ALLOC: or FREE: line anywhere"
        case .cutInHeader(let offset): "the file ends inside its header, at byte \(offset)"
        case .corrupt(let offset, let what): "corrupt at byte \(offset): \(what)"
        case .unsupportedVersion(let offset, let major, let minor):
            "written in format version \(major).\(minor) (byte \(offset)), which is later than this reader's"
                + " \(Format.majorVersion).\(Format.minorVersion)"
        case .unsupported(let offset, let what): "cannot read byte \(offset): \(what)"
        }
    }
}
