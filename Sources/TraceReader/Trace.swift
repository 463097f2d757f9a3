// A trace that is open: the owner of the file's bytes, of what the scan found, and the one thing users of this module start from.
// Immutable after `open`. Memory grows with distinct stacks, modules and types, and by 32 bytes a chunk; never with events.

/// A heap trace, binary or text.
///
/// Opening verifies the whole file and collects its definitions; ``forEachEvent(image:_:)-(_,Visitor)`` then delivers the events.
/// A trace that was cut or is corrupt somewhere opens too, with everything before that point: see ``isComplete``, ``cutOffset`` and
/// ``corruption``.
public final class Trace: Sendable {
    /// How a trace came about.
    public enum Mode: Equatable, Sendable {
        /// A collector process drained the program's rings.
        case collector
        /// A thread inside the program drained them.
        case thread
        /// A tool wrote it out of another trace.
        case converted
        /// It is in the text dialect.
        case text
        /// One that this version does not know: the number in the file.
        case other(Int)
    }

    // The mapping and the raw pointers into it never change after init, and nobody writes through them: reading them from any
    // thread is safe, which the compiler cannot see.
    nonisolated(unsafe) let file: MappedFile
    let contents: TraceContents
    @usableFromInline let isText: Bool
    private let lastRow: Int

    /// Opens a trace file, recognised by its magic, else by an event line of the text dialect anywhere in it.
    /// - Parameter progress: is told now and then which share of the file was read, from 0 to 1.
    /// - Throws: ``TraceError`` when nothing of it can be read. O(file).
    public static func open(
        path: String, progress: (Double) -> Void = { _ in }
    ) throws(TraceError) -> Trace {
        try Trace(MappedFile(path: path), progress: progress)
    }

    /// Opens a trace that a descriptor gives: standard input. A large one that cannot be mapped goes through a temporary file.
    /// - Throws: ``TraceError`` when nothing of it can be read. O(file).
    public static func open(
        descriptor: Int32, progress: (Double) -> Void = { _ in }
    ) throws(TraceError) -> Trace {
        try Trace(MappedFile(descriptor: descriptor, path: "standard input"), progress: progress)
    }

    /// Opens a trace that is in memory; the bytes are copied.
    /// - Throws: ``TraceError`` when nothing of it can be read. O(bytes).
    public static func open(bytes: [UInt8]) throws(TraceError) -> Trace {
        let file = MappedFile(copying: bytes)
        return try Trace(file)
    }

    private init(
        _ file: consuming MappedFile, progress: (Double) -> Void = { _ in }
    ) throws(TraceError) {
        guard file.bytes.count > 0 else { throw .empty }
        var contents: TraceContents
        if file.bytes.prefix(Format.magic.count).elementsEqual(Format.magic.prefix(file.bytes.count)) {
            contents = try TraceScanner.scan(file, progress: progress)
            isText = false
        } else {
            contents = try TextScanner.scan(file, progress: progress)
            isText = true
        }
        if contents.images.isEmpty { contents.images = [ImageTables(number: 1)] }
        contents.images.sort { $0.info.number < $1.info.number }
        lastRow = contents.images.count - 1
        file.releasePages()
        self.contents = contents
        self.file = file
    }

    // MARK: Images

    /// The number of the last image, the one that reports show unless told otherwise.
    public var lastImage: Int { contents.images[lastRow].info.number }
    /// The images in order.
    public var images: [ImageInfo] { contents.images.map(\.info) }
    /// The definitions of an image (the last one when `nil`), `nil` for a number that the trace does not have. O(images).
    public func tables(image: Int? = nil) -> ImageTables? {
        guard let image else { return contents.images[lastRow] }
        return contents.images.first { $0.info.number == image }
    }
    /// Threads of the last image by serial.
    public var threads: [ThreadInfo] { contents.images[lastRow].threads }
    /// Call stacks of the last image.
    public var stacks: StackTable { contents.images[lastRow].stacks }
    /// Modules of the last image.
    public var modules: ModuleTable { contents.images[lastRow].modules }
    /// Owner tags of the last image.
    public var tags: [TagID: OwnerTagInfo] { contents.images[lastRow].tags }
    /// Counters of the last image by id.
    public var counters: [CounterInfo] { contents.images[lastRow].counters }
    /// Usable sizes of the last image.
    public var usableSizes: UsableSizeTable { contents.images[lastRow].usableSizes }
    /// Names of types of the last image by the address of their metadata.
    public var typeNames: [UInt64: String] { contents.images[lastRow].typeNames }

    // MARK: For the event loop

    var fileBytes: UnsafeRawBufferPointer { file.bytes }
    var chunkRows: [ChunkRow] { contents.chunks }
    var streams: [StreamRow] { contents.streams }
    func releasePages() { file.releasePages() }
}
