// Whose code uses a container: the program's own, or a library's on its behalf. What a library keeps for itself is not the program's to change.
internal import Symbolication

extension HeapProfile {
    /// The library whose function, not the program's, uses the container that a stack allocated for: `FoundationEssentials` of an array that its
    /// encoder builds; nil where the program's own code uses it. O(depth).
    /// - Parameter stack: an index into ``stacks``.
    public func enclosingLibrary(ofStack stack: Int) -> String? {
        for frame in symbolicatedFrames(ofStack: stack) {
            let kind = attributor.classify(frame)
            if kind.isRuleMatched || kind.isUnnamed && kind.origin != .executable { continue }
            switch kind.origin {
            case .user, .executable: return nil
            case .system: continue
            case .dependency: return kind.library.isEmpty ? nil : kind.library
            case .standardLibrary:
                // Of the languages' own libraries, algorithms work on what they are given; Foundation has values of its own.
                guard kind.spelling == .swift, kind.display.hasPrefix("Foundation"),
                    let dot = kind.display.firstIndex(of: ".")
                else { continue }
                return String(kind.display[..<dot])
            }
        }
        return nil
    }
}
