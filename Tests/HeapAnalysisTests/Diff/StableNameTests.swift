// Which names are one for a comparison, and which are not.
@testable import HeapAnalysis
import Testing

@Suite struct StableNameTests {
    @Test(arguments: [
        ("parse.constprop.0", "parse"), ("parse.isra.3", "parse"), ("parse.part.12.constprop.4", "parse"),
        ("parse.llvm.13480521", "parse"), ("parse.lto_priv.0", "parse"), ("parse.cold", "parse"),
        ("parse.cold.7", "parse"), ("parse.localalias", "parse"), ("parse [clone .isra.0] [clone .cold]", "parse"),
        ("app::parse::h0123456789abcdef", "app::parse"),
        ("core::ops::FnOnce::call_once<app::parse::h0123456789abcdef>", "core::ops::FnOnce::call_once<app::parse>"),
        ("app::main::{closure#3}", "app::main::{closure}"), ("app::main::{{closure}}", "app::main::{closure}"),
        ("<F as core::ops::FnOnce>::call_once::{{vtable.shim}}", "<F as core::ops::FnOnce>::call_once::{vtable.shim}"),
        ("main::{lambda(int)#2}::operator()(int) const", "main::{lambda(int)}::operator()(int) const"),
        ("main::$_14::operator()()", "main::$_::operator()()"),
        ("closure #1 in closure #2 in app.run()", "closure in closure in app.run()"),
        ("helper #1 (x:) in app.run()", "helper (x:) in app.run()"),
        ("app.(unknown context at $10a4c).Point", "app.(unknown context).Point"),
        ("alloc in parse.constprop.0", "alloc in parse"),
    ])
    func `what compilers number or split is one name`(name: String, expected: String) {
        var names = StableNames()
        #expect(names.normalised(name) == expected)
        #expect(names.normalised(name) == expected)
        #expect(names.normalised(expected) == expected)
    }

    @Test(arguments: [
        "parse", "app.part(x:)", "Water.cold.getter", "app.parse.part", "std::vector<int>", "app::h0123",
        "app::hash::h",
        "app::deadbeefdeadbeef", "app::h0123456789abcdefg", "operator new[](unsigned long)", "Array<app.Point>",
        "#hashtag", "C#",
        "0x1a2b in libfoo.so", "std::map<std::string, std::vector<int>>", "libc: FILE buffer", "f{g}", "naïve.größe",
        "",
        "a #b", "x $_", "[clone", "::h", "{{", "}}", ".cold.", "issue #12a",
    ])
    func `other names stay as they are`(name: String) {
        var names = StableNames()
        #expect(names.normalised(name) == name)
    }

    @Test func `files have no folder and libraries no version`() {
        #expect(StableNames.file("/build/7/src/parse.c") == "parse.c")
        #expect(StableNames.file("parse.c") == "parse.c")
        #expect(StableNames.file("/") == "")
        #expect(StableNames.library("/usr/lib/libz.so.1.3.1") == "libz.so")
        #expect(StableNames.library("/usr/lib/libz.so") == "libz.so")
        #expect(StableNames.library("/bin/app") == "app")
    }

    @Test func `what is called by the executable is called by the other one where their names differ`() {
        var names = StableNames(executable: "/tmp/my-app.old", as: "/opt/bin/app2")
        #expect(names.normalised("my-app: parse") == "app2: parse")
        #expect(names.normalised("my_app::parse::run") == "app2::parse::run")
        #expect(names.normalised("Array<my_app.Point>") == "Array<app2.Point>")
        #expect(names.normalised("Dictionary<my_app.A, my_app.B>") == "Dictionary<app2.A, app2.B>")
        #expect(names.normalised("my_app") == "app2")
        #expect(names.normalised("not_my_app: parse") == "not_my_app: parse")
        #expect(names.normalised("other::my_app::parse") == "other::my_app::parse")
        #expect(names.normalised("my_app_helper") == "my_app_helper")
        #expect(names.normalised("call(my_app)") == "call(my_app)")
        var main = StableNames(executable: "/tmp/main", as: "/tmp/other")
        #expect(main.normalised("main") == "main")
        var same = StableNames(executable: "/a/app", as: "/b/app")
        #expect(same.normalised("app: parse") == "app: parse")
    }
}
