// The view of leaks on a program whose leaks are known, and its suppressions beside LeakSanitizer's own verdict on the same files.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct LeakViewTests {
    /// The member `leaks` of a report.
    private struct Leaks: Decodable {
        struct Sum: Decodable, Equatable {
            let blocks: Int
            let bytes: Int
        }

        struct Rule: Decodable {
            let rule: String
            let file: String
            let line: Int
            let builtIn: Bool
            let blocks: Int
            let bytes: Int
        }

        struct Suppressed: Decodable {
            let blocks: Int
            let bytes: Int
            let rules: [Rule]
            let unused: [Rule]
        }

        struct Age: Decodable {
            let oldest: Int
            let median: Int
            let youngest: Int
        }

        struct Site: Decodable {
            let type: String
            let site: String?
            let blocks: Int
            let bytes: Int
            let ageNs: Age?
            let stack: [String]
        }

        struct Document: Decodable {
            let leaks: Leaks
            let rows: [Report.Row]
            let trace: Report.Facts
        }

        let blocks: Int
        let bytes: Int
        let ending: String
        let reported: Sum
        let suppressed: Suppressed
        let sites: [Site]
    }

    private static let arguments = ["-O1", "-fno-optimize-sibling-calls", "-fno-omit-frame-pointer", "-fno-builtin"]

    private func record(_ arguments: [String] = []) throws -> Recording {
        try Recording(
            ProgramBuilder.build(testProgram: "leaks.c", language: .c, arguments: Self.arguments), arguments)
    }

    private func leaks(_ recording: Recording, _ options: [String] = []) throws -> Leaks.Document {
        let text = try runChecked(
            BuildProducts.heaptrail(), ["report", recording.trace, "--view", "leaks", "--json"] + options)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Leaks.Document.self, from: Data(text.utf8))
    }

    @Test func `what is live at the end is told by owner and site, with its age`() throws {
        let document = try leaks(record())
        let leaks = document.leaks
        #expect(leaks.ending == "exited")
        #expect(leaks.reported == Leaks.Sum(blocks: 10, bytes: 24036))
        let site = try #require(leaks.sites.first)
        #expect(leaks.sites.reduce(0) { $0 + $1.bytes } == 24036)
        #expect(site.stack.contains { $0.hasPrefix("take") })
        for site in leaks.sites {
            let age = try #require(site.ageNs)
            #expect(age.youngest <= age.median && age.median <= age.oldest)
        }
        #expect(document.rows.reduce(0) { $0 + $1.liveBytes } == 24036)
    }

    @Test func `what is suppressed and what is shown are all that is live`() throws {
        let recording = try record()
        for options in [[], ["--no-suppressions"], ["--filter", "take"]] {
            let document = try leaks(recording, options)
            let leaks = document.leaks
            if options.first != "--filter" {
                #expect(leaks.reported.blocks + leaks.suppressed.blocks == leaks.blocks)
                #expect(leaks.reported.bytes + leaks.suppressed.bytes == leaks.bytes)
            }
            #expect(leaks.suppressed.rules.reduce(0) { $0 + $1.bytes } == leaks.suppressed.bytes)
            #expect(document.rows.reduce(0) { $0 + $1.liveBytes } == leaks.reported.bytes)
            #expect(leaks.blocks == document.trace.liveBlocks)
        }
    }

    @Test func `a block that an exit handler frees leaks only where no handler ran`() throws {
        let exited = try leaks(record(), ["--no-suppressions"]).leaks
        #expect(!exited.sites.contains { $0.bytes == 5003 })
        let killed = try record(["abort"])
        let aborted = try leaks(killed, ["--no-suppressions"]).leaks
        #expect(aborted.ending == "killed")
        #expect(aborted.sites.contains { $0.bytes == 5003 })
        let text = try runChecked(BuildProducts.heaptrail(), ["report", killed.trace, "--view", "leaks"])
        let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(
            words.contains("not freed when signal 6 killed the process: no exit handler or destructor ran"), "\(text)")
    }

    /// Each suppression and the blocks that it takes of the ten.
    private static let cases = [
        ("leak:table_fill", 6), ("leak:^table_fill$", 5), ("leak:fill$", 9), ("leak:^cache", 4), ("leak:take", 10),
        ("leak:t*b*_fill_", 1), ("leak:fill_$", 0), ("leak:leaks.c", 10), ("leak:^take$", 10), ("leak:^ake", 0),
        ("leak:l$", 0), ("leak:*fill$", 9), ("leak:*e$", 10), ("leak:^table*more", 1), ("leak:a*a$", 0),
        ("# a remark\n\n  leak:^cache_fill$  \nleak:^table_fill_more$", 5),
    ]

    @Test(arguments: cases)
    func `a suppression takes what it says`(text: String, blocks: Int) throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write(text + "\n", to: "mine.supp")
        let leaks = try leaks(record(), ["--no-suppressions", "--suppressions", file]).leaks
        #expect(leaks.suppressed.blocks == blocks)
        #expect(leaks.suppressed.unused.count == (blocks == 0 ? 1 : 0))
    }

    @Test(.enabled(if: LeakSanitizer.isAvailable, "gcc has no LeakSanitizer here"))
    func `LeakSanitizer suppresses the same by the same files`() throws {
        let folder = try TemporaryDirectory()
        let program = try LeakSanitizer.build("leaks.c", in: folder, arguments: Self.arguments)
        for (text, blocks) in Self.cases {
            let file = try folder.write(text + "\n", to: "mine.supp")
            #expect(try LeakSanitizer.leakedBlocks(of: program, suppressions: file) == 10 - blocks, "\(text)")
        }
    }

    @Test func `suppressions of the runtimes are the C library's own, never the program's`() throws {
        let program = try ProgramBuilder.build(
            """
            #include <dlfcn.h>
            #include <locale.h>
            #include <pthread.h>
            #include <stdio.h>
            #include <stdlib.h>
            static void *work(void *text) { puts(text); return text; }
            int main(void) {
                setlocale(LC_ALL, "C.UTF-8");
                void *handle = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
                pthread_t thread;
                pthread_create(&thread, NULL, work, "work");
                pthread_join(thread, NULL);
                char *volatile lost = malloc(12347);
                lost[0] = handle != NULL;
                return 0;
            }
            """, language: .c, name: "keeps")
        let recording = try Recording(program)
        let leaks = try leaks(recording).leaks
        #expect(leaks.reported == Leaks.Sum(blocks: 1, bytes: 12347), "\(leaks.sites)")
        #expect(leaks.suppressed.blocks > 0)
        #expect(leaks.suppressed.rules.allSatisfy { $0.builtIn })
        let text = try runChecked(BuildProducts.heaptrail(), ["report", recording.trace, "--view", "leaks"])
        #expect(text.contains("\nsuppressed   "))
        #expect(text.contains("--no-suppressions"))
    }

    @Test func `a suppression of the user's that takes nothing is told, and bad files are refused`() throws {
        let recording = try record()
        let folder = try TemporaryDirectory()
        func report(_ options: [String]) throws -> ProcessResult {
            try run(BuildProducts.heaptrail(), ["report", recording.trace, "--view", "leaks"] + options)
        }
        let unused = try folder.write("leak:cache_fill\nleak:no_such_function\n", to: "unused")
        let told = try report(["--suppressions", unused])
        #expect(told.isSuccess)
        #expect(
            told.stderr
                == "heaptrail: \(unused): 1 suppression holds of nothing that is live: leak:no_such_function (line 2)\n"
        )
        let bad = try folder.write("leak:x\nrace:y\n", to: "bad")
        let refused = try report(["--suppressions", bad])
        #expect(refused.status == .exited(65))
        #expect(refused.stderr.hasPrefix("heaptrail: \(bad), line 2: 'race:y' is none"), "\(refused.stderr)")
        #expect(try report(["--suppressions", folder.write("# none\n", to: "empty")]).status == .exited(65))
        #expect(try report(["--suppressions", folder.file("missing")]).status == .exited(66))
        let elsewhere = try run(
            BuildProducts.heaptrail(), ["report", recording.trace, "--suppressions", unused])
        #expect(elsewhere.status == .exited(64))
    }
}

/// gcc's LeakSanitizer, the judge of what a suppression means.
enum LeakSanitizer {
    /// Whether a program built with it runs here: it traces itself, which some sandboxes forbid.
    static let isAvailable: Bool = {
        guard Tool.isInstalled("gcc"), let folder = try? TemporaryDirectory(),
            let program = try? build("leaks.c", in: folder, arguments: ["-O1"]), let result = try? run(program, [])
        else { return false }
        return result.stderr.contains("SUMMARY: LeakSanitizer")
    }()

    /// A test program built with it, in a folder of the caller's.
    static func build(_ file: String, in folder: TemporaryDirectory, arguments: [String]) throws -> String {
        let product = folder.file("program")
        try runChecked(
            "gcc", [BuildProducts.testProgram(file), "-g", "-fsanitize=leak", "-o", product] + arguments, timeout: 120)
        return product
    }

    /// The blocks that it reports.
    static func leakedBlocks(of program: String, suppressions: String) throws -> Int {
        let result = try run(
            program, [], environment: .inherited(adding: ["LSAN_OPTIONS": "suppressions=\(suppressions)"]))
        guard let summary = result.stderr.range(of: "leaked in ") else { return 0 }
        return Int(result.stderr[summary.upperBound...].prefix { $0.isNumber }) ?? 0
    }
}
