// A view of a row of elements in memory that somebody else owns: the array's counterpart of `BorrowedString`.

/// A row of elements in somebody else's memory.
///
/// **Whoever makes a view keeps the elements alive and unchanged for as long as the view is used.**
public struct BorrowedArray<Element> {
    /// The elements. Valid under the type's lifetime rule.
    public let elements: UnsafeBufferPointer<Element>

    /// A view of elements that the caller keeps alive and unchanged.
    ///
    /// - Parameter elements: The elements.
    public init(_ elements: UnsafeBufferPointer<Element>) { self.elements = elements }
}

extension BorrowedArray: RandomAccessCollection {
    /// 0.
    public var startIndex: Int { 0 }

    /// The number of elements.
    public var endIndex: Int { elements.count }

    /// The element at a position below `endIndex`.
    public subscript(position: Int) -> Element { elements[position] }
}

extension BorrowedArray: Equatable where Element: Equatable {
    /// True where the elements are equal, one by one.
    public static func == (left: BorrowedArray, right: BorrowedArray) -> Bool { left.elementsEqual(right) }
}

extension BorrowedArray: Hashable where Element: Hashable {
    /// Hashes the count and the elements.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        for element in self { hasher.combine(element) }
    }
}

// Reading the same unchanging elements from two threads is as safe as the elements are.
extension BorrowedArray: @unchecked Sendable where Element: Sendable {}

extension BorrowedArray: ToOwned {
    /// An array of the same elements.
    ///
    /// - Returns: The array: one block, or none where there are no elements.
    /// - Complexity: O(elements).
    public func toOwned() -> [Element] { Array(elements) }
}

extension Array: Borrow {
    /// Calls `body` with a view of the array's own storage.
    ///
    /// - Parameter body: What reads the view; it must not let the view out.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func withBorrow<Result, Failure: Error>(
        _ body: (BorrowedArray<Element>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeBufferPointer { elements throws(Failure) in try body(BorrowedArray(elements)) }
    }
}
