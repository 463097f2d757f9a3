// What facts come to: scripts' lines, runtimes with heaps of their own, packages, and the text of a diagnosis.

import Symbolication
import TestSupport
import Testing

@testable import AllocatorLab

@Suite struct ScriptTests {
    private func script(_ line: String) -> Script? { Script(head: Array(line.utf8)) }

    @Test func `the interpreter and its one argument are read`() {
        #expect(script("#!/bin/sh\necho")?.interpreter == "/bin/sh")
        #expect(script("#!/bin/sh\n")?.argument == nil)
        #expect(script("#! \t/bin/sh  -e -u\n")?.argument == "-e -u")
        #expect(script("#!/bin/sh")?.interpreter == "/bin/sh")
        #expect(script("#!\n") == nil)
        #expect(script("echo") == nil)
    }

    @Test(arguments: [
        ("python3", "python3"), ("-S python3 -u", "python3"), ("-Spython3 -u", "python3"),
        ("-S -i A=1 B=2 node --flag", "node"),
    ])
    func `env's program is found behind options and assignments`(argument: String, program: String) {
        #expect(script("#!/usr/bin/env \(argument)\n")?.programBehindEnv == program)
    }

    @Test func `other interpreters have no program behind them`() {
        #expect(script("#!/bin/sh -e\n")?.programBehindEnv == nil)
        #expect(script("#!/usr/bin/env\n")?.programBehindEnv == nil)
    }
}

@Suite struct RuntimeHeapTests {
    @Test func `runtimes are known by their names and libraries`() {
        func names(_ symbols: Set<String> = [], _ libraries: [String] = [], isGo: Bool = false) -> [String] {
            RuntimeHeap.detected(isGo: isGo, symbols: symbols, libraries: libraries).map(\.name)
        }
        #expect(names() == [])
        #expect(names(isGo: true) == ["Go"])
        #expect(names(["PyObject_Malloc"]) == ["CPython"])
        #expect(names([], ["libpython3.11.so.1.0"]) == ["CPython"])
        #expect(names([], ["libjli.so"]) == ["the Java virtual machine"])
        #expect(names([], ["libglib-2.0.so.0", "libglib-2.0.so.0.7400.6"]) == ["GLib 2.74"])
        #expect(names([], ["libglib-2.0.so.0", "libglib-2.0.so.0.7600.1"]) == [])
    }

    @Test func `each setting is a variable and a value`() {
        let found = RuntimeHeap.detected(
            isGo: true, symbols: Set(RuntimeHeap.telltaleSymbols), libraries: ["libglib-2.0.so.0.7400.6"])
        #expect(found.count > 8)
        for setting in found.compactMap(\.setting) { #expect(setting.split(separator: "=").count == 2) }
    }
}

@Suite struct DebianPackagesTests {
    @Test func `a file's package is found under either of the merged folders`() throws {
        let folder = try TemporaryDirectory()
        try folder.write("/.\n/bin\n/bin/bash\n/usr/share/doc/bash\n", to: "bash.list")
        try folder.write("/.\n/usr/lib/libz.so.1.2.13\n", to: "zlib1g:amd64.list")
        try folder.write("/usr/bin/bash\n", to: "not-a-list.md5sums")
        let packages = DebianPackages(folder: folder.path)
        let owners = packages.owners(of: ["/usr/bin/bash", "/usr/lib/libz.so.1.2.13", "/usr/lib/libz.so"])
        #expect(owners == ["/usr/bin/bash": "bash", "/usr/lib/libz.so.1.2.13": "zlib1g"])
        #expect(packages.owners(of: []) == [:])
        #expect(DebianPackages(folder: "/nowhere").owners(of: ["/bin/sh"]) == [:])
    }

    @Test func `the package with the debug information is the usual one, but libc's`() {
        #expect(DebianPackages.debugPackage(for: "jq") == "jq-dbgsym")
        #expect(DebianPackages.debugPackage(for: "libc6") == "libc6-dbg")
    }
}

@Suite struct DiagnosisTextTests {
    private var diagnosis: Diagnosis {
        Diagnosis(
            subject: "./app",
            checks: [
                Check(.ok, "program", "fine"),
                Check(
                    .warning, "debug info", "one two three four five six seven eight nine ten",
                    advice: "do \u{1b}[31mthis"),
                Check(.problem, "libraries", "gone"),
            ],
            verdict: "cannot be recorded", command: nil, exitStatus: 69, facts: DiagnosisFacts())
    }

    @Test func `a line a check, long ones go on under their beginning`() {
        let text = diagnosis.text(width: 48, colour: false, printable: { $0.replacing("\u{1b}", with: "?") })
        #expect(
            text == """
                ./app
                ok       program     fine
                warning  debug info  one two three four five six
                                     seven eight nine ten
                                     → do ?[31mthis
                problem  libraries   gone

                cannot be recorded

                """)
    }

    @Test func `only the state is coloured`() {
        let text = diagnosis.text(width: 100, colour: true)
        #expect(text.contains("\u{1b}[33mwarning  \u{1b}[0mdebug info"))
        #expect(diagnosis.text(width: 100, colour: false).contains("\u{1b}[33m") == false)
    }

    @Test(arguments: [
        ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("-x=1,/y", "-x=1,/y"), ("", "''"), ("$HOME", "'$HOME'"),
    ])
    func `words to type are quoted where a shell would change them`(word: String, quoted: String) {
        #expect(ShellText.quoted(word) == quoted)
    }
}

@Suite struct MachineDiagnosisTests {
    /// A machine on which all is well.
    private var machine: MachineInspection {
        var machine = MachineInspection(
            version: "1.2.3", libraryPath: "/lib/libheaptrail.so", trial: .init(allocations: 10, lost: 0))
        machine.architecture = "x86_64"
        machine.libc = "2.36"
        machine.processors = 4
        machine.hasInvariantCounter = true
        machine.ptraceScope = nil
        machine.mayTraceAny = false
        machine.freeDiskBytes = 1 << 40
        machine.limits = []
        machine.containers = []
        machine.allocators = []
        machine.tools = []
        machine.preloads = []
        return machine
    }

    private func states(_ change: (inout MachineInspection) -> Void) -> [String: Check.State] {
        var machine = machine
        change(&machine)
        let checks = Diagnosis(of: machine).checks
        return Dictionary(checks.map { ($0.name, $0.state) }, uniquingKeysWith: { first, _ in first })
    }

    @Test func `a good machine is ready`() {
        let diagnosis = Diagnosis(of: machine)
        #expect(diagnosis.verdict == "ready to record")
        #expect(diagnosis.exitStatus == 0)
        #expect(diagnosis.checks.allSatisfy { $0.state == .ok })
    }

    @Test func `what is in the way is a problem, what costs something a warning`() {
        #expect(states { $0.architecture = "aarch64" }["system"] == .problem)
        #expect(states { $0.libc = "2.31" }["C library"] == .problem)
        #expect(states { $0.libc = "2.35" }["C library"] == .ok)
        #expect(states { $0.processors = 1 }["processors"] == .warning)
        #expect(states { $0.hasInvariantCounter = false }["clock"] == .warning)
        #expect(states { $0.freeDiskBytes = 1 << 20 }["disk"] == .warning)
        #expect(states { $0.limits = [.init(name: "address space (ulimit -v)", bytes: 1 << 30)] }["limits"] == .warning)
        #expect(states { $0.limits = [.init(name: "address space (ulimit -v)", bytes: 1 << 40)] }["limits"] == .ok)
        #expect(states { $0.limits = [.init(name: "file size (ulimit -f)", bytes: 1 << 30)] }["limits"] == .warning)
    }

    @Test(arguments: [(nil, Check.State.ok), (0, .ok), (1, .warning), (2, .warning), (3, .warning)])
    func `attaching depends on Yama for those without the capability`(scope: Int?, state: Check.State) {
        #expect(states { $0.ptraceScope = scope }["attach"] == state)
        #expect(
            states {
                $0.ptraceScope = scope
                $0.mayTraceAny = true
            }["attach"] == .ok)
    }

    @Test func `a trial that saw nothing is a problem`() {
        let blind = MachineInspection(
            version: "1", libraryPath: "/lib/libheaptrail.so", trial: .init(allocations: 0, lost: 0))
        #expect(Diagnosis(of: blind).exitStatus == 69)
        let broken = MachineInspection(version: "1", libraryPath: nil, trial: .init(failure: "no"))
        #expect(Diagnosis(of: broken).checks.first?.state == .problem)
    }
}
