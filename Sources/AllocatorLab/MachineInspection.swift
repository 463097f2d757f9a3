// What this machine and this process's surroundings give to a recorder. Facts alone; MachineDiagnosis.swift says what
// they mean.

internal import Glibc

/// The facts about the machine.
public struct MachineInspection: Sendable {
    /// A library of the recorder or an allocator, and where it is.
    struct Tool: Sendable {
        var name: String
        var path: String?
        /// The Debian package that brings it.
        var package: String
        /// What it is for.
        var purpose: String
    }

    /// How a test recording ended.
    public struct Trial: Sendable {
        /// Allocations that it saw, or nil where it failed.
        public var allocations: Int?
        /// Events it lost.
        public var lost = 0
        /// Why it failed, in one line.
        public var failure: String?

        /// A trial that saw allocations.
        public init(allocations: Int, lost: Int) {
            self.allocations = allocations
            self.lost = lost
        }

        /// A trial that failed.
        public init(failure: String) { self.failure = failure }
    }

    /// A limit on this process, as `ulimit` sets them; nil where there is none.
    struct Limit: Sendable {
        var name: String
        var bytes: UInt64?
    }

    /// The tool's version.
    let version: String
    /// Where the library that is preloaded lies; nil where it is not found.
    let libraryPath: String?
    /// How recording a small program ended.
    let trial: Trial
    var kernel = ""
    var architecture = ""
    var libc = ""
    /// Whether the time stamp counter runs at one speed always; nil where the processor's flags cannot be read.
    var hasInvariantCounter: Bool?
    var clockSource: String?
    var processors = 0
    /// The value of kernel.yama.ptrace_scope; nil where that module is not loaded.
    var ptraceScope: Int?
    var mayTraceAny = false
    var isRoot = false
    var seccompMode: Int?
    /// Signs of a container, in words.
    var containers: [String] = []
    /// Bytes free for traces in the current folder.
    var freeDiskBytes: UInt64?
    var limits: [Limit] = []
    var allocators: [Tool] = []
    var tools: [Tool] = []
    /// Files under /usr/lib/debug/.build-id; nil where the folder is not there.
    var debugFiles: Int?
    var debuginfodURLs: String?
    var preloads: [String] = []

    private static let capabilitySysPtrace = 19

    /// Looks around.
    ///
    /// - Parameters:
    ///   - version: the tool's.
    ///   - libraryPath: the library that `record` would preload.
    ///   - trial: how recording a small program ended.
    public init(version: String, libraryPath: String?, trial: Trial) {
        self.version = version
        self.libraryPath = libraryPath
        self.trial = trial
        readSystem()
        readProcessor()
        readStatus()
        readContainer()
        readLimits()
        readTools()
        preloads = (FileProbe.variable("LD_PRELOAD") ?? "").split { $0 == ":" || $0 == " " }.map(String.init)
    }

    private mutating func readSystem() {
        var names = utsname()
        uname(&names)
        func text<Tuple>(_ characters: Tuple) -> String {
            withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        kernel = text(names.release)
        architecture = text(names.machine)
        libc = Self.libcVersion()
        var disk = statvfs()
        if statvfs(".", &disk) == 0 { freeDiskBytes = UInt64(disk.f_bavail) * UInt64(disk.f_frsize) }
    }

    private mutating func readProcessor() {
        let information = FileProbe.text(of: "/proc/cpuinfo") ?? ""
        if let line = information.split(separator: "\n").first(where: { $0.hasPrefix("flags") }) {
            let flags = Set(line.split(separator: " "))
            hasInvariantCounter = flags.contains("constant_tsc") && flags.contains("nonstop_tsc")
        }
        let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        clockSource = FileProbe.text(of: path)?.split(separator: "\n").first.map(String.init)
    }

    private static func libcVersion() -> String {
        let gnuLibcVersion: Int32 = 2  // _CS_GNU_LIBC_VERSION
        var text = [CChar](repeating: 0, count: 64)
        guard confstr(gnuLibcVersion, &text, text.count) > 0 else { return "of unknown version" }
        let words = text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        return String(decoding: words, as: UTF8.self).split(separator: " ").last.map(String.init) ?? ""
    }

    private mutating func readStatus() {
        let scope = FileProbe.text(of: "/proc/sys/kernel/yama/ptrace_scope")?.split(separator: "\n").first
        ptraceScope = scope.flatMap { Int($0) }
        isRoot = geteuid() == 0
        for line in (FileProbe.text(of: "/proc/self/status") ?? "").split(separator: "\n") {
            let words = line.split { $0 == ":" || $0 == "\t" || $0 == " " }
            guard words.count == 2 else { continue }
            if words[0] == "CapEff", let bits = UInt64(words[1], radix: 16) {
                mayTraceAny = bits >> Self.capabilitySysPtrace & 1 == 1
            }
            if words[0] == "Seccomp" { seccompMode = Int(words[1]) }
            if words[0] == "Cpus_allowed" {
                processors = words[1].split(separator: ",").compactMap { UInt64($0, radix: 16) }
                    .reduce(0) { $0 + $1.nonzeroBitCount }
            }
        }
    }

    private mutating func readContainer() {
        if FileProbe.status(of: "/.dockerenv") != nil { containers.append("Docker (/.dockerenv)") }
        if FileProbe.status(of: "/run/.containerenv") != nil { containers.append("Podman (/run/.containerenv)") }
        let groups = FileProbe.text(of: "/proc/1/cgroup") ?? ""
        let words = ["kubepods", "lxc", "containerd"]
        if let word = words.first(where: groups.contains) { containers.append("\(word) (/proc/1/cgroup)") }
    }

    private mutating func readLimits() {
        let kinds = [("address space (ulimit -v)", 9), ("file size (ulimit -f)", 1), ("locked memory (ulimit -l)", 8)]
        for (name, number) in kinds {
            var limit = rlimit()
            guard getrlimit(__rlimit_resource_t(UInt32(number)), &limit) == 0 else { continue }
            limits.append(Limit(name: name, bytes: limit.rlim_cur == rlim_t.max ? nil : UInt64(limit.rlim_cur)))
        }
    }

    private mutating func readTools() {
        let catalogue = AllocatorCatalogue()
        for (name, package) in AllocatorCatalogue.packages {
            allocators.append(
                Tool(
                    name: name, path: (try? catalogue.resolve(name))?.libraryPath, package: package,
                    purpose: "record --allocator, compare"))
        }
        let programs = [
            ("jq", "jq", "reading --json"), ("perl", "perl", "flamegraph.pl"),
            ("heaptrack", "heaptrack", "scripts/bench beside it"),
        ]
        for (name, package, purpose) in programs {
            tools.append(Tool(name: name, path: try? Program.find(name), package: package, purpose: purpose))
        }
        let folder = "/usr/lib/debug/.build-id"
        if FileProbe.status(of: folder) != nil {
            debugFiles = FileProbe.names(in: folder).filter { $0.count == 2 && $0 != ".." }
                .reduce(0) { $0 + FileProbe.names(in: "\(folder)/\($1)").count { $0.hasSuffix(".debug") } }
        }
        debuginfodURLs = FileProbe.variable("DEBUGINFOD_URLS").flatMap { $0.isEmpty ? nil : $0 }
    }
}
