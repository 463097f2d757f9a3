// Containers that grow and containers that are copied because they were shared, each in a function of its own and so often that its count
// names it. What happened is told by the containers themselves: a growth step is a change of `capacity`.
// Lines: `growth FUNCTION steps=N` and `copy FUNCTION copies=N`.

@inline(never)
func opaque<T>(_ value: T) -> T { value }

/// Appends one by one: every change of the capacity but the first is a step.
@inline(never)
func growInts(_ count: Int) {
    var steps = -1
    var ints: [Int] = []
    var capacity = ints.capacity
    for number in 0..<count {
        ints.append(number)
        if ints.capacity != capacity {
            capacity = ints.capacity
            steps += 1
        }
    }
    print("growth growInts steps=\(steps) final=\(32 + 8 * opaque(ints).capacity)")
}

/// Two arrays that grow side by side.
@inline(never)
func growTwo(_ count: Int) {
    var steps = -2
    var words: [UInt32] = []
    var others: [UInt32] = []
    var capacities = (0, 0)
    for number in 0..<count {
        words.append(UInt32(number))
        others.append(UInt32(number))
        if words.capacity != capacities.0 { steps += 1 }
        if others.capacity != capacities.1 { steps += 1 }
        capacities = (words.capacity, others.capacity)
    }
    print("growth growTwo steps=\(steps)")
    _ = opaque((words, others))
}

/// Rows that grow inside an array that grows.
@inline(never)
func growRows(_ count: Int) {
    var steps = 0
    var rows: [[UInt16]] = []
    var outer = 0
    for _ in 0..<count {
        rows.append([])
        if rows.capacity != outer {
            if outer > 0 { steps += 1 }
            outer = rows.capacity
        }
        var inner = 0
        for number in 0..<40 {
            rows[rows.count - 1].append(UInt16(number))
            let capacity = rows[rows.count - 1].capacity
            if capacity != inner {
                if inner > 0 { steps += 1 }
                inner = capacity
            }
        }
    }
    print("growth growRows steps=\(steps)")
    _ = opaque(rows)
}

@inline(never)
func growText(_ count: Int) {
    var text = ""
    for number in 0..<count { text += number % 2 == 0 ? "even " : "odd " }
    print("text of \(opaque(text).utf8.count)")
}

@inline(never)
func growTable(_ count: Int) {
    var steps = -1
    var table: [Int: Int] = [:]
    var capacity = 0
    for number in 0..<count {
        table[number] = number
        if table.capacity != capacity {
            capacity = table.capacity
            steps += 1
        }
    }
    print("growth growTable steps=\(steps)")
    _ = opaque(table)
}

@inline(never)
func growSet(_ count: Int) {
    var steps = -1
    var set: Set<UInt> = []
    var capacity = 0
    for number in 0..<count {
        set.insert(UInt(number))
        if set.capacity != capacity {
            capacity = set.capacity
            steps += 1
        }
    }
    print("growth growSet steps=\(steps)")
    _ = opaque(set)
}

@inline(never)
func copyBySubscript(_ original: [Int8], _ times: Int) {
    for _ in 0..<times {
        var copy = opaque(original)
        copy[3] = 9
        _ = opaque(copy)
    }
    print("copy copyBySubscript copies=\(times)")
}

@inline(never)
func copyByAppend(_ original: [Int16], _ times: Int) {
    for _ in 0..<times {
        var copy = opaque(original)
        copy.append(1)
        _ = opaque(copy)
    }
    print("copy copyByAppend copies=\(times)")
}

@inline(never)
func copyByRemove(_ original: [Int32], _ times: Int) {
    for _ in 0..<times {
        var copy = opaque(original)
        copy.removeLast()
        _ = opaque(copy)
    }
    print("copy copyByRemove copies=\(times)")
}

@inline(never)
func copyContiguous(_ original: ContiguousArray<Int64>, _ times: Int) {
    for _ in 0..<times {
        var copy = opaque(original)
        copy[0] = 1
        _ = opaque(copy)
    }
    print("copy copyContiguous copies=\(times)")
}

@inline(never)
func copyText(_ original: String, _ times: Int) {
    for _ in 0..<times {
        var copy = opaque(original)
        copy.append("!")
        _ = opaque(copy)
    }
    print("copy copyText copies=\(times)")
}

@inline(never)
func copyTableByValue(_ original: [UInt8: Int], _ times: Int) {
    for _ in 0..<times {
        var copy = opaque(original)
        copy[3] = 0
        _ = opaque(copy)
    }
    print("copy copyTableByValue copies=\(times)")
}

@inline(never)
func copyTableByInsert(_ original: [UInt16: Int], _ times: Int) {
    for _ in 0..<times {
        var copy = opaque(original)
        var key: UInt16 = 1000
        while copy.count < copy.capacity || copy.count == original.count {
            copy[key] = 0
            key += 1
        }
        _ = opaque(copy)
    }
    print("copy copyTableByInsert copies=\(times)")
}

@inline(never)
func copySet(_ original: Set<UInt32>, _ times: Int) {
    for _ in 0..<times {
        var copy = opaque(original)
        copy.remove(5)
        _ = opaque(copy)
    }
    print("copy copySet copies=\(times)")
}

struct Document {
    var lines: [Float]
    var title: Int
}

@inline(never)
func copyInside(_ original: Document, _ times: Int) {
    for _ in 0..<times {
        var copy = opaque(original)
        copy.lines[1] = 2
        _ = opaque(copy)
    }
    print("copy copyInside copies=\(times)")
}

@main
enum Chains {
    static func main() {
        growInts(opaque(5000))
        growTwo(opaque(1000))
        growRows(opaque(30))
        growText(opaque(4000))
        growTable(opaque(3000))
        growSet(opaque(3000))
        copyBySubscript(opaque([Int8](repeating: 1, count: 100)), 11)
        copyByAppend(opaque([Int16](repeating: 1, count: 100)), 12)
        copyByRemove(opaque([Int32](repeating: 1, count: 100)), 13)
        copyContiguous(opaque(ContiguousArray<Int64>(repeating: 1, count: 100)), 14)
        copyText(opaque(String(repeating: "a line of text ", count: 20)), 15)
        copyTableByValue(opaque(Dictionary(uniqueKeysWithValues: (0..<50).map { (UInt8($0), Int($0)) })), 16)
        copyTableByInsert(opaque(Dictionary(uniqueKeysWithValues: (0..<48).map { (UInt16($0), Int($0)) })), 17)
        copySet(opaque(Set((0..<50).map { UInt32($0) })), 18)
        copyInside(opaque(Document(lines: [Float](repeating: 0, count: 60), title: 1)), 19)
    }
}
