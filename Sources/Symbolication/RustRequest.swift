// What the layout that Rust code passes to its allocator says of the block.

/// The size and alignment that a call of Rust's allocator passes, or those of a vector's elements.
struct RustRequest {
    /// The size in bytes, where it is a constant.
    var size: UInt64?
    var alignment: UInt64
    /// Whether the layout is that of the elements of a vector.
    var isOfElements: Bool
    /// Whether it is a vector's code that asks.
    var isVector = false
    /// Whether it is the code of a single value, of a constant size.
    var isValue = false
    /// `rc` or `arc` where the size is that of a counted value.
    var counted: String?

    /// What can be meant by it.
    ///
    /// Text and bytes alone are aligned to one byte, but for single values of such. hashbrown aligns its tables to the
    /// 16 bytes that it probes at once. A size that is not seen here may be a constant all the same,
    /// so only a vector's own code tells an array.
    var kind: String? {
        if let counted { return counted }
        if isOfElements { return size == 1 ? "bytes" : size.map { "elements<\($0)>" } }
        if isValue, alignment < 16 { return "box" }
        if alignment == 1 { return "bytes" }
        if isVector { return "array" }
        return alignment >= 16 && size == nil ? "table" : "object"
    }
}
