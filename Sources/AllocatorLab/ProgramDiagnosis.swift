// What the facts about a program mean for a recording of it: the checks in order, from whether it can be started to what
// its call stacks will say. Pure: the same inspection, the same checks.

internal import Symbolication

extension Diagnosis {
    /// Says what a recording of the inspected program will and will not show.
    public init(of inspection: ProgramInspection) {
        let findings = ProgramFindings(inspection)
        let missing = inspection.modules.filter { $0.path == nil }
        let command = (findings.settings + ["heaptrail record --"] + inspection.command.map(ShellText.quoted))
            .joined(separator: " ")
        let checks = findings.checks
        subject = inspection.command.map(ShellText.quoted).joined(separator: " ")
        self.checks = checks
        facts = DiagnosisFacts(program: inspection, machine: nil)
        if let refusal = inspection.refusal {
            verdict = "cannot be recorded: \(refusal)"
            self.command = nil
            exitStatus = refusal.exitStatus
        } else if let first = missing.first {
            verdict = "cannot be recorded: it does not start without \(first.name)"
            self.command = nil
            exitStatus = 69
        } else {
            verdict = "can be recorded: " + findings.outlook
            self.command = command
            exitStatus = 0
        }
    }
}

/// The checks of one program.
struct ProgramFindings {
    let facts: ProgramInspection
    private(set) var checks: [Check] = []
    /// Settings to put before the command, as `NAME=VALUE`.
    private(set) var settings: [String] = []

    init(_ facts: ProgramInspection) {
        self.facts = facts
        checkProgram()
        checkScripts()
        guard let file = facts.file, file.isNative, !facts.modules.isEmpty else { return }
        checkLibraries()
        // What it would show matters once it can be started and recorded.
        if checks.contains(where: { $0.state == .problem }) { return }
        checkAllocator()
        checkRuntimes()
        checkSurroundings()
        checkDebugInformation()
        checkSwiftTypes()
        checkUnwinding()
        checkLibraryNames()
    }

    /// What a recording will show, in a few words.
    var outlook: String {
        if facts.file == nil { return "nothing more is known of it" }
        let warned = Set(checks.filter { $0.state == .warning }.map(\.name))
        let unseen = ["allocator", "runtime", "plugins", "shim", "children"].filter(warned.contains)
        let isNamed = warned.isDisjoint(with: ["debug info", "symbols"])
        var parts: [String] = []
        switch unseen.first {
        case nil: parts.append("every block is seen")
        case "children"?: parts.append("every block of its own is seen, not its children's")
        case "shim"?: parts.append("the shim and then, as the last image, the real program")
        default: parts.append("not every block is seen (\(unseen.joined(separator: ", ")))")
        }
        parts.append(isNamed ? "with owner, call stack and line" : "some owners and lines are not named")
        return parts.joined(separator: isNamed ? ", " : "; ")
    }

    mutating func add(_ state: Check.State, _ name: String, _ finding: String, advice: String? = nil) {
        checks.append(Check(state, name, finding, advice: advice))
    }

    // MARK: - Whether it starts

    private mutating func checkProgram() {
        if let refusal = facts.refusal {
            add(.problem, "program", "\(refusal)", advice: refusalAdvice(refusal))
            return
        }
        guard let path = facts.executable ?? facts.path else { return }
        guard let file = facts.file else {
            add(.warning, "program", "\(path): cannot be read, so nothing is known of it but that it may be executed")
            return
        }
        let languages = facts.modules.first?.inventory?.languages ?? []
        let written = languages.isEmpty ? "" : ", " + languages.map(Self.spelled).joined(separator: " and ")
        let form = file.kind == .executable ? "fixed address" : "position-independent"
        add(.ok, "program", "\(path): \(file.machineName), \(form), dynamically linked\(written)")
        for damage in file.damage { add(.warning, "program", "damaged: \(damage); names may be missing") }
    }

    private func refusalAdvice(_ refusal: ProgramError) -> String? {
        switch refusal {
        case .notInPath: return nil
        case .missing: return "type a path, or look with: command -v \(ShellText.quoted(facts.command.first ?? ""))"
        case .missingInterpreter(_, let interpreter): return "install what brings \(interpreter)"
        case .unsuitable(_, let reason):
            if reason.contains("statically linked") { return "link it dynamically (without -static)" }
            if reason.contains("set-user-id") { return "record a copy without the bit: cp PROGRAM COPY" }
            if reason.contains("file capabilities") { return "record a copy without them: cp PROGRAM COPY" }
            if reason == "not executable" { return "chmod +x \(ShellText.quoted(facts.command.first ?? ""))" }
            return nil
        }
    }

    private static func spelled(_ language: String) -> String {
        ["swift": "Swift", "rust": "Rust", "c++": "C++", "c": "C", "go": "Go"][language] ?? language
    }

    private mutating func checkScripts() {
        guard let first = facts.scripts.first else {
            guard facts.isRustupProxy else { return checkChildren() }
            let name = ShellText.quoted(FileProbe.lastComponent(facts.path ?? ""))
            add(
                .warning, "shim", "rustup stands before the real program, which is the trace's last image",
                advice: "examine that one: heaptrail doctor \"$(rustup which \(name))\"")
            return
        }
        if facts.isEmpty {
            add(.warning, "script", "\(first.script) is empty: the shell takes it for a script without commands")
        } else if facts.isPlainText {
            add(
                .warning, "script",
                "\(first.script) is neither an ELF file nor has it a #! line: /bin/sh runs it as a script")
        } else {
            let chain = facts.scripts.map(\.interpreter).joined(separator: ", then ")
            add(.ok, "script", "\(first.script) is run by \(chain): what follows is about \(facts.executable ?? chain)")
        }
        if let (manager, script) = shim {
            let name = ShellText.quoted(FileProbe.lastComponent(script))
            add(
                .warning, "shim",
                "a shim of \(manager): the real program is what its script executes, the trace's last image",
                advice: "examine that one: heaptrail doctor \"$(\(manager) which \(name))\"")
        } else {
            checkChildren()
        }
    }

    /// The version manager whose script stands before the real program.
    private var shim: (manager: String, script: String)? {
        for script in facts.scripts.map(\.script) {
            for manager in ["pyenv", "rbenv", "nodenv", "asdf"] where script.contains("\(manager)/shims/") {
                return (manager, script)
            }
        }
        return nil
    }

    private mutating func checkChildren() {
        guard facts.refusal == nil, Self.startsOthers(FileProbe.lastComponent(facts.executable ?? "")) else {
            return
        }
        add(
            .warning, "children", "programs that it starts are not recorded; one that it becomes by exec is",
            advice: "record them, too: heaptrail record --follow")
    }

    /// Shells and drivers, whose work is done by the programs they start.
    private static func startsOthers(_ name: String) -> Bool {
        let names: Set = [
            "bash", "dash", "sh", "zsh", "ksh", "busybox", "make", "ninja", "cargo", "swift-build", "swift-driver",
        ]
        return names.contains(name) || name.contains("-linux-gnu-g")
    }

    private mutating func checkLibraries() {
        let libraries = facts.modules.dropFirst()
        let missing = libraries.filter { $0.path == nil }
        for library in missing {
            add(
                .problem, "libraries", "\(library.name), needed by \(library.neededBy ?? ""), is not found",
                advice: "install it, or name its folder: LD_LIBRARY_PATH=FOLDER")
        }
        if !missing.isEmpty || facts.interpreter == nil { return }
        add(
            .ok, "libraries",
            libraries.isEmpty
                ? "needs none"
                : libraries.count == 1
                    ? "the one it needs is found" : "all \(libraries.count) found, as the loader looks for them")
    }

    // MARK: - Whose blocks are seen

    private mutating func checkAllocator() {
        switch facts.allocator {
        case .own(let own):
            let finding =
                "\(own.name), inside the executable: its \(own.entries) functions are redirected"
            if let reason = own.reason {
                add(.warning, "allocator", "\(finding); \(reason)")
            } else {
                add(.ok, "allocator", finding)
            }
        case .hidden:
            add(
                .warning, "allocator",
                "the executable holds an allocator's messages, but its functions have no names: what it allocates there is not seen",
                advice: "record a build that is neither stripped nor link-time optimised")
        case .library(let name, let path):
            add(.ok, "allocator", "\(name), a shared library (\(path)): every call is seen")
        case .system:
            add(.ok, "allocator", "the C library's, called through the PLT: every block is seen")
        case nil: break
        }
        for module in facts.modules.dropFirst() where module.allocator?.exportsMalloc == false {
            add(
                .warning, "allocator",
                "\(module.name) carries an allocator for itself (\(module.allocator?.name ?? "")): what it allocates there is not seen"
            )
        }
    }

    private mutating func checkRuntimes() {
        for runtime in facts.runtimes {
            guard let setting = runtime.setting else {
                add(.warning, "runtime", "\(runtime.name): \(runtime.effect)")
                continue
            }
            let name = String(setting.prefix { $0 != "=" })
            if facts.environment[name] == String(setting.dropFirst(name.count + 1)) {
                add(.ok, "runtime", "\(runtime.name), with \(setting) in the environment: its blocks are malloc's")
                continue
            }
            settings.append(setting)
            add(
                .warning, "runtime", "\(runtime.name): \(runtime.effect)",
                advice: "\(setting) in the environment sends each of them to malloc")
        }
    }

    private mutating func checkSurroundings() {
        if facts.imports.contains("dlmopen") {
            add(.warning, "plugins", "it calls dlmopen: what plugins in another namespace allocate is not seen")
        }
        if facts.imports.contains("seccomp_load") {
            add(
                .ok, "seccomp",
                "it installs a system call filter: after the start the recorder needs futex, mmap and munmap")
        }
        for preload in facts.preloads {
            if preload.contains("libheaptrail.so") {
                add(.warning, "preload", "LD_PRELOAD already holds \(preload)", advice: "unset LD_PRELOAD")
            } else if preload.contains("/"), FileProbe.status(of: preload) == nil {
                add(.warning, "preload", "LD_PRELOAD holds \(preload), which is not there")
            } else {
                add(.ok, "preload", "LD_PRELOAD holds \(preload): it stays, behind the recorder")
            }
        }
    }
}
