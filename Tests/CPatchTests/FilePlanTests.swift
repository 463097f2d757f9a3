// The planner on executables: which functions are an allocator's, and what is refused or left out.

import AllocatorLab
import CPatch
internal import Glibc
import TestSupport
import Testing

@Suite struct FilePlanTests {
    /// What the planner says of a file.
    private struct Found {
        var outcome: ht_patch_outcome
        var survey: ht_patch_survey
        var names: [String: UInt32]

        var refused: String { text(survey.refused_name) }
        var allocator: String { text(survey.allocator) }

        private func text<T>(_ characters: T) -> String {
            withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
    }

    private func survey(_ path: String) throws -> Found {
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        var survey = ht_patch_survey()
        var plan: UnsafeMutablePointer<ht_patch_plan>?
        let outcome = ht_patch_plan_file(descriptor, &survey, &plan)
        defer { free(plan) }
        var names: [String: UInt32] = [:]
        if let plan, let entries = ht_patch_plan_entries(plan) {
            for index in 0..<Int(plan.pointee.count) {
                let name = withUnsafeBytes(of: entries[index].name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                names[name] = entries[index].kind
            }
        }
        return Found(outcome: outcome, survey: survey, names: names)
    }

    private func build(_ source: String, _ arguments: [String] = []) throws -> String {
        try ProgramBuilder.build(
            "#include <stddef.h>\nstatic char memory[4096];\nstatic volatile size_t used;\n\(source)\nint main(void) { return 0; }",
            language: .c, name: "carrier", arguments: ["-O1", "-fno-builtin", "-w"] + arguments)
    }

    private let allocator = """
        void *malloc(size_t size) { return memory + (used += size); }
        void *calloc(size_t count, size_t size) { return memory + (used += count * size); }
        void *realloc(void *block, size_t size) { return block ? block : malloc(size); }
        void free(void *block) { used += block == 0; }
        """

    @Test func `a program that calls libc's allocator carries none`() throws {
        let found = try survey(build("void *volatile p; void f(void) { void *malloc(size_t); p = malloc(1); }"))
        #expect(found.outcome == HT_PATCH_NO_ALLOCATOR)
        #expect(found.survey.found == 0)
    }

    @Test func `a function that only helps out libc's allocator makes none`() throws {
        let found = try survey(
            build(
                "void *realloc(void *, size_t); void *reallocarray(void *b, size_t n, size_t s) { return realloc(b, n * s); }"
            ))
        #expect(found.outcome == HT_PATCH_NO_ALLOCATOR)
    }

    @Test func `every function of an allocator is planned, under the name it has`() throws {
        let found = try survey(build(allocator))
        #expect(found.outcome == HT_PATCH_PLANNED)
        #expect(Set(found.names.keys) == ["malloc", "calloc", "realloc", "free"])
        #expect(found.names["calloc"] == HT_PATCH_CALLOC.rawValue)
        #expect(found.survey.planned == 4)
        #expect(found.allocator == "")
    }

    @Test(arguments: [
        ("_rjem_", "jemalloc"), ("_rjem_je_", "jemalloc"), ("je_", "jemalloc"), ("mi_", "mimalloc"),
        ("tc_", "tcmalloc"), ("rp", "rpmalloc"), ("sn_", "snmalloc"),
    ])
    func `a prefix says whose functions they are`(prefix: String, name: String) throws {
        var source = allocator
        for function in ["malloc", "calloc", "realloc", "free"] {
            source = source.replacing("\(function)(", with: "\(prefix)\(function)(")
        }
        let found = try survey(build(source))
        #expect(found.outcome == HT_PATCH_PLANNED)
        #expect(found.allocator == name)
        #expect(found.survey.planned == 4)
    }

    @Test func `two names of one function are one entry`() throws {
        let alias = "void *tc_malloc(size_t) __attribute__((alias(\"malloc\")));"
        let found = try survey(build(allocator + "\n" + alias))
        #expect(found.survey.planned == 4)
        #expect(found.names["tc_malloc"] != nil)
        #expect(found.names["malloc"] == nil)
    }

    @Test func `a function that is chosen at load time is refused by name`() throws {
        let found = try survey(
            build(
                allocator.replacing("void free", with: "void free_plain")
                    + "\nstatic void *choose(void) { return free_plain; }\nvoid free(void *) __attribute__((ifunc(\"choose\")));",
                ["-fPIE"]))
        #expect(found.outcome == HT_PATCH_REFUSED)
        #expect(found.survey.refusal == HT_PATCH_INDIRECT)
        #expect(found.refused == "free")
    }

    @Test func `a rare function that cannot be redirected is left out and named`() throws {
        let valloc = "__attribute__((naked)) void *valloc(size_t size) { __asm__(\"loop . ; ret ; ret ; ret ; ret\"); }"
        let found = try survey(build(allocator + "\n" + valloc))
        #expect(found.outcome == HT_PATCH_PLANNED)
        #expect(found.refused == "valloc")
        #expect(found.names["valloc"] == nil)
        #expect(found.survey.found == 5)
    }

    @Test func `a stripped program shows what it exports alone`() throws {
        let exported = try survey(build(allocator, ["-s", "-rdynamic"]))
        #expect(exported.outcome == HT_PATCH_PLANNED)
        #expect(!exported.survey.has_symbols)
        let hidden = try survey(
            build(allocator.replacing("void", with: "__attribute__((visibility(\"hidden\"))) void"), ["-s"]))
        #expect(hidden.outcome == HT_PATCH_NO_ALLOCATOR)
    }

    @Test func `an allocator without its functions leaves its texts behind`() throws {
        let text = "const char *volatile words = \"<jemalloc>: Error in malloc\";"
        let stripped = try build(text, ["-s"])
        #expect(try survey(stripped).survey.traces)
        #expect(OwnAllocator.find(in: stripped) == .hidden)
        // Its inner functions, where link-time optimisation inlined the entries.
        #expect(try survey(build("void *je_arena_malloc_hard(void *t, size_t s) { return memory + s; }")).survey.traces)
        #expect(OwnAllocator.find(in: try build("")) == .none)
    }

    @Test func `an inspection names the allocator and what speaks against it`() throws {
        let own = OwnAllocator.inspect(executable: try build(allocator))
        #expect(own?.name == "malloc")
        #expect(own?.entries == 4)
        #expect(own?.isPatchable == true)
        #expect(own?.reason == nil)
        #expect(OwnAllocator.inspect(executable: "/nowhere") == nil)
    }

    @Test func `no file is trusted: cut anywhere, it is read or refused`() throws {
        let path = try build(allocator)
        let file = open(path, O_RDONLY)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(file, &bytes, bytes.count)
        let folder = try TemporaryDirectory()
        for cut in stride(from: 0, to: count, by: 97) {
            let part = try folder.write(Array(bytes[..<cut]), to: "part")
            #expect(try survey(part).survey.planned <= 4)
        }
    }
}
