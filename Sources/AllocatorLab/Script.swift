// The `#!` line of a script: which program the kernel starts, and, where that is env, which one env starts in turn.

/// What a script is run by.
struct Script: Equatable {
    /// The path after `#!`.
    let interpreter: String
    /// The rest of the line, as the kernel passes it: one argument.
    let argument: String?

    /// The first line of a script; nil unless the bytes begin with `#!` and name something.
    init?(head: [UInt8]) {
        guard head.starts(with: Array("#!".utf8)) else { return nil }
        let line = String(decoding: head.dropFirst(2).prefix { $0 != 10 }, as: UTF8.self)
        let words = line.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" })
        guard let first = words.first else { return nil }
        interpreter = String(first)
        let rest = words.count > 1 ? words[1].drop { $0 == " " || $0 == "\t" } : ""
        argument = rest.isEmpty ? nil : String(rest)
    }

    /// What `env` executes for this script: its argument without options and assignments; nil where the interpreter is not
    /// env.
    var programBehindEnv: String? {
        guard FileProbe.lastComponent(interpreter) == "env", let argument else { return nil }
        // Without -S the kernel's one argument is the name itself, spaces and all.
        guard argument.hasPrefix("-") else {
            return argument.contains("=") ? nil : argument
        }
        let words = argument.split(whereSeparator: { $0 == " " || $0 == "\t" })
        let plain = words.drop { $0.hasPrefix("-") && !$0.hasPrefix("-S") || $0 == "-S" || $0.contains("=") }
        guard let word = plain.first else { return nil }
        return String(word.hasPrefix("-S") ? word.dropFirst(2) : word)
    }
}
