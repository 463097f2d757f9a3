// The two protocols beneath `Cow`: a view can become an owner, and an owner can be seen as a view.
// Owns the conformances of the pairs (BorrowedString, String) and (BorrowedArray, Array).

/// An owner whose content can be read through a borrowed view.
public protocol Borrow<Borrowed> {
    /// The view.
    associatedtype Borrowed

    /// Calls `body` with a view of the content, valid only during the call.
    ///
    /// - Parameter body: What reads the view; it must not let the view out.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    func withBorrow<Result, Failure: Error>(_ body: (Borrowed) throws(Failure) -> Result) throws(Failure) -> Result
}

/// A borrowed view from which an owner with the same content can be made.
public protocol ToOwned {
    /// The owner.
    associatedtype Owned: Borrow<Self>

    /// Copies the content into an owner of its own.
    ///
    /// - Returns: The owner.
    /// - Complexity: O(content).
    func toOwned() -> Owned
}

extension String: Borrow {
    /// Calls `body` with the string's own UTF-8 bytes; a native string is not copied.
    ///
    /// - Parameter body: What reads the view; it must not let the view out.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func withBorrow<Result, Failure: Error>(
        _ body: (BorrowedString) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var string = self
        return try withBorrow(&string, body)
    }

    private func withBorrow<Result, Failure: Error>(
        _ string: inout String, _ body: (BorrowedString) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // withUTF8 rethrows untyped; the failure is carried out as a value to keep its type.
        let outcome: Swift.Result<Result, Failure> = string.withUTF8 { bytes in
            do throws(Failure) {
                return .success(try body(BorrowedString(bytes)))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }
}

extension BorrowedString: ToOwned {
    /// A `String` of the same text; bytes that are no UTF-8 become U+FFFD.
    ///
    /// - Returns: The string: one block above 15 bytes, none up to that.
    /// - Complexity: O(bytes).
    public func toOwned() -> String { String(decoding: bytes, as: UTF8.self) }
}
