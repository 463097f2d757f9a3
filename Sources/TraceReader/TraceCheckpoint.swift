// CHECKPOINT chunks (FORMAT.md §9): the scan verifies their form and keeps where they are; their blocks are decoded when they are asked for.

/// A block that is live at a checkpoint.
public struct CheckpointBlock: Sendable, Equatable {
    /// Its address.
    public var address: UInt64
    /// Bytes asked for.
    public var size: UInt64
    /// Ticks of its allocation.
    public var time: UInt64
    /// The address of the runtime's metadata that names the type, 0 when not known.
    public var typeID: UInt64
    /// How many allocations it stands for: 1 unless the trace is sampled.
    public var weight: Double
    /// The call stack of the allocation.
    public var stack: StackID
    /// The thread that allocated.
    public var thread: ThreadSerial
    /// See ``HeapEvent/alignmentCode``.
    public var alignmentCode: UInt8

    /// A block of these facts.
    public init(
        address: UInt64, size: UInt64, time: UInt64, typeID: UInt64, weight: Double, stack: StackID,
        thread: ThreadSerial, alignmentCode: UInt8
    ) {
        self.address = address
        self.size = size
        self.time = time
        self.typeID = typeID
        self.weight = weight
        self.stack = stack
        self.thread = thread
        self.alignmentCode = alignmentCode
    }
}

/// A moment of a trace at which it tells the live blocks, so that a reader need not replay what came before.
public struct TraceCheckpoint: Sendable, Equatable {
    /// The image whose blocks it holds.
    public let image: Int
    /// Ticks: every event up to this time is taken, none after it.
    public let time: UInt64
    /// Live blocks.
    public let blockCount: Int
    /// Allocations of the image up to here.
    public let allocations: UInt64
    /// Frees of the image up to here.
    public let frees: UInt64
}

/// A checkpoint and where its parts lie.
struct CheckpointParts: Sendable {
    /// One part's payload.
    struct Part: Sendable {
        var payload: UInt64
        var storedBytes: Int
        var rawBytes: Int
        var codec: UInt8
        var firstTime: UInt64
    }

    var info: TraceCheckpoint
    var parts: [Part] = []
    let partCount: Int
    var blocksSoFar = 0
    var lastAddress: UInt64 = 0

    var isWhole: Bool { parts.count == partCount }

    /// Bytes of a part of so many blocks, without padding.
    static func bytes(blocks: Int) -> Int { 40 + 49 * blocks }
}

extension TraceScanner {
    /// Takes a CHECKPOINT chunk: the first part of a new one, or the next of the last one.
    mutating func takeCheckpoint(_ header: ChunkHeader, _ payload: ByteWindow, at offset: UInt64) throws(TraceError) {
        func fault(_ what: String) -> TraceError { .corrupt(offset: payload.offset, what: what) }
        let part = try payload.load(0, as: UInt32.self)
        let parts = try payload.load(4, as: UInt32.self)
        let blocks = try payload.load(8, as: UInt64.self)
        let all = try payload.load(16, as: UInt64.self)
        guard blocks <= UInt64(payload.count / 49), let blockCount = Int(exactly: all), part < parts,
            CheckpointParts.bytes(blocks: Int(blocks)) <= payload.count,
            payload.count - CheckpointParts.bytes(blocks: Int(blocks)) < 8
        else { throw fault("a checkpoint of another size than its blocks") }
        let info = try TraceCheckpoint(
            image: Int(header.image), time: header.firstTime, blockCount: blockCount,
            allocations: payload.load(24, as: UInt64.self), frees: payload.load(32, as: UInt64.self))
        var checkpoint = CheckpointParts(info: info, partCount: Int(parts))
        if part > 0 {
            guard let last = contents.checkpoints.indices.last, contents.checkpoints[last].info == info,
                contents.checkpoints[last].partCount == parts, contents.checkpoints[last].parts.count == part
            else { throw fault("a part of a checkpoint that is not the next") }
            // Taken out, not copied: there may be any number of parts.
            checkpoint = contents.checkpoints.removeLast()
        }
        for row in 0..<Int(blocks) {
            let step = try payload.load(40 + row * 8, as: UInt64.self)
            let (address, isOver) = checkpoint.lastAddress.addingReportingOverflow(step)
            let isFirst = checkpoint.blocksSoFar == 0 && row == 0
            guard !isOver, step > 0 || isFirst else { throw fault("a checkpoint whose addresses do not ascend") }
            checkpoint.lastAddress = address
            let weight = try payload.load(40 + (4 * Int(blocks) + row) * 8, as: UInt64.self)
            guard Self.isWeight(weight) else { throw fault("a weight that is no weight") }
        }
        checkpoint.blocksSoFar += Int(blocks)
        checkpoint.parts.append(
            CheckpointParts.Part(
                payload: offset + UInt64(Format.chunkHeaderBytes), storedBytes: header.storedBytes,
                rawBytes: header.rawBytes, codec: header.codec, firstTime: header.firstTime))
        guard !checkpoint.isWhole || checkpoint.blocksSoFar == blockCount else {
            throw fault("a checkpoint of another number of blocks than it says")
        }
        contents.checkpoints.append(checkpoint)
    }
}

extension Trace {
    /// The checkpoints of an image (the last one when `nil`), by time; none in a trace that was not compacted. O(n log n).
    public func checkpoints(image: Int? = nil) -> [TraceCheckpoint] {
        contents.checkpoints.filter { $0.isWhole && $0.info.image == image ?? lastImage }.map(\.info)
            .sorted { $0.time < $1.time }
    }

    /// The blocks of a checkpoint of this trace, by address.
    /// - Throws: ``TraceError`` when the file is no longer what it was when the trace was opened. O(blocks).
    public func blocks(of checkpoint: TraceCheckpoint) throws(TraceError) -> [CheckpointBlock] {
        guard let found = contents.checkpoints.first(where: { $0.isWhole && $0.info == checkpoint }) else { return [] }
        let unpacker = ChunkUnpacker()
        let whole = ByteWindow(fileBytes, offset: 0)
        var blocks: [CheckpointBlock] = []
        var address: UInt64 = 0
        for part in found.parts {
            var payload = try whole.slice(Int(part.payload), part.storedBytes)
            if part.codec != 0 {
                let header = try ChunkHeader(
                    parsing: whole.slice(Int(part.payload) - Format.chunkHeaderBytes, Format.chunkHeaderBytes))
                payload = try unpacker.unpack(header, payload)
            }
            let count = try min(Int(clamping: payload.load(8, as: UInt64.self)), payload.count / 49)
            for row in 0..<count {
                func wide(_ column: Int) throws(TraceError) -> UInt64 {
                    try payload.load(40 + (column * count + row) * 8, as: UInt64.self)
                }
                func narrow(_ column: Int) throws(TraceError) -> UInt32 {
                    try payload.load(40 + count * 40 + (column * count + row) * 4, as: UInt32.self)
                }
                address &+= try wide(0)
                try blocks.append(
                    CheckpointBlock(
                        address: address, size: wide(1), time: wide(2), typeID: wide(3),
                        weight: Double(bitPattern: wide(4)), stack: StackID(narrow(0)), thread: ThreadSerial(narrow(1)),
                        alignmentCode: payload.load(40 + count * 48 + row, as: UInt8.self)))
            }
        }
        return blocks
    }
}
