// A Swift program whose arrays and dictionaries are specialised and inlined by the optimiser.
struct Point {
    var x: Int
    var y: Int
}

final class Node {
    var next: Node?
    var value: [Point]
    init(_ value: [Point]) { self.value = value }
}

@inline(never)
func buildGroups(_ count: Int) -> [String: [Point]] {
    var groups: [String: [Point]] = [:]
    for i in 0..<count { groups["k\(i % 7)", default: []].append(Point(x: i, y: i)) }
    return groups
}

@inline(never)
func buildNodes(_ count: Int) -> Node? {
    var head: Node?
    for i in 0..<count {
        let node = Node([Point(x: i, y: 1)])
        node.next = head
        head = node
    }
    return head
}

print(buildGroups(CommandLine.arguments.count * 50).count, buildNodes(10)?.value.count ?? 0)
