// Stacks to frames and attributions, after the pass: every distinct (module, offset) is symbolicated once, every distinct stack attributed once.
internal import Symbolication

struct StackResolver<Source: ProfileSource> {
    private struct Place: Hashable {
        var module: Int
        var offset: UInt64
    }

    private let source: Source
    private let symbolicator: any FrameSymbolicator
    private let attributor: Attributor
    /// Every distinct frame, in the order of first use.
    private(set) var frames: [SymbolicatedFrame] = []
    private var frameNumbers: [SymbolicatedFrame: Int32] = [:]
    private var places: [Place: [Int32]] = [:]
    private var modules: [Int: LoadedModule] = [:]

    private static var noModule: Int { -1 }

    init(source: Source, symbolicator: any FrameSymbolicator, attributor: Attributor) {
        self.source = source
        self.symbolicator = symbolicator
        self.attributor = attributor
    }

    /// Resolves the stack of an id. O(depth), plus symbolication of places not seen before.
    mutating func resolve(_ id: UInt32) -> ProfileStack {
        guard let stack = source.stack(id) else {
            return ProfileStack(
                frames: [], attribution: attributor.attribute(stack: [], tag: nil), module: "", isTruncated: false)
        }
        var numbers: [Int32] = []
        for address in stack.addresses {
            // A return address may be the first byte of the next function; the calling instruction ends just before it.
            numbers.append(contentsOf: frames(at: address &- 1, time: stack.firstUse))
        }
        let symbolicated = numbers.map { frames[Int($0)] }
        return ProfileStack(
            frames: numbers, attribution: attributor.attribute(stack: symbolicated, tag: stack.tag),
            module: Self.allocatingModule(symbolicated), isTruncated: stack.isTruncated)
    }

    private mutating func frames(at address: UInt64, time: UInt64) -> [Int32] {
        let row = source.moduleRow(for: address, at: time) ?? Self.noModule
        var place = Place(module: row, offset: address)
        if row != Self.noModule {
            let module = modules[row] ?? source.module(row: row)
            modules[row] = module
            place.offset = address &- module.bias
        }
        if let known = places[place] { return known }
        let numbers = symbolicate(place).map { number(of: $0) }
        places[place] = numbers
        return numbers
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
        frameNumbers[frame] = number
        return number
    }

    private static func allocatingModule(_ frames: [SymbolicatedFrame]) -> String {
        let known = frames.lazy.map(\.modulePath).filter { !$0.isEmpty }
        return known.first { !RuntimeModule.isRuntime(path: $0) } ?? known.first ?? ""
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
