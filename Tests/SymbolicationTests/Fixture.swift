// Builds the fixture programs at test time, each into a folder of its own that goes away with it.
import Foundation
import Symbolication

/// A program built from `Fixtures/`.
final class Fixture {
    let folder: URL
    let path: String

    init(_ source: String, _ tool: Tool, _ flags: [String]) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("symbolication-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appendingPathComponent("program").path
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
        try tool.run(flags + [sources.appendingPathComponent(source).path, "-o", path])
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func url(_ name: String) -> URL { folder.appendingPathComponent(name) }

    var module: ModuleDescription { ModuleDescription(path: path, buildID: []) }

    /// The build id that readelf prints.
    func buildID() throws -> [UInt8] {
        let notes = try Tool.readelf.run(["-n", path])
        guard let line = notes.split(separator: "\n").first(where: { $0.contains("Build ID: ") }) else { return [] }
        let hex = Array(line.drop { $0 != ":" }.dropFirst().trimmingPrefix(while: \.isWhitespace))
        return stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(String(hex[$0..<($0 + 2)]), radix: 16) }
    }

    /// Address and size of each function symbol, by name.
    func functions() throws -> [String: Range<UInt64>] {
        var result: [String: Range<UInt64>] = [:]
        for line in try Tool.readelf.run(["-sW", path]).split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count >= 8, fields[3] == "FUNC", let address = UInt64(fields[1], radix: 16),
                let size = UInt64(fields[2]), size > 0, address > 0
            else { continue }
            result[String(fields[7])] = address..<(address + size)
        }
        return result
    }

    /// The addresses of the one function whose symbol contains `part`.
    func addresses(of part: String) throws -> Range<UInt64> {
        guard let found = try functions().filter({ $0.key.contains(part) }).min(by: { $0.key.count < $1.key.count })
        else { throw ToolFailure(description: "no function \(part) in \(path)") }
        return found.value
    }

    /// Every frame of the function whose symbol contains `part`, one list an address.
    func stacks(in part: String, of module: ModuleDescription? = nil, with symbolicator: Symbolicator = Symbolicator())
        throws -> [[SymbolicatedFrame]]
    {
        try addresses(of: part).map { symbolicator.frames(in: module ?? self.module, at: $0) }
    }
}
