// Swift arrays, strings, dictionaries and classes: an order book built, grouped and printed. usage: bench-swift ROUNDS

final class Order {
    let customer: String
    var lines: [String]

    init(customer: String, lines: [String]) {
        self.customer = customer
        self.lines = lines
    }
}

let rounds = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 10
var total = 0
for round in 0..<rounds {
    var seed = UInt32(truncatingIfNeeded: round + 1)
    var orders: [Order] = []
    for _ in 0..<10_000 {
        seed = seed &* 1_664_525 &+ 1_013_904_223
        let lines = (0..<Int(seed >> 24) % 4).map { "article number \(seed % 999) in colour \($0)" }
        orders.append(Order(customer: "customer with the number \(seed % 700)", lines: lines))
    }
    let byCustomer = Dictionary(grouping: orders, by: \.customer)
    let report = byCustomer.map { customer, orders in
        customer + ": " + orders.flatMap(\.lines).map { $0.uppercased() }.joined(separator: ", ")
    }
    total += report.reduce(0) { $0 + $1.utf8.count }
}
print(total)
