// The dynamic loader's cache, /etc/ld.so.cache, in the form glibc has written since 2.2: names to paths, sorted.

/// Library names and the paths the loader would open for them.
struct LoaderCache: Sendable {
    private var paths: [String: [String]] = [:]

    private static let magic = Array("glibc-ld.so.cache1.1".utf8)
    private static let headerBytes = 48
    private static let entryBytes = 24

    /// An empty cache.
    init() {}

    /// Reads a cache; an old header that stands before the new one is stepped over, anything else gives an empty cache.
    init(bytes: [UInt8]) {
        guard let start = Self.start(in: bytes) else { return }
        func number(_ offset: Int) -> Int {
            guard offset >= 0, offset <= bytes.count - 4 else { return 0 }
            return (0..<4).reversed().reduce(0) { $0 << 8 | Int(bytes[offset + $1]) }
        }
        func text(_ offset: Int) -> String {
            guard offset >= 0, start + offset < bytes.count else { return "" }
            return String(decoding: bytes[(start + offset)...].prefix { $0 != 0 }, as: UTF8.self)
        }
        let count = number(start + Self.magic.count)
        guard count <= (bytes.count - start) / Self.entryBytes else { return }
        for index in 0..<count {
            let entry = start + Self.headerBytes + index * Self.entryBytes
            let name = text(number(entry + 4))
            let path = text(number(entry + 8))
            if !name.isEmpty, path.hasPrefix("/") { paths[name, default: []].append(path) }
        }
    }

    /// This machine's.
    static func system() -> LoaderCache {
        FileProbe.contents(of: "/etc/ld.so.cache", limit: 16 << 20).map(LoaderCache.init(bytes:)) ?? LoaderCache()
    }

    /// The paths for a library's name, in the cache's order.
    subscript(name: String) -> [String] { paths[name] ?? [] }

    private static func start(in bytes: [UInt8]) -> Int? {
        if bytes.starts(with: magic) { return 0 }
        let old = Array("ld.so-1.7.0".utf8)
        guard bytes.starts(with: old), bytes.count > 16 else { return nil }
        let count = (0..<4).reversed().reduce(0) { $0 << 8 | Int(bytes[12 + $1]) }
        guard count < bytes.count / 12 else { return nil }
        let start = (16 + count * 12 + 7) & ~7
        return start <= bytes.count && bytes[start...].starts(with: magic) ? start : nil
    }
}
