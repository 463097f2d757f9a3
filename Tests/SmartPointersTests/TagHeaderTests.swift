// The public tag header in programs that SwiftPM does not build: its weak functions must be reached in every code model, for
// a linker that resolves one to zero turns tagging off without a word.

import TestSupport
import Testing

@Suite struct TagHeaderTests {
    static let header = "\(BuildProducts.packageRoot)/CShims/CHeaptrailTags/include"

    /// Stands in for the preload: says on standard output what reaches it.
    private static let listener = """
        #define HEAPTRAIL_TAGS_IMPLEMENTATION
        #include "heaptrail_tags.h"
        #include <stdio.h>
        uint32_t heaptrail_tag_intern(const char *family, const char *type, const char *cause, const char *language) {
            printf("tag %s %s %s %s\\n", family, type, cause ? cause : "-", language ? language : "-");
            return 7;
        }
        void heaptrail_tag_push(uint32_t tag) { printf("push %u\\n", tag); }
        void heaptrail_tag_pop(void) { printf("pop\\n"); }
        uint32_t heaptrail_counter_intern(const char *name) { printf("counter %s\\n", name); return 9; }
        void heaptrail_count(uint32_t counter, uint64_t n) { printf("count %u %llu\\n", counter, (unsigned long long)n); }
        """

    private static let program = """
        #include "heaptrail_tags.h"
        #include <stdio.h>
        int main(void) {
            uint32_t tag = ht_tag_intern("Array", "ring<int>", "growth", 0);
            uint32_t counter = ht_counter_intern("reuse");
            ht_tag_push(tag);
            ht_tag_pop();
            ht_count(counter, 3);
            printf("recorded %d\\n", ht_tags_are_recorded());
            return 0;
        }
        """

    private static let warnings = ["-I", header, "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]

    @Test(
        .enabled(if: SourceLanguage.c.isAvailable, "no C compiler is installed"),
        arguments: [["-fPIE", "-pie"], ["-fno-pie", "-no-pie"]], ["-O0", "-O2"])
    func `a C program reaches a preloaded listener, and nothing without one`(model: [String], level: String) throws {
        try check(.c, model + [level])
    }

    @Test(
        .enabled(if: SourceLanguage.cxx.isAvailable, "no C++ compiler is installed"),
        arguments: [["-fPIE", "-pie"], ["-fno-pie", "-no-pie"]])
    func `a C++ program reaches a preloaded listener, and nothing without one`(model: [String]) throws {
        try check(.cxx, model + ["-O2"])
    }

    private func check(_ language: SourceLanguage, _ arguments: [String]) throws {
        let listener = try ProgramBuilder.build(
            Self.listener, language: .c, name: "listener.so", arguments: Self.warnings + ["-shared", "-fPIC"])
        let program = try ProgramBuilder.build(
            Self.program, language: language, name: "tagged", arguments: Self.warnings + arguments)
        #expect(try runChecked(program) == "recorded 0\n")
        let recorded = try runChecked(program, environment: .inherited(adding: ["LD_PRELOAD": listener]))
        #expect(
            recorded == """
                tag Array ring<int> growth -
                counter reuse
                push 7
                pop
                count 9 3
                recorded 1

                """)
    }
}
