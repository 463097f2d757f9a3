// What one frame is: whose code, what claim it makes, how it is shown. Decided once per distinct function.

internal import Symbolication
internal import Synchronization

/// A frame as the walk sees it.
struct ClassifiedFrame: Sendable {
    var spelling: Spelling
    /// The language in which reports show what this frame owns itself.
    var language: String
    var origin: CodeOrigin
    var claim: Claim?
    /// The claim it makes as the direct caller of malloc, where that is another one.
    var innermostClaim: Claim?
    /// Whether a rule knows the frame, be it as an owner or as plumbing.
    var isRuleMatched: Bool
    /// The rule that makes it plumbing, if one does.
    var skippedBy: String?
    /// Whether it is user code that a rule of the user's own declares to be a container: its callers are the sites.
    var isDeclaredOwner: Bool
    /// Whether the compiler made the function, so that no user would look for it.
    var isGenerated: Bool
    var isUnnamed: Bool
    var isWrapper: Bool
    var display: String
    var library: String
    var sourceFile: String?
    /// Whether debug information describes the frame, so that what was inlined into it has frames of its own.
    var hasSource: Bool
    /// Whether a line is known: compilers give none to a call that several were folded into.
    var hasLine: Bool
    var initializedClass: String?

    /// Whether the frame may be the function of an allocator that a container of the standard library was given.
    var mayBeStandardAllocator: Bool {
        spelling == .cxx && (origin == .user || origin == .executable) && !isRuleMatched
            && display.hasSuffix("::allocate")
    }

    /// Whether its caller shows it to be one.
    func isStandardAllocator(for caller: ClassifiedFrame) -> Bool {
        caller.spelling == .cxx && caller.origin == .standardLibrary && caller.display.hasPrefix("std::")
    }

    /// Whether it is where a program starts, which calls everything and owns nothing.
    var isEntry: Bool { display == "main" || display.hasPrefix("__libc_start") || display == "_start" }

    /// Whether this frame's name says too little, so that `outer`, of the same library, names the allocation better.
    func needsOutwardName(_ outer: ClassifiedFrame) -> Bool {
        library == outer.library && (isUnnamed || isWrapper || origin == .system) && spelling != .swift
    }
}

/// Classifies frames and remembers the answers.
final class FrameClassifier: Sendable {
    private struct Key: Hashable {
        let function: String
        let linkageName: String
        let file: String?
        let hasLine: Bool
        let isInlined: Bool
        let arguments: [String]
        let module: String
    }

    private let executablePath: String?
    private let rules: RuleSet
    private let known = Mutex<[Key: ClassifiedFrame]>([:])

    init(executablePath: String?, rules: RuleSet) {
        self.executablePath = executablePath
        self.rules = rules
    }

    /// What the frame is. O(1) for a function seen before, else O(rules that share the name's beginning).
    func classify(_ frame: SymbolicatedFrame) -> ClassifiedFrame {
        let key = Key(
            function: frame.function, linkageName: frame.linkageName, file: frame.file,
            hasLine: (frame.line ?? 0) != 0,
            isInlined: frame.isInlined, arguments: frame.templateArguments, module: frame.modulePath)
        if let answer = known.withLock({ $0[key] }) { return answer }
        let answer = decide(frame)
        known.withLock { $0[key] = answer }
        return answer
    }

    private func decide(_ frame: SymbolicatedFrame) -> ClassifiedFrame {
        let spelling = Spelling(of: frame)
        let name =
            RustLineName.qualified(frame) ?? spelling.canonical(frame.function, arguments: frame.templateArguments)
        var origin = CodeOrigin(of: frame, spelling: spelling, name: name, executablePath: executablePath)
        var match = rules.firstMatch(
            name, spelling: spelling, isCopyConstructor: Self.isCopyConstructor(frame.linkageName),
            isUserCode: origin == .user, isSystem: origin == .system)
        let isDeclaredOwner = origin == .user && match?.rule.isSkip == false
        if let match, origin == .executable || match.rule.isSkip || isDeclaredOwner { origin = .standardLibrary }
        let innermost =
            origin == .user
            ? nil : rules.firstMatch(name, spelling: spelling, isCopyConstructor: false, isInnermost: true)
        let library = Library.name(ofModule: frame.modulePath)
        if library == "libheaptrail" { match = match ?? (RuleSet.Rule(name: "recorder", isSkip: true), [:]) }
        let isUnnamed = frame.function.isEmpty || frame.function.hasPrefix("0x")
        return ClassifiedFrame(
            spelling: spelling, language: Self.language(of: frame, spelling: spelling), origin: origin,
            claim: match.flatMap { claim(of: $0.rule, captures: $0.captures, frame: frame, spelling: spelling) },
            innermostClaim: innermost.flatMap {
                claim(of: $0.rule, captures: $0.captures, frame: frame, spelling: spelling)
            },
            isRuleMatched: match != nil, skippedBy: match.flatMap { $0.rule.isSkip ? $0.rule.name : nil },
            isDeclaredOwner: isDeclaredOwner, isGenerated: Self.isGenerated(frame, spelling: spelling),
            isUnnamed: isUnnamed,
            isWrapper: (spelling == .c || spelling == .cxx)
                && CName.isAllocatorWrapper(name, ofProgram: origin == .user || origin == .executable),
            display: display(frame, spelling: spelling, name: name), library: library,
            sourceFile: CodeOrigin.userSourceFile(of: frame), hasSource: CodeOrigin.sourceFile(of: frame) != nil,
            hasLine: (frame.line ?? 0) != 0,
            initializedClass: spelling == .swift ? SwiftFrameName.initializedClass(frame.function) : nil)
    }

    private func claim(
        of rule: RuleSet.Rule, captures: [String: String], frame: SymbolicatedFrame, spelling: Spelling
    ) -> Claim? {
        guard !rule.isSkip else { return nil }
        // Linkers fold identical specializations of Swift functions, so only an inlined one is sure of its arguments.
        var arguments = spelling == .swift && !frame.isInlined ? [] : frame.templateArguments
        if arguments.isEmpty, spelling == .rust { arguments = RustName.methodArguments(frame.function) }
        // A v0 name tells its arguments, but compilers keep one of several functions that come out the same: those of
        // vectors' storage do wherever elements have one size.
        let isFolded = spelling == .rust && rule.isWeak && frame.file == nil && !frame.linkageName.isEmpty
        let resolver = TypeResolver(
            spelling: spelling, captures: isFolded ? [:] : captures, arguments: isFolded ? [] : arguments)
        let type = RustName.namingFutures(in: resolver.resolve(rule.type), by: frame.templateArguments)
        return Claim(
            family: rule.family, type: type, language: rule.language ?? spelling.language,
            cause: rule.cause, rule: rule.name, over: rule.over.map { resolver.resolve($0) }, overAll: rule.overAll,
            isWeak: rule.isWeak, isBorrowing: rule.isBorrowing, isUndisputed: rule.isUndisputed,
            needsSource: rule.needsSource, needs: rule.needs, shape: rule.shape,
            isSystem: rule.systemOnly, isDeclared: rule.isDeclared, fallback: rule.fallback,
            certainFallback: frame.file == nil ? rule.sourcelessFallback : nil)
    }

    private func display(_ frame: SymbolicatedFrame, spelling: Spelling, name: String) -> String {
        switch spelling {
        case .rust: return RustName.display(RustLineName.display(frame) ?? frame.function)
        case .swift: return SwiftFrameName.display(frame.function)
        case .cxx: return name
        case .c where frame.function.hasPrefix("0x"):
            // `0x1234 in program`: the place is the only name it has.
            let library = Library.name(ofModule: frame.modulePath)
            return frame.function.split(separator: " ").first.map { "\(library)+\($0)" } ?? name
        case .c: return Library.isSystem(Library.name(ofModule: frame.modulePath)) ? CName.publicName(name) : name
        }
    }

    private static func language(of frame: SymbolicatedFrame, spelling: Spelling) -> String {
        guard spelling == .c else { return spelling.language }
        return frame.language == .unknown ? "c" : frame.language.rawValue
    }

    /// Whether a mangled C++ name is a constructor whose only parameter is a constant reference to its own type:
    /// `…C2ERKS3_`.
    private static func isCopyConstructor(_ linkageName: String) -> Bool {
        guard linkageName.hasSuffix("_"), linkageName.hasPrefix("_Z") else { return false }
        for mark in ["C1ERKS", "C2ERKS", "C4ERKS"] {
            guard let found = linkageName.ranges(of: mark).last else { continue }
            let rest = linkageName[found.upperBound...].dropLast()
            if rest.count <= 2, rest.allSatisfy({ $0.isNumber || $0.isUppercase }) { return true }
        }
        return false
    }

    private static func isGenerated(_ frame: SymbolicatedFrame, spelling: Spelling) -> Bool {
        guard spelling == .swift else { return false }
        guard (frame.line ?? 0) == 0 else { return false }
        let name = frame.function
        return name.contains("__allocating_init") || name.contains("protocol witness") || name.contains("thunk")
            || name.hasPrefix("outlined ") || name.hasPrefix("merged ") || name.contains("accessor for")
            || name.contains("$main") || name.hasPrefix("lazy protocol") || name.hasPrefix("partial apply")
    }
}
