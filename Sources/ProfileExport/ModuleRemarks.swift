// What is said of modules whose files are not those that ran any more: one line for each thing that became of their names.
public import Symbolication

/// The remarks on a recording's replaced modules.
public struct ModuleRemarks {
    private let modules: [(path: String, module: ReplacedModule)]

    /// The remarks on what a symbolicator found, by path.
    public init(_ replaced: [String: ReplacedModule]) {
        modules = replaced.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// One line for each kind, those without names first.
    /// - Parameter moment: since when the files have changed, in words.
    public func lines(since moment: String) -> [String] {
        remarks(since: moment, unknown: "no symbols for it").map(\.text)
    }

    /// The kinds, in the words of documents, with their lines.
    /// - Parameter unknown: what it means that a module's names are not known.
    func remarks(since moment: String, unknown: String) -> [(kind: String, text: String)] {
        let kinds: [(kind: String, reasons: [ReplacedModule.Reason], names: ReplacedModule.NameSource, text: String)] =
            [
                ("symbols", [.isAnotherBuild], .nowhere, "changed since \(moment): \(unknown)"),
                (
                    "symbols", [.isNewer], .nowhere,
                    "was written after \(moment), and no build id tells whether it is the same (link with -Wl,--build-id): \(unknown)"
                ),
                ("symbols", [.isGone], .nowhere, "is gone since \(moment): \(unknown)"),
                (
                    "symbols_answered", Self.all, .answers,
                    "changed since \(moment): its names are those that earlier reports found"
                ),
                (
                    "symbols_kept", Self.all, .copy,
                    "changed since \(moment): its names are from the copy that was kept of it"
                ),
            ]
        return kinds.compactMap { kind in
            let chosen = modules.filter { $0.module.names == kind.names && kind.reasons.contains($0.module.reason) }
            guard let first = chosen.first?.path else { return nil }
            let others = chosen.count > 1 ? " and \(NumberText.count(chosen.count - 1)) more" : ""
            return (kind.kind, "\(first)\(others) \(kind.text)")
        }
    }

    private static let all: [ReplacedModule.Reason] = [.isAnotherBuild, .isNewer, .isGone]
}
