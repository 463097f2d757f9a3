// `Cow`: borrowed until changed, the same to a reader either way.

import SmartPointers
import Testing

private struct Failure: Error {}

@Suite struct CowTests {
    private let text = BorrowedString("somebody else's bytes")

    @Test func `a borrowed Cow reads the very bytes it was given`() {
        let cow = Cow(borrowing: text)
        #expect(cow.isBorrowed && !cow.isOwned)
        let start = cow.withBorrow { $0.bytes.baseAddress }
        #expect(start == text.bytes.baseAddress)
    }

    @Test func `changing makes one copy and leaves the original alone`() {
        var cow = Cow(borrowing: text)
        cow.toMut { $0 += "!" }
        let first = cow.withBorrow { $0.bytes.baseAddress }
        #expect(cow.isOwned)
        #expect(cow.description == "somebody else's bytes!")
        #expect(text.description == "somebody else's bytes")
        cow.toMut { _ = $0.removeLast() }
        let second = cow.withBorrow { $0.bytes.baseAddress }
        #expect(first == second)
        #expect(cow == Cow(borrowing: text))
    }

    @Test func `borrowed and owned content is equal, hashes alike and finds the same key`() {
        let borrowed = Cow(borrowing: text)
        let owned = Cow<BorrowedString>(owning: text.toOwned())
        #expect(borrowed == owned)
        #expect(borrowed.hashValue == owned.hashValue)
        #expect([borrowed: 1][owned] == 1)
        #expect(borrowed != Cow(borrowing: BorrowedString("another text")))
    }

    @Test func `short content, which String keeps inside itself, reads the same too`() {
        let borrowed = Cow(borrowing: BorrowedString("short"))
        let owned = Cow<BorrowedString>(owning: "short")
        #expect(borrowed == owned)
        #expect(borrowed.hashValue == owned.hashValue)
    }

    @Test func `intoOwned copies what is borrowed and hands out what is owned`() {
        #expect(Cow(borrowing: text).intoOwned() == "somebody else's bytes")
        let numbers = [1, 2, 3]
        let owned = Cow<BorrowedArray<Int>>(owning: numbers).intoOwned()
        let isSame = owned.withUnsafeBufferPointer { left in
            numbers.withUnsafeBufferPointer { $0.baseAddress == left.baseAddress }
        }
        #expect(isSame)
    }

    @Test func `a change that throws leaves the Cow owned and readable`() {
        var cow = Cow(borrowing: text)
        #expect(throws: Failure.self) {
            try cow.toMut { owner in
                owner = "half done"
                throw Failure()
            }
        }
        #expect(cow.isOwned)
        #expect(cow.description == "half done")
    }

    @Test func `two copies of a Cow part when one of them changes`() {
        var first = Cow<BorrowedString>(owning: "shared until then")
        let second = first
        first.toMut { $0 = "changed" }
        #expect(first.description == "changed")
        #expect(second.description == "shared until then")
    }

    @Test func `a Cow over elements works as one over text`() {
        let numbers = [3, 1, 2]
        numbers.withUnsafeBufferPointer { elements in
            var cow = Cow(borrowing: BorrowedArray(elements))
            #expect(cow.withBorrow { $0.max() } == 3)
            cow.toMut { $0.sort() }
            #expect(cow.withBorrow { Array($0) } == [1, 2, 3])
        }
        #expect(numbers == [3, 1, 2])
    }

    @Test func `borrowed text splits at the first separator only`() {
        let (head, tail) = BorrowedString("a=b=c").split(atFirst: "=")
        #expect(head.description == "a")
        #expect(tail?.description == "b=c")
        #expect(BorrowedString("none").split(atFirst: "=").tail == nil)
        #expect(BorrowedString("end=").split(atFirst: "=").tail?.isEmpty == true)
    }

    @Test func `borrowed text is ordered by bytes`() {
        #expect(BorrowedString("abc") < BorrowedString("abd"))
        #expect(BorrowedString("ab") < BorrowedString("abc"))
        #expect(!(BorrowedString("abc") < BorrowedString("abc")))
    }
}
