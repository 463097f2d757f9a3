// The text dialect: event lines, owners, and everything else that may stand in such a file.

import Testing
import TraceReader

private func open(_ text: String) throws -> Trace { try Trace.open(bytes: Array(text.utf8)) }

@Suite struct TextTraceTests {
    @Test func `event lines become events of one thread timed by line`() throws {
        let trace = try open("ALLOC: 0x105312010, size 505\nFREE: 0x105312010, size 505\n")
        #expect(
            events(of: trace) == [
                HeapEvent(
                    kind: .allocation, time: 1, thread: ThreadSerial(1), address: 0x1_0531_2010, size: 505),
                HeapEvent(kind: .free, time: 2, thread: ThreadSerial(1), address: 0x1_0531_2010, size: 505),
            ])
        #expect(trace.mode == .text)
        #expect(trace.isComplete)
        #expect(!trace.hasStacks)
        #expect(!trace.isClockCalibrated)
        #expect(trace.allocations == 1)
        #expect(trace.frees == 1)
        #expect(trace.foreignLines == 0)
        #expect(trace.threads.map(\.serial) == [ThreadSerial(1)])
    }

    @Test func `an owner and a cause become a tag that the event's stack carries`() throws {
        let trace = try open(
            """
            ALLOC: 0x10, size 505, owner Box<Matrix>, cause construct
            ALLOC: 0x20, size 64, owner Dictionary<String, Int>, cause growth
            ALLOC: 0x30, size 505, owner Box<Matrix>, cause construct
            ALLOC: 0x40, size 8

            """)
        let read = events(of: trace)
        #expect(read.map(\.stack.rawValue) == [1, 2, 1, 0])
        #expect(trace.stacks.count == 2)
        let tags = read.map { event in trace.stacks[event.stack].flatMap { trace.tags[$0.tag] } }
        let matrix = OwnerTagInfo(family: "", type: "Box<Matrix>", cause: "construct", language: "")
        let dictionary = OwnerTagInfo(family: "", type: "Dictionary<String, Int>", cause: "growth", language: "")
        #expect(tags == [matrix, dictionary, matrix, nil])
        #expect(trace.stacks.frames(of: StackID(1)).isEmpty)
    }

    @Test func `other output is counted and skipped`() throws {
        let trace = try open("hello\n\nALLOC: 0x10, size 8\nALLOC the rest\nFREE: 0x10, size 8\r\nbye\n")
        #expect(events(of: trace).map(\.time) == [3, 5])
        #expect(trace.foreignLines == 4)
    }

    @Test func `an event behind unfinished output is found`() throws {
        let trace = try open("50 % …ALLOC: 0x10, size 8\nALLOC: 0x1FREE: 0x10, size 8\n")
        #expect(events(of: trace).map(\.kind) == [.allocation, .free])
        #expect(events(of: trace).map(\.address) == [0x10, 0x10])
        #expect(trace.foreignLines == 2)
    }

    @Test(arguments: [
        "ALLOC: 0x", "ALLOC: 0x10", "ALLOC: 0x10, siz", "ALLOC: 0x10, size ", "ALLOC: 0x10, size 8x",
        "ALLOC: 0x10, size -8", "ALLOC: 0x10, size 0x8", "ALLOC: 10, size 8", "ALLOC: 0x1g, size 8",
        "ALLOC: 0x10000000000000000, size 8", "ALLOC: 0x10, size 18446744073709551616", "ALLOC: 0x10, size 8, owner",
        "ALLOC: 0x10, size 8, owner Box<Matrix>", "ALLOC: 0x10, size 8, owner Box<Matrix>, cau",
        "ALLOC: 0x10, size 8, owner , cause x", "alloc: 0x10, size 8", "FREED: 0x10, size 8", "ALLOC: 0x10, size 8 ",
    ])
    func `a torn or malformed line is foreign`(line: String) throws {
        let trace = try open("FREE: 0x20, size 0\n\(line)\n")
        #expect(events(of: trace).map(\.address) == [0x20])
        #expect(trace.foreignLines == 1)
    }

    @Test func `a last line without its end may be torn and is not believed`() throws {
        let trace = try open("ALLOC: 0x10, size 505\nFREE: 0x10, size 50")
        #expect(trace.allocations == 1)
        #expect(trace.frees == 0)
        #expect(trace.foreignLines == 1)
        #expect(!trace.isComplete)
        #expect(trace.cutOffset == 22)
    }

    @Test func `the largest numbers are read`() throws {
        let trace = try open("ALLOC: 0xFFFFFFFFFFFFFFFF, size 18446744073709551615\n")
        #expect(events(of: trace).map(\.size) == [.max])
        #expect(events(of: trace).map(\.address) == [.max])
    }

    @Test(arguments: ["\n", "hello\n", "ALLOC\n", "\u{89}HTR", "\u{7F}ELF\0\0\0"])
    func `a file without magic and without an event line is foreign`(text: String) {
        #expect(throws: TraceError.foreign) { try open(text) }
    }

    @Test(arguments: ["x", "(1) ", String(repeating: "progress ", count: 40)])
    func `an event behind other output on its line is found`(prefix: String) throws {
        let trace = try open("\(prefix)ALLOC: 0x10, size 8\n\(prefix)FREE: 0x10, size 8\n")
        #expect(events(of: trace).map(\.address) == [0x10, 0x10])
        #expect(trace.foreignLines == 2)
    }

    @Test func `a text cut at any byte delivers a prefix of its events`() throws {
        let bytes = Array(
            "x\nALLOC: 0x10, size 505, owner Box<A, B>, cause construct\nnoiseFREE: 0x10, size 505\nALLOC: 0x8, size 1\n"
                .utf8
        )
        let whole = events(of: try Trace.open(bytes: bytes))
        #expect(whole.count == 3)
        for length in 1..<bytes.count {
            guard let trace = try? Trace.open(bytes: Array(bytes[..<length])) else { continue }
            let part = events(of: trace)
            #expect(part == Array(whole.prefix(part.count)))
            #expect(trace.isComplete == (bytes[length - 1] == 10))
        }
    }

    @Test func `one endless line is read in bounded time`() throws {
        let piece = "ALLOC: 0x1, size 1, owner "
        let trace = try open("FREE: 0x1, size 0\n" + String(repeating: piece, count: 20_000) + "\n")
        #expect(events(of: trace).count == 1)
    }
}
