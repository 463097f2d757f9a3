// What the rules say that take an owner from the runtime's metadata, for a person who asks why.

/// The rules by which the Swift runtime's metadata names owners.
public enum RuntimeTypeRules {
    private static let texts = [
        "swift.metadata.array": "the runtime allocated an array's storage class, which names the element's type",
        "swift.metadata.array.specialized":
            "the runtime allocated an array's storage, pooled as AnyObject for all classes; the frames' specialization is more precise and names the element",
        "swift.metadata.string": "the runtime allocated a string's storage class",
        "swift.metadata.dictionary": "the runtime allocated a dictionary's storage class, which names key and value",
        "swift.metadata.set": "the runtime allocated a set's storage class, which names the element",
        "swift.metadata.data": "the runtime allocated the object behind Foundation's Data",
        "swift.metadata.continuation": "the runtime allocated what guards a checked continuation",
        "swift.metadata.stream": "the runtime allocated an asynchronous stream's storage class",
        "swift.metadata.class": "the runtime allocated an instance of this class or actor",
        "swift.metadata.box": "the runtime allocated a box for one value of this type",
        "swift.metadata.error": "the runtime allocated the box of an error; its concrete type is read as it is freed",
        "swift.metadata.indirect":
            "the compiler described a context whose contents are the payload of this enumeration's indirect case",
        "swift.metadata.captured":
            "the compiler described a box for one value, and a closure of the same function captures a variable of its type",
        "swift.metadata.closure": "the compiler described a closure's context, and what it captures",
        "swift.metadata.context":
            "the compiler described a context of one value: a closure in this function may have captured it, or an existential boxed it",
    ]

    /// What the rule of this name says; nil for a rule of another kind. O(1).
    public static func text(of rule: String) -> String? { texts[rule] }

    /// The names of all of them, sorted.
    public static var names: [String] { texts.keys.sorted() }
}
