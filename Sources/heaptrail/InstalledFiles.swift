// Where the tool's companions lie: beside the executable after a build, in ../lib/heaptrail after an installation.
import FoundationEssentials
import Glibc

enum InstalledFiles {
    /// The folder of the running executable.
    static var folder: String {
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        let text =
            count > 0
            ? String(decoding: path[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : CommandLine.arguments[0]
        return text.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    }

    /// The library that is preloaded.
    static func preload() throws -> String {
        try find(
            ["libheaptrail.so", "../lib/heaptrail/libheaptrail.so"], hint: "build it with: scripts/build-interposer")
    }

    /// The demo workloads' executable.
    static func demo() throws -> String {
        try find(
            ["heaptrail-demo", "../lib/heaptrail/heaptrail-demo"],
            hint: "build it with: swift build -c release --product heaptrail-demo")
    }

    /// The program that performs a plan on an allocator.
    static func replay() throws -> String {
        try find(
            ["heaptrail-replay", "../lib/heaptrail/heaptrail-replay"], hint: "build it with: scripts/build-interposer")
    }

    private static func find(_ places: [String], hint: String) throws -> String {
        for place in places {
            let path = folder + "/" + place
            if access(path, R_OK) == 0 { return path }
        }
        throw Failure(status: .noInput, "\(places[0]) is not beside \(folder)/heaptrail; \(hint)")
    }
}
