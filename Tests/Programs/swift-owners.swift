// One of everything that Swift puts on the heap, each with a size of its own where its size tells it apart. What a report must say of it stands in
// `// expect:` lines: family | type | cause | allocations. A cause of `*` may be any.
//
// expect: Array | Array<owners.Point> | construct | 1
// expect: Array | Array<owners.Sample> | growth | 5
// expect: Dictionary | Dictionary<Int, owners.Point> | construct | 1
// expect: Dictionary | Dictionary<Int, owners.Sample> | copyOnWrite | 1
// expect: Set | Set<UInt16> | construct | 1
// expect: String | String | * | 3
// expect: Class | owners.Node<Int> | construct | 5
// expect: Class | owners.Node<Array<owners.Point>> | construct | 2
// expect: Class | owners.Outer<String>.Inner<Int> | construct | 1
// expect: Class | owners.Counter | construct | 3
// expect: Closure | closure in owners.makeAdder(_:_:) capturing Int, owners.Plain | capture | 7
// expect: Closure | closure in owners.makeTwice(_:) capturing (Int) -> Int | capture | 6
// expect: Closure | closure in owners.makePair() capturing Int, String | capture | 2
// expect: Box | captured Int in owners.makePair() | capture | 1
// expect: Box | captured String in owners.makePair() | capture | 1
// expect: Box | owners.Tree | boxing | 15
// expect: Box | owners.Expression | boxing | 2
// expect: Box | owners.Chain<Int> | boxing | 6
// expect: Box | owners.Large | boxing | 4
// expect: Box | any Error (owners.Failure) | boxing | 9
// expect: Data | raw memory in owners.buffers() | construct | 2

struct Point { var x = 0.0, y = 0.0 }
struct Sample { var value: UInt8 = 1 }
struct Large: Shape {
    var a = 1, b = 2, c = 3, d = 4, e = 5
    func area() -> Int { a + e }
}
protocol Shape { func area() -> Int }
enum Tree {
    case leaf(Int)
    indirect case node(Tree, Tree)
}
enum Expression {
    case number(Int)
    indirect case negate(Expression)
    indirect case scaled(Large, Int)
}
indirect enum Chain<Element> {
    case end
    case link(Chain, Element, Chain)
}
final class Plain { var n = 1 }
final class Node<T> {
    var value: T
    init(_ value: T) { self.value = value }
}
enum Outer<A> {
    final class Inner<B> {
        var a: A, b: B
        init(_ a: A, _ b: B) { (self.a, self.b) = (a, b) }
    }
}
actor Counter {
    var n = 0
    func add(_ by: Int) { n += by }
}
struct Failure: Error { var code: Int, text = "failed" }

@inline(never) func blackHole<T>(_ value: T) { withExtendedLifetime(value) {} }
/// Keeps an object from the stack.
nonisolated(unsafe) var sink: AnyObject?

@inline(never) func arrays() {
    let points = [Point](repeating: Point(x: 1), count: 100)
    var samples: [Sample] = []
    for _ in 0..<200 { samples.append(Sample()) }
    blackHole(points)
    blackHole(samples)
}

@inline(never) func hashed() {
    let points = Dictionary<Int, Point>(minimumCapacity: 50)
    var samples = [1: Sample()]
    let copy = samples
    samples[1] = Sample(value: 2)
    let set = Set<UInt16>(minimumCapacity: 20)
    blackHole(points)
    blackHole(samples)
    blackHole(copy)
    blackHole(set)
}

@inline(never) func strings(_ n: Int) {
    for index in 0..<3 {
        let text = String(repeating: "abcdefgh", count: 5 + index + n)
        blackHole(text)
    }
}

@inline(never) func objects() {
    for index in 0..<5 { sink = Node(index) }
    for _ in 0..<2 { sink = Node([Point]()) }
    sink = Outer<String>.Inner("a", 1)
}

@inline(never) func makeAdder(_ n: Int, _ plain: Plain) -> (Int) -> Int { { $0 + n + plain.n } }
@inline(never) func makeTwice(_ f: @escaping (Int) -> Int) -> (Int) -> Int { { f(f($0)) } }
@inline(never) func makePair() -> (() -> Void, () -> Int) {
    var count = 0
    var text = ""
    return (
        {
            count += 1; text += "x"
        }, { count + text.utf8.count }
    )
}

@inline(never) func closures() {
    let plain = Plain()
    var all: [(Int) -> Int] = []
    all.reserveCapacity(20)
    for index in 0..<7 { all.append(makeAdder(index, plain)) }
    for index in 0..<6 { all.append(makeTwice(all[index])) }
    blackHole(all)
    let pair = makePair()
    pair.0()
    blackHole(pair.1())
}

@inline(never) func tree(_ depth: Int) -> Tree { depth == 0 ? .leaf(1) : .node(tree(depth - 1), tree(depth - 1)) }
@inline(never) func expression(_ n: Int) -> Expression { .negate(.scaled(Large(a: n), n)) }
@inline(never) func chain(_ n: Int) -> Chain<Int> { (0..<n).reduce(.end) { .link($0, $1, .end) } }
@inline(never) func shape(_ n: Int) -> any Shape { Large(a: n) }
@inline(never) func fail(_ code: Int) throws { if code >= 0 { throw Failure(code: code) } }

@inline(never) func boxes() {
    blackHole(tree(4))
    blackHole(expression(3))
    blackHole(chain(6))
    for index in 0..<4 { blackHole(shape(index)) }
    for code in 0..<9 {
        do { try fail(code) } catch { blackHole(error) }
    }
}

@inline(never) func buffers() {
    for count in 1...2 {
        let points = UnsafeMutablePointer<Point>.allocate(capacity: 1000 * count)
        points.initialize(repeating: Point(), count: 1000 * count)
        blackHole(points.pointee)
        points.deallocate()
    }
}

@main
struct Program {
    static func main() async {
        arrays()
        hashed()
        strings(Int(CommandLine.argc))
        objects()
        closures()
        boxes()
        buffers()
        for _ in 0..<3 {
            let counter = Counter()
            await counter.add(1)
        }
        let sum = await withTaskGroup(of: Int.self) { group in
            for index in 0..<4 { group.addTask { index } }
            var sum = 0
            for await value in group { sum += value }
            return sum
        }
        print(sum)
    }
}
