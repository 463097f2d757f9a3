// The storage of one Swift type during the pass: which sizes live, and what a new size can have come from.
//
// Storage that frees nothing when it is made is either a copy of storage that lives on, or the first of a container that had none. Sizes tell: a copy
// has the capacity of its source, or twice that where the source was full; the first storage of a container that elements are appended to has
// room for one of them. What fits neither stays undecided.

struct StorageSizes {
    private struct Size {
        var live = 0
        /// Bytes that the allocator gives for it.
        var usable: UInt64
    }

    /// Bytes before the first element of Swift's arrays and strings.
    private static let header: UInt64 = 32
    /// The most that a string takes that has just become too long to be kept in its own 16 bytes.
    private static let firstText: UInt64 = 64
    /// The most that a table with room for one small element takes.
    private static let firstTable: UInt64 = 200
    /// Where one size alone was seen, an element is not taken to be larger.
    private static let usualStride: UInt64 = 64
    /// Sizes looked through before everything counts as a possible source.
    private static let mostSizes = 4096

    private var sizes: [UInt64: Size] = [:]
    private var live = 0
    private var smallest = UInt64.max
    /// The greatest number of bytes that an element can have: what all sizes so far are multiples of.
    private var stride: UInt64 = 0
    private let knowsStride: Bool
    /// Whether sizes that differ bear the stride out.
    private var isBorneOut = false

    /// - Parameter stride: bytes of an element, nil where the type's name does not tell.
    init(stride: Int?) {
        knowsStride = stride != nil
        self.stride = stride.map { UInt64($0) } ?? 0
    }

    /// Takes storage that has become live. Expected O(1).
    mutating func add(_ size: UInt64, slack: Int) {
        sizes[size, default: Size(usable: size &+ UInt64(max(0, slack)))].live += 1
        live += 1
        smallest = min(smallest, size)
        if !knowsStride, size > Self.header {
            let room = size - Self.header
            isBorneOut = isBorneOut || stride != 0 && stride != room
            stride = Self.commonDivisor(stride, room)
        }
    }

    /// Takes back storage that has ended. Expected O(1).
    mutating func remove(_ size: UInt64) {
        guard let known = sizes[size], known.live > 0 else { return }
        live -= 1
        if known.live == 1 { sizes[size] = nil } else { sizes[size]?.live -= 1 }
    }

    /// Whether `size` is that of the first storage of a container, by the size alone: room for one element.
    /// - Parameter isCopied: whether frames say that it is copied, which they do of a table that was empty, too.
    func isFirst(_ size: UInt64, in storage: StackClass.Storage, isCopied: Bool) -> Bool {
        switch storage {
        case .array:
            let element = knowsStride || isBorneOut ? stride : min(stride, Self.usualStride)
            return size < Self.header &+ 2 &* element
        case .text: return size <= Self.firstText
        case .table: return size <= smallest && (!isCopied || size <= Self.firstTable)
        case .other: return false
        }
    }

    /// Whether storage of other containers lives. O(1).
    /// - Parameter own: storage of this type that does not count.
    func hasOthers(than own: Int) -> Bool { live > own }

    /// Whether storage lives that storage of `size` can be a copy of. O(distinct sizes).
    /// - Parameter own: storage of that size, itself, that does not count.
    func hasSource(of size: UInt64, in storage: StackClass.Storage, own: Int) -> Bool {
        if sizes.count > Self.mostSizes { return true }
        return sizes.contains { source, known in
            if source == size { return known.live > own }
            if source < size, size <= known.usable { return true }
            guard source < size, source > Self.header else { return false }
            switch storage {
            case .array:
                // Twice what its source had room for.
                let half = Self.header &+ (size &- Self.header) / 2
                return half >= source && half <= known.usable
            case .text:
                // The same, the terminator and the rounding to 16 bytes aside.
                let half = Self.header &+ (size &- Self.header) / 2
                return half &+ 16 >= source && half <= known.usable &+ 16
            case .table: return size > source &+ source / 2 && size < source &* 5 / 2
            case .other: return false
            }
        }
    }

    private static func commonDivisor(_ first: UInt64, _ second: UInt64) -> UInt64 {
        var (larger, smaller) = (first, second)
        while smaller != 0 { (larger, smaller) = (smaller, larger % smaller) }
        return larger
    }
}
