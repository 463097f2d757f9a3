// Objects of known types in known numbers, all freed in the end, and a line for each type: its metadata's address, how many
// there were, and the metadata of its generic arguments. usage: swift-types [wait | TASKS]
// wait: for a line of input before them, and for another one after. TASKS: how many tasks allocate side by side instead.

import Glibc

final class Leaf { var value = 1 }
class Node<T> {
    var value: T
    init(_ value: T) { self.value = value }
}
final class Pair<Key, Value>: Node<Value> {
    var key: Key
    init(_ key: Key, _ value: Value) {
        self.key = key
        super.init(value)
    }
}
struct Point { var x = 0, y = 0 }
struct Outer<A> {
    final class Inner<B> { var both: (A, B)? }
}
indirect enum Tree {
    case leaf(Int)
    case node(Tree, Tree)
}
struct Broken: Error { var code: Int }
enum Refused: Error { case because(String) }
actor Counter {
    var total = 0
    func add(_ amount: Int) { total += amount }
}

func address(_ type: Any.Type) -> UInt { UInt(bitPattern: unsafeBitCast(type, to: UnsafeRawPointer.self)) }

func tell(_ name: String, _ type: Any.Type, _ count: Int, _ arguments: [Any.Type] = []) {
    print(name, address(type), count, arguments.map { String(address($0)) }.joined(separator: ","))
}

@inline(never) func attempt(_ number: Int) throws -> Int {
    if number % 3 == 0 { throw Broken(code: number) }
    if number % 3 == 1 { throw Refused.because("number \(number) is refused for good") }
    return number
}

@inline(never) func counter(from start: Int) -> () -> Int {
    var count = start
    return {
        count += 1
        return count
    }
}

@inline(never) func tree(_ depth: Int) -> Tree { depth == 0 ? .leaf(1) : .node(tree(depth - 1), tree(depth - 1)) }

func makeObjects() {
    let leaves = (0..<100).map { _ in Leaf() }
    let numbers = (0..<50).map { Node($0) }
    let texts = (0..<25).map { Node(["text number \($0) of some length"]) }
    let pairs = (0..<20).map { Pair(UInt8($0), Double($0)) }
    let inners = (0..<15).map { _ in Outer<Int>.Inner<Point>() }
    let points = (1...30).map { [Point](repeating: Point(), count: $0) }
    var caught = 0
    for number in 0..<60 {
        do { caught += try attempt(number) } catch is Broken { caught += 1 } catch { caught += 2 }
    }
    let counters = (0..<12).map { counter(from: $0) }
    let trees = (0..<4).map { _ in tree(3) }
    tell("Leaf", Leaf.self, leaves.count)
    tell("Node", Node<Int>.self, numbers.count, [Int.self])
    tell("Node", Node<[String]>.self, texts.count, [[String].self])
    tell("Pair", Pair<UInt8, Double>.self, pairs.count, [UInt8.self, Double.self])
    tell("Inner", Outer<Int>.Inner<Point>.self, inners.count, [Int.self, Point.self])
    tell("_ContiguousArrayStorage", type(of: unsafeBitCast(points[0], to: AnyObject.self)), points.count, [Point.self])
    tell("Broken", Broken.self, 20)
    tell("Refused", Refused.self, 20)
    tell("caught", Int.self, caught + counters.reduce(0) { $0 + $1() } + trees.count)
}

@inline(never) func work(_ seed: Int) async -> Int {
    let shared = Counter()
    var sum = 0
    var groups: [String: [Int]] = [:]
    for number in 0..<4000 {
        groups["group number \(number % 97) of task \(seed)", default: []].append(number)
        do { sum += try attempt(number) } catch let error as Broken { sum -= error.code } catch { sum += 1 }
        sum += counter(from: number)()
        if number % 500 == 0 {
            await shared.add(sum)
            await Task.yield()
        }
    }
    return await shared.total + groups.count
}

func pause(_ word: String) {
    print(word)
    fflush(nil)
    _ = readLine()
}

@main struct Main {
    static func main() async {
        if let tasks = CommandLine.arguments.dropFirst().first.flatMap({ Int($0) }) {
            let total = await withTaskGroup(of: Int.self) { group in
                for seed in 0..<tasks { group.addTask { await work(seed) } }
                var sum = 0
                for await part in group { sum += part }
                return sum
            }
            print("total", total)
        } else {
            let waits = CommandLine.arguments.contains("wait")
            if waits { pause("ready") }
            makeObjects()
            if waits { pause("done") }
        }
    }
}
