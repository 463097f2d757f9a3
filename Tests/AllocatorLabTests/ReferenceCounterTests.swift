// The reference counter against programs whose calls are known: the yardstick has to be right first.

import TestSupport
import Testing

@Suite struct ReferenceCounterTests {
    /// Counts of a C body, less what the same program costs with an empty body.
    private func counts(_ body: String, preload: String? = nil) throws -> ReferenceCounter.Counts {
        let source = """
            #include <malloc.h>
            #include <signal.h>
            #include <stdlib.h>
            #include <string.h>
            #include <sys/wait.h>
            #include <unistd.h>
            int main(int argc, char **argv) { (void)argc; (void)argv; \(body) }
            """
        let program = try ProgramBuilder.build(source, language: .c, arguments: ["-O0", "-fno-builtin", "-w"])
        let counter = try ReferenceCounter()
        _ = try run(program, environment: counter.environment(adding: preload.map { ["LD_PRELOAD": $0] } ?? [:]))
        return try counter.counts()
    }

    @Test func `every kind of allocation counts once with the bytes requested`() throws {
        let counts = try counts(
            """
            void *p;
            malloc(10); calloc(3, 7); posix_memalign(&p, 64, 100); aligned_alloc(64, 128); memalign(32, 5);
            valloc(1000); pvalloc(2000); reallocarray(0, 4, 4); realloc(0, 9); return 0;
            """)
        #expect(counts.allocations == 9)
        #expect(counts.bytes == 10 + 21 + 100 + 128 + 5 + 1000 + 2000 + 16 + 9)
        #expect(counts.frees == 0)
        #expect(counts.reallocations == 0)
        #expect(counts.images == 1)
        #expect(counts.bootCalls == 0)
    }

    @Test func `a reallocation is a free and an allocation, realloc to nothing is a free`() throws {
        let counts = try counts(
            """
            char *p = malloc(10); p = realloc(p, 1000); p = reallocarray(p, 10, 200); realloc(p, 0); free(0); return 0;
            """)
        #expect(counts.allocations == 3)
        #expect(counts.frees == 3)
        #expect(counts.reallocations == 2)
        #expect(counts.bytes == 10 + 1000 + 2000)
    }

    @Test func `failed calls count nothing`() throws {
        let counts = try counts(
            """
            void *p = malloc(1); size_t huge = (size_t)-1 / 2;
            malloc(huge); calloc(huge, 8); realloc(p, huge); reallocarray(p, huge, 8); posix_memalign(&p, 3, 8); return 0;
            """)
        #expect(counts.allocations == 1)
        #expect(counts.frees == 0)
        #expect(counts.bytes == 1)
    }

    @Test(arguments: ["_exit(0);", "kill(getpid(), SIGKILL);", "abort();"])
    func `the count survives any end of the process`(end: String) throws {
        let counts = try counts("for (int i = 0; i < 1000; i++) free(malloc(8)); \(end) return 0;")
        #expect(counts.allocations == 1000)
        #expect(counts.frees == 1000)
    }

    @Test func `a forked child and what it executes count nothing`() throws {
        let counts = try counts(
            """
            malloc(1);
            if (argc > 1) { malloc(5); return 0; }
            if (fork() == 0) { malloc(2); execl(argv[0], argv[0], "child", (char *)0); }
            wait(0); malloc(3); return 0;
            """)
        #expect(counts.allocations == 2)
        #expect(counts.bytes == 4)
    }

    @Test func `after an exec the counts are those of the last image`() throws {
        let counts = try counts(
            """
            if (argc > 1) { malloc(5); return 0; }
            malloc(1); malloc(2); execl(argv[0], argv[0], "again", (char *)0);
            """)
        #expect(counts.images == 2)
        #expect(counts.allocations == 1)
        #expect(counts.bytes == 5)
    }

    @Test func `a skipped launcher leaves the page to the program it starts`() throws {
        let counter = try ReferenceCounter()
        let program = try ProgramBuilder.build(
            "#include <stdlib.h>\nint main(void) { malloc(77); return 0; }", language: .c, arguments: ["-fno-builtin"])
        var variables = counter.variables(skipping: "env")
        variables["LD_PRELOAD"] = counter.library
        try runChecked("/usr/bin/env", [program], environment: .inherited(adding: variables))
        #expect(try counter.counts().bytes == 77)
        #expect(try counter.counts().images == 1)
    }

    @Test func `a counter that no program loaded is an error, not a zero`() throws {
        let counter = try ReferenceCounter()
        try runChecked("true")
        #expect(throws: TestSupportError.self) { try counter.counts() }
    }
}
