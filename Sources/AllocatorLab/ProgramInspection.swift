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
        /// The allocator that a library defines.
        var allocator: LibraryAllocator?
    }

    /// Whose malloc the program calls.
    enum AllocatorKind: Sendable, Equatable {
        /// The C library's, through the PLT.
        case system
        /// That of a shared library, its name and its path.
        case library(name: String, path: String)
        /// Its own, inside the executable.
        case own(OwnAllocator)
        /// Perhaps its own: the executable holds the texts of an allocator, but none of its functions has a name.
        case hidden
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
    /// Whether rustup stands before the real program under its name.
    var isRustupProxy = false
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
            _ = try Program(finding: command, for: .recording)
        } catch {
            refusal = error
        }
        guard let path else { return }
        follow(path, depth: 0)
        guard let executable, let file else { return }
        isRustupProxy = Self.isRustupProxy(path)
        inspect(file, at: executable)
    }

    /// rustup puts itself under the names of the tools that it starts.
    private static func isRustupProxy(_ path: String) -> Bool {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        guard FileProbe.lastComponent(path) != "rustup", let own = FileProbe.status(of: path),
            let rustup = FileProbe.status(of: "\(folder)/rustup")
        else { return false }
        return own.st_ino == rustup.st_ino && own.st_dev == rustup.st_dev
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
                if refusal == nil { _ = try Program(finding: [name], for: .recording) }
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
        findAllocators()
        findRuntimes(files)
        findPackages()
    }

    private mutating func findAllocators() {
        for index in modules.indices.dropFirst() where !Self.loaderNames.contains(modules[index].name) {
            guard let path = modules[index].path else { continue }
            modules[index].allocator = LibraryAllocator(at: path)
        }
        switch OwnAllocator.find(in: executable ?? "") {
        case .found(let own): allocator = .own(own)
        case .hidden: allocator = .hidden
        case .none:
            let preloaded = preloads.first { LibraryAllocator(at: $0)?.exportsMalloc == true }
            let library = modules.first { $0.allocator?.exportsMalloc == true }
            if let preloaded, !preloaded.hasSuffix("libheaptrail.so") {
                allocator = .library(name: LibraryAllocator(at: preloaded)?.name ?? preloaded, path: preloaded)
            } else if let library {
                allocator = .library(name: library.allocator?.name ?? library.name, path: library.path ?? library.name)
            } else {
                allocator = .system
            }
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
