// What the facts about the machine mean for recordings on it. Pure: the same inspection, the same checks.

extension Diagnosis {
    /// Says what recordings on the inspected machine can rest on.
    public init(of machine: MachineInspection) {
        let findings = MachineFindings(machine)
        subject = "heaptrail \(machine.version) on this machine"
        checks = findings.checks
        facts = DiagnosisFacts(program: nil, machine: machine)
        let problems = checks.filter { $0.state == .problem }
        if let problem = problems.first {
            verdict = "cannot record here: \(problem.finding)"
            command = nil
            exitStatus = 69
        } else {
            let warnings = checks.count { $0.state == .warning }
            verdict =
                warnings == 0
                ? "ready to record" : "ready to record, with \(warnings) thing\(warnings == 1 ? "" : "s") to know"
            command = "heaptrail doctor PROGRAM"
            exitStatus = 0
        }
    }
}

/// The checks of a machine.
struct MachineFindings {
    private let machine: MachineInspection
    private(set) var checks: [Check] = []

    private static let oldestLibc = (major: 2, minor: 35)
    private static let scarceDiskBytes: UInt64 = 1 << 30
    private static let smallAddressSpaceBytes: UInt64 = 2 << 30

    init(_ machine: MachineInspection) {
        self.machine = machine
        checkInstallation()
        checkSystem()
        checkClock()
        checkAttach()
        checkSpace()
        checkLimits()
        checkAllocators()
        checkDebugFiles()
        checkTools()
    }

    private mutating func add(_ state: Check.State, _ name: String, _ finding: String, advice: String? = nil) {
        checks.append(Check(state, name, finding, advice: advice))
    }

    private mutating func checkInstallation() {
        guard let library = machine.libraryPath else {
            add(
                .problem, "library", "libheaptrail.so is neither beside the tool nor in ../lib/heaptrail",
                advice: "scripts/build-interposer, or scripts/install")
            return
        }
        add(.ok, "library", library)
        guard let seen = machine.trial.allocations else {
            add(.problem, "trial", "a test recording failed: \(machine.trial.failure ?? "no reason given")")
            return
        }
        if seen == 0 {
            add(
                .problem, "trial",
                "a test recording saw nothing: the library is not loaded, or is another version than the tool",
                advice: "build both again: swift build -c release && scripts/build-interposer")
        } else if machine.trial.lost > 0 {
            add(.warning, "trial", "a test recording saw \(seen) allocations and lost \(machine.trial.lost) events")
        } else {
            add(.ok, "trial", "a test recording of this tool saw \(seen) allocations and lost nothing")
        }
    }

    private mutating func checkSystem() {
        if machine.architecture == "x86_64" {
            add(.ok, "system", "Linux \(machine.kernel), \(machine.architecture)")
        } else {
            add(.problem, "system", "\(machine.architecture): programs are recorded on x86-64 alone")
        }
        let parts = machine.libc.split(separator: ".").compactMap { Int($0) }
        let version = (parts.first ?? 0, parts.count > 1 ? parts[1] : 0)
        if version < Self.oldestLibc {
            add(
                .problem, "C library",
                "glibc \(machine.libc) is older than \(Self.oldestLibc.major).\(Self.oldestLibc.minor)")
        } else {
            add(.ok, "C library", "glibc \(machine.libc)")
        }
        if machine.processors == 1 {
            add(.warning, "processors", "one: the collector takes its time from the program's")
        } else {
            add(.ok, "processors", "\(machine.processors): the collector runs beside the program")
        }
        if !machine.containers.isEmpty {
            add(.ok, "container", machine.containers.joined(separator: ", "))
        }
        if let mode = machine.seccompMode, mode != 0 {
            add(.ok, "seccomp", "this process runs under a system call filter, and the test recording passed it")
        }
    }

    private mutating func checkClock() {
        switch machine.hasInvariantCounter {
        case true?:
            add(
                .ok, "clock",
                "time stamp counter, invariant" + (machine.clockSource == "tsc" ? ", the kernel's clock, too" : ""))
        case false?:
            add(
                .warning, "clock",
                "the time stamp counter may change its speed: times in a trace are estimates, their order is repaired")
        case nil:
            add(.warning, "clock", "not known whether the time stamp counter is invariant: times may be estimates")
        }
    }

    private mutating func checkAttach() {
        if machine.mayTraceAny {
            add(.ok, "attach", "record --pid is permitted for every process")
            return
        }
        switch machine.ptraceScope {
        case nil, 0?: add(.ok, "attach", "record --pid is permitted for your own processes")
        case 1?:
            add(
                .warning, "attach", "record --pid is not permitted: kernel.yama.ptrace_scope is 1",
                advice: "sudo heaptrail record --pid PID, or: sudo sysctl kernel.yama.ptrace_scope=0")
        case 2?:
            add(
                .warning, "attach", "record --pid is for root alone: kernel.yama.ptrace_scope is 2",
                advice: "sudo heaptrail record --pid PID")
        case let scope?:
            add(
                .warning, "attach",
                "record --pid is forbidden until the next boot: kernel.yama.ptrace_scope is \(scope)")
        }
    }

    private mutating func checkSpace() {
        guard let free = machine.freeDiskBytes else { return }
        let text = "\(Self.size(free)) free here for traces"
        if free < Self.scarceDiskBytes {
            add(.warning, "disk", text, advice: "write elsewhere: heaptrail record -o FOLDER/FILE")
        } else {
            add(.ok, "disk", text)
        }
    }

    private mutating func checkLimits() {
        var texts: [String] = []
        for limit in machine.limits {
            guard let bytes = limit.bytes else { continue }
            if limit.name.hasPrefix("address"), bytes < Self.smallAddressSpaceBytes {
                add(
                    .warning, "limits",
                    "\(limit.name) is \(Self.size(bytes)): 128 threads at once are recorded, not 4,096",
                    advice: "ulimit -v unlimited")
            } else if limit.name.hasPrefix("file") {
                add(.warning, "limits", "\(limit.name) is \(Self.size(bytes)): a trace ends there, and says so")
            } else {
                texts.append("\(limit.name) \(Self.size(bytes))")
            }
        }
        if !checks.contains(where: { $0.name == "limits" }) {
            add(.ok, "limits", texts.isEmpty ? "none that matter" : texts.joined(separator: ", ") + ": enough")
        }
        for preload in machine.preloads {
            add(.ok, "preload", "LD_PRELOAD holds \(preload): it stays, behind the recorder")
        }
    }

    private mutating func checkAllocators() {
        let found = machine.allocators.filter { $0.path != nil }.map(\.name)
        let missing = machine.allocators.filter { $0.path == nil }
        let text = (["glibc"] + found).joined(separator: ", ")
        let packages = missing.map(\.package).joined(separator: " ")
        add(
            .ok, "allocators",
            text + (missing.isEmpty ? "" : "; not installed: " + missing.map(\.name).joined(separator: ", ")),
            advice: missing.isEmpty ? nil : "apt-get install \(packages)")
    }

    private mutating func checkDebugFiles() {
        let urls = machine.debuginfodURLs == nil ? "" : "; DEBUGINFOD_URLS is set and not used"
        let count =
            machine.debugFiles.map { "/usr/lib/debug has \($0) files by build id" }
            ?? "/usr/lib/debug has none by build id"
        add(.ok, "debug files", "\(count)\(urls)")
    }

    private mutating func checkTools() {
        let found = machine.tools.filter { $0.path != nil }.map(\.name)
        let missing = machine.tools.filter { $0.path == nil }.map { "\($0.name) (\($0.purpose))" }
        let text =
            (found.isEmpty ? [] : ["found " + found.joined(separator: ", ")])
            + (missing.isEmpty ? [] : ["not found " + missing.joined(separator: ", ")])
        add(.ok, "optional tools", text.joined(separator: "; "))
    }

    private static func size(_ bytes: UInt64) -> String { Comparison.size(Double(bytes)) }
}
