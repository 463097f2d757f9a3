// The built tool, for the suites of `heaptrail compare`.

import Foundation
import TestSupport
import Testing

/// `heaptrail compare`.
enum CompareTool {
    static let isBuilt = (try? BuildProducts.heaptrail()) != nil
    static let notBuilt: Comment = "heaptrail is not built; type: swift build -c release"

    /// The rows of what it printed as JSON.
    static func rows(of result: ProcessResult) throws -> [[String: Any]] {
        let document = try JSONSerialization.jsonObject(with: Data(result.stdout.utf8)) as? [String: Any]
        return try #require(document?["rows"] as? [[String: Any]])
    }

    static func run(
        _ arguments: [String], stdin: [UInt8] = [], workingDirectory: String? = nil
    ) throws -> ProcessResult {
        try TestSupport.run(
            BuildProducts.heaptrail(), ["compare"] + arguments, workingDirectory: workingDirectory, stdin: stdin)
    }
}
