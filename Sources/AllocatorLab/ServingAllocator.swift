// Whose malloc the calls of a process reach, told by the libraries that it was started with.

internal import Symbolication

/// What serves a process's calls of malloc.
enum ServingAllocator: Hashable {
    /// The C library at a path.
    case system(path: String)
    /// Another library.
    case library(name: String, path: String)
    /// The executable itself.
    case own(name: String)
    /// Whatever was linked into a program that loads no libraries.
    case staticallyLinked
    /// That of a program for another machine or word size.
    case foreign
    /// The kernel lets nobody look.
    case unknown

    /// Whether a path is that of glibc.
    static func isSystemLibrary(_ path: String) -> Bool {
        let name = FileProbe.lastComponent(path)
        return name == "libc.so.6" || name.hasPrefix("libc-2.")
    }

    /// Whether a path is that of glibc's loader.
    static func isLoader(_ path: String) -> Bool {
        let name = FileProbe.lastComponent(path)
        return name.hasPrefix("ld-linux") || name.hasPrefix("ld-2.")
    }

    /// Whether a path is that of musl, a C library with a malloc of its own.
    static func isMusl(_ path: String) -> Bool {
        let name = FileProbe.lastComponent(path)
        return name.hasPrefix("ld-musl-") || name.hasPrefix("libc.musl-")
    }
}

/// Finds out, and keeps what it has learnt of the files.
struct ServingAllocatorSearch {
    private var servesMalloc: [String: Bool] = [:]
    private var own: [String: String?] = [:]

    /// Whose malloc the calls of a process with this image reach; nil where the loader was never seen to be through.
    ///
    /// - Complexity: a look at the exported names of each library up to the one that serves, once a file.
    mutating func allocator(of image: ProcessImage) -> ServingAllocator? {
        switch image.loading {
        case .underWay: return nil
        case .isForeign: return .foreign
        case .isClosed: return .unknown
        case .isStatic:
            // The C library's malloc is in it, too, and no name of its own.
            let name = ownName(image.executable).flatMap { $0 == "malloc" ? nil : $0 }
            return name.map { .own(name: $0) } ?? .staticallyLinked
        case .done(let objects):
            if let name = ownName(image.executable) { return .own(name: name) }
            for path in objects.dropFirst() {
                if ServingAllocator.isMusl(path) { return .library(name: "musl", path: path) }
                if ServingAllocator.isSystemLibrary(path) { return .system(path: path) }
                if exportsMalloc(path) {
                    return .library(name: LibraryAllocator(at: path)?.name ?? FileProbe.lastComponent(path), path: path)
                }
            }
            return .unknown
        }
    }

    private mutating func ownName(_ executable: String) -> String? {
        if let known = own[executable] { return known }
        let name = OwnAllocator.inspect(executable: executable)?.name
        own[executable] = .some(name)
        return name
    }

    private mutating func exportsMalloc(_ path: String) -> Bool {
        if let known = servesMalloc[path] { return known }
        // The loader's own malloc is for itself.
        let names =
            ServingAllocator.isLoader(path)
            ? [] : (try? ELFFile(path: path))?.symbols(among: ["malloc"], in: .dynamic, defined: true)
        let answer = names?.isEmpty == false
        servesMalloc[path] = answer
        return answer
    }
}
