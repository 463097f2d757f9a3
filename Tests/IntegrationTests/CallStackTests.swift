// Call stacks through code that has no frame pointers, in shapes that unwinders get wrong. A row's stack is read from
// `--explain`: outermost or innermost order does not matter here, only which frames are there, and next to which.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct CallStackTests {
    private static let flags = ["-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls", "-fno-builtin"]

    private func record(_ file: String, _ language: SourceLanguage = .c) throws -> Recording {
        let program = try ProgramBuilder.build(testProgram: file, language: language, arguments: Self.flags)
        let recording = try Recording(program)
        #expect(recording.result.stdout == "ok\n")
        #expect(recording.result.isSuccess)
        return recording
    }

    /// The only row of a size, with its stack.
    private func row(ofSize size: Int, in recording: Recording) throws -> Report.Row {
        let report = try recording.report(by: "size,site", options: ["--explain"])
        let rows = report.rows.filter { $0.size == size }
        #expect(rows.count == 1, "\(rows.map { $0.site ?? "no site" })")
        return try #require(rows.first)
    }

    /// Whether the named functions follow each other in the stack, in either order.
    private func expect(_ row: Report.Row, shows functions: [String]) {
        let stack = row.stack ?? []
        // A frame's text begins with its function, before a blank, a bracket or its end.
        let positions = functions.map { name in
            stack.firstIndex { $0.prefix { $0 != " " && $0 != "(" } == name[...] }
        }
        #expect(positions.allSatisfy { $0 != nil }, "\(functions) in \(stack)")
        let found = positions.compactMap { $0 }
        let steps = zip(found, found.dropFirst()).map { $1 - $0 }
        #expect(steps.allSatisfy { $0 == 1 } || steps.allSatisfy { $0 == -1 }, "\(functions) in \(stack)")
    }

    @Test func `callers without frame pointers are all there, with file and line`() throws {
        let recording = try record("stacks.c")
        let row = try row(ofSize: 15013, in: recording)
        expect(row, shows: ["leaf", "middle", "outer", "main"])
        let line = try lineNumber(of: "int leaf(void)", in: "stacks.c")
        let site = try #require(row.site)
        #expect(site.hasPrefix("leaf"))
        #expect(site.contains("stacks.c:\(line)"), "\(site)")
    }

    @Test func `equal frames above different callers are told apart`() throws {
        let recording = try record("same-frames.c")
        let text = try runChecked(
            BuildProducts.heaptrail(),
            ["export", recording.trace, "--format", "collapsed", "--weight", "allocations"])
        for caller in ["first", "second"] {
            let stacks = text.split(separator: "\n").filter { $0.contains(";\(caller);shared;block ") }
            #expect(stacks.count == 1, "\(text)")
            #expect(stacks.first?.hasSuffix(" 50") == true, "\(stacks)")
        }
    }

    @Test func `recursion 100,000 frames deep is recorded and cut, not lost`() throws {
        let row = try row(ofSize: 15017, in: record("stacks.c"))
        #expect(row.allocations == 1)
        #expect(row.frees == 1)
        #expect((row.stack ?? []).filter { $0.hasPrefix("recursion") }.count > 100)
    }

    @Test func `a signal handler's allocation shows what it interrupted`() throws {
        let recording = try record("stacks.c")
        let row = try row(ofSize: 15019, in: recording)
        let stack = row.stack ?? []
        #expect(stack.contains { $0.hasPrefix("handler") }, "\(stack)")
        #expect(stack.contains { $0.hasPrefix("main") }, "\(stack)")
        let alternate = try self.row(ofSize: 15053, in: recording)
        #expect((alternate.stack ?? []).contains { $0.hasPrefix("handler") })
    }

    @Test func `a stack after longjmp has no frame of those that were left`() throws {
        let row = try row(ofSize: 15031, in: record("stacks.c"))
        expect(row, shows: ["after_jump", "main"])
        #expect(!(row.stack ?? []).contains { $0.hasPrefix("jump") })
    }

    @Test func `blocks freed by exceptions thrown through frames are freed, and later stacks are whole`() throws {
        let recording = try record("throws.cpp", .cxx)
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 16007) == Events(6000, 6000))
        let afterwards = try row(ofSize: 16001, in: recording)
        let stack = afterwards.stack ?? []
        #expect(stack.contains { $0.contains("afterwards") }, "\(stack)")
        #expect(stack.contains { $0.hasPrefix("main") }, "\(stack)")
        #expect(!stack.contains { $0.contains("three") }, "\(stack)")
    }

    @Test func `plugins that are loaded, unloaded and replaced keep their own names`() throws {
        let host = try ProgramBuilder.build(testProgram: "plugin-host.c", language: .c)
        let plugins = try [("first", 17011), ("second", 17021)].map { name, size in
            try ProgramBuilder.build(
                testProgram: "plugin.c", language: .c, name: "\(name).so",
                arguments: Self.flags + ["-fPIC", "-shared", "-DPLUGIN_FUNCTION=in_\(name)", "-DSIZE=\(size)"])
        }
        let recording = try Recording(host, plugins + plugins)
        #expect(recording.result.stdout == "ok\n")
        let report = try recording.report(by: "size,site", options: ["--explain"])
        for (name, size) in [("first", 17011), ("second", 17021)] {
            let rows = report.rows.filter { $0.size == size }
            #expect(rows.reduce(0) { $0 + $1.allocations } == 2)
            #expect(rows.reduce(0) { $0 + $1.frees } == 2)
            for row in rows {
                let stack = row.stack ?? []
                #expect(stack.contains { $0.hasPrefix("in_\(name)") }, "\(stack)")
                #expect(stack.contains { $0.hasPrefix("plugin_run") }, "\(stack)")
                #expect(stack.contains { $0.hasPrefix("main") }, "\(stack)")
            }
        }
    }

    @Test func `--max-depth keeps the innermost frames`() throws {
        let program = try ProgramBuilder.build(testProgram: "stacks.c", language: .c, arguments: Self.flags)
        let recording = try Recording(program, options: ["--max-depth", "3"])
        let stack = try row(ofSize: 15013, in: recording).stack ?? []
        #expect(stack.count <= 3)
        #expect(stack.contains { $0.hasPrefix("leaf") }, "\(stack)")
        #expect(!stack.contains { $0.hasPrefix("main") }, "\(stack)")
    }

    @Test func `--no-stacks has the same counts and no sites`() throws {
        let program = try ProgramBuilder.build(testProgram: "stacks.c", language: .c, arguments: Self.flags)
        let recording = try Recording(program, options: ["--no-stacks"])
        let report = try recording.report(by: "size,site")
        for size in [15013, 15017, 15019, 15031, 15053] { #expect(report.events(ofSize: size) == Events(1, 1)) }
        #expect(report.rows.allSatisfy { $0.site == nil })
    }

    private func lineNumber(of text: String, in file: String) throws -> Int {
        let source = try String(contentsOfFile: BuildProducts.testProgram(file), encoding: .utf8)
        let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
        return try #require(lines.firstIndex { $0.contains(text) }) + 1
    }
}
