// A diagnosis as the document `heaptrail.doctor/1`: the checks as people see them, then the facts behind them. What was
// not looked at or is not known is null.

internal import FoundationEssentials
internal import Symbolication

extension Diagnosis {
    /// The document, indented, keys in alphabetical order, with a newline at its end.
    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let document = Fields([
            "schema": "heaptrail.doctor/1",
            "subject": subject,
            "verdict": Fields([
                "recordable": exitStatus == 0, "status": Int(exitStatus), "text": verdict, "command": command,
            ]),
            "checks": checks.map {
                Fields(["state": $0.state.rawValue, "name": $0.name, "finding": $0.finding, "advice": $0.advice])
            },
            "program": facts.program.map(ProgramFields.document),
            "machine": facts.machine.map(MachineFields.document),
        ])
        return String(decoding: try encoder.encode(document), as: UTF8.self) + "\n"
    }
}

/// An object whose absent values are written as null, which synthesized encodings leave out.
private struct Fields: Encodable {
    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private let members: [String: (any Encodable)?]

    init(_ members: [String: (any Encodable)?]) { self.members = members }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        for (name, value) in members {
            let key = Key(stringValue: name)
            if let value { try container.encode(value, forKey: key) } else { try container.encodeNil(forKey: key) }
        }
    }
}

/// The facts about a program.
private enum ProgramFields {
    static func document(_ program: ProgramInspection) -> Fields {
        let modules = program.modules.map { module(module: $0, packages: program.packages) }
        return Fields([
            "command": program.command,
            "path": program.path,
            "executable": program.executable,
            "scripts": program.scripts.map { Fields(["script": $0.script, "interpreter": $0.interpreter]) },
            "machine": program.file?.machineName,
            "loader": program.interpreter,
            "damage": program.file?.damage ?? [],
            "languages": program.modules.first?.inventory?.languages ?? [],
            "allocator": program.allocator.map(allocator),
            "runtimes": program.runtimes.map {
                Fields(["name": $0.name, "effect": $0.effect, "setting": $0.setting])
            },
            "preloads": program.preloads,
            "modules": modules,
        ])
    }

    private static func allocator(_ kind: ProgramInspection.AllocatorKind) -> Fields {
        switch kind {
        case .system: Fields(["kind": "system", "name": "glibc"])
        case .library(let name, let path): Fields(["kind": "library", "name": name, "path": path])
        case .own(let own):
            Fields([
                "kind": "own", "name": own.name, "functions": own.entries, "patchable": own.isPatchable,
                "reason": own.reason,
            ])
        case .hidden: Fields(["kind": "hidden"])
        }
    }

    private static func module(module: ProgramInspection.Module, packages: [String: String]) -> Fields {
        let inventory = module.inventory
        let tables = inventory?.unwindTables
        return Fields([
            "name": module.name,
            "path": module.path,
            "needed_by": module.neededBy,
            "found": module.path != nil,
            "build_id": inventory?.buildID,
            "function_symbols": inventory?.functionSymbols,
            "exported_functions": inventory?.exportedFunctions,
            "debug_info": inventory?.depth.rawValue,
            "debug_file": inventory?.debugFile,
            "debug_file_candidates": inventory?.debugFileCandidates,
            "missing_split_units": inventory?.missingSplitUnits,
            "mini_debug_info": inventory?.hasMiniDebugInformation,
            "unwind_coverage": tables?.coverage,
            "unwind_functions": tables?.functions,
            "frame_pointer_share": tables?.framePointerShare,
            "allocator": module.allocator?.name,
            "package": module.path.flatMap { packages[$0] },
        ])
    }
}

/// The facts about a machine.
private enum MachineFields {
    static func document(_ machine: MachineInspection) -> Fields {
        Fields([
            "version": machine.version,
            "library": machine.libraryPath,
            "trial_allocations": machine.trial.allocations,
            "trial_lost": machine.trial.lost,
            "trial_failure": machine.trial.failure,
            "kernel": machine.kernel,
            "architecture": machine.architecture,
            "glibc": machine.libc,
            "processors": machine.processors,
            "invariant_tsc": machine.hasInvariantCounter,
            "clock_source": machine.clockSource,
            "ptrace_scope": machine.ptraceScope,
            "may_trace_any": machine.mayTraceAny,
            "seccomp_mode": machine.seccompMode,
            "containers": machine.containers,
            "free_disk_bytes": machine.freeDiskBytes,
            "limits": machine.limits.map { Fields(["name": $0.name, "bytes": $0.bytes]) },
            "allocators": machine.allocators.map(tool),
            "tools": machine.tools.map(tool),
            "debug_files": machine.debugFiles,
            "preloads": machine.preloads,
        ])
    }

    private static func tool(_ tool: MachineInspection.Tool) -> Fields {
        Fields(["name": tool.name, "path": tool.path, "package": tool.package])
    }
}
