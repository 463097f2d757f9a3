// An allocator that tells its own story: one line an event, in the text dialect that Heaptrail reads. Owns the
// re-entrancy guard and the line's formatting. A line is built on the stack and goes out by one write(2), so that
// logging neither allocates nor traces itself.

internal import Glibc

/// Logs every event of another allocator as `ALLOC: 0x…, size N` and `FREE: 0x…, size N`.
///
/// An ALLOC is logged after the block exists and a FREE before it goes, so that the log never shows an address owned
/// twice. Growing and shrinking are a FREE of the old block and an ALLOC of the new. Whatever the sink itself allocates
/// through this or another tracing allocator on the same thread is served and not logged.
public struct TracingAllocator<Wrapped: Allocator>: Allocator {
    /// The allocator that owns the memory.
    public let wrapped: Wrapped
    private let sink: @Sendable (UnsafeRawBufferPointer) -> Void

    /// Logs to a sink of the caller's.
    ///
    /// - Parameters:
    ///   - wrapped: The allocator that owns the memory.
    ///   - sink: Called with one line, its line feed included; the bytes are valid only during the call.
    public init(_ wrapped: Wrapped, sink: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) {
        self.wrapped = wrapped
        self.sink = sink
    }

    /// Logs to a file descriptor by write(2); a line that cannot be written is dropped.
    ///
    /// - Parameters:
    ///   - wrapped: The allocator that owns the memory.
    ///   - descriptor: An open descriptor, which the caller keeps open and closes.
    public init(_ wrapped: Wrapped, descriptor: Int32) {
        self.init(wrapped) { line in
            var rest = line
            while !rest.isEmpty {
                let written = write(descriptor, rest.baseAddress, rest.count)
                if written < 0 && errno == EINTR { continue }
                guard written > 0 else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
        }
    }

    /// Allocates from the wrapped allocator and logs an ALLOC.
    ///
    /// - Parameter layout: The size and alignment wanted.
    /// - Returns: The block's address.
    /// - Throws: ``AllocationError/outOfMemory(_:)``; nothing is logged then.
    public func allocate(_ layout: AllocationLayout) throws(AllocationError) -> UnsafeMutableRawPointer {
        let pointer = try wrapped.allocate(layout)
        log(.allocation, pointer, layout.size)
        return pointer
    }

    /// Logs a FREE and gives the block back to the wrapped allocator.
    ///
    /// - Parameters:
    ///   - pointer: A live block of this allocator.
    ///   - layout: The layout that it has.
    public func deallocate(_ pointer: UnsafeMutableRawPointer, _ layout: AllocationLayout) {
        log(.free, pointer, layout.size)
        wrapped.deallocate(pointer, layout)
    }

    /// Grows a block of the wrapped allocator; logs a FREE and an ALLOC.
    ///
    /// - Parameters:
    ///   - pointer: A live block of this allocator.
    ///   - old: The layout that it has.
    ///   - new: The layout wanted.
    /// - Returns: The block's address now.
    /// - Throws: ``AllocationError/outOfMemory(_:)``; nothing is logged then.
    public func grow(
        _ pointer: UnsafeMutableRawPointer, from old: AllocationLayout, to new: AllocationLayout
    ) throws(AllocationError) -> UnsafeMutableRawPointer {
        let moved = try wrapped.grow(pointer, from: old, to: new)
        log(.free, pointer, old.size)
        log(.allocation, moved, new.size)
        return moved
    }

    /// Shrinks a block of the wrapped allocator; logs a FREE and an ALLOC.
    ///
    /// - Parameters:
    ///   - pointer: A live block of this allocator.
    ///   - old: The layout that it has.
    ///   - new: The layout wanted.
    /// - Returns: The block's address now.
    /// - Throws: ``AllocationError/outOfMemory(_:)``; nothing is logged then.
    public func shrink(
        _ pointer: UnsafeMutableRawPointer, from old: AllocationLayout, to new: AllocationLayout
    ) throws(AllocationError) -> UnsafeMutableRawPointer {
        let moved = try wrapped.shrink(pointer, from: old, to: new)
        log(.free, pointer, old.size)
        log(.allocation, moved, new.size)
        return moved
    }

    private func log(_ event: LogLine.Event, _ pointer: UnsafeMutableRawPointer, _ size: Int) {
        guard size > 0, ReentrancyGuard.enter() else { return }
        defer { ReentrancyGuard.leave() }
        LogLine.withLine(event, address: UInt(bitPattern: pointer), size: size, sink)
    }
}

/// One flag a thread: set while a line is being logged.
private enum ReentrancyGuard {
    /// The key is made once; glibc keeps the first 32 keys' values in the thread itself, so setting one allocates nothing.
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        precondition(pthread_key_create(&key, nil) == 0, "a process has at least one thread key to give")
        return key
    }()

    static func enter() -> Bool {
        guard pthread_getspecific(key) == nil else { return false }
        pthread_setspecific(key, UnsafeRawPointer(bitPattern: 1))
        return true
    }

    static func leave() {
        pthread_setspecific(key, nil)
    }
}

/// The text of one event, built without the heap.
private enum LogLine {
    enum Event {
        case allocation
        case free

        var word: StaticString {
            switch self {
            case .allocation: "ALLOC: 0x"
            case .free: "FREE: 0x"
            }
        }
    }

    /// The longest line: the word, 16 digits of address, `, size `, 20 digits, a line feed.
    private static let capacity = 64

    static func withLine(_ event: Event, address: UInt, size: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 1) { buffer in
            var writer = LineWriter(buffer: buffer)
            writer.append(event.word)
            writer.append(address, radix: 16)
            writer.append(", size ")
            writer.append(UInt(size), radix: 10)
            writer.append("\n")
            body(UnsafeRawBufferPointer(rebasing: buffer[..<writer.end]))
        }
    }
}

/// Appends to a buffer of the caller's, which has the room. A struct and not closures over a variable: those would put the
/// variable on the heap in an unoptimised build.
private struct LineWriter {
    let buffer: UnsafeMutableRawBufferPointer
    private(set) var end = 0

    init(buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

    mutating func append(_ text: StaticString) {
        for offset in 0..<text.utf8CodeUnitCount { append(text.utf8Start[offset]) }
    }

    mutating func append(_ number: UInt, radix: UInt) {
        var divisor: UInt = 1
        while number / divisor >= radix { divisor *= radix }
        while divisor > 0 {
            let digit = UInt8(number / divisor % radix)
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            divisor /= radix
        }
    }

    private mutating func append(_ byte: UInt8) {
        buffer.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
        end += 1
    }
}
