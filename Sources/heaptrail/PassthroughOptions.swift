// Commands that take a program's command line leave every word from the first unknown one on to it, so that words of their
// own that are misspelt, and the request for help, arrive there, too.
internal import ArgumentParser
internal import HeapAnalysis

extension ParsableCommand {
    /// Answers a request for help or the version that stands where the program belongs, and refuses an option that is none.
    ///
    /// - Parameter word: the first word of the program's command line.
    static func checkPassthrough(_ word: String?) throws {
        guard let word, word.hasPrefix("-"), word != "--" else { return }
        if word == "-h" || word == "--help" { throw CleanExit.helpRequest(Self.self) }
        if word == "--version" { throw CleanExit.message("heaptrail \(Heaptrail.version)") }
        let name = configuration.commandName ?? ""
        let known = Suggestion.options(inHelp: Heaptrail.helpMessage(for: Self.self, columns: 200))
        let hint = Suggestion.nearest(to: word, among: known).map { " (did you mean \($0)?)" } ?? ""
        throw Failure(status: .usage, "unknown option '\(word)'\(hint); type: heaptrail \(name) --help")
    }
}

/// The known word that a misspelt one was meant to be.
enum Suggestion {
    /// The options that a help text lists.
    static func options(inHelp text: String) -> [String] {
        text.split(whereSeparator: { " ,\n/".contains($0) }).map(String.init)
            .filter { $0.hasPrefix("--") && $0.count > 3 }
    }

    /// The nearest of `words` to `word`, the value of an option left aside; nil where none is near.
    static func nearest(to word: String, among words: [String]) -> String? {
        NearestWord.nearest(to: String(word.prefix { $0 != "=" }), among: words)
    }
}
