// What can be known of a program before it runs: what the kernel and the loader will make of it, whose malloc it calls,
// what names and unwind tables its files have. Facts alone; ProgramDiagnosis.swift says what they mean.

internal import Glibc
internal import Symbolication

/// The facts about one program and its libraries.
public struct ProgramInspection: Sendable {
    /// One file of the program: its executable or a shared library.
    struct Module: Sendable {
        /// The name it is needed by; of the executable its path.
        var name: String
        /// Where it lies, links resolved; nil where it is missing.
        var path: String?
        /// Who needs it; nil of the executable.
        var neededBy: String?
        /// Its symbols and debug information; nil where it is missing.
        var inventory: DebugInventory?
        /// The allocator whose functions it defines.
        var allocator: AllocatorIdentity?
    }

    /// Whose malloc the program calls.
    enum AllocatorKind: Sendable, Equatable {
        /// The C library's, through the PLT.
        case system
        /// That of a shared library, its name and its path.
        case library(name: String, path: String)
        /// Its own, inside the executable.
        case own(entry: String)
        /// Not known: the executable is stripped and holds the texts of an allocator.
        case hidden(name: String)
    }

    /// The command as typed, the program first.
    let command: [String]
    /// Where the program was found.
    var path: String?
    /// Why it cannot be recorded, in the words of `record`.
    var refusal: ProgramError?
    /// The scripts on the way to the executable: the script and what runs it.
    var scripts: [(script: String, interpreter: String)] = []
    /// The file that the kernel loads, links resolved.
    var executable: String?
    /// Whether it is a text that only the shell runs, for want of a `#!` line.
    var isPlainText = false
    /// Whether it has no bytes at all.
    var isEmpty = false
    /// The executable's headers.
    var file: ELFFile?
    /// The loader that the executable names.
    var interpreter: String?
    /// The executable, then its libraries in the loader's order.
    var modules: [Module] = []
    var allocator: AllocatorKind?
    /// Runtimes with a heap of their own.
    var runtimes: [RuntimeHeap] = []
    /// Names that the executable or a library imports and that matter to a recording.
    var imports: Set<String> = []
    /// The package of each file that one brought.
    var packages: [String: String] = [:]
    /// The user's own preloads.
    var preloads: [String] = []
    /// The environment variables that were asked about.
    var environment: [String: String] = [:]

    private static let scriptDepth = 8
    private static let watchedImports = ["dlmopen", "seccomp_load"]
    static let loaderNames = ["libc.so.6", "ld-linux-x86-64.so.2", "libpthread.so.0", "libdl.so.2"]

    /// Inspects the program that a command line would start.
    ///
    /// - Parameter command: a path or a name to be looked up in `PATH`, then the arguments.
    /// - Complexity: reads the headers and symbol tables of the program and its libraries.
    public init(of command: [String]) {
        self.command = command
        preloads = (FileProbe.variable("LD_PRELOAD") ?? "").split { $0 == ":" || $0 == " " }.map(String.init)
        do {
            path = try Program.find(command.first ?? "")
            _ = try Program(finding: command)
        } catch {
            refusal = error
        }
        guard let path else { return }
        follow(path, depth: 0)
        guard let executable, let file else { return }
        inspect(file, at: executable)
    }

    /// Goes from a script to what runs it, through env, to the executable in the end.
    private mutating func follow(_ path: String, depth: Int) {
        guard depth < Self.scriptDepth, let head = FileProbe.head(of: path) else { return }
        if let script = Script(head: head) {
            scripts.append((path, script.interpreter))
            guard let name = script.programBehindEnv else { return follow(script.interpreter, depth: depth + 1) }
            do {
                let next = try Program.find(name)
                scripts.append((script.interpreter, next))
                if refusal == nil { _ = try Program(finding: [name]) }
                follow(next, depth: depth + 1)
            } catch {
                if refusal == nil { refusal = error }
            }
            return
        }
        executable = FileProbe.resolved(path)
        do {
            file = try ELFFile(path: path)
        } catch .notELF {
            isEmpty = head.isEmpty
            isPlainText = true
            scripts.append((path, "/bin/sh"))
            executable = FileProbe.resolved("/bin/sh")
            file = try? ELFFile(path: "/bin/sh")
        } catch {}
    }

    private mutating func inspect(_ file: ELFFile, at executable: String) {
        interpreter = file.interpreter
        guard file.isNative else { return }
        let inventory = DebugInventory(of: file, path: executable)
        modules = [Module(name: executable, path: executable, inventory: inventory)]
        var files = [file]
        for library in LibrarySearch.system().libraries(of: file, path: executable, interpreter: interpreter) {
            var module = Module(name: library.name, path: library.path, neededBy: library.neededBy)
            if let path = library.path, let file = library.file {
                module.inventory = DebugInventory(of: file, path: path)
                files.append(file)
            }
            modules.append(module)
        }
        findAllocators(files)
        findRuntimes(files)
        findPackages()
    }

    private mutating func findAllocators(_ files: [ELFFile]) {
        var next = 0
        for index in modules.indices where modules[index].inventory != nil {
            let file = files[next]
            next += 1
            if Self.loaderNames.contains(modules[index].name) { continue }
            modules[index].allocator = AllocatorIdentity(
                of: file, path: modules[index].path ?? "", isStripped: modules[index].inventory?.isStripped ?? false)
        }
        switch modules[0].allocator?.form {
        case .entries(let entry): allocator = .own(entry: entry)
        case .texts where modules[0].inventory?.isStripped == true:
            allocator = .hidden(name: modules[0].allocator?.name ?? "")
        default:
            let library = modules.dropFirst().first { $0.allocator?.exportsMalloc == true }
            allocator =
                library.map { .library(name: $0.allocator?.name ?? $0.name, path: $0.path ?? $0.name) } ?? .system
        }
    }

    private mutating func findRuntimes(_ files: [ELFFile]) {
        var symbols: Set<String> = []
        for file in files {
            symbols.formUnion(file.symbols(among: RuntimeHeap.telltaleSymbols, in: .dynamic, defined: true))
            imports.formUnion(file.symbols(among: Self.watchedImports, in: .dynamic, defined: false))
        }
        runtimes = RuntimeHeap.detected(
            isGo: files.contains { $0.hasGoBuildID }, symbols: symbols,
            libraries: modules.dropFirst().flatMap { [$0.name, FileProbe.lastComponent($0.path ?? $0.name)] })
        for setting in runtimes.compactMap(\.setting) {
            let name = String(setting.prefix { $0 != "=" })
            environment[name] = FileProbe.variable(name)
        }
    }

    private mutating func findPackages() {
        let wanting = modules.filter { $0.inventory.map { $0.depth == .none } ?? false }.compactMap(\.path)
        packages = DebianPackages().owners(of: wanting)
    }
}

/// Which allocator a file carries, and how that shows.
struct AllocatorIdentity: Sendable, Equatable {
    /// How it shows.
    enum Form: Sendable, Equatable {
        /// It defines this function of it.
        case entries(String)
        /// It holds its messages, but no function of it has a name.
        case texts
    }

    /// `jemalloc`, `mimalloc`, `tcmalloc`, or `its own` for one that is none of these.
    var name: String
    var form: Form
    /// Whether other files' calls of malloc come here.
    var exportsMalloc: Bool

    private static let texts = [
        (name: "jemalloc", text: "<jemalloc>"), (name: "mimalloc", text: "mimalloc: "),
        (name: "tcmalloc", text: "TCMALLOC_"),
    ]
    private static let largestSearchedBytes: UInt64 = 256 << 20

    /// What `file` carries; nil where it is no allocator's.
    init?(of file: ELFFile, path: String, isStripped: Bool) {
        let entries = ELFSymbols.allocatorEntries(in: path)
        exportsMalloc = !file.symbols(among: ["malloc"], in: .dynamic, defined: true).isEmpty
        let rodata = entries.isEmpty && !isStripped ? nil : file.section(".rodata")
        let bytes = rodata.flatMap { $0.bytes < Self.largestSearchedBytes ? file.contents(of: $0) : nil } ?? []
        let text = Self.texts.first { ByteSearch.contains($0.text, in: bytes) }
        let known = [("je", "jemalloc"), ("_rje", "jemalloc"), ("mi_", "mimalloc"), ("tc_", "tcmalloc")]
        if let entry = entries.first {
            let byName = known.first { prefix, _ in entries.contains { $0.hasPrefix(prefix) } }?.1
            name = byName ?? text?.name ?? "its own"
            form = .entries(entry)
        } else if let text, isStripped {
            name = text.name
            form = .texts
        } else {
            return nil
        }
    }
}
