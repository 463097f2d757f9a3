// Whether an executable carries its own allocator, and whether its functions can be redirected to the recorder. The only
// file of the target that speaks to the planner in C.

internal import CPatch
internal import Glibc

/// An allocator that an executable brings along: a preload does not reach it, redirecting its functions does.
public struct OwnAllocator: Equatable, Sendable {
    /// `jemalloc`, `mimalloc`, …; the name of its first function where it is none that is known.
    public let name: String
    /// How many of its functions were found.
    public let entries: Int
    /// Whether they can be redirected, and so what they do be recorded.
    public let isPatchable: Bool
    /// Why they cannot, or what will be missing although they can; nil where there is nothing to say.
    public let reason: String?

    /// What an inspection comes to.
    public enum Finding: Equatable, Sendable {
        /// The executable defines no allocation function, as far as its symbols tell.
        case none
        /// It has texts of a known allocator but none of its functions: they were stripped, or inlined by link-time
        /// optimisation, and what they do cannot be seen.
        case hidden
        /// It carries an allocator.
        case found(OwnAllocator)
    }

    /// Looks for an allocator in the executable at `path`.
    ///
    /// - Complexity: one pass over the file's symbols. Nothing is run.
    public static func find(in path: String) -> Finding {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .none }
        defer { close(descriptor) }
        var survey = ht_patch_survey()
        var plan: UnsafeMutablePointer<ht_patch_plan>?
        let outcome = ht_patch_plan_file(descriptor, &survey, &plan)
        free(plan)
        switch outcome {
        case HT_PATCH_PLANNED, HT_PATCH_REFUSED:
            return .found(OwnAllocator(survey, isPatchable: outcome == HT_PATCH_PLANNED))
        default:
            return survey.traces ? .hidden : .none
        }
    }

    /// The allocator that the executable at `path` carries; nil where its symbols show none.
    public static func inspect(executable path: String) -> OwnAllocator? {
        guard case .found(let allocator) = find(in: path) else { return nil }
        return allocator
    }

    private init(_ survey: ht_patch_survey, isPatchable: Bool) {
        let known = Self.text(survey.allocator)
        name = known.isEmpty ? Self.text(survey.first_name) : known
        entries = Int(survey.found)
        self.isPatchable = isPatchable
        let refused = Self.text(survey.refused_name)
        if !refused.isEmpty {
            reason = "\(refused): \(String(cString: ht_patch_refusal_text(survey.refusal)))"
        } else if !survey.has_symbols {
            reason = "stripped: only the functions that it exports can be seen"
        } else {
            reason = nil
        }
    }

    /// A C array of characters, which Swift sees as a tuple, up to its NUL.
    private static func text<Characters>(_ characters: Characters) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
