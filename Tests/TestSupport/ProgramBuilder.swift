// Compiles the small programs that tests run. A program is built once for each distinct source and command: the result
// is kept under `.build/test-programs` in a file named by a hash of both.

internal import Foundation

/// A language the tests have programs in.
public enum SourceLanguage: Sendable {
    /// C11.
    case c
    /// C++17.
    case cxx
    /// Rust, edition 2021, the standard library alone.
    case rust
    /// Swift 6.
    case swift

    /// The compiler's name: the first of the usual ones that is installed, or the usual one where none is.
    public var compiler: String {
        candidates.first(where: Tool.isInstalled) ?? candidates[0]
    }

    /// Whether a compiler for the language is installed, for a test's condition. Rust: 1.66 or later, for the programs use
    /// `std::hint::black_box`.
    public var isAvailable: Bool { Tool.isInstalled(compiler) && (self != .rust || Self.rustMinorVersion >= 66) }

    /// The 66 of "rustc 1.66.0 (…)"; 0 where there is no rustc.
    private static let rustMinorVersion: Int = {
        let version = (try? runChecked("rustc", ["--version"])) ?? ""
        let numbers = version.split(separator: " ").dropFirst().first?.split(separator: ".") ?? []
        guard numbers.count > 1, numbers[0] == "1" else { return 0 }
        return Int(numbers[1]) ?? 0
    }()

    private var candidates: [String] {
        switch self {
        case .c: ["clang", "gcc", "cc"]
        case .cxx: ["clang++", "g++", "c++"]
        case .rust: ["rustc"]
        case .swift: ["swiftc"]
        }
    }

    var sourceExtension: String {
        switch self {
        case .c: "c"
        case .cxx: "cpp"
        case .rust: "rs"
        case .swift: "swift"
        }
    }

    var defaultArguments: [String] {
        switch self {
        case .c: ["-std=c11", "-D_GNU_SOURCE", "-g", "-pthread"]
        case .cxx: ["-std=c++17", "-g", "-pthread"]
        case .rust: ["--edition=2021", "-g"]
        case .swift: ["-swift-version", "6", "-g"]
        }
    }
}

/// Builds test programs from source.
public enum ProgramBuilder {
    /// Compiles `source` and returns the path of the result.
    ///
    /// - Parameters:
    ///   - source: the program's text.
    ///   - language: what it is written in.
    ///   - name: the name of the executable, which is the last part of the path returned.
    ///   - arguments: compiler arguments after the language's default ones (standard, `-g`, threads); libraries go here.
    ///   - compiler: the one to use, where it matters which.
    /// - Throws: `TestSupportError` with the compiler's own words.
    public static func build(
        _ source: String, language: SourceLanguage, name: String = "program", arguments: [String] = [],
        compiler: String? = nil
    ) throws -> String {
        let compiler = try Tool.require(compiler ?? language.compiler)
        let command = language.defaultArguments + arguments
        let key = hash(([source, compiler] + command).joined(separator: "\u{0}"))
        let folder = "\(BuildProducts.packageRoot)/.build/test-programs/\(key)"
        let product = "\(folder)/\(name)"
        if FileManager.default.fileExists(atPath: product) { return product }

        // Tests run side by side: everyone builds in a folder of their own, the first one done wins.
        let work = try TemporaryDirectory()
        let file = try work.write(source, to: "\(name).\(language.sourceExtension)")
        try runChecked(compiler, [file, "-o", work.file("product")] + command, timeout: 300)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // The source stays beside the program, so that debug information can be followed by a person.
        try Data(source.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name).\(language.sourceExtension)"))
        let staged = "\(folder)/.\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: work.file("product"), toPath: staged)
        // Whoever comes second leaves the first one's, which may be running.
        let linked = link(staged, product)
        let reason = errno
        unlink(staged)
        guard linked == 0 || reason == EEXIST else { throw TestSupportError("cannot create \(product)") }
        return product
    }

    /// Compiles a file of `Tests/Programs` (`reference-counter.c`, say) and returns the path of the result, named as the
    /// file without its extension.
    ///
    /// - Throws: `TestSupportError` when the file cannot be read or does not compile.
    public static func build(
        testProgram file: String, language: SourceLanguage, name: String? = nil, arguments: [String] = [],
        compiler: String? = nil
    ) throws -> String {
        let path = BuildProducts.testProgram(file)
        guard let source = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw TestSupportError("\(path) cannot be read")
        }
        let stem = file.split(separator: "/").last!.split(separator: ".").first!
        // The headers that lie beside the programs.
        let headers = source.contains("#include \"") ? ["-I", BuildProducts.testProgram("")] : []
        return try build(
            source, language: language, name: name ?? String(stem), arguments: headers + arguments, compiler: compiler)
    }

    /// FNV-1a, 64 bits: enough to tell a few hundred small programs apart.
    private static func hash(_ text: String) -> String {
        var value: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(value, radix: 16)
    }
}
