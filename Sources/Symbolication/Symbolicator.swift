// Addresses to frames, from the files on this machine: opens each module once, each unit once, answers each address once.

/// Symbolicates addresses from the ELF and debug files on this machine.
///
/// A file is opened when the first address asks for it and stays open. A file whose build id is not the module's is
/// not used, for its symbols would be another program's. Every answer is kept: memory grows with distinct addresses.
/// Not thread-safe; use one per thread.
public final class Symbolicator: FrameSymbolicator {
    /// The modules that gave no symbols, by path, with the reason.
    public private(set) var missingModules: [String: String] = [:]
    /// The modules whose files are not those that ran any more, by path.
    public private(set) var replacedModules: [String: ReplacedModule] = [:]

    /// Whether the time that answers take is summed up in ``statistics``.
    public var measuresTime = false
    /// What it was asked so far.
    public private(set) var statistics = Statistics()

    /// When the recording ended, in nanoseconds since 1970: of a module without a build id, a file that was written later is not used. Nil when not known.
    public var recordedUntil: UInt64?

    private let debugDirectories: [String]
    private let cache: SymbolCache?
    private let builds: KeptBuilds?
    private var modules: [ModuleDescription: Module] = [:]
    private let names = FunctionNames()

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
        var cached: CachedSymbols?
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

    /// Creates a symbolicator that looks for separate debug files under the given directories.
    ///
    /// - Parameters:
    ///   - debugDirectories: Roots that hold `.build-id/xx/yyyy.debug` and mirrors of the file system.
    ///   - cache: What earlier runs learnt; the answers are the same with and without, as long as the modules' files are there.
    ///   - builds: Copies of modules whose files may have been replaced since they ran.
    public init(
        debugDirectories: [String] = ["/usr/lib/debug"], cache: SymbolCache? = nil, builds: KeptBuilds? = nil
    ) {
        self.debugDirectories = debugDirectories
        self.cache = cache
        self.builds = builds
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
        if offset < Self.callKey, let known = known(at: offset, of: module, entry) {
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
            if let key, let known = known(at: key, of: module, entry) {
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
            if offset < Self.callKey, let known = known(at: offset | Self.typeKey, of: module, entry) {
                entry.types[offset] = .some(known.first?.function)
                return known.first?.function
            }
            let type = open(module, entry).information.flatMap(read)
            entry.hasNews = true
            entry.types[offset] = .some(type)
            return type
        }
    }

    /// What earlier runs learnt of an offset, or of what else stands in a cache under a number; nil when the module is to be asked.
    private func known(at key: UInt64, of module: ModuleDescription, _ entry: Module) -> [SymbolicatedFrame]? {
        // Where the file is not the one that ran, what is in the cache shows when it is opened.
        if entry.cached == nil { _ = open(module, entry) }
        return entry.cached?.frames(at: key, modulePath: module.path)
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
        let inputs =
            cache == nil || module.buildID.isEmpty ? nil : SymbolCacheInputs(module, debugDirectories: debugDirectories)
        let opened: Opened
        do {
            opened = Opened(information: try information(of: module, at: module.path), remark: "", inputs: inputs)
        } catch {
            opened = replacement(of: module, entry, for: error)
        }
        entry.opened = opened
        return opened
    }

    private func information(
        of module: ModuleDescription, at path: String
    ) throws(DebugInformation.OpenError) -> DebugInformation {
        if module.buildID.isEmpty, let recordedUntil, SymbolCacheInputs.File(path).isNewer(than: recordedUntil) {
            throw .isNewer
        }
        return try DebugInformation(
            path: path, buildID: module.buildID, debugDirectories: debugDirectories,
            symbolsOnly: CLibrary.contains(path: module.path))
    }

    /// What there is instead of a module's file. Never kept in the cache: that would look the next time as if the file were there.
    private func replacement(
        of module: ModuleDescription, _ entry: Module, for error: DebugInformation.OpenError
    ) -> Opened {
        let reason: ReplacedModule.Reason? =
            switch error {
            case .notFound: module.buildID.isEmpty ? nil : .isGone
            case .unreadable: nil
            case .notELF, .buildIDDiffers: module.buildID.isEmpty ? nil : .isAnotherBuild
            case .isNewer: .isNewer
            }
        func note(_ names: ReplacedModule.NameSource) {
            if let reason { replacedModules[module.path] = ReplacedModule(reason: reason, names: names) }
        }
        if let path = builds?.copy(of: module.buildID), let copy = try? information(of: module, at: path) {
            note(.copy)
            return Opened(information: copy, remark: "")
        }
        entry.cached = cache?.load(buildOf: module)
        note(entry.cached == nil ? .nowhere : .answers)
        if entry.cached == nil {
            missingModules[module.path] =
                switch error {
                case .notFound: "not found"
                case .unreadable: "unreadable"
                case .notELF: "not an ELF file"
                case .buildIDDiffers: "build id differs"
                case .isNewer: "newer than the recording"
                }
        }
        return Opened(information: nil, remark: error == .buildIDDiffers || error == .isNewer ? " (file changed)" : "")
    }

    /// Where the file of the build that ran lies: at its own path, or a copy of it.
    public func file(of module: ModuleDescription) -> String {
        guard !module.buildID.isEmpty, (try? ELFFile(path: module.path))?.buildID != module.buildID else {
            return module.path
        }
        return builds?.copy(of: module.buildID) ?? module.path
    }

    private func unknownName(in module: ModuleDescription, at offset: UInt64) -> String {
        "0x\(String(offset, radix: 16)) in \(module.name)"
    }

    // MARK: - Names

    private func function(
        of place: DebugInformation.Place, in entry: Opened, _ information: DebugInformation
    ) -> NamedFunction? {
        guard let number = place.function else {
            return place.symbol.map { names.function(ofSymbol: $0) }
        }
        if let known = entry.functions[number] { return known }
        if place.symbol == nil, let known = entry.functionsWithoutSymbol[number] { return known }
        let declared = information.function(number)
        let result = names.function(declared, symbol: place.symbol)
        // Without a mangled name the symbol gives the name, and one function can have several (its cold part's, say).
        if declared.linkageName.map(Demangler.isMangled) ?? false {
            entry.functions[number] = result
        } else if place.symbol == nil {
            entry.functionsWithoutSymbol[number] = result
        }
        return result
    }
}
