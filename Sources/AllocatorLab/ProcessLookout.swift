// Looks, while a program is rehearsed, at every process of it that lives for a moment: which program it runs, whose malloc
// that program's calls reach, how much processor time and memory it takes. Never in a run that is measured.

internal import Glibc

/// One program that ran somewhere below the program that was started.
struct SeenProgram: Equatable {
    /// The path of its executable.
    let executable: String
    /// The name it was started by; the executable may have several.
    var name = ""
    /// Whose malloc its calls reach.
    let allocator: ServingAllocator
    /// The C library in it; nil where it has none, or none was seen.
    var systemLibrary: String?
    /// Whether the loader ignored preloads because of its rights.
    var hasOtherRights = false
    /// Its processor time, of all its processes, in ticks of the kernel's clock.
    var ticks: UInt64 = 0
    /// The largest resident set of any of its processes, in bytes.
    var residentBytes: UInt64 = 0
}

/// Watches the processes below one.
struct ProcessLookout {
    private struct Key: Hashable {
        let process: Int32
        let started: UInt64
        let executable: String
    }

    private struct Sighting {
        var image: ProcessImage
        let name: String
        /// What its process had used up before it became this program.
        var ticksBefore: UInt64
        var ticks: UInt64
        var residentBytes: UInt64
    }

    private let tree: ProcessTree
    private var sightings: [Key: Sighting] = [:]
    private var order: [Key] = []
    private var due: UInt64 = 0

    /// The shortest time between two looks.
    private static let shortestInterval: UInt64 = 1_000_000
    /// After a look this many times what it took passes.
    private static let rest: UInt64 = 4
    /// More programs than this are not kept apart.
    private static let mostSightings = 1 << 16

    /// Prepares to watch a process and what descends from it.
    init(process: Int32) {
        tree = ProcessTree(root: process)
    }

    /// Milliseconds until the next look is due, at least 1 unless it is due now.
    var millisecondsToNext: Int32 {
        let now = ResidentSampler.now()
        return now >= due ? 0 : Int32((due - now + 999_999) / 1_000_000)
    }

    /// Looks if the time has come.
    mutating func lookIfDue() {
        if ResidentSampler.now() >= due { look() }
    }

    /// Looks now.
    mutating func look() {
        let began = ResidentSampler.now()
        for process in tree.members() { look(at: process) }
        let end = ResidentSampler.now()
        due = end + max(Self.shortestInterval, (end - began) * Self.rest)
    }

    private mutating func look(at process: Int32) {
        guard let figures = ProcessFigures(process: process), let path = ProcessImage.executable(of: process) else {
            return
        }
        let key = Key(process: process, started: figures.started, executable: path)
        if var known = sightings[key] {
            known.ticks = max(known.ticks, figures.ticks)
            known.residentBytes = max(known.residentBytes, figures.residentBytes)
            if known.image.loading == .underWay, let image = ProcessImage(process: process), image.executable == path {
                known.image = image
            }
            sightings[key] = known
        } else if order.count < Self.mostSightings, let image = ProcessImage(process: process), image.executable == path
        {
            let before = order.last { $0.process == process && $0.started == key.started }
            sightings[key] = Sighting(
                image: image, name: Self.name(of: process) ?? FileProbe.lastComponent(path),
                ticksBefore: before.flatMap { sightings[$0]?.ticks } ?? 0, ticks: figures.ticks,
                residentBytes: figures.residentBytes)
            order.append(key)
        }
    }

    /// The name by which a process was started, as it has it itself; nil where it has none.
    private static func name(of process: Int32) -> String? {
        guard let words = FileProbe.text(of: "/proc/\(process)/cmdline") else { return nil }
        let name = FileProbe.lastComponent(String(words.prefix { $0 != "\0" && $0 != " " }))
        return name.isEmpty ? nil : name
    }

    /// What was seen, a program each, in the order of their first processes. A process that ended before its loader was
    /// through is not in it.
    func programs() -> [SeenProgram] {
        var search = ServingAllocatorSearch()
        var programs: [SeenProgram] = []
        for key in order {
            guard let sighting = sightings[key], let allocator = search.allocator(of: sighting.image) else { continue }
            let isSame = { (program: SeenProgram) in
                program.executable == key.executable && program.allocator == allocator
            }
            let index = programs.firstIndex(where: isSame) ?? programs.count
            if index == programs.count {
                var program = SeenProgram(executable: key.executable, name: sighting.name, allocator: allocator)
                if case .done(let objects) = sighting.image.loading {
                    program.systemLibrary = objects.first(where: ServingAllocator.isSystemLibrary)
                }
                programs.append(program)
            }
            programs[index].hasOtherRights = programs[index].hasOtherRights || sighting.image.hasOtherRights
            programs[index].ticks += sighting.ticks - min(sighting.ticks, sighting.ticksBefore)
            programs[index].residentBytes = max(programs[index].residentBytes, sighting.residentBytes)
        }
        return programs
    }
}

/// What `/proc/PID/stat` says of a process.
private struct ProcessFigures {
    /// User and system time.
    let ticks: UInt64
    /// When it was started, in ticks since the machine was.
    let started: UInt64
    let residentBytes: UInt64

    init?(process: Int32) {
        guard let text = FileProbe.text(of: "/proc/\(process)/stat") else { return nil }
        // The name, in parentheses, may hold anything.
        guard let name = text.lastIndex(of: ")") else { return nil }
        let words = text[text.index(after: name)...].split(separator: " ")
        guard words.count > 21, words[0] != "Z", words[0] != "X", let user = UInt64(words[11]),
            let system = UInt64(words[12]), let started = UInt64(words[19]), let pages = UInt64(words[21])
        else { return nil }
        ticks = user + system
        self.started = started
        residentBytes = pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }
}
