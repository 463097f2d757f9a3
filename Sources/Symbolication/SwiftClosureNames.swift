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
        guard let closures, linkageName.hasPrefix("$s") else { return nil }
        let name = Array(linkageName.utf8)
        if hasClosure(in: name, of: closures) { return true }
        guard let function = Self.unspecialized(name) else { return false }
        return function == name ? false : areFormed(in: String(decoding: function, as: UTF8.self))
    }

    private func hasClosure(in name: [UInt8], of closures: [[UInt8]]) -> Bool {
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

    /// Whether a closure's number ends the name: `U_`, `u0_`.
    private static func endsInClosure(_ name: ArraySlice<UInt8>) -> Bool {
        var rest = name.dropLast()
        while let last = rest.last, (0x30...0x39).contains(last) { rest = rest.dropLast() }
        return rest.last == UInt8(ascii: "U") || rest.last == UInt8(ascii: "u")
    }

    /// The name of a function of which this is a specialization or, of an asynchronous one, a part (`…FSS_Tg5`, `…FTY0_`): the longest beginning that is
    /// a function's name. nil where there is none.
    private static func unspecialized(_ name: [UInt8]) -> [UInt8]? {
        guard let mark = name.lastIndex(of: UInt8(ascii: "T")), mark > 4 else { return nil }
        var end = mark
        while end > 4 {
            let last = name[end - 1]
            if last == UInt8(ascii: "F") || last == UInt8(ascii: "Z")
                || last == UInt8(ascii: "_") && Self.endsInClosure(name[..<end])
                || (last == UInt8(ascii: "C") || last == UInt8(ascii: "c")) && name[end - 2] == UInt8(ascii: "f")
            {
                let beginning = Array(name[..<end])
                if SwiftName.full(String(decoding: beginning, as: UTF8.self)) != nil { return beginning }
            }
            end -= 1
        }
        return nil
    }
}
