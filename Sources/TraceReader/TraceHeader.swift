// The file header (FORMAT.md §1): 64 bytes that say who wrote the file, on what machine and by which clock.

/// The processor architecture of the traced program.
public enum Architecture: Equatable, Sendable {
    /// x86-64.
    case amd64
    /// 64-bit Arm.
    case aarch64
    /// One that this version does not know: the number in the file; 0 for the text dialect, which does not say.
    case other(Int)
}

/// The fixed facts at the start of a trace.
struct TraceHeader: Sendable {
    var architecture = Architecture.other(0)
    var clock: UInt8 = 0
    var pageSize = 0
    var mode: UInt32 = 0
    var flags: UInt32 = 0
    var processID = 0
    var sampleBytes: UInt64 = 0
    var startTicks: UInt64 = 0
    var startNanoseconds: UInt64 = 0

    /// The facts of a text trace: none.
    init() {}

    /// Reads the header of a file that starts with the magic.
    init(parsing file: UnsafeRawBufferPointer) throws(TraceError) {
        guard file.count >= Format.fileHeaderBytes else { throw .cutInHeader(offset: UInt64(file.count)) }
        let window = try ByteWindow(file, offset: 0).slice(0, Format.fileHeaderBytes)
        let checksum = Format.checksum(UnsafeRawBufferPointer(rebasing: window.bytes[..<60]))
        guard try window.load(60, as: UInt32.self) == checksum else {
            throw .corrupt(offset: 0, what: "the file header's checksum does not match")
        }
        let major = try Int(window.load(8, as: UInt16.self))
        let minor = try Int(window.load(10, as: UInt16.self))
        guard major <= Format.majorVersion else { throw .unsupportedVersion(offset: 8, major: major, minor: minor) }
        guard major > 0 else { throw .corrupt(offset: 8, what: "format version 0") }
        switch try window.load(12, as: UInt8.self) {
        case 1: architecture = .amd64
        case 2: architecture = .aarch64
        case let number: architecture = .other(Int(number))
        }
        guard try window.load(13, as: UInt8.self) == 1 else {
            throw .unsupported(offset: 13, what: "a byte order other than little-endian")
        }
        guard try window.load(14, as: UInt8.self) == 64 else {
            throw .unsupported(offset: 14, what: "pointers of other than 64 bits")
        }
        clock = try window.load(15, as: UInt8.self)
        guard clock == 1 || clock == 2 else { throw .unsupported(offset: 15, what: "clock \(clock)") }
        pageSize = try Int(window.load(16, as: UInt32.self))
        mode = try window.load(20, as: UInt32.self)
        flags = try window.load(24, as: UInt32.self)
        processID = try Int(window.load(28, as: UInt32.self))
        sampleBytes = try window.load(32, as: UInt64.self)
        startTicks = try window.load(40, as: UInt64.self)
        startNanoseconds = try window.load(48, as: UInt64.self)
    }
}
