// Runs the compilers and binary tools that the fixtures need, and says which of them this machine has.
import Foundation

/// A program on PATH.
enum Tool: String {
    case clang
    case clangxx = "clang++"
    case gcc
    case gxx = "g++"
    case rustc
    case swiftc
    case objcopy
    case strip
    case readelf
    case llvmSymbolizer = "llvm-symbolizer"

    var path: String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").lazy
            .map { "\($0)/\(self.rawValue)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    var exists: Bool { path != nil }
}

struct ToolFailure: Error, CustomStringConvertible {
    var description: String
}

extension Tool {
    /// Runs the tool to its end and returns its standard output; throws with its standard error when it fails.
    @discardableResult
    func run(_ arguments: [String], input: String = "") throws -> String {
        guard let path else { throw ToolFailure(description: "\(rawValue) is not installed") }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tool-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // Files, not pipes: output of any size can neither block the tool nor this process.
        let streams = try ["in", "out", "err"].map { name in
            let url = folder.appendingPathComponent(name)
            try Data((name == "in" ? input : "").utf8).write(to: url)
            return url
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: streams[0])
        process.standardOutput = try FileHandle(forWritingTo: streams[1])
        process.standardError = try FileHandle(forWritingTo: streams[2])
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let message = String(decoding: try Data(contentsOf: streams[2]), as: UTF8.self)
            throw ToolFailure(description: "\(rawValue) \(arguments.joined(separator: " ")): \(message)")
        }
        return String(decoding: try Data(contentsOf: streams[1]), as: UTF8.self)
    }
}
