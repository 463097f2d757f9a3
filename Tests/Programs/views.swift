// Strings of known lengths, made to measure: 50 of 15 bytes (no block), 40 of 16, 30 of 31, 20 of 40, 10 of 200. Prints "done".

@inline(never)
func made(_ length: Int) -> String { String(repeating: "x", count: length) }

var kept: [String] = []
kept.reserveCapacity(150)
for (count, length) in [(50, 15), (40, 16), (30, 31), (20, 40), (10, 200)] {
    for _ in 0..<count { kept.append(made(length)) }
}
print(kept.count == 150 ? "done" : "wrong")
