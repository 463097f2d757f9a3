// An allocator that is there before anybody chose one, and how the C library comes in front of it.

/// An allocator that a program gets without anyone's doing, because it or a library of its links one, or the environment
/// preloads one: what runs by itself there is not the C library's.
public struct LinkedAllocator: Equatable, Sendable {
    /// Its name, such as `jemalloc`.
    public let name: String
    /// Its library.
    public let path: String
    /// The C library, which serves malloc where it is preloaded in front of it.
    public let systemLibrary: String

    /// Looks at the libraries of the program that a command line starts, through scripts and `env`; nil where malloc is the
    /// C library's. What a shell starts in turn is seen when it runs (`ProcessLookout`).
    public init?(of command: [String]) {
        self.init(ProgramInspection(of: command))
    }

    init?(_ inspection: ProgramInspection) {
        guard case .library(let name, let path) = inspection.allocator,
            let system = inspection.modules.first(where: { $0.name == "libc.so.6" })?.path
        else { return nil }
        self.name = name
        self.path = path
        systemLibrary = system
    }

    init(name: String, path: String, systemLibrary: String) {
        self.name = name
        self.path = path
        self.systemLibrary = systemLibrary
    }

    /// The same allocator; the C library's with the library that makes it serve this program.
    public func inFront(of allocator: Allocator) -> Allocator {
        guard allocator.libraryPath == nil else { return allocator }
        return Allocator(name: allocator.name, libraryPath: systemLibrary, variables: allocator.variables)
    }

    /// What was done about it, as a sentence.
    ///
    /// - Parameter program: who has it.
    public func note(program: String) -> String {
        "\(program) has \(name) already (\(path)): on glibc, \(systemLibrary) was preloaded in front of it"
    }
}
