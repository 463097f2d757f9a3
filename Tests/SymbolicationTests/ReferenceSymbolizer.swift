// What llvm-symbolizer says of an address: the reference that our own frames are compared with.
import Foundation

/// One frame of llvm-symbolizer.
struct ReferenceFrame: Equatable {
    /// The linkage name without a clone's suffix, or DWARF's short name; "??" when not known.
    var name: String
    /// 0 when not known.
    var line: Int
}

enum ReferenceSymbolizer {
    /// The frames at each address, innermost first.
    static func frames(of path: String, at addresses: [UInt64]) throws -> [[ReferenceFrame]] {
        let input = addresses.map { "0x" + String($0, radix: 16) }.joined(separator: "\n") + "\n"
        let output = try Tool.llvmSymbolizer.run(["--no-demangle", "--inlines", "-e", path], input: input)
        return output.components(separatedBy: "\n\n").filter { !$0.isEmpty }.map { block in
            let lines = block.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            return stride(from: 0, to: lines.count - 1, by: 2).map { index in
                // function, then file:line:column
                let place = lines[index + 1].split(separator: ":")
                return ReferenceFrame(name: lines[index], line: Int(place.dropLast().last ?? "0") ?? 0)
            }
        }
    }
}
