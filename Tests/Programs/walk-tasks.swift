// Allocations in asynchronous Swift: before and after suspensions, in task groups and actors, on the cooperative pool's threads. For
// comparison with libunwind (walk-oracle.c). Prints "ok".

actor Counter {
    var texts: [String] = []
    func add(_ number: Int) -> Int {
        texts.append("a text that is too long to be stored in place, number \(number)")
        return texts.count
    }
}

@inline(never) func block(_ size: Int) -> Int { [UInt8](repeating: 1, count: size).reduce(0) { $0 + Int($1) } }

@inline(never) func descend(_ depth: Int, _ counter: Counter) async -> Int {
    let before = block(depth + 100)
    await Task.yield()
    let under = depth > 0 ? await descend(depth - 1, counter) : await counter.add(depth)
    return before + under + block(depth + 300)
}

let counter = Counter()
var sum = 0
for round in 0..<5 {
    sum += await withTaskGroup(of: Int.self) { group in
        for depth in 0..<8 { group.addTask { await descend(depth + round, counter) } }
        var total = 0
        for await part in group { total += part + block(900) }
        return total
    }
}
print(sum > 0 ? "ok" : "wrong")
