// Tests of the rule language and of the walk on small stacks written by hand.

import HeapAnalysis
import Symbolication
import Testing

private func frame(
    _ function: String, _ language: SourceLanguage, link: String = "", file: String? = nil,
    module: String = "/app/tool", inlined: Bool = false, arguments: [String] = []
) -> SymbolicatedFrame {
    SymbolicatedFrame(
        function: function, linkageName: link, file: file, line: file == nil ? nil : 7, isInlined: inlined,
        language: language, templateArguments: arguments, modulePath: module)
}

private let libc = "/usr/lib/x86_64-linux-gnu/libc.so.6"
private let libraryRust = "/rustc/1234/library/alloc/src/x.rs"

@Suite("Attribution rules")
struct AttributionRuleTests {
    let attributor = Attributor(executablePath: "/app/tool")

    func rust(_ function: String) -> SymbolicatedFrame { frame(function, .rust, link: "_R", file: libraryRust) }

    @Test("a tag decides owner and cause, the site still comes from the frames")
    func tagWins() {
        let stack = [rust("<alloc::vec::Vec<u8>>::push"), frame("tool::run", .rust, link: "_R", file: "/app/src/a.rs")]
        let tag = TagEvidence(family: "Box", type: "Box<Matrix>", cause: "construct", language: "swift")
        let result = attributor.attribute(stack: stack, tag: tag)
        #expect(result.owner == Owner(family: "Box", type: "Box<Matrix>", language: "swift"))
        #expect(result.cause == .construct)
        #expect(result.rule == "tag")
        #expect(result.site == Site(function: "tool::run", file: "/app/src/a.rs", line: 7))
    }

    @Test("a tag with a cause that does not exist has the cause unknown")
    func tagWithForeignCause() {
        let tag = TagEvidence(family: "Box", type: "B", cause: "magic", language: "c")
        #expect(attributor.attribute(stack: [], tag: tag).cause == .unknown)
    }

    @Test("without a stack and without a tag the owner is unattributed and no rule fired")
    func nothingKnown() {
        let result = attributor.attribute(stack: [], tag: nil)
        #expect(result.owner.family == "Unattributed")
        #expect(result.rule == "none")
        #expect(result.site == nil)
    }

    @Test("an element that is copied with its container keeps its own owner")
    func elementsKeepTheirOwner() {
        let stack = [
            rust("<alloc::vec::Vec<u8> as core::clone::Clone>::clone"),
            rust("<alloc::string::String as core::clone::Clone>::clone"),
            rust("<alloc::vec::Vec<alloc::string::String> as core::clone::Clone>::clone"),
            frame("tool::run", .rust, link: "_R", file: "/app/src/a.rs"),
        ]
        #expect(attributor.attribute(stack: stack, tag: nil).owner.type == "String")
    }

    @Test("a dependency is neither plumbing nor site: the owner is inside it, the site is the user's frame")
    func dependencies() {
        let stack = [
            rust("<alloc::string::String as core::convert::From<&str>>::from"),
            frame("serde_json::de::parse", .rust, link: "_R", file: "/home/u/.cargo/registry/src/x/serde_json/de.rs"),
            frame("tool::load", .rust, link: "_R", file: "/app/src/a.rs"),
        ]
        let result = attributor.attribute(stack: stack, tag: nil)
        #expect(result.owner.type == "String")
        #expect(result.site?.function == "tool::load")
    }

    @Test("the run of library frames ends at user code: a callback's caller claims nothing")
    func callbacks() {
        let stack = [
            frame("tool::visit", .rust, link: "_R", file: "/app/src/a.rs"),
            rust("<alloc::vec::Vec<u8>>::push"),
            frame("tool::run", .rust, link: "_R", file: "/app/src/a.rs"),
        ]
        let result = attributor.attribute(stack: stack, tag: nil)
        #expect(result.owner == Owner(family: "C", type: "tool: tool::visit", language: "rust"))
    }

    @Test(
        "percent-decoding into a Cow is owned by the Cow",
        arguments: [
            "<percent_encoding::PercentDecode>::decode_utf8_lossy", "<percent_encoding::PercentDecode>::decode_utf8",
        ])
    func percentDecoding(function: String) {
        let registry = "/home/u/.cargo/registry/src/x/percent-encoding-2.3/src/lib.rs"
        let stack = [
            rust("<alloc::vec::Vec<u8> as core::iter::traits::collect::FromIterator<u8>>::from_iter"),
            frame(function, .rust, link: "_R", file: registry),
            frame("tool::query", .rust, link: "_R", file: "/app/src/a.rs"),
        ]
        let result = attributor.attribute(stack: stack, tag: nil)
        #expect(result.owner == Owner(family: "Cow", type: "Cow<str>", language: "rust"))
        #expect(result.cause == .copyOnWrite)
    }

    @Test("libc++ is told like libstdc++")
    func libcxx() {
        let allocator = frame("operator new", .cxx, link: "_Znwm", module: "/usr/lib/libc++abi.so.1")
        let user = frame("app::run", .cxx, link: "_Z", file: "/app/src/a.cpp")
        func type(_ function: String) -> String {
            let header = frame(function, .cxx, link: "_Z", file: "/usr/lib/llvm/include/c++/v1/x")
            return attributor.attribute(stack: [allocator, header, user], tag: nil).owner.type
        }
        #expect(
            type("std::__1::vector<int, std::__1::allocator<int>>::__push_back_slow_path<int>") == "std::vector<int>")
        #expect(
            type(
                "std::__1::basic_string<char, std::__1::char_traits<char>, std::__1::allocator<char>>::__grow_by")
                == "std::string")
        #expect(
            type("std::__1::make_unique[abi:v15006]<app::Matrix>") == "std::unique_ptr<app::Matrix>")
        #expect(
            type(
                "std::__1::__tree<std::__1::__value_type<int, app::P>, std::__1::less<int>>::__construct_node")
                == "std::map<int, app::P>")
    }

    @Test("a thread's closure, inlined without debug information, is not taken for the runtime's")
    func inlinedThreadClosure() {
        let stack = [
            "std::sys::backtrace::__rust_begin_short_backtrace::<tool::run::{closure#0}, ()>",
            "<std::thread::Builder>::spawn_unchecked_::<tool::run::{closure#0}, ()>::{closure#1}",
        ].map { frame($0, .rust, link: "_R") }
        #expect(
            attributor.attribute(stack: stack, tag: nil).owner.type
                == "alloc in std::sys::backtrace::__rust_begin_short_backtrace")
        let spawn = [
            frame("<alloc::sync::Arc<tool::Packet>>::new", .rust, link: "_R"),
            frame("std::thread::spawn::<tool::run::{closure#0}, ()>", .rust, link: "_R"),
            frame("tool::run", .rust, link: "_R"),
        ]
        #expect(attributor.attribute(stack: spawn, tag: nil).owner.family == "Runtime")
    }

    @Test("a program's own global allocator is plumbing, be it the user's or a dependency's")
    func globalAllocator() {
        for file in ["/app/src/counting.rs", "/home/u/.cargo/registry/src/x/tikv-jemallocator/src/lib.rs"] {
            let stack = [
                frame(
                    "<app::Counting as core::alloc::global::GlobalAlloc>::alloc", .rust, link: "_R", file: file),
                frame("__rustc::__rust_alloc", .rust, link: "_R"),
                rust("<alloc::boxed::Box<app::Matrix>>::new"),
                frame("app::run", .rust, link: "_R", file: "/app/src/a.rs"),
            ]
            let result = attributor.attribute(stack: stack, tag: nil)
            #expect(result.owner.type == "Box<app::Matrix>")
            #expect(result.site?.function == "app::run")
        }
    }

    @Test(
        "an allocator call of Rust is raw memory with debug information, and without it whatever the function may hold")
    func rustAllocator() {
        let user = frame("tool::arena", .rust, link: "_R", file: "/app/src/a.rs")
        let explicit = attributor.attribute(stack: [rust("alloc::alloc::alloc"), user], tag: nil)
        #expect(explicit.owner == Owner(family: "Data", type: "alloc in tool::arena", language: "rust"))
        let opaque = attributor.attribute(stack: [frame("tool::arena", .rust, link: "_R")], tag: nil)
        #expect(opaque.owner == Owner(family: "Unattributed", type: "alloc in tool::arena", language: "rust"))
        #expect(opaque.site?.function == "tool::arena")
    }

    @Test("a C library is named by its own function past its allocation wrappers")
    func wrappers() {
        let stack = [
            frame("sqlite3MemMalloc", .c, module: "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6"),
            frame("sqlite3Malloc", .c, module: "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6"),
            frame("sqlite3BtreeOpen", .c, module: "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6"),
            frame("main", .c, file: "/app/src/a.c"),
        ]
        let result = attributor.attribute(stack: stack, tag: nil)
        #expect(result.owner == Owner(family: "C", type: "libsqlite3: sqlite3BtreeOpen", language: "c"))
        #expect(result.site?.function == "main")
    }

    @Test("libc is named by the function that was called in it, under its public name")
    func libcEntries() {
        let stack = [
            frame("_IO_new_file_alloc", .c, module: libc), frame("__fopen_internal", .c, module: libc),
            frame("main", .c, file: "/app/src/a.c"),
        ]
        #expect(attributor.attribute(stack: stack, tag: nil).owner.type == "libc: fopen")
        // A buffer is the file's, whichever function happened to need it first.
        let buffer = [frame("_IO_file_doallocate", .c, module: libc)] + stack.dropFirst()
        #expect(attributor.attribute(stack: buffer, tag: nil).owner.type == "libc: FILE buffer")
    }

    @Test("a program named with its version is named without it")
    func versionedExecutable() {
        let python = Attributor(executablePath: "/usr/bin/python3.11")
        let stack = [
            frame("_PyMem_RawMalloc", .c, module: "/usr/bin/python3.11"),
            frame("PyObject_Malloc", .c, module: "/usr/bin/python3.11"),
            frame("PyUnicode_New", .c, module: "/usr/bin/python3.11"),
        ]
        #expect(python.attribute(stack: stack, tag: nil).owner.type == "python3: PyUnicode_New")
    }

    @Test("a wrapper that nothing named surrounds is still named")
    func loneWrapper() {
        let stack = [
            frame("xmalloc", .c, module: "/usr/lib/libfoo.so.1"), frame("main", .c, file: "/app/src/a.c"),
        ]
        #expect(attributor.attribute(stack: stack, tag: nil).owner.type == "libfoo: xmalloc")
    }

    @Test("the recorder's own frames are plumbing")
    func recorderFrames() {
        let stack = [
            frame("operator new", .cxx, link: "_Znwm", module: "/usr/lib/libstdc++.so.6"),
            frame("operator new", .cxx, link: "_Znwm", module: "/opt/heaptrail/libheaptrail.so"),
            frame("app::run", .cxx, link: "_Z", file: "/app/src/a.cpp"),
        ]
        let owner = attributor.attribute(stack: stack, tag: nil).owner
        #expect(owner == Owner(family: "Class", type: "new in app::run", language: "c++"))
    }

    @Test("rules of a user's own come before nothing and name themselves")
    func customRules() throws {
        let rules = try RuleSet(
            parsing: """
                # an arena that hands out slabs
                [c++]
                my.arena | mylib::Arena<{T}>::@(grow|reset)* | Data | mylib::Arena<{T}> | growth
                """)
        #expect(rules.names == ["my.arena"])
        let stack = [
            frame("mylib::Arena<int>::grow", .cxx, link: "_Z", file: "/usr/include/mylib.h"),
            frame("app::run", .cxx, link: "_Z", file: "/app/src/a.cpp"),
        ]
        let result = Attributor(executablePath: "/app/tool", rules: rules).attribute(stack: stack, tag: nil)
        #expect(result.owner == Owner(family: "Data", type: "mylib::Arena<int>", language: "c++"))
        #expect(result.rule == "my.arena")
    }

    @Test("declared rules come before the built-in ones and may name the user's own containers")
    func declaredRules() throws {
        let rules = try RuleSet.builtIn(
            precededBy: """
                [c++]
                app.arena | app::Arena<{T}>::* | Data | app::Arena<{T}> | growth
                app.strings | std::string::* | String | Text | construct
                """)
        let attributor = Attributor(executablePath: "/app/tool", rules: rules)
        let new = frame("operator new", .cxx, link: "_Znwm", module: "/usr/lib/libstdc++.so.6")
        let arena = frame("app::Arena<int>::grow", .cxx, link: "_Z", file: "/app/src/arena.h")
        let result = attributor.attribute(stack: [new, arena], tag: nil)
        #expect(result.owner.type == "app::Arena<int>")
        #expect(result.site?.function == "app::Arena<int>::grow")
        let string = frame("std::string::append", .cxx, link: "_Z", file: "/usr/include/c++/12/string")
        #expect(attributor.attribute(stack: [new, string, arena], tag: nil).owner.type == "Text")
    }

    @Test(
        "a table that cannot be read says which line and why",
        arguments: [
            ("x | y | skip", 1, "before the first heading"), ("[latin]", 1, "unknown spelling"),
            ("[rust]\nx | y", 2, "fewer than three"), ("[c]\na | b | Box | Box | magic", 2, "cause"),
            ("[c]\n\na | b | Box | Box | growth | over the moon; sideways", 3, "sideways"),
        ])
    func tableErrors(text: String, line: Int, reason: String) {
        let error = #expect(throws: RuleSet.ParseError.self) { try RuleSet(parsing: text) }
        #expect(error?.line == line)
        #expect(error?.reason.contains(reason) == true)
    }

    @Test("every built-in rule has a name of its own")
    func uniqueNames() {
        let names = RuleSet.builtIn.names
        #expect(names.count > 150)
        #expect(Set(names).count == names.count)
    }

    @Test("a site shows the file's name and line when they are known")
    func siteDescription() {
        #expect(Site(function: "f").description == "f")
        #expect(Site(function: "f", file: "/a/b.c").description == "f (b.c)")
        #expect(Site(function: "f", file: "/a/b.c", line: 3).description == "f (b.c:3)")
    }
}
