// Golden tests: stacks captured at malloc in real programs, each with the attribution a person checked.
//
// A corpus file holds tables of paths (P) and frames (F), then stacks (S, innermost first) each followed by its
// expectation (=): family, type, language, cause, rule, site. Stacks end at the first frame with a user's source. Between
// them may stand what the Swift runtime's metadata said of the block (T).

import Foundation
@testable import HeapAnalysis
import Symbolication
import Testing

struct AttributionCorpus {
    struct Case {
        var stack: [SymbolicatedFrame]
        /// What metadata said; nil where it said nothing.
        var type: String?
        var expected: String
        var line: Int
    }

    var executable = ""
    var cases: [Case] = []

    init(contentsOf url: URL) throws {
        var paths: [Substring: String] = ["": ""]
        var frames: [Substring: SymbolicatedFrame] = [:]
        var stack: [SymbolicatedFrame] = []
        var type: String?
        let text = try String(contentsOf: url, encoding: .utf8)
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("# executable ") { executable = String(line.dropFirst(13)) }
            let fields = line.dropFirst(2).split(separator: "\t", omittingEmptySubsequences: false)
            switch line.first {
            case "P": paths[fields[0]] = String(fields[1])
            case "F":
                let file = paths[fields[3]] ?? ""
                frames[fields[0]] = SymbolicatedFrame(
                    function: String(fields[1]), linkageName: String(fields[2]), file: file.isEmpty ? nil : file,
                    line: Int(fields[4]), isInlined: fields[5] == "i",
                    language: try #require(SourceLanguage(rawValue: String(fields[6]))),
                    templateArguments: fields[7].split(separator: "¦").map(String.init),
                    modulePath: paths[fields[8]] ?? "")
            case "S":
                type = nil
                stack = try line.dropFirst(2).split(separator: " ").map { try #require(frames[$0]) }
            case "T": type = String(line.dropFirst(2))
            case "=": cases.append(Case(stack: stack, type: type, expected: String(line.dropFirst(2)), line: index + 1))
            default: break
            }
        }
    }

    static let files = [
        "r_og", "r_dbg", "r_v0", "r_o", "r_v0o", "rust_owners_lines", "rust_owners_o", "rust_collections_lines",
        "rust_collections_o", "rust_collections_v0o", "rust_tasks", "rust_json_og", "rust_json_o",
        "rust63_owners_og", "rust63_owners_v0o", "rust63_collections_og", "rust63_collections_o", "c_g0", "c_g2",
        "c_g2g", "c_c2g", "s_og", "s_dbg", "s_types_og", "s_types_dbg", "s_types_o", "s_types_static",
    ]

    static func load(_ name: String) throws -> AttributionCorpus {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "AttributionCorpus")
        return try AttributionCorpus(contentsOf: folder.appending(path: "\(name).txt"))
    }
}

extension Attribution {
    /// The attribution as the corpus writes it.
    var corpusLine: String {
        [owner.family, owner.type, owner.language, cause.rawValue, rule, site?.description ?? "-"]
            .joined(separator: "\t")
    }
}

@Suite("Attribution of real stacks")
struct AttributionCorpusTests {
    @Test("every stack of the corpus keeps its owner, cause, rule and site", arguments: AttributionCorpus.files)
    func golden(file: String) throws {
        let corpus = try AttributionCorpus.load(file)
        #expect(corpus.cases.count >= 10)
        let attributor = Attributor(executablePath: corpus.executable)
        for example in corpus.cases {
            let found = attributor.attribute(
                walking: example.stack.map { AttributableFrame($0, by: attributor) }, tag: nil,
                type: try example.type.map { try evidence($0) }
            ).attribution.corpusLine
            #expect(found == example.expected, "\(file).txt, line \(example.line)")
        }
    }

    /// The evidence that a report would show as this text.
    private func evidence(_ text: String) throws -> RuntimeTypeEvidence {
        if text == "box of any Error" { return .owner(.error(nil), of: text) }
        if text.hasPrefix("box of ") {
            let parts = text.dropFirst("box of ".count).components(separatedBy: ", payload of a case of ")
            if parts.count == 2 { return .owner(.payload(of: .named(parts[1])), of: text) }
            return .owner(.boxed(.named(parts[0])), of: text)
        }
        guard text.hasPrefix("context of ") else {
            return .owner(RuntimeOwner(object: try #require(SwiftType(name: text))), of: text)
        }
        let keeps = " and their metadata"
        var list = String(text.dropFirst("context of ".count))
        let keepsMetadata = list.hasSuffix(keeps)
        if keepsMetadata { list.removeLast(keeps.count) }
        let types = list.components(separatedBy: "; ").map { SwiftType.named($0) }
        return .context(SwiftCaptures(types: types, keepsMetadata: keepsMetadata), of: NoFacts())
    }

    private struct NoFacts: FunctionFacts {
        func formsClosures(_ linkageName: String) -> Bool? { nil }
        func capturesVariable(_ linkageName: String, of type: SwiftType) -> Bool { false }
    }

    @Test("a frame of user code never owns by its name, whatever it is called", arguments: AttributionCorpus.files)
    func negativeControl(file: String) throws {
        let corpus = try AttributionCorpus.load(file)
        let attributor = Attributor(executablePath: corpus.executable)
        for example in corpus.cases {
            // The user's function alone: what is left once every library frame is gone must not look like a container.
            guard var user = example.stack.last, user.file?.hasPrefix("/app/src/") == true else { continue }
            user.isInlined = false
            let owner = attributor.attribute(stack: [user], tag: nil).owner
            #expect(owner.family == "C", "\(file).txt, line \(example.line): \(owner)")
        }
    }

    @Test("the corpus has every family that frames can tell, and every language")
    func coverage() throws {
        var families: Set<String> = []
        var languages: Set<String> = []
        for file in AttributionCorpus.files {
            for example in try AttributionCorpus.load(file).cases {
                let fields = example.expected.split(separator: "\t")
                families.insert(String(fields[0]))
                languages.insert(String(fields[2]))
            }
        }
        #expect(
            families.isSuperset(of: [
                "Box", "String", "Cow", "Array", "Dictionary", "Set", "Shared", "Class", "Closure", "Task", "Data",
                "Runtime", "C", "Unattributed",
            ]))
        #expect(languages.isSuperset(of: ["swift", "rust", "c++", "c"]))
    }

    @Test("the same stack twice, and by a copy of the attributor, gives the same attribution")
    func deterministic() throws {
        let corpus = try AttributionCorpus.load("r_og")
        let first = Attributor(executablePath: corpus.executable)
        let copy = first
        for example in corpus.cases.reversed() {
            let expected = first.attribute(stack: example.stack, tag: nil)
            #expect(copy.attribute(stack: example.stack, tag: nil) == expected)
        }
    }
}
