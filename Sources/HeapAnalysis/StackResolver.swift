// Stacks to frames and attributions, after the pass: every distinct (module, offset) is symbolicated once, every distinct frame classified once,
// every distinct stack attributed once. What stacks share is kept by number, so that a stack costs a few look-ups a frame.
internal import Symbolication

struct StackResolver<Source: ProfileSource> {
    private struct Place: Hashable {
        var module: Int
        var offset: UInt64
    }

    /// A call, and the frame that it led to where that is of the same module.
    private struct Call: Hashable {
        var module: Int
        var offset: UInt64
        var inner: UInt64?
    }

    /// What every frame asks of its module: its bias, and whether it allocates on behalf of its callers.
    private struct Placement {
        var bias: UInt64
        var isRuntime: Bool
    }

    private let source: Source
    private let symbolicator: any FrameSymbolicator
    private let attributor: Attributor
    private let types: RuntimeTypeNames<Source>
    /// Every distinct frame, in the order of first use.
    private(set) var frames: [SymbolicatedFrame] = []
    private var classified: [AttributableFrame] = []
    private var frameNumbers: [SymbolicatedFrame: Int32] = [:]
    /// Frames of each place, as a part of `expansions`: an address has one frame more for each call that was inlined there.
    private var places: [Place: Range<Int>] = [:]
    private var expansions: [Int32] = []
    /// The frames of each call by its address and that of the frame inside.
    private var steps = StackSteps()
    private var resolved: [UInt32: (numbers: [Int32], module: Int?)] = [:]
    /// What calls were meant for, where no frame tells.
    private var tailCallers: [Call: Int32?] = [:]
    /// Every distinct pair of rules that disagree, in the order of their first stacks.
    private(set) var disagreements: [Disagreement] = []
    private var disagreementNumbers: [Disagreement: Int32] = [:]
    private var modules: [Int: LoadedModule] = [:]
    private var placements: [Int: Placement] = [:]

    private static var noModule: Int { -1 }

    init(source: Source, symbolicator: any FrameSymbolicator, attributor: Attributor) {
        self.source = source
        self.symbolicator = symbolicator
        self.attributor = attributor
        types = RuntimeTypeNames(source: source) { symbolicator.file(of: $0) }
    }

    /// Resolves the stack of an id, of blocks of a runtime type (0: none is known). O(depth), plus symbolication of places not seen before.
    mutating func resolve(_ id: UInt32, type: UInt64 = 0) -> ProfileStack {
        let evidence = types.evidence(type)
        guard let stack = source.stack(id) else {
            let verdict = attributor.attribute(walking: EmptyCollection(), tag: nil, type: evidence)
            return ProfileStack(
                frames: [], attribution: verdict.attribution,
                module: "", isTruncated: false, runtimeType: evidence?.text)
        }
        let (numbers, row) = frames(of: stack, id)
        let walked = numbers.lazy.map { [classified] in classified[Int($0)] }
        let verdict = attributor.attribute(walking: walked, tag: stack.tag, type: evidence)
        return ProfileStack(
            frames: numbers, attribution: verdict.attribution,
            module: row.flatMap { modules[$0]?.description.path } ?? "",
            isTruncated: stack.isTruncated, runtimeType: evidence?.text,
            disagreement: verdict.disagreement.map { number(of: $0) })
    }

    /// Takes what blocks of a runtime type at a stack tell of others of the same function: which variables its closures capture.
    mutating func note(_ id: UInt32, type: UInt64) {
        let captured = types.capturedVariables(type)
        guard !captured.isEmpty, let stack = source.stack(id) else { return }
        let creator = frames(of: stack, id).numbers.lazy.map { [classified] in classified[Int($0)] }
            .first(where: RuntimeTypeEvidence.isCreator)
        if let creator { types.note(captured: captured, in: creator.frame.linkageName) }
    }

    /// As below, once for each stack: some are asked for during the pass and after it.
    private mutating func frames(of stack: SourceStack, _ id: UInt32) -> (numbers: [Int32], module: Int?) {
        if let known = resolved[id] { return known }
        let result = frames(of: stack)
        resolved[id] = result
        return result
    }

    /// The numbers of a stack's frames, inlined ones expanded, and the row of the module that allocated.
    private mutating func frames(of stack: SourceStack) -> (numbers: [Int32], module: Int?) {
        var numbers: [Int32] = []
        numbers.reserveCapacity(stack.addresses.count + stack.addresses.count / 2)
        var innermost: Int?
        var allocating: Int?
        var inner: (address: UInt64, row: Int)?
        let isFixed = source.modulesAreFixed
        for address in stack.addresses {
            var step = StackStep(address: address, inner: inner?.address ?? 0)
            var row = Self.noModule
            if !isFixed {
                row = source.moduleRow(for: address &- 1, at: stack.firstUse) ?? Self.noModule
                step.row = Int32(truncatingIfNeeded: row)
                step.innerRow = Int32(truncatingIfNeeded: inner?.row ?? Self.noModule)
            }
            if let known = steps.find(step) {
                row = known.row
                for index in known.frames { numbers.append(steps.frames[index]) }
            } else {
                // A return address may be the first byte of the next function; the calling instruction ends just before it.
                if isFixed { row = source.moduleRow(for: address &- 1, at: stack.firstUse) ?? Self.noModule }
                let start = numbers.count
                append(callTo: address, row: row, inner: inner, to: &numbers)
                steps.keep(step, numbers[start...], row: row)
            }
            inner = (address &- 1, row)
            if row != Self.noModule, allocating == nil {
                if innermost == nil { innermost = row }
                if placement(ofModule: row).isRuntime == false { allocating = row }
            }
        }
        return (numbers, allocating ?? innermost)
    }

    /// Appends the frames of a call, and that of a function which left by a jump inside of it.
    private mutating func append(
        callTo address: UInt64, row: Int, inner: (address: UInt64, row: Int)?, to numbers: inout [Int32]
    ) {
        if let lost = tailCaller(returningTo: address, row: row, inner: inner) { numbers.append(lost) }
        for index in expansion(of: address &- 1, row: row, inner: numbers.last) {
            numbers.append(expansions[index])
        }
    }

    private mutating func number(of disagreement: Disagreement) -> Int32 {
        if let known = disagreementNumbers[disagreement] { return known }
        let number = Int32(truncatingIfNeeded: disagreements.count)
        disagreements.append(disagreement)
        disagreementNumbers[disagreement] = number
        return number
    }

    private mutating func expansion(of address: UInt64, row: Int, inner innerFrame: Int32?) -> Range<Int> {
        var place = Place(module: row, offset: address)
        if row != Self.noModule { place.offset = address &- placement(ofModule: row).bias }
        if let known = places[place] { return known }
        let start = expansions.count
        let inner = symbolicate(place)
        if let made = frameOfRequest(at: place, within: inner, calling: innerFrame.map { frames[Int($0)] }) {
            expansions.append(number(of: made))
        }
        for frame in inner { expansions.append(number(of: frame)) }
        places[place] = start..<expansions.count
        return start..<expansions.count
    }

    /// The frame that a function would have had if it had not left by a jump, by its number.
    private mutating func tailCaller(returningTo address: UInt64, row: Int, inner: (address: UInt64, row: Int)?)
        -> Int32?
    {
        guard row != Self.noModule else { return nil }
        let bias = placement(ofModule: row).bias
        let call = Call(
            module: row, offset: address &- bias, inner: inner.flatMap { $0.row == row ? $0.address &- bias : nil })
        if let known = tailCallers[call] { return known }
        let frame = modules[row].flatMap {
            symbolicator.tailCaller(in: $0.description, returningTo: call.offset, inner: call.inner)
        }
        let number = frame.map { self.number(of: $0) }
        tailCallers[call] = .some(number)
        return number
    }

    /// A frame for what the code at a call of an allocator tells of the block, in C++ and in Rust; nil where it tells nothing.
    private func frameOfRequest(
        at place: Place, within frames: [SymbolicatedFrame], calling callee: SymbolicatedFrame?
    ) -> SymbolicatedFrame? {
        if callee?.function == "operator new" { return frameOfNew(at: place, within: frames) }
        guard callee.map(RustAllocator.isShared) ?? true, let module = modules[place.module],
            let caller = frames.first, caller.language == .rust, (caller.line ?? 0) == 0,
            let kind = symbolicator.rustRequest(in: module.description, at: place.offset)
        else { return nil }
        return SymbolicatedFrame(
            function: "rust::request::\(kind)", isInlined: true, language: .rust, modulePath: caller.modulePath)
    }

    /// The frame `operator new<T>`, as if the language had one, where the code at a call of operator new tells what T is
    /// and the caller is no library's function, whose name tells more.
    private func frameOfNew(at place: Place, within frames: [SymbolicatedFrame]) -> SymbolicatedFrame? {
        guard let module = modules[place.module], let caller = frames.first else { return nil }
        let isLibrary = attributor.classify(caller).origin == .standardLibrary
        if isLibrary, caller.file != nil { return nil }
        guard let type = symbolicator.allocatedType(in: module.description, at: place.offset),
            type != "one object" || caller.file == nil,
            // A container's own function, without debug information, may have a string's copy inlined.
            !isLibrary || type == "elements of std::string"
        else { return nil }
        return SymbolicatedFrame(
            function: "operator new<\(type)>", isInlined: true, language: .cxx, modulePath: caller.modulePath)
    }

    private mutating func placement(ofModule row: Int) -> Placement {
        if let known = placements[row] { return known }
        let module = source.module(row: row)
        let placement = Placement(
            bias: module.bias, isRuntime: RuntimeModule.isRuntime(path: module.description.path))
        modules[row] = module
        placements[row] = placement
        return placement
    }

    private func symbolicate(_ place: Place) -> [SymbolicatedFrame] {
        guard let module = modules[place.module] else {
            return [SymbolicatedFrame(function: "0x" + String(place.offset, radix: 16), modulePath: "")]
        }
        return symbolicator.frames(in: module.description, at: place.offset)
    }

    private mutating func number(of frame: SymbolicatedFrame) -> Int32 {
        if let known = frameNumbers[frame] { return known }
        let number = Int32(truncatingIfNeeded: frames.count)
        frames.append(frame)
        classified.append(AttributableFrame(frame, by: attributor))
        frameNumbers[frame] = number
        return number
    }
}

/// What an attribution depends on: a stack's id, and the id of the runtime type, 0 where none is known.
struct TypedStack: Hashable {
    var stack: UInt32
    var type: UInt64
    /// What the order of events told of the cause.
    var order = OrderCause.none
}

/// The stacks that were resolved, each once for each type of its blocks, numbered by first use: during the pass, where a view asks who owns a stack, or after it.
final class ResolvedStacks<Source: ProfileSource> {
    private var resolver: StackResolver<Source>
    /// The stacks, by number.
    private(set) var stacks: [ProfileStack] = []
    /// Their numbers by id.
    private(set) var numbers: [TypedStack: Int] = [:]

    init(_ resolver: StackResolver<Source>) { self.resolver = resolver }

    /// Every distinct frame, in the order of first use.
    var frames: [SymbolicatedFrame] { resolver.frames }

    /// Every distinct pair of rules that exclude each other, in the order of first use.
    var disagreements: [Disagreement] { resolver.disagreements }

    /// The attribution of a stack, while the pass may still tell more of the types of its blocks: it is not kept.
    func attribution(of id: UInt32, type: UInt64) -> Attribution { resolver.resolve(id, type: type).attribution }

    /// The number of a stack's id. O(1) once it is known, see `StackResolver.resolve` before.
    /// - Parameter order: what the order of events told of the cause of the blocks.
    func number(of id: UInt32, type: UInt64, order: OrderCause = .none) -> Int {
        let key = TypedStack(stack: id, type: type, order: order)
        if let known = numbers[key] { return known }
        if order != .none {
            let plain = number(of: id, type: type)
            stacks.append(stacks[plain].with(order))
        } else {
            stacks.append(resolver.resolve(id, type: type))
        }
        let number = stacks.count - 1
        numbers[key] = number
        return number
    }

    /// See `StackResolver.note`.
    func note(_ id: UInt32, type: UInt64) { resolver.note(id, type: type) }

    /// The number for blocks that were allocated as of type `type`, 0 for none, and turned out to be of type `found`.
    func number(of id: UInt32, type: UInt64, found: UInt64, order: OrderCause) -> Int {
        let number = number(of: id, type: found, order: order)
        numbers[TypedStack(stack: id, type: type, order: order)] = number
        return number
    }
}

/// Libraries that allocate on behalf of whoever called them.
enum RuntimeModule {
    private static let prefixes = [
        "libc.so", "libc-2", "libc++", "ld-linux", "ld-musl", "libstdc++", "libgcc_s", "libswiftCore.", "libswift_",
        "libpthread", "libheaptrail", "linux-vdso", "[vdso]",
    ]

    /// Whether the file at `path` is a language runtime or the C library, by its name.
    static func isRuntime(path: String) -> Bool {
        let name = path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...]
        return prefixes.contains { name.hasPrefix($0) }
    }
}
