// Addresses to frames, from the files on this machine: opens each module once, each unit once, answers each address once.

/// Symbolicates addresses from the ELF and debug files on this machine.
///
/// A file is opened when the first address asks for it and stays open. A file whose build id is not the module's is
/// not used, for its symbols would be another program's. Every answer is kept: memory grows with distinct addresses.
/// Not thread-safe; use one per thread.
public final class Symbolicator: FrameSymbolicator {
    /// The modules that gave no symbols, by path, with the reason.
    public private(set) var missingModules: [String: String] = [:]

    /// Whether the time that answers take is summed up in ``statistics``.
    public var measuresTime = false
    /// What it was asked so far.
    public private(set) var statistics = Statistics()

    private let debugDirectories: [String]
    private let cache: SymbolCache?
    private var modules: [ModuleDescription: Module] = [:]
    private var names: [String: DemangledName] = [:]

    /// What a symbolicator was asked.
    public struct Statistics: Sendable {
        /// Distinct addresses.
        public var addresses = 0
        /// Time that the answers took, opening files included, where it is measured.
        public var duration = Duration.zero
    }

    /// A module with what it answered so far.
    private final class Module {
        /// What an earlier run learnt, which still holds.
        let cached: CachedSymbols?
        var opened: Opened?
        /// What is said of each offset; empty where the files know nothing of it.
        var frames: [UInt64: [SymbolicatedFrame]] = [:]
        /// What calls of operator new allocate, where the code tells.
        var types: [UInt64: String?] = [:]
        /// The functions that calls were meant for, which left by a jump; by `callKey`, empty where there is none.
        var tailCallers: [UInt64: [SymbolicatedFrame]] = [:]
        /// Whether the files were asked for anything.
        var hasNews = false

        init(cached: CachedSymbols?) { self.cached = cached }
    }

    /// A module's files, open.
    private final class Opened {
        let information: DebugInformation?
        /// What a frame without symbols says after the module's name.
        let remark: String
        /// What the cache's file will rest on: as it was before the files were read.
        let inputs: SymbolCacheInputs?
        /// By the number that the debug information gives them. One without a mangled name is called by its symbol, where it has one.
        var functions: [Int32: NamedFunction] = [:]
        var functionsWithoutSymbol: [Int32: NamedFunction] = [:]

        init(information: DebugInformation?, remark: String, inputs: SymbolCacheInputs? = nil) {
            self.information = information
            self.remark = remark
            self.inputs = inputs
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
    /// - Parameters:
    ///   - debugDirectories: Roots that hold `.build-id/xx/yyyy.debug` and mirrors of the file system.
    ///   - cache: What earlier runs learnt; the answers are the same with and without.
    public init(debugDirectories: [String] = ["/usr/lib/debug"], cache: SymbolCache? = nil) {
        self.debugDirectories = debugDirectories
        self.cache = cache
    }

    /// Returns the frames at an ELF virtual address of `module`, innermost inlined call first; never empty.
    ///
    /// O(log n) in the module's symbols and units, plus one read of a unit's functions and lines at its first address.
    public func frames(in module: ModuleDescription, at offset: UInt64) -> [SymbolicatedFrame] {
        measured { places(in: module, at: offset) }
    }

    /// Runs a question from outside, and counts the time where it is wanted.
    private func measured<Answer>(_ answer: () -> Answer) -> Answer {
        guard measuresTime else { return answer() }
        let began = ContinuousClock.now
        defer { statistics.duration += ContinuousClock.now - began }
        return answer()
    }

    private func places(in module: ModuleDescription, at offset: UInt64) -> [SymbolicatedFrame] {
        let entry = entry(for: module)
        if let known = entry.frames[offset] { return known }
        statistics.addresses += 1
        if offset < Self.callKey, let known = entry.cached?.frames(at: offset, modulePath: module.path) {
            entry.frames[offset] = known
            return known
        }
        let opened = open(module, entry)
        entry.hasNews = true
        var result: [SymbolicatedFrame] = []
        if let information = opened.information {
            result = information.places(at: offset).map { place in
                let function = function(of: place, in: opened, information)
                return SymbolicatedFrame(
                    function: function?.name ?? unknownName(in: module, at: offset),
                    linkageName: function?.linkageName ?? "", file: place.file, line: place.line,
                    isInlined: place.isInlined, language: function?.language ?? .unknown,
                    templateArguments: function?.templateArguments ?? [], modulePath: module.path)
            }
        }
        if result.isEmpty { result = [unknown(in: module, at: offset, remark: opened.remark)] }
        entry.frames[offset] = result
        return result
    }

    /// Returns the function that the call before `returnOffset` was meant for, where it left by a jump; of Rust alone. O(log symbols).
    public func tailCaller(in module: ModuleDescription, returningTo returnOffset: UInt64, inner: UInt64?)
        -> SymbolicatedFrame?
    {
        guard let inner else { return nil }
        return measured {
            let entry = entry(for: module)
            let key = Self.key(ofCallReturningTo: returnOffset, inner: inner)
            if let key, let known = entry.tailCallers[key] { return known.first }
            if let key, let known = entry.cached?.frames(at: key, modulePath: module.path) {
                entry.tailCallers[key] = known
                return known.first
            }
            let found = readTailCaller(in: module, entry, returningTo: returnOffset, inner: inner)
            if let key { entry.tailCallers[key] = found.map { [$0] } ?? [] }
            return found
        }
    }

    private func readTailCaller(
        in module: ModuleDescription, _ entry: Module, returningTo returnOffset: UInt64, inner: UInt64
    ) -> SymbolicatedFrame? {
        // Without lines, what was inlined into the caller is not known: a String's growth jumps through Vec<u8>'s, too.
        guard places(in: module, at: returnOffset &- 1).last?.file != nil,
            let information = open(module, entry).information
        else { return nil }
        entry.hasNews = true
        guard let target = information.callTarget(returnAddress: returnOffset, inner: inner),
            var frame = places(in: module, at: target).last,
            // Rust's library is built to leave by jumps where programs in debug mode call it; of other languages' runtimes the
            // rules know the frames as they are. A part of a function that was split off is called by its whole.
            frame.language == .rust, places(in: module, at: inner).last?.function != frame.function
        else { return nil }
        frame.isInlined = false
        return frame
    }

    private func unknown(in module: ModuleDescription, at offset: UInt64, remark: String = "") -> SymbolicatedFrame {
        SymbolicatedFrame(function: unknownName(in: module, at: offset) + remark, modulePath: module.path)
    }

    /// In a cache the type that a call of operator new at an offset allocates stands at the offset with this bit, as the name of a frame; no
    /// address in a file has it.
    private static let typeKey: UInt64 = 1 << 63
    /// There the function that a call was meant for stands at this bit and the two offsets that tell the call, of 31 bits each.
    private static let callKey: UInt64 = 1 << 62

    /// The place of a call in a cache; nil in modules too large for it.
    private static func key(ofCallReturningTo offset: UInt64, inner: UInt64) -> UInt64? {
        offset < 1 << 31 && inner < 1 << 31 ? callKey | offset << 31 | inner : nil
    }

    /// Keeps what was learnt since for later runs, where there is a cache. O(answers).
    public func saveCache() {
        guard let cache else { return }
        for (module, entry) in modules where entry.hasNews {
            guard let inputs = entry.opened?.inputs, entry.opened?.information?.isWholeInItsFiles == true else {
                continue
            }
            var known = entry.frames.filter { $0.key < Self.callKey }
            known.merge(entry.tailCallers) { frames, _ in frames }
            for (offset, type) in entry.types where offset < Self.callKey {
                known[offset | Self.typeKey] =
                    type.map { [SymbolicatedFrame(function: $0, modulePath: module.path)] } ?? []
            }
            if let cached = entry.cached {
                for offset in cached.offsets where known[offset] == nil {
                    known[offset] = cached.frames(at: offset, modulePath: module.path)
                }
            }
            cache.store(CachedSymbols.encode(known, inputs: inputs), of: module)
            entry.hasNews = false
        }
    }

    /// Reads the code around the call that ends just after `offset`, once.
    public func allocatedType(in module: ModuleDescription, at offset: UInt64) -> String? {
        evidence(in: module, at: offset) { $0.allocation(returningTo: offset &+ 1)?.type }
    }

    /// Reads the code before the call that ends just after `offset`, once. No call is asked for both this and the type.
    public func rustRequest(in module: ModuleDescription, at offset: UInt64) -> String? {
        evidence(in: module, at: offset) { $0.rustRequest(returningTo: offset &+ 1)?.kind }
    }

    private func evidence(
        in module: ModuleDescription, at offset: UInt64, read: (DebugInformation) -> String?
    ) -> String? {
        measured {
            let entry = entry(for: module)
            if let known = entry.types[offset] { return known }
            if offset < Self.callKey,
                let known = entry.cached?.frames(at: offset | Self.typeKey, modulePath: module.path)
            {
                entry.types[offset] = .some(known.first?.function)
                return known.first?.function
            }
            let type = open(module, entry).information.flatMap(read)
            entry.hasNews = true
            entry.types[offset] = .some(type)
            return type
        }
    }

    private func entry(for module: ModuleDescription) -> Module {
        if let known = modules[module] { return known }
        // Without a build id nothing tells that a file is the one that ran.
        let cached = module.buildID.isEmpty ? nil : cache?.load(module, debugDirectories: debugDirectories)
        let entry = Module(cached: cached)
        modules[module] = entry
        return entry
    }

    private func open(_ module: ModuleDescription, _ entry: Module) -> Opened {
        if let opened = entry.opened { return opened }
        let opened: Opened
        do {
            let inputs =
                cache == nil || module.buildID.isEmpty
                ? nil : SymbolCacheInputs(module, debugDirectories: debugDirectories)
            let information = try DebugInformation(
                path: module.path, buildID: module.buildID, debugDirectories: debugDirectories,
                symbolsOnly: CLibrary.contains(path: module.path))
            opened = Opened(information: information, remark: "", inputs: inputs)
        } catch {
            missingModules[module.path] =
                switch error {
                case .notFound: "not found"
                case .unreadable: "unreadable"
                case .notELF: "not an ELF file"
                case .buildIDDiffers: "build id differs"
                }
            opened = Opened(information: nil, remark: error == .buildIDDiffers ? " (file changed)" : "")
        }
        entry.opened = opened
        return opened
    }

    private func unknownName(in module: ModuleDescription, at offset: UInt64) -> String {
        "0x\(String(offset, radix: 16)) in \(module.name)"
    }

    // MARK: - Names

    private func function(
        of place: DebugInformation.Place, in entry: Opened, _ information: DebugInformation
    ) -> NamedFunction? {
        guard let number = place.function else {
            guard let symbol = place.symbol else { return nil }
            let demangled = demangle(symbol)
            return NamedFunction(
                name: demangled.name, linkageName: symbol, language: demangled.language,
                templateArguments: demangled.arguments)
        }
        if let known = entry.functions[number] { return known }
        if place.symbol == nil, let known = entry.functionsWithoutSymbol[number] { return known }
        let declared = information.function(number)
        let result = named(declared, symbol: place.symbol)
        // Without a mangled name the symbol gives the name, and one function can have several (its cold part's, say).
        if declared.linkageName.map(Demangler.isMangled) ?? false {
            entry.functions[number] = result
        } else if place.symbol == nil {
            entry.functionsWithoutSymbol[number] = result
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
