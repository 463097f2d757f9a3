// `heaptrail doctor` on this machine and on programs of every kind: what it says, and that it agrees with `record`.

internal import Foundation
internal import Glibc
import TestSupport
import Testing

/// The parts of heaptrail.doctor/1 that the tests look at.
private struct Doctor: Decodable {
    struct Verdict: Decodable {
        let recordable: Bool
        let status: Int
        let text: String
        let command: String?
    }

    struct Check: Decodable {
        let state: String
        let name: String
        let finding: String
        let advice: String?
    }

    struct Program: Decodable {
        struct Allocator: Decodable { let kind: String }
        struct Module: Decodable {
            let name: String
            let found: Bool
            let debugInfo: String?
        }
        struct Runtime: Decodable { let name: String }

        let executable: String?
        let languages: [String]
        let allocator: Allocator?
        let runtimes: [Runtime]
        let modules: [Module]
    }

    let schema: String
    let verdict: Verdict
    let checks: [Check]
    let program: Program?

    /// Examines a program; the exit status must be the document's.
    init(
        _ command: [String], environment: ProcessEnvironment = .inherited(), workingDirectory: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let result = try run(
            BuildProducts.heaptrail(), ["doctor", "--json"] + command, environment: environment,
            workingDirectory: workingDirectory)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(Doctor.self, from: Data(result.stdoutBytes))
        #expect(result.status == .exited(Int32(verdict.status)), sourceLocation: sourceLocation)
        #expect(result.stderr == "", sourceLocation: sourceLocation)
        #expect(schema == "heaptrail.doctor/1", sourceLocation: sourceLocation)
        #expect(verdict.recordable == (verdict.status == 0), sourceLocation: sourceLocation)
    }

    func check(_ name: String) -> Check? { checks.first { $0.name == name } }
    func state(_ name: String) -> String? { check(name)?.state }
}

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct DoctorTests {
    private static let source = """
        #include <stdlib.h>
        __attribute__((noinline)) void *make(size_t size) { return malloc(size); }
        int main(void) { free(make(10)); return 0; }
        """

    private func build(_ name: String, _ arguments: [String] = []) throws -> String {
        try ProgramBuilder.build(Self.source, language: .c, name: name, arguments: arguments)
    }

    /// Expects that doctor and record refuse a program with the same words and status.
    private func expectRefusal(
        _ program: String, _ status: Int, saying word: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let found = try Doctor([program])
        #expect(found.verdict.status == status, sourceLocation: sourceLocation)
        #expect(found.verdict.command == nil, sourceLocation: sourceLocation)
        #expect(found.verdict.text.contains(word), "\(found.verdict.text)", sourceLocation: sourceLocation)
        let folder = try TemporaryDirectory()
        let record = try run(BuildProducts.heaptrail(), ["record", "-o", folder.file("t.trace"), "--", program])
        #expect(record.status == .exited(Int32(status)), sourceLocation: sourceLocation)
        let reason = record.stderr.dropFirst("heaptrail: ".count).split(separator: "\n").first.map(String.init) ?? ""
        #expect(found.verdict.text == "cannot be recorded: \(reason)", sourceLocation: sourceLocation)
    }

    @Test func `this machine is examined, with a recording`() throws {
        let found = try Doctor([])
        #expect(found.verdict.recordable)
        #expect(found.state("trial") == "ok")
        #expect(found.check("library")?.finding.hasSuffix("libheaptrail.so") == true)
        #expect(found.check("allocators")?.finding.hasPrefix("glibc") == true)
        #expect(found.program == nil)
    }

    @Test func `the text has a line a check, then the verdict and what to type`() throws {
        let program = try build("plain")
        let text = try runChecked(BuildProducts.heaptrail(), ["doctor", program, "an argument"])
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.first == "\(program) 'an argument'")
        #expect(lines.dropFirst().first?.hasPrefix("ok       program ") == true)
        #expect(lines.suffix(2).first == "can be recorded: every block is seen, with owner, call stack and line")
        #expect(lines.last == "type: heaptrail record -- \(program) 'an argument'")
        #expect(!text.contains("\u{1b}"))
    }

    @Test func `debug information, symbols and their absence are told apart`() throws {
        let full = try Doctor([build("full")])
        #expect(full.state("debug info") == "ok")
        let bare = try Doctor([build("bare", ["-g0"])])
        #expect(bare.state("debug info") == "warning")
        #expect(bare.check("debug info")?.advice?.contains("-g") == true)
        #expect(bare.state("symbols") == "ok")
        let stripped = try Doctor([build("stripped", ["-g0", "-s"])])
        #expect(stripped.state("symbols") == "warning")
        #expect(stripped.verdict.status == 0)
    }

    @Test func `a separate debug file beside the program is found`() throws {
        let folder = try TemporaryDirectory()
        let program = folder.file("program")
        try FileManager.default.copyItem(atPath: build("separate"), toPath: program)
        let objcopy = try Tool.require("objcopy")
        try runChecked(objcopy, ["--only-keep-debug", program, program + ".debug"])
        try runChecked(objcopy, ["--strip-all", "--add-gnu-debuglink=\(program).debug", program])
        let found = try Doctor([program])
        #expect(found.state("debug info") == "ok")
        #expect(found.check("debug info")?.finding.contains("program.debug") == true)
        try FileManager.default.removeItem(atPath: program + ".debug")
        let without = try Doctor([program])
        #expect(without.state("debug info") == "warning")
        #expect(
            without.check("debug info")?.finding.contains("program.debug") == true
                || without.check("debug info")?.finding.contains(".build-id/") == true)
    }

    @Test func `refusals are record's, word for word`() throws {
        try expectRefusal("/nowhere/at-all", 66, saying: "no such program")
        try expectRefusal(build("static", ["-static"]), 69, saying: "statically linked")
        let folder = try TemporaryDirectory()
        try expectRefusal(folder.path, 69, saying: "folder")
        try expectRefusal(folder.write("text\n", to: "plain"), 69, saying: "not executable")
        let script = "#!\(folder.file("plain"))\n"
        try expectRefusal(folder.write(script, to: "bad-script", executable: true), 69, saying: "not executable")
        #expect(mkfifo(folder.file("pipe"), 0o755) == 0)
        try expectRefusal(folder.file("pipe"), 69, saying: "pipe")
        try expectRefusal(folder.write("#!/nowhere/sh\n", to: "script", executable: true), 66, saying: "/nowhere/sh")
    }

    @Test func `a program of this folder that is not in PATH is pointed to`() throws {
        let folder = try TemporaryDirectory()
        let name = "not-in-any-path"
        try folder.write("#!/bin/sh\n", to: name, executable: true)
        let found = try Doctor([name], workingDirectory: folder.path)
        #expect(found.verdict.status == 66)
        #expect(found.verdict.text.contains("type ./\(name)"))
    }

    @Test(
        .enabled(
            if: FileManager.default.fileExists(atPath: "/usr/lib/x86_64-linux-gnu/libjemalloc.a"), "no libjemalloc.a"))
    func `a static jemalloc is redirected, and doctor says so`() throws {
        let program = try build(
            "static-jemalloc", ["-l:libjemalloc.a", "-lstdc++", "-lm", "-Wl,-u,mallctl"])
        let found = try Doctor([program])
        #expect(found.verdict.status == 0)
        #expect(found.program?.allocator?.kind == "own")
        #expect(found.check("allocator")?.finding.hasPrefix("jemalloc, inside the executable: ") == true)
    }

    @Test func `a truncated program is refused and never run`() throws {
        let folder = try TemporaryDirectory()
        let whole = try Array(Data(contentsOf: URL(fileURLWithPath: build("whole"))))
        for count in [10, 30, 100, 3000] {
            let cut = try folder.write(Array(whole[..<count]), to: "cut\(count)", executable: true)
            try expectRefusal(cut, 69, saying: "damaged")
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give a file to another user"))
    func `a program that runs as another user is refused`() throws {
        let folder = try TemporaryDirectory()
        let copy = folder.file("setuid")
        try FileManager.default.copyItem(atPath: build("setuid"), toPath: copy)
        #expect(chown(copy, 65534, 65534) == 0)
        #expect(chmod(copy, 0o4755) == 0)
        try expectRefusal(copy, 69, saying: "set-user-id")
    }

    @Test(arguments: ["address", "thread"])
    func `a program with a sanitizer is refused`(sanitizer: String) throws {
        let sanitized = try? build("sanitized-\(sanitizer)", ["-fsanitize=\(sanitizer)"])
        guard let sanitized else { return }  // This compiler has no such runtime.
        try expectRefusal(sanitized, 69, saying: "Sanitizer")
    }

    @Test func `a script leads to its interpreter, through env`() throws {
        let folder = try TemporaryDirectory()
        let direct = try Doctor([folder.write("#!/bin/bash -e\n", to: "direct", executable: true)])
        #expect(direct.program?.executable?.hasSuffix("/bash") == true)
        let shim = try Doctor([folder.write("#!/usr/bin/env bash\n", to: "shim", executable: true)])
        #expect(shim.program?.executable?.hasSuffix("/bash") == true)
        #expect(shim.state("children") == "warning")
        let lost = try Doctor([folder.write("#!/usr/bin/env no-such-program\n", to: "lost", executable: true)])
        #expect(lost.verdict.status == 66)
        let loop = folder.file("loop")
        _ = try Doctor([folder.write("#!\(loop)\n", to: "loop", executable: true)])
    }

    @Test func `what has no header is the shell's, as under record`() throws {
        let folder = try TemporaryDirectory()
        let empty = try Doctor([folder.write("", to: "empty", executable: true)])
        #expect(empty.verdict.status == 0)
        #expect(empty.check("script")?.finding.contains("empty") == true)
        let plain = try Doctor([folder.write("echo hello\n", to: "plain", executable: true)])
        #expect(plain.state("script") == "warning")
    }

    @Test func `a missing library is named, and the program cannot be recorded`() throws {
        let folder = try TemporaryDirectory()
        let library = try ProgramBuilder.build(
            "int library(void) { return 1; }", language: .c, name: "libgone.so", arguments: ["-shared", "-fPIC"])
        try FileManager.default.copyItem(atPath: library, toPath: folder.file("libgone.so"))
        let source = try folder.write("int library(void); int main(void) { return library(); }", to: "user.c")
        let program = folder.file("user")
        try runChecked(
            Tool.require("clang"), [source, "-o", program, "-L", folder.path, "-l:libgone.so"])
        let missing = try Doctor([program])
        #expect(missing.verdict.status == 69)
        #expect(missing.check("libraries")?.finding.contains("libgone.so, needed by user") == true)
        let environment = ProcessEnvironment.inherited(adding: ["LD_LIBRARY_PATH": folder.path])
        #expect(try Doctor([program], environment: environment).verdict.status == 0)
    }

    @Test func `a Go program's heap is said not to be seen`() throws {
        var builder = ELFBuilder()
        builder.interpreter = "/lib64/ld-linux-x86-64.so.2"
        builder.add(".note.go.buildid", type: 7)
        let folder = try TemporaryDirectory()
        let found = try Doctor([folder.write(builder.bytes(), to: "gopher", executable: true)])
        #expect(found.program?.runtimes.map(\.name) == ["Go"])
        #expect(found.program?.languages == ["go"])
        #expect(found.state("runtime") == "warning")
    }

    @Test(.enabled(if: Tool.isInstalled("python3"), "no python3"))
    func `CPython's arenas are named with the switch that avoids them`() throws {
        let lines = try runChecked(Tool.require("python3"), ["-c", "import sys; print(sys.executable)"])
        let python = try #require(lines.split(separator: "\n").last.map(String.init))
        let plain = ProcessEnvironment.inherited(removing: ["PYTHONMALLOC"])
        let found = try Doctor([python], environment: plain)
        #expect(found.program?.runtimes.map(\.name).contains("CPython") == true)
        #expect(found.verdict.command?.hasPrefix("PYTHONMALLOC=malloc heaptrail record -- ") == true)
        let switched = try Doctor([python], environment: .inherited(adding: ["PYTHONMALLOC": "malloc"]))
        #expect(switched.verdict.command?.hasPrefix("heaptrail record") == true)
    }

    @Test(.enabled(if: SourceLanguage.rust.isAvailable, "no rustc"))
    func `a Rust program without -g has no lines, although its library brings some`() throws {
        let source =
            "fn main() { let v: Vec<String> = (0..9).map(|i| i.to_string()).collect(); println!(\"{}\", v.len()); }"
        let plain = try ProgramBuilder.build(
            source, language: .rust, name: "plain-rust", arguments: ["-O", "-C", "debuginfo=0"])
        let found = try Doctor([plain])
        #expect(found.program?.languages.first == "rust")
        #expect(found.state("debug info") == "warning")
        #expect(found.check("debug info")?.advice?.contains("debug = true") == true)
        let full = try ProgramBuilder.build(source, language: .rust, name: "full-rust", arguments: ["-O"])
        #expect(try Doctor([full]).state("debug info") == "ok")
        let stripped = try ProgramBuilder.build(
            source, language: .rust, name: "stripped-rust", arguments: ["-O", "-C", "strip=symbols"])
        let bare = try Doctor([stripped])
        #expect(bare.program?.languages == ["rust"])
        #expect(bare.state("symbols") == "warning")
    }

    @Test func `a Swift program is known, with and without debug information`() throws {
        let source = "print(Array(repeating: \"a\", count: 9).joined())"
        let full = try Doctor([ProgramBuilder.build(source, language: .swift, name: "full-swift", arguments: ["-O"])])
        #expect(full.program?.languages.first == "swift")
        #expect(full.state("swift types") == "ok")
        for (arguments, state) in [([], "ok"), (["-Xlinker", "-s"], "warning")] {
            let within = try ProgramBuilder.build(
                source, language: .swift, name: "within-swift", arguments: ["-O", "-static-stdlib"] + arguments)
            #expect(try Doctor([within]).state("swift types") == state)
        }
        #expect(full.state("debug info") == "ok")
        let plain = try ProgramBuilder.build(
            source, language: .swift, name: "plain-swift", arguments: ["-O", "-gnone"])
        #expect(try Doctor([plain]).check("debug info")?.advice?.contains("-Xswiftc -g") == true)
    }

    @Test(.enabled(if: Machine.hasAllocator("jemalloc"), "libjemalloc2 is not installed"))
    func `an allocator in a shared library is named`() throws {
        let program = try build("with-jemalloc", ["-Wl,--no-as-needed", "-l:libjemalloc.so.2"])
        let found = try Doctor([program])
        #expect(found.program?.allocator?.kind == "library")
        #expect(found.check("allocator")?.finding.hasPrefix("jemalloc") == true)
    }

    @Test(.enabled(if: Machine.hasAllocator("jemalloc"), "libjemalloc2 is not installed"))
    func `an allocator that is preloaded already is named`() throws {
        let preload = ["LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"]
        let found = try Doctor([build("preloaded")], environment: .inherited(adding: preload))
        #expect(found.program?.allocator?.kind == "library")
        #expect(found.state("preload") == "ok")
    }

    @Test func `an allocator inside the executable is named`() throws {
        let program = try ProgramBuilder.build(
            """
            #include <stddef.h>
            static char memory[1 << 16];
            static size_t used;
            void *malloc(size_t size) { used += (size + 15) & ~(size_t)15; return memory + used; }
            void free(void *block) { (void)block; }
            int main(void) { return malloc(10) == NULL; }
            """, language: .c, name: "own-malloc", arguments: ["-fno-builtin"])
        #expect(try Doctor([program]).program?.allocator?.kind == "own")
    }

    @Test func `bad usage is 64`() throws {
        for arguments in [["doctor", "--no-such-option"], ["doctor", "--json", "--no-such-option", "true"]] {
            let result = try run(BuildProducts.heaptrail(), arguments)
            #expect(result.status == .exited(64), "\(result.stderr)")
            #expect(result.stdout == "")
        }
    }
}
