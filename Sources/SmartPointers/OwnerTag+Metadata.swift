// Keeping the run-time's own blocks out of a tag: a class's metadata is set up on the heap at its first use, which would
// otherwise fall under the tag of its first object.

internal import HeaptrailTags

extension OwnerTag {
    /// Sets the metadata of a class up, now rather than with its first object.
    ///
    /// - Parameter type: A class whose objects are about to be made under a tag.
    /// - Complexity: O(1) after the first call for a class.
    @inline(never)
    @_optimize(none)
    static func prepare(_ type: any AnyObject.Type) {
        withExtendedLifetime(ObjectIdentifier(type)) {}
    }
}
