// A value too large for a stack: boxed in place, and the naive way that builds it on the stack first.

import Glibc
import HeaptrailTags
import SmartPointers

/// 16 MiB of pixels.
private struct Image {
    static let bytes = 16 << 20

    private var pixels: InlineArray<16_777_216, UInt8>

    init(shade: UInt8) { pixels = InlineArray(repeating: shade) }

    /// One pixel.
    subscript(index: Int) -> UInt8 { pixels[index] }
}

/// Boxes 16 MiB in place in this process; the naive way runs in children, for it may not survive.
enum BigBoxWorkload: Workload {
    /// The stack that a child builds the value on.
    enum NaiveStack: String {
        /// Far larger than the value: shows how much of it the naive way uses.
        case roomy
        /// Smaller than the value: shows how the naive way ends.
        case small

        var bytes: Int {
            switch self {
            case .roomy: 256 << 20
            case .small: 1 << 20
            }
        }
    }

    static let name = "big-box"
    static let summary = "16 MiB boxed in place, and the naive way by the stack, in a child that may not survive it"

    static let expected = [
        ExpectedRow("Box", "Box<Image>", .construct, size: 16 << 20, allocations: 1)
    ]

    static func run(_ options: Options) throws(WorkloadError) {
        if let stack = options.naiveStack {
            let used = try StackUse.measure(stackBytes: stack.bytes) { boxNaively() }
            say("\(used)")
            return
        }
        let used = try StackUse.measure(stackBytes: NaiveStack.small.bytes) { boxInPlace() }
        say("big-box: in place, on a stack of 1 MiB: used \(mebibytes(used)) MiB of stack")
        try report(.roomy, "on a stack of 256 MiB")
        try report(.small, "on a stack of 1 MiB")
    }

    private static func boxInPlace() {
        let box = Box<Image>(initializingInPlace: { pointer in
            // The pixels are the whole value; set as bytes, they never lie anywhere else.
            UnsafeMutableRawPointer(pointer).initializeMemory(as: UInt8.self, repeating: 7, count: Image.bytes)
        })
        say("big-box: \(MemoryLayout<Image>.size) bytes in place, last pixel \(box.value[Image.bytes - 1])")
    }

    @inline(never)
    private static func boxNaively() {
        let box = Box(opaque(Image(shade: 7)))
        precondition(box.value[Image.bytes - 1] == 7, "the value arrived in the box")
    }

    private static func report(_ stack: NaiveStack, _ place: String) throws(WorkloadError) {
        let child = try withOwnerTagsSuspended { () throws(WorkloadError) in
            try Child.run([CommandLine.arguments[0], name, "--naive", stack.rawValue])
        }
        guard let used = Int(child.output.split(separator: "\n").first ?? "") else {
            say("big-box: naively, \(place): \(child.ending)")
            return
        }
        say("big-box: naively, \(place): \(child.ending), used \(mebibytes(used)) MiB of stack")
    }

    private static func mebibytes(_ bytes: Int) -> Int { (bytes + (1 << 19)) >> 20 }
}
