// Stacks to frames and attributions, after the pass: every distinct (module, offset) is symbolicated once, every distinct frame classified once,
// every distinct stack attributed once. What stacks share is kept by number, so that a stack costs a few look-ups a frame.
internal import Symbolication

struct StackResolver<Source: ProfileSource> {
    private struct Place: Hashable {
        var module: Int
        var offset: UInt64
    }

    /// What every frame asks of its module: its bias, and whether it allocates on behalf of its callers.
    private struct Placement {
        var bias: UInt64
        var isRuntime: Bool
    }

    private let source: Source
    private let symbolicator: any FrameSymbolicator
    private let attributor: Attributor
    /// Every distinct frame, in the order of first use.
    private(set) var frames: [SymbolicatedFrame] = []
    private var classified: [AttributableFrame] = []
    private var frameNumbers: [SymbolicatedFrame: Int32] = [:]
    /// Frames of each place, as a part of `expansions`: an address has one frame more for each call that was inlined there.
    private var places: [Place: Range<Int>] = [:]
    private var expansions: [Int32] = []
    private var modules: [Int: LoadedModule] = [:]
    private var placements: [Int: Placement] = [:]
    private var resolved: [UInt32: ProfileStack] = [:]

    private static var noModule: Int { -1 }

    init(source: Source, symbolicator: any FrameSymbolicator, attributor: Attributor) {
        self.source = source
        self.symbolicator = symbolicator
        self.attributor = attributor
    }

    /// Resolves the stack of an id. O(depth), plus symbolication of places not seen before; O(1) for one resolved before.
    mutating func resolve(_ id: UInt32) -> ProfileStack {
        if let known = resolved[id] { return known }
        let stack = resolveAnew(id)
        resolved[id] = stack
        return stack
    }

    private mutating func resolveAnew(_ id: UInt32) -> ProfileStack {
        guard let stack = source.stack(id) else {
            return ProfileStack(
                frames: [], attribution: attributor.attribute(stack: [], tag: nil), module: "", isTruncated: false)
        }
        var numbers: [Int32] = []
        numbers.reserveCapacity(stack.addresses.count + stack.addresses.count / 2)
        var innermost: Int?
        var allocating: Int?
        for address in stack.addresses {
            // A return address may be the first byte of the next function; the calling instruction ends just before it.
            let row = source.moduleRow(for: address &- 1, at: stack.firstUse) ?? Self.noModule
            numbers.append(contentsOf: expansions[expansion(of: address &- 1, row: row)])
            if row != Self.noModule, allocating == nil {
                if innermost == nil { innermost = row }
                if placements[row]?.isRuntime == false { allocating = row }
            }
        }
        let walked = numbers.lazy.map { [classified] in classified[Int($0)] }
        return ProfileStack(
            frames: numbers, attribution: attributor.attribute(walking: walked, tag: stack.tag),
            module: (allocating ?? innermost).flatMap { modules[$0]?.description.path } ?? "",
            isTruncated: stack.isTruncated)
    }

    private mutating func expansion(of address: UInt64, row: Int) -> Range<Int> {
        var place = Place(module: row, offset: address)
        if row != Self.noModule { place.offset = address &- placement(ofModule: row).bias }
        if let known = places[place] { return known }
        let start = expansions.count
        for frame in symbolicate(place) { expansions.append(number(of: frame)) }
        places[place] = start..<expansions.count
        return start..<expansions.count
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
