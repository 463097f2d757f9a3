// What is known about one ELF file's code before anything runs: names, debug information and where it lies, unwind
// tables, languages. The answer to "what will a report be able to say about addresses in this file".

internal import CDebugInfo
internal import Glibc

/// The symbols and debug information of one file.
package struct DebugInventory: Sendable, Equatable {
    /// How much the debug information says.
    package enum Depth: String, Sendable {
        /// There is none, of the program's own code at least: Rust's library always brings lines.
        case none
        /// Functions, inlined calls and lines, but no types (`-g1`, line tables only).
        case lines
        /// All that, and types.
        case full
    }

    /// Functions in the full symbol table; 0 of a stripped file without a debug file.
    package var functionSymbols = 0
    /// Functions that it exports, which strip leaves.
    package var exportedFunctions = 0
    /// Whether it has `.gnu_debugdata`, compressed symbols that this tool does not read.
    package var hasMiniDebugInformation = false
    /// How much the debug information in use says.
    package var depth = Depth.none
    /// The separate debug file in use.
    package var debugFile: String?
    /// Units whose functions lie in a `.dwo` or `.dwp` file that is not there.
    package var missingSplitUnits = 0
    /// One of those files, as its unit names it.
    package var missingSplitFile: String?
    /// Whether it names a separate debug file (`.gnu_debuglink`).
    package var hasDebugLink = false
    /// The GNU build id in hexadecimal; nil where there is none.
    package var buildID: String?
    /// The files that would be taken for its separate debug file, in the order they are looked for.
    package var debugFileCandidates: [String] = []
    /// What the code was written in: `swift`, `rust`, `c++`, `c`, `go`.
    package var languages: [String] = []
    /// What call stacks through it can rest on.
    package var unwindTables = UnwindTables()

    /// Whether functions that are not exported have no name.
    package var isStripped: Bool { functionSymbols == 0 && depth == .none }

    /// Takes the inventory of an ELF file.
    ///
    /// - Parameters:
    ///   - file: its headers.
    ///   - path: where it lies, links resolved.
    ///   - debugDirectories: roots that hold `.build-id/xx/yyyy.debug` and mirrors of the file system.
    /// - Complexity: one pass over its symbols, one over its unwind entries, one over the list of its units.
    package init(of file: ELFFile, path: String, debugDirectories: [String] = ["/usr/lib/debug"]) {
        var functions: [(start: UInt64, bytes: UInt64)] = []
        var evidence = LanguageEvidence(of: file)
        file.forEachSymbol(in: .full) { symbol in
            if symbol.isFunction {
                functionSymbols += 1
                functions.append((symbol.address, symbol.bytes))
            }
            evidence.note(symbol: symbol.name)
            return true
        }
        file.forEachSymbol(in: .dynamic) { symbol in
            if symbol.isFunction { exportedFunctions += 1 }
            evidence.note(symbol: symbol.name)
            return true
        }
        unwindTables = UnwindTables(of: file, functions: functions)
        hasMiniDebugInformation = file.section(".gnu_debugdata") != nil
        hasDebugLink = file.section(".gnu_debuglink") != nil
        let id = file.buildID
        if !id.isEmpty { buildID = id.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
        debugFileCandidates = Self.candidates(file, path: path, buildID: buildID, directories: debugDirectories)
        let codes = readDebugInformation(path: path, directories: debugDirectories)
        languages = evidence.languages(declared: codes)
    }

    /// Asks libdw; returns the languages that the units declare.
    private mutating func readDebugInformation(path: String, directories: [String]) -> [UInt32] {
        let found = UnsafeMutablePointer<ht_debug_inventory>.allocate(capacity: 1)
        let list = directories.map { strdup($0) }
        defer {
            list.forEach { free($0) }
            found.deallocate()
        }
        let status = list.map { UnsafePointer($0) }.withUnsafeBufferPointer {
            ht_debug_take_inventory(path, $0.baseAddress, $0.count, found)
        }
        guard status == HT_DEBUG_OK else { return [] }
        if found.pointee.units > found.pointee.toolchain_units { depth = found.pointee.has_types != 0 ? .full : .lines }
        func text<Tuple>(_ characters: Tuple) -> String? {
            withUnsafeBytes(of: characters) { bytes in
                bytes[0] == 0 ? nil : String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
        }
        debugFile = text(found.pointee.debug_file)
        missingSplitUnits = Int(found.pointee.missing_split_units)
        missingSplitFile = text(found.pointee.missing_split_name)
        if functionSymbols == 0, found.pointee.debug_file_has_symbols != 0, let debugFile,
            let symbols = try? ELFFile(path: debugFile)
        {
            symbols.forEachSymbol(in: .full) { symbol in
                if symbol.isFunction { functionSymbols += 1 }
                return true
            }
        }
        return withUnsafeBytes(of: found.pointee.languages) { codes in
            Array(codes.bindMemory(to: UInt32.self).prefix(Int(found.pointee.language_count)))
        }
    }

    private static func candidates(
        _ file: ELFFile, path: String, buildID: String?, directories: [String]
    ) -> [String] {
        var result: [String] = []
        if let buildID, buildID.count >= 4 {
            result += directories.map { "\($0)/.build-id/\(buildID.prefix(2))/\(buildID.dropFirst(2)).debug" }
        }
        guard let link = file.section(".gnu_debuglink"), link.bytes < 4096 else { return result }
        let name = Window(file.contents(of: link)).string(0)
        guard !name.isEmpty, !name.contains("/") else { return result }
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        result += ["\(folder)/\(name)", "\(folder)/.debug/\(name)"]
        return result + directories.map { "\($0)\(folder)/\(name)" }
    }
}
