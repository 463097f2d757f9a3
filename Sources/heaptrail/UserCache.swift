// What is kept from run to run, in `heaptrail` in the user's folder for caches: what was learnt of modules' symbols, and copies of the builds that were
// recorded. HEAPTRAIL_NO_CACHE does without.
internal import CCollector
internal import Symbolication

enum UserCache {
    /// What was learnt of symbols; nil when no folder is known or none is wanted.
    static var symbols: SymbolCache? { folder.map { SymbolCache(folder: $0) } }

    /// The builds that were recorded; nil when no folder is known or none is wanted.
    static var builds: KeptBuilds? { folder.map { KeptBuilds(folder: $0) } }

    private static var folder: String? {
        if Terminal.environment("HEAPTRAIL_NO_CACHE") != nil { return nil }
        // A relative path is to be ignored (XDG Base Directory Specification).
        if let folder = Terminal.environment("XDG_CACHE_HOME"), folder.hasPrefix("/") { return folder + "/heaptrail" }
        guard let home = Terminal.environment("HOME"), home.hasPrefix("/") else { return nil }
        return home + "/.cache/heaptrail"
    }

    /// Keeps copies of the modules that a recording had open, and closes them.
    static func keepBuilds(of result: inout ht_collect_result) {
        defer { ht_collect_close_modules(&result) }
        guard let builds else { return }
        withUnsafeBytes(of: result.modules) { bytes in
            for module in bytes.bindMemory(to: ht_collect_module.self).prefix(Int(result.module_count)) {
                let buildID = withUnsafeBytes(of: module.build_id) { Array($0.prefix(Int(module.build_id_size))) }
                builds.keep(descriptor: module.fd, buildID: buildID)
            }
        }
    }
}
