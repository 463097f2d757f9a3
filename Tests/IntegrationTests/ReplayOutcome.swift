// What `heaptrail replay` does with some arguments: how it ends, what it writes, and the document where it wrote one.

internal import Foundation
internal import TestSupport
internal import Testing

struct ReplayOutcome {
    /// Whether the tool and the program that performs the calls are built.
    static let isPossible = BuildProducts.areBuilt && (try? BuildProducts.replay()) != nil
    static let notBuilt: Comment = "type: swift build -c release && scripts/build-interposer"

    let result: ProcessResult
    /// Standard output as JSON; empty where it is none.
    let document: [String: Any]

    init(_ arguments: [String]) throws {
        result = try run(BuildProducts.heaptrail(), ["replay"] + arguments, timeout: 300)
        let json = try? JSONSerialization.jsonObject(with: Data(result.stdout.utf8))
        document = json as? [String: Any] ?? [:]
    }

    func number(_ key: String) -> Int? { document[key] as? Int }
    var rows: [[String: Any]] { document["rows"] as? [[String: Any]] ?? [] }
    var gaps: [String: Any] { document["gaps"] as? [String: Any] ?? [:] }
}
