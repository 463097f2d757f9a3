// What a report will be able to name: debug information, symbols, unwind tables, of the executable and its libraries.

internal import Symbolication

extension ProgramFindings {
    private static let listedLibraries = 4
    private static let wellCovered = 0.95

    mutating func checkDebugInformation() {
        guard let inventory = facts.modules[0].inventory else { return }
        let place = inventory.debugFile.map { " in \($0)" } ?? ""
        switch inventory.depth {
        case .full where inventory.missingSplitUnits == 0:
            add(.ok, "debug info", "functions, inlined calls, lines and types\(place)")
        case .full, .lines:
            if inventory.missingSplitUnits > 0 {
                add(
                    .warning, "debug info",
                    "split off: \(inventory.missingSplitUnits) units name files that are not there, such as \(inventory.missingSplitFile ?? "")",
                    advice: "keep the .dwo files where they were built, or build without -gsplit-dwarf")
            } else {
                add(
                    .warning, "debug info",
                    "lines and inlined calls\(place), but no types: owners' arguments may not be named",
                    advice: debugAdvice)
            }
        case .none:
            add(.warning, "debug info", missingDebugFinding(inventory), advice: debugAdvice)
        }
        guard inventory.depth == .none else { return }
        if inventory.functionSymbols > 0 {
            add(.ok, "symbols", "\(inventory.functionSymbols) functions have names")
        } else {
            let mini = inventory.hasMiniDebugInformation ? "; .gnu_debugdata is there and is not read" : ""
            add(
                .warning, "symbols",
                "stripped: \(inventory.exportedFunctions) exported functions have names, no other\(mini)")
        }
    }

    private func missingDebugFinding(_ inventory: DebugInventory) -> String {
        let text = "none: no lines, and inlined owners are not named"
        // A build of one's own has no other file; a distribution's has one to be installed.
        guard debugPackage != nil || inventory.hasDebugLink, let candidate = inventory.debugFileCandidates.first else {
            return text
        }
        return text + "; no \(candidate)"
    }

    private var debugPackage: String? {
        facts.modules[0].path.flatMap { facts.packages[$0] }.map(DebianPackages.debugPackage(for:))
    }

    /// The build or the package that brings debug information.
    private var debugAdvice: String? {
        let module = facts.modules[0]
        if let package = module.path.flatMap({ facts.packages[$0] }) {
            return
                "apt-get install \(DebianPackages.debugPackage(for: package)) (from the distribution's debug archive)"
        }
        switch module.inventory?.languages.first {
        case "swift": return "swift build -c release -Xswiftc -g: the same code, with types and lines"
        case "rust":
            return "Cargo.toml, [profile.release]: debug = true, strip = false: the same code, with types and lines"
        case "c", "c++": return "compile with -g and do not strip: the same code, with types and lines"
        default: return nil
        }
    }

    /// Whether the Swift runtime's allocation hook will be found: in its library, or by the executable's symbols.
    mutating func checkSwiftTypes() {
        guard let inventory = facts.modules[0].inventory, inventory.languages.contains("swift") else { return }
        if facts.modules.contains(where: { $0.name.hasPrefix("libswiftCore.so") }) {
            add(.ok, "swift types", "told by the runtime, libswiftCore.so")
        } else if !inventory.isStripped {
            add(.ok, "swift types", "told by the runtime within the executable")
        } else {
            add(
                .warning, "swift types",
                "the runtime lies within, without symbols: blocks tell their types as they are freed, and what stays has none",
                advice: "keep the symbol table: strip --strip-debug")
        }
    }

    mutating func checkUnwinding() {
        guard let tables = facts.modules[0].inventory?.unwindTables, let coverage = tables.coverage else { return }
        let share = Self.percent(coverage)
        if coverage >= Self.wellCovered {
            add(.ok, "call stacks", "\(share) of the code has unwind tables: stacks are whole")
            return
        }
        let kept =
            tables.framePointerShare.map { ", \(Self.percent($0)) of the functions sampled keep frame pointers" } ?? ""
        let finding =
            tables.functions == 0
            ? "no unwind tables: stacks through it follow frame pointers"
            : "\(share) of the code has unwind tables; elsewhere stacks follow frame pointers\(kept)"
        add(
            .warning, "call stacks", finding,
            advice: "compile with -fasynchronous-unwind-tables or -fno-omit-frame-pointer")
    }

    mutating func checkLibraryNames() {
        let libraries = facts.modules.dropFirst().filter { $0.inventory != nil }
        let bare = libraries.filter { $0.inventory?.isStripped == true }
        if libraries.isEmpty { return }
        if bare.isEmpty {
            add(
                .ok, "libraries' names",
                libraries.count == 1 ? "the one library has symbols" : "all \(libraries.count) have symbols")
            return
        }
        var names = bare.prefix(Self.listedLibraries).map(\.name).joined(separator: ", ")
        if bare.count > Self.listedLibraries { names += " and \(bare.count - Self.listedLibraries) more" }
        add(
            .ok, "libraries' names",
            "\(bare.count) of \(libraries.count) are stripped, their exports name them: \(names)")
    }

    private static func percent(_ share: Double) -> String {
        "\(Int((share * 100).rounded(share < 1 ? .down : .toNearestOrEven))) %"
    }
}

/// Words as a shell takes them.
enum ShellText {
    /// The word, in quotes where the shell would read it otherwise.
    static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "_-./=:,+@%".utf8.contains(byte)
            }
        }
        return plain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
