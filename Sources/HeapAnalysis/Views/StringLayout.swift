// How each language lays a string out on the heap: what the size of a block says about the text in it, and what only the text could say.
// Recorders measure sizes. A block's size gives its capacity, the longest text that fits; of a string that was made to measure it also gives the
// shortest, for sizes are rounded up. Sources: Swift's StringStorage (32 bytes of header, text, a zero byte, from 64 bytes of text on a pointer for
// breadcrumbs, rounded up to 16; measured on 6.3: lengths 16 to 31 ask for 64 bytes, 63 for 96, 64 for 112); Rust's String, a Vec<u8> of
// exactly its capacity; libstdc++ (capacity and a zero byte, 15 bytes inline); libc++ (the same rounded up to 16, 22 bytes inline).

internal import Symbolication

/// What a string type keeps on the heap.
public enum StringLayout: String, Sendable, CaseIterable {
    /// Swift's `String`.
    case swift
    /// Rust's `String`.
    case rust
    /// `std::string` of libstdc++.
    case libstdcxx = "libstdc++"
    /// `std::string` of libc++.
    case libcxx = "libc++"

    /// Bytes of a value of the type, which lies wherever it is stored.
    public var valueBytes: Int {
        switch self {
        case .swift: 16
        case .rust, .libcxx: 24
        case .libstdcxx: 32
        }
    }

    /// The longest text that takes no block today.
    public var inlineCapacity: Int {
        switch self {
        case .swift, .libstdcxx: 15
        case .libcxx: 22
        case .rust: 0
        }
    }

    private static let swiftHeader = 32
    private static let swiftBreadcrumbsFrom = 64
    private static let swiftBreadcrumbs = 8
    private static let rounding = 16

    /// The lengths that ask for a block of this size when the string is made to measure; the upper bound is its capacity. Nil for a size that the
    /// layout does not produce. Strings with room to spare may be shorter.
    public func lengths(ofBlock size: Int) -> ClosedRange<Int>? {
        switch self {
        case .rust: return size > 0 ? size...size : nil
        case .libstdcxx: return size > inlineCapacity + 1 ? size - 1...size - 1 : nil
        case .libcxx:
            guard size > inlineCapacity + 1 else { return nil }
            return size % Self.rounding == 0
                ? max(inlineCapacity + 1, size - Self.rounding)...size - 1 : size - 1...size - 1
        case .swift:
            let tail = size - Self.swiftHeader
            guard tail >= 2 * Self.rounding, tail % Self.rounding == 0 else { return nil }
            if tail <= Self.swiftBreadcrumbsFrom {
                return max(inlineCapacity + 1, tail - Self.rounding)...tail - 1
            }
            let longest = tail - 1 - Self.swiftBreadcrumbs
            return max(Self.swiftBreadcrumbsFrom, longest - Self.rounding + 1)...longest
        }
    }

    /// The layout of what a stack allocated, nil for types whose layout is not known (wide strings, types of the program's own).
    static func layout(of stack: ProfileStack, in profile: HeapProfile) -> StringLayout? {
        let owner = stack.attribution.owner
        switch (owner.language, owner.type) {
        case ("swift", "String"): return .swift
        case ("rust", "String"): return .rust
        case ("c++", "std::string"):
            let isLibcxx = stack.frames.contains { number in
                let frame = profile.frames[Int(number)]
                return frame.modulePath.contains("/libc++.so") || frame.function.contains("std::__1::")
            }
            return isLibcxx ? .libcxx : .libstdcxx
        default: return nil
        }
    }
}

/// A string type with room inside, as a what-if compares it.
public struct InlineCapacity: Sendable, Hashable {
    /// The longest text that takes no block.
    public var bytes: Int
    /// Bytes of a value.
    public var valueBytes: Int
    /// Types that are like this.
    public var examples: String

    /// The capacities that libraries offer today: a value of 16, 24 or 32 bytes.
    public static let all = [
        InlineCapacity(bytes: 15, valueBytes: 16, examples: "Swift's String, ecow"),
        InlineCapacity(bytes: 22, valueBytes: 24, examples: "libc++'s std::string"),
        InlineCapacity(bytes: 23, valueBytes: 24, examples: "smartstring, smol_str, SmartPointers.CompactString"),
        InlineCapacity(bytes: 24, valueBytes: 24, examples: "compact_str"),
        InlineCapacity(bytes: 30, valueBytes: 32, examples: "SmartPointers.SmallString"),
    ]
}
