// Which functions form closures: it tells the context of one from other users of the same kind of heap context. A closure that keeps something has a
// function that takes it out of its context and calls on, named after the function that the closure lies in: `$s…FU_TA`.

/// The functions of a file in which closures with contexts are formed.
struct SwiftClosureNames {
    /// Names of such closures, sorted; nil in a file without names.
    private var closures: [[UInt8]]?

    /// Reads a file's symbols. O(symbols).
    init(_ image: SwiftImage) {
        var found: [[UInt8]] = []
        var hasNames = false
        image.forEachFunctionName { name in
            guard name.count > 6, name[0] == UInt8(ascii: "$"), name[1] == UInt8(ascii: "s") else { return }
            hasNames = true
            if Self.takesContextApart(name) { found.append(Array(name)) }
        }
        if hasNames { closures = found.sorted { $0.lexicographicallyPrecedes($1) } }
    }

    /// Whether `TA` ends the name, or stands before a number (`.3`) or the parts of an asynchronous function (`TQ0_`).
    private static func takesContextApart(_ name: UnsafeRawBufferPointer) -> Bool {
        var index = name.count - 1
        while index > 4 {
            if name[index] == UInt8(ascii: "A"), name[index - 1] == UInt8(ascii: "T") {
                let next = index + 1 < name.count ? name[index + 1] : 0
                if next == 0 || next == UInt8(ascii: ".") || next == UInt8(ascii: "T") { return true }
            }
            index -= 1
        }
        return false
    }

    /// Whether a closure with a context is formed in the function of this symbol; nil without names, or for no Swift symbol. O(log closures).
    func areFormed(in linkageName: String) -> Bool? {
        guard let closures else { return nil }
        let name = Self.unspecialized(Array(linkageName.utf8))
        guard name.starts(with: "$s".utf8), name.count > 4 else { return nil }
        var low = 0
        var high = closures.count
        while low < high {
            let middle = (low + high) / 2
            if closures[middle].lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
        }
        while low < closures.count, closures[low].starts(with: name) {
            // What continues with `T` is the function itself, taken as a closure by another.
            if closures[low].count > name.count, closures[low][name.count] != UInt8(ascii: "T") { return true }
            low += 1
        }
        return false
    }

    /// The name of a function of which this is a specialization or, of an asynchronous one, a part: `…FTg5`, `…FTY0_`.
    private static func unspecialized(_ name: [UInt8]) -> [UInt8] {
        var end = name.count
        while end > 4 {
            end -= 1
            guard name[end] == UInt8(ascii: "T") else { continue }
            let last = name[end - 1]
            let isFunction =
                last == UInt8(ascii: "F") || last == UInt8(ascii: "_")
                || last == UInt8(ascii: "Z") && name[end - 2] == UInt8(ascii: "F")
                || (last == UInt8(ascii: "C") || last == UInt8(ascii: "c")) && name[end - 2] == UInt8(ascii: "f")
            if isFunction, end + 1 < name.count, "gGBYQfs".utf8.contains(name[end + 1]) {
                return unspecialized(Array(name[..<end]))
            }
        }
        return name
    }
}
