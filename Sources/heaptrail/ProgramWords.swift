// The command line of the program that a command starts: what stands behind the command's own options, byte by byte as the
// kernel handed it over. What the parser gives has other bytes where they are not UTF-8, and it takes a time that grows with
// the square of the words' count.
internal import AllocatorLab
internal import ArgumentParser

enum ProgramWords {
    /// This process's command line, its own name first.
    private static let line: [ByteString] = (0..<Int(CommandLine.argc)).map { index in
        CommandLine.unsafeArgv[index].map { ByteString(cString: $0) } ?? ""
    }

    /// Whether this command takes a program's command line and starts it.
    private static let isProgramStarted = line.count > 1 && ["record", "compare"].contains(line[1])

    /// Whether this command starts any program that does not end before the command's own output.
    static let startsPrograms = isProgramStarted || line.dropFirst().first == "demo"

    /// How many words are for the parser: for a command that starts a program, those up to the first `--`.
    private static let parsedCount: Int = {
        guard isProgramStarted else { return line.count }
        return line.firstIndex(of: "--").map { $0 + 1 } ?? line.count
    }()

    /// The words that the parser is to see.
    static var parsed: [String] { line[1..<max(1, parsedCount)].map(\.description) }

    /// The program's command line, empty where none was given.
    /// - Parameter captured: what the parser left over.
    /// - Throws: `Failure` 64 for a word of the command's own that is not UTF-8.
    static func words(behind captured: [String]) throws(Failure) -> [ByteString] {
        let words = line.suffix(captured.count + line.count - parsedCount)
        try refuse(line[..<words.startIndex])
        return Array(words.first == "--" ? words.dropFirst() : words)
    }

    /// Makes sure that no word was changed, for a command that starts no program.
    /// - Throws: `Failure` 64 for a word that is not UTF-8.
    static func check() throws(Failure) {
        if !isProgramStarted { try refuse(line[...]) }
    }

    private static func refuse(_ own: ArraySlice<ByteString>) throws(Failure) {
        guard let word = own.first(where: { !$0.isText }) else { return }
        throw Failure(
            status: .usage,
            "'\(word)' is not UTF-8; only the words of a program that is started need not be")
    }
}
