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
    private var names: [String: DemangledName] = [:]

    /// A module with what it answered so far.
    private final class Module {
        let information: DebugInformation?
        /// What a frame without symbols says after the module's name.
        let remark: String
        var frames: [UInt64: [SymbolicatedFrame]] = [:]
        /// By the number that the debug information gives them.
        var functions: [Int32: NamedFunction] = [:]

        init(information: DebugInformation?, remark: String) {
            self.information = information
            self.remark = remark
        }
    }

    /// What a symbol says of its function.
    private struct DemangledName {
        var name: String
        var language: SourceLanguage
        var arguments: [String]
    }

    /// What a frame says of its function.
    private struct NamedFunction {
        var name: String
        var linkageName: String
        var language: SourceLanguage
        var templateArguments: [String]
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
        var result: [SymbolicatedFrame] = []
        if let information = entry.information {
            result = information.places(at: offset).map { place in
                let function = function(of: place, in: entry, information)
                return SymbolicatedFrame(
                    function: function?.name ?? unknownName(in: module, at: offset),
                    linkageName: function?.linkageName ?? "", file: place.file, line: place.line,
                    isInlined: place.isInlined, language: function?.language ?? .unknown,
                    templateArguments: function?.templateArguments ?? [], modulePath: module.path)
            }
        }
        if result.isEmpty {
            let name = unknownName(in: module, at: offset) + entry.remark
            result = [SymbolicatedFrame(function: name, modulePath: module.path)]
        }
        entry.frames[offset] = result
        return result
    }

    /// Reads the code around the call that ends just after `offset`. Once an address: the caller keeps what it asks for.
    public func allocatedType(in module: ModuleDescription, at offset: UInt64) -> String? {
        entry(for: module).information?.allocation(returningTo: offset &+ 1)?.type
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

    private func unknownName(in module: ModuleDescription, at offset: UInt64) -> String {
        "0x\(String(offset, radix: 16)) in \(module.name)"
    }

    // MARK: - Names

    private func function(
        of place: DebugInformation.Place, in entry: Module, _ information: DebugInformation
    ) -> NamedFunction? {
        guard let number = place.function else {
            guard let symbol = place.symbol else { return nil }
            let demangled = demangle(symbol)
            return NamedFunction(
                name: demangled.name, linkageName: symbol, language: demangled.language,
                templateArguments: demangled.arguments)
        }
        if let known = entry.functions[number] { return known }
        let declared = information.function(number)
        let result = named(declared, symbol: place.symbol)
        // Without a mangled name the symbol gives the name, and one function can have several (its cold part's, say).
        if place.symbol == nil || declared.linkageName.map(Demangler.isMangled) ?? false {
            entry.functions[number] = result
        }
        return result
    }

    private func named(_ function: DebugInformation.Function, symbol: String?) -> NamedFunction? {
        // gcc gives C functions a linkage name where the source renames them (`__GI__IO_fwrite`): the symbol is better.
        var linkageName = function.linkageName ?? symbol ?? ""
        if let symbol, !Demangler.isMangled(linkageName) { linkageName = symbol }
        let demangled = linkageName.isEmpty ? nil : demangle(linkageName)
        var language = SourceLanguage(dwarfCode: function.languageCode)
        if language == .unknown { language = demangled?.language ?? .unknown }
        var name = demangled?.name
        // A mangled name says the most. A plain one (`main`) says less than DWARF's own, unless DWARF names an internal
        // alias (`_IO_fwrite` for `fwrite`).
        if let short = function.name, !Demangler.isMangled(linkageName) || name == linkageName,
            !(short.hasPrefix("_") && name?.first?.isLetter == true)
        {
            name = qualified(short, scope: function.scope, language: language)
        }
        guard let name, !name.isEmpty else { return nil }
        var arguments = function.templateArguments.isEmpty ? demangled?.arguments ?? [] : function.templateArguments
        if language == .rust, let short = function.name {
            arguments = RustGenericArguments.spelled(in: short, orElse: arguments)
        }
        return NamedFunction(name: name, linkageName: linkageName, language: language, templateArguments: arguments)
    }

    private func qualified(_ name: String, scope: String?, language: SourceLanguage) -> String {
        guard let scope else { return name }
        switch language {
        case .swift: return scope.replacing("::", with: ".") + "." + name
        case .cxx: return Demangler.closingBracketsJoined(scope + "::" + name)
        default: return scope + "::" + name
        }
    }

    private func demangle(_ raw: String) -> DemangledName {
        if let known = names[raw] { return known }
        let (name, language) = Demangler.demangle(raw)
        let arguments = language == .swift ? Demangler.swiftSpecializationArguments(raw) : []
        let result = DemangledName(name: name, language: language, arguments: arguments)
        names[raw] = result
        return result
    }
}
