// The rows of a difference: each recording's rows under the names that are matched, side by side.

internal import Symbolication

extension ProfileDiff {
    /// The rows of two recordings, matched, largest change first; ties go by bytes, then the key. O(cells + rows log rows).
    static func rows(
        _ old: MatchedProfile, _ new: MatchedProfile, by fields: RowFields, filter: RowFilter, renames: FunctionRenames
    ) -> [DiffRow] {
        var first = sides(of: old, by: fields, filter: filter)
        let second = sides(of: new, by: fields, filter: filter)
        var renamed: [DiffKey: Site] = [:]
        if fields.contains(.site) {
            renamed = rename(&first, by: renames)
            let moved = matchByFunction(&first, second)
            for (key, place) in moved { if let site = renamed.removeValue(forKey: key) { renamed[place] = site } }
        }
        var rows = second.map { key, side in
            DiffRow(key: key, old: first[key], new: side, formerSite: renamed[key])
        }
        for (key, side) in first where second[key] == nil {
            rows.append(DiffRow(key: key, old: side, new: nil, formerSite: renamed[key]))
        }
        let sizes = rows.map { row in
            (row: row, size: row.size, bytes: max(row.old?.figures.bytes ?? 0, row.new?.figures.bytes ?? 0))
        }
        return sizes.sorted { left, right in
            if left.size != right.size { return left.size > right.size }
            return left.bytes == right.bytes ? left.row.key.precedes(right.row.key) : left.bytes > right.bytes
        }.map(\.row)
    }

    /// A recording's rows by the names that are matched.
    private static func sides(
        of matched: MatchedProfile, by fields: RowFields, filter: RowFilter
    ) -> [DiffKey: DiffSide] {
        var sides: [DiffKey: DiffSide] = [:]
        for row in matched.profile.rows(by: fields, filter: filter) {
            let key = matched.key(of: row.key)
            let side = DiffSide(figures: row.figures, standardError: row.standardError, causes: row.causes)
            if sides[key]?.add(side) == nil { sides[key] = side }
        }
        return sides
    }

    /// The keys by owner, cause and site of what libraries do that only one of two recordings on different allocators has: an allocator that is written in
    /// C++ brings libstdc++ into a program of C. Everything under such a key was allocated without user code, from inside a library that the other
    /// recording has no frame of.
    static func foreignKeys(_ old: MatchedProfile, _ new: MatchedProfile, filter: RowFilter) -> Set<DiffKey> {
        var foreign: Set<DiffKey> = []
        for (matched, other) in [(old, new), (new, old)] {
            let profile = matched.profile
            let known = Set(other.profile.frames.map(\.modulePath)).reduce(into: Set<String>()) {
                $0.insert(StableNames.library($1))
            }
            var own: Set<DiffKey> = []
            for stack in profile.stacks where stack.attribution.site == nil && filter.accepts(stack) {
                let key = matched.key(of: RowKey(GroupingKey.site.fields, stack: stack))
                let innermost = stack.frames.first.map { StableNames.library(profile.frames[Int($0)].modulePath) }
                if let innermost, !innermost.isEmpty, !known.contains(innermost) {
                    foreign.insert(key)
                } else {
                    own.insert(key)
                }
            }
            foreign.subtract(own)
        }
        return foreign
    }

    /// The functions that have another name in the new recording, whatever a filter leaves of them.
    static func renames(_ old: MatchedProfile, _ new: MatchedProfile) -> FunctionRenames {
        if old.isSampled || new.isSampled { return FunctionRenames() }
        return FunctionRenames(
            from: sides(of: old, by: GroupingKey.site.fields, filter: RowFilter()),
            to: sides(of: new, by: GroupingKey.site.fields, filter: RowFilter()))
    }

    /// Gives sites of functions that have another name in the new recording the keys that they have there, and returns those with their old sites.
    private static func rename(_ old: inout [DiffKey: DiffSide], by renames: FunctionRenames) -> [DiffKey: Site] {
        var former: [DiffKey: Site] = [:]
        for key in renames.names.isEmpty ? [] : Array(old.keys) {
            guard let match = renames.key(of: key), let side = old.removeValue(forKey: key) else { continue }
            old[match] = side
            former[match] = key.row.site
        }
        return former
    }

    /// Gives sites that are on one side only the key that their function has on the other, where it is in one file on each side, or where just one such site is
    /// left on each; returns the new keys by the old.
    private static func matchByFunction(
        _ old: inout [DiffKey: DiffSide], _ new: [DiffKey: DiffSide]
    ) -> [DiffKey: DiffKey] {
        func withoutFile(_ keys: [DiffKey]) -> [DiffKey: [DiffKey]] {
            Dictionary(grouping: keys.filter { $0.row.site != nil }) { key in
                var key = key
                key.row.site?.file = nil
                return key
            }
        }
        func files(_ rows: [DiffKey: DiffSide]) -> [String: Set<String?>] {
            var files: [String: Set<String?>] = [:]
            for site in rows.keys.compactMap(\.row.site) { files[site.function, default: []].insert(site.file) }
            return files
        }
        var moved: [DiffKey: DiffKey] = [:]
        func move(_ key: DiffKey, to other: DiffKey) {
            old[other] = old.removeValue(forKey: key)
            moved[key] = other
        }
        let places = (files(old), files(new))
        for key in Array(old.keys) {
            guard let site = key.row.site, places.0[site.function]?.count == 1, let other = places.1[site.function],
                other.count == 1, let file = other.first, file != site.file
            else { continue }
            var key = (old: key, new: key)
            key.new.row.site?.file = file
            move(key.old, to: key.new)
        }
        let left = withoutFile(old.keys.filter { new[$0] == nil })
        let right = withoutFile(new.keys.filter { old[$0] == nil })
        for (function, keys) in left {
            guard keys.count == 1, let match = right[function], match.count == 1 else { continue }
            move(keys[0], to: match[0])
        }
        return moved
    }
}

/// A recording with its names as they are matched with another's.
struct MatchedProfile: Sendable {
    let profile: HeapProfile
    var isSampled: Bool { profile.trace.facts.isSampled }
    /// Every owner's and site's name, and what it is matched by.
    private let names: [String: String]
    private let otherExecutable: String?
    private let threads: [Int: String]

    /// - Parameter other: the recording in whose spelling things are named.
    init(_ profile: HeapProfile, as other: HeapProfile) {
        self.profile = profile
        otherExecutable = other.trace.facts.executablePath
        var names = StableNames(executable: profile.trace.facts.executablePath, as: otherExecutable)
        for stack in profile.stacks {
            _ = names.normalised(stack.attribution.owner.type)
            if let site = stack.attribution.site { _ = names.normalised(site.function) }
        }
        self.names = names.known
        let own = profile.threads.first { $0.serial == 1 }?.name
        var threads: [Int: String] = [:]
        for thread in profile.threads {
            // A thread that was given no name has its parent's.
            let name = thread.name == own ? nil : thread.name
            threads[thread.serial] = thread.serial == 1 ? "main" : name ?? "thread \(thread.serial)"
        }
        self.threads = threads
    }

    /// What a row of the recording is matched by. O(1).
    func key(of key: RowKey) -> DiffKey {
        var result = DiffKey(row: key)
        result.row.type = key.type.map { names[$0] ?? $0 }
        if let site = key.site {
            result.row.site = Site(
                function: names[site.function] ?? site.function, file: site.file.map { StableNames.file($0) })
        }
        if let module = key.module {
            let isExecutable = !module.isEmpty && module == profile.trace.facts.executablePath
            result.row.module = isExecutable ? StableNames.file(otherExecutable ?? module) : StableNames.library(module)
        }
        if let serial = key.thread {
            result.row.thread = nil
            result.thread = threads[serial] ?? "thread \(serial)"
        }
        return result
    }
}
