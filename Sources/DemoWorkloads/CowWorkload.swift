// Copy-on-write, ours and Swift's: who copies, and when nobody does.

import HeaptrailTags
import SmartPointers

/// A `Cow` that stays borrowed, two that become owned, and the standard library's containers changed while shared.
enum CowWorkload: Workload {
    static let name = "cow"
    static let summary = "borrowed until changed: Cow, and Swift's own Array, String and Dictionary"

    static let expected = [
        ExpectedRow("Cow", "Cow<BorrowedString> (read)", .construct, allocations: 0),
        ExpectedRow("Cow", "Cow<BorrowedString>", .copyOnWrite, allocations: 2),
        ExpectedRow("Array", "Array<Int>", .construct, allocations: 1),
        ExpectedRow("Array", "Array<Int>", .copyOnWrite, allocations: 1),
        ExpectedRow("String", "String", .construct, size: 2944, allocations: 1),
        ExpectedRow("String", "String", .copyOnWrite, size: 2944, allocations: 1),
        ExpectedRow("Dictionary", "Dictionary<Int, Int>", .construct, allocations: 1),
        ExpectedRow("Dictionary", "Dictionary<Int, Int>", .copyOnWrite, allocations: 1),
    ]

    static let counters = ["Cow.borrowed": 3, "Cow.owned": 2]

    static func run(_ options: Options) {
        smartPointer()
        array()
        string()
        dictionary()
    }

    private static func smartPointer() {
        let text = BorrowedString("somebody else's bytes")
        warmUp {
            _ = Self.reading(of: text)
            _ = changed(text)
            _ = Cow(borrowing: text).intoOwned()
        }
        let reading = attributed("Cow", "Cow<BorrowedString> (read)", .construct) { Self.reading(of: text) }
        say(reading.description)
        let cow = changed(text)
        say("cow: changed to '\(cow)', owned: \(cow.isOwned)")
        let owned = opaque(Cow(borrowing: text)).intoOwned()
        say("cow: taken out '\(owned)'")
    }

    /// Reads a borrowed `Cow` in every way there is.
    private static func reading(of text: BorrowedString) -> Reading {
        let cow = opaque(Cow(borrowing: text))
        return Reading(length: cow.withBorrow { $0.count }, isEqual: cow == cow, isBorrowed: cow.isBorrowed)
    }

    /// Changes a borrowed `Cow` twice; the second time there is nothing left to copy.
    private static func changed(_ text: BorrowedString) -> Cow<BorrowedString> {
        var cow = opaque(Cow(borrowing: text))
        cow.toMut { owner in owner.removeLast(5) }
        cow.toMut { owner in _ = owner.removeLast() }
        return cow
    }

    private static func array() {
        warmUp {
            var sample = opaque(sevens(4))
            let shared = opaque(sample)
            sample[0] = shared[1]
        }
        let original = attributed("Array", "Array<Int>", .construct) { sevens(100) }
        var copy = opaque(original)
        attributed("Array", "Array<Int>", .copyOnWrite) { copy[0] = 1 }
        say("cow: array \(original[0]) and \(opaque(copy)[0])")
    }

    private static func sevens(_ count: Int) -> [Int] { opaque([Int](repeating: 7, count: opaque(count))) }

    private static func string() {
        // Whose bytes they are is not the point here: kept out of the account.
        let text = withOwnerTagsSuspended { opaque(String(repeating: "a string of a hundred lines. ", count: 100)) }
        let original = attributed("String", "String", .construct) { text.withBorrow { opaque($0.toOwned()) } }
        var copy = opaque(original)
        attributed("String", "String", .copyOnWrite) { copy.append("!") }
        say("cow: strings of \(original.utf8.count) and \(opaque(copy).utf8.count) bytes")
    }

    private static func dictionary() {
        warmUp {
            var sample = squares(3)
            let shared = opaque(sample)
            sample[3] = shared[2]
        }
        let original = attributed("Dictionary", "Dictionary<Int, Int>", .construct) { squares(10) }
        var copy = opaque(original)
        attributed("Dictionary", "Dictionary<Int, Int>", .copyOnWrite) { copy[3] = 0 }
        say("cow: dictionary \(original[3] ?? -1) and \(opaque(copy)[3] ?? -1)")
    }

    /// The squares below `count`, in storage with room for 16 from the start.
    private static func squares(_ count: Int) -> [Int: Int] {
        var dictionary = [Int: Int](minimumCapacity: opaque(16))
        for number in 0..<count { dictionary[number] = number * number }
        return opaque(dictionary)
    }
}

/// What reading a `Cow` told.
private struct Reading: CustomStringConvertible {
    let length: Int
    let isEqual: Bool
    let isBorrowed: Bool

    var description: String { "cow: read \(length) bytes, equal: \(isEqual), borrowed: \(isBorrowed)" }
}
