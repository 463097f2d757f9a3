// Addresses to frames, from the files on this machine: opens each module once, each unit once, answers each address once.

/// Symbolicates addresses from the ELF and debug files on this machine.
///
/// A file is opened when the first address asks for it and stays open. A file whose build id is not the module's is
/// not used, for its symbols would be another program's. Every answer is kept: memory grows with distinct addresses.
/// Not thread-safe; use one per thread.
public final class Symbolicator: FrameSymbolicator {
    /// The modules that gave no symbols, by path, with the reason.
    public private(set) var missingModules: [String: String] = [:]

    private let debugDirectories: [String]
    private var modules: [ModuleDescription: Module] = [:]
    private var names: [String: (name: String, language: SourceLanguage)] = [:]

    /// A module with what it answered so far.
    private final class Module {
        let information: DebugInformation?
        /// What a frame without symbols says after the module's name.
        let remark: String
        var frames: [UInt64: [SymbolicatedFrame]] = [:]

        init(information: DebugInformation?, remark: String) {
            self.information = information
            self.remark = remark
        }
    }

    /// Creates a symbolicator that looks for separate debug files under the given directories.
    ///
    /// - Parameter debugDirectories: Roots that hold `.build-id/xx/yyyy.debug` and mirrors of the file system.
    public init(debugDirectories: [String] = ["/usr/lib/debug"]) {
        self.debugDirectories = debugDirectories
    }

    /// Returns the frames at an ELF virtual address of `module`, innermost inlined call first; never empty.
    ///
    /// O(log n) in the module's symbols and units, plus one read of a unit's functions and lines at its first address.
    public func frames(in module: ModuleDescription, at offset: UInt64) -> [SymbolicatedFrame] {
        let entry = entry(for: module)
        if let known = entry.frames[offset] { return known }
        var result = (entry.information?.frames(at: offset) ?? []).map { frame(from: $0, in: module, at: offset) }
        if result.isEmpty { result = [unknownFrame(in: module, at: offset, remark: entry.remark)] }
        entry.frames[offset] = result
        return result
    }

    private func entry(for module: ModuleDescription) -> Module {
        if let known = modules[module] { return known }
        let entry: Module
        do {
            let information = try DebugInformation(
                path: module.path, buildID: module.buildID, debugDirectories: debugDirectories)
            entry = Module(information: information, remark: "")
        } catch {
            missingModules[module.path] =
                switch error {
                case .notFound: "not found"
                case .unreadable: "unreadable"
                case .notELF: "not an ELF file"
                case .buildIDDiffers: "build id differs"
                }
            entry = Module(information: nil, remark: error == .buildIDDiffers ? " (file changed)" : "")
        }
        modules[module] = entry
        return entry
    }

    private func unknownFrame(in module: ModuleDescription, at offset: UInt64, remark: String) -> SymbolicatedFrame {
        SymbolicatedFrame(
            function: "0x\(String(offset, radix: 16)) in \(module.name)\(remark)", modulePath: module.path)
    }

    // MARK: - Names

    private func frame(
        from raw: DebugInformation.RawFrame, in module: ModuleDescription, at offset: UInt64
    ) -> SymbolicatedFrame {
        let linkage = raw.linkageName ?? ""
        let demangled = linkage.isEmpty ? nil : demangle(linkage)
        var language = SourceLanguage(dwarfCode: raw.languageCode)
        if language == .unknown { language = demangled?.language ?? .unknown }
        var result = unknownFrame(in: module, at: offset, remark: "")
        result.linkageName = linkage
        result.file = raw.file
        result.line = raw.line
        result.isInlined = raw.isInlined
        result.language = language
        result.templateArguments = raw.templateArguments
        // A mangled name says the most. A plain one (`main`, an alias of a C function) says less than DWARF's own.
        if let demangled, Demangler.isMangled(linkage), demangled.name != linkage || raw.name == nil {
            result.function = demangled.name
            if result.templateArguments.isEmpty, demangled.language == .swift {
                result.templateArguments = Demangler.swiftSpecializationArguments(linkage)
            }
        } else if let name = raw.name {
            result.function = qualified(name, scope: raw.scope, language: language)
        } else if let demangled {
            result.function = demangled.name
        }
        return result
    }

    private func qualified(_ name: String, scope: String?, language: SourceLanguage) -> String {
        guard let scope else { return name }
        switch language {
        case .swift: return scope.replacing("::", with: ".") + "." + name
        case .cxx: return Demangler.closingBracketsJoined(scope + "::" + name)
        default: return scope + "::" + name
        }
    }

    private func demangle(_ raw: String) -> (name: String, language: SourceLanguage) {
        if let known = names[raw] { return known }
        let result = Demangler.demangle(raw)
        names[raw] = result
        return result
    }
}
