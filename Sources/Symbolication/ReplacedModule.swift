// A module whose file is not the one that ran any more: a program that was built anew, a library that was upgraded, a file that was removed.

/// Why a module's file is not used, and where its names are from instead.
public struct ReplacedModule: Sendable, Equatable {
    /// What became of the file.
    public enum Reason: Sendable {
        /// It has another build id, or is no program at all.
        case isAnotherBuild
        /// It was written after the recording, and has no build id that would tell whether it is the same.
        case isNewer
        /// There is none.
        case isGone
    }

    /// Where names are from.
    public enum NameSource: Sendable {
        /// From the copy that was kept of the build that ran.
        case copy
        /// From answers that were given while the file was there; what was not asked then has no name.
        case answers
        /// They are not known.
        case nowhere
    }

    /// What became of the file.
    public var reason: Reason
    /// Where its names are from.
    public var names: NameSource

    /// Pairs what became of a file with where its names are from.
    public init(reason: Reason, names: NameSource) {
        self.reason = reason
        self.names = names
    }
}
