// What is told, and what is not, of programs without debug information: names are known, what was inlined is not.
import HeapAnalysis
import Symbolication
import Testing

private func frame(
    _ function: String, _ language: SourceLanguage, link: String = "", file: String? = nil,
    module: String = "/app/tool"
) -> SymbolicatedFrame {
    SymbolicatedFrame(
        function: function, linkageName: link, file: file, line: file == nil ? nil : 7, language: language,
        modulePath: module)
}

@Suite("Attribution without debug information")
struct AttributionOpaqueTests {
    let attributor = Attributor(executablePath: "/app/tool")

    @Test(
        "a container that the symbol names is named without its arguments where debug information is missing",
        arguments: [
            ("std::collections::hash::map::HashMap<K,V,S>::reserve", "HashMap<_, _>", "Dictionary"),
            ("std::collections::hash::set::HashSet<T,S>::insert", "HashSet<_>", "Set"),
            ("alloc::collections::btree::set::BTreeSet<T,A>::insert", "BTreeSet<_>", "Set"),
            ("alloc::vec::Vec<T,A>::reserve", "Vec<_>", "Array"),
            ("alloc::raw_vec::RawVec<T,A>::grow_one", "Vec<_>", "Array"),
            ("alloc::collections::vec_deque::VecDeque<T,A>::grow", "VecDeque<_>", "Array"),
            ("alloc::borrow::Cow<B>::to_mut", "Cow<_>", "Cow"),
            ("alloc::rc::Rc<T>::new", "Rc<_>", "Shared"), ("alloc::sync::Arc<T,A>::make_mut", "Arc<_>", "Shared"),
            ("alloc::boxed::Box<T>::new", "Box<_>", "Box"),
        ])
    func legacyContainers(function: String, type: String, family: String) {
        let user = frame("tool::run", .rust, link: "_ZN")
        let inner = [frame("alloc::raw_vec::RawVecInner<A>::finish_grow", .rust, link: "_ZN")]
        for storage in [[], inner] {
            let stack = storage + [frame(function, .rust, link: "_ZN"), user]
            let owner = attributor.attribute(stack: stack, tag: nil).owner
            #expect(owner == Owner(family: family, type: type, language: "rust"))
        }
    }

    @Test(
        "storage that several containers share names all that it may be of, and the function",
        arguments: [
            ("hashbrown::raw::RawTable<T,A>::reserve_rehash", "HashMap or HashSet in tool::run", "Dictionary"),
            ("hashbrown::map::HashMap<K,V,S,A>::insert", "HashMap or HashSet in tool::run", "Dictionary"),
            (
                "alloc::raw_vec::RawVecInner<A>::reserve::do_reserve_and_handle", "Vec or String in tool::run",
                "Array"
            ),
            ("alloc::raw_vec::RawVec<T,A>::reserve", "Vec or String in tool::run", "Array"),
            (
                "alloc::collections::btree::node::LeafNode<K,V>::new", "BTreeMap or BTreeSet in tool::run",
                "Dictionary"
            ),
            (
                "alloc::collections::btree::map::BTreeMap<K,V,A>::insert", "BTreeMap or BTreeSet in tool::run",
                "Dictionary"
            ),
        ])
    func sharedStorage(function: String, type: String, family: String) {
        let stack = [function, "tool::run"].map { frame($0, .rust, link: "_ZN") }
        let owner = attributor.attribute(stack: stack, tag: nil).owner
        #expect(owner == Owner(family: family, type: type, language: "rust"))
    }

    @Test(
        "a v0 name of a vector's storage names no element: compilers keep one of several functions that come out the same"
    )
    func foldedStorage() {
        let grow = frame("<alloc::raw_vec::RawVec<alloc::vec::Vec<u8>>>::grow_one", .rust, link: "_R")
        let opaque = attributor.attribute(stack: [grow, frame("tool::run", .rust, link: "_R")], tag: nil)
        #expect(opaque.owner == Owner(family: "Array", type: "Vec<_>", language: "rust"))
        let push = frame(
            "<alloc::vec::Vec<alloc::string::String>>::push", .rust, link: "_R", file: "/rustc/1/vec/mod.rs")
        let known = attributor.attribute(stack: [grow, push, frame("tool::run", .rust, link: "_R")], tag: nil)
        #expect(known.owner == Owner(family: "Array", type: "Vec<String>", language: "rust"))
    }

    @Test("what a function of a well-known crate makes is its caller's site, without debug information too")
    func dependencySite() {
        let stack = [
            frame(
                "<serde_json::value::de::KeyClassifier as serde::de::DeserializeSeed>::deserialize", .rust, link: "_ZN"),
            frame(
                "<&mut serde_json::de::Deserializer<R> as serde::de::Deserializer>::deserialize_map", .rust, link: "_ZN"
            ),
            frame("tool::load", .rust, link: "_ZN"), frame("tool::main", .rust, link: "_ZN"),
        ]
        let result = attributor.attribute(stack: stack, tag: nil)
        #expect(result.owner == Owner(family: "String", type: "String", language: "rust"))
        #expect(result.site?.function == "tool::load")
    }

    @Test("without debug information a collected Vec owns the growth of its storage, not what its closures made")
    func collectedWithoutSource() {
        func owner(_ functions: String...) -> Owner {
            attributor.attribute(stack: functions.map { frame($0, .rust, link: "_ZN") }, tag: nil).owner
        }
        let collect = "<alloc::vec::Vec<T> as alloc::vec::spec_from_iter::SpecFromIter<T,I>>::from_iter"
        let reserve = "alloc::raw_vec::RawVecInner<A>::reserve::do_reserve_and_handle"
        #expect(owner(reserve, collect, "tool::run") == Owner(family: "Array", type: "Vec<_>", language: "rust"))
        #expect(
            owner(collect, "tool::run")
                == Owner(family: "Unattributed", type: "collection in tool::run", language: "rust"))
        let table = "hashbrown::raw::RawTableInner::fallible_with_capacity"
        let map =
            "<std::collections::hash::map::HashMap<K,V,S> as core::iter::traits::collect::FromIterator>::from_iter"
        #expect(owner(table, map, "tool::run").type == "HashMap<_, _>")
    }

    @Test(
        "a copied slice of text or of vectors is a vector of these, whatever its elements' own rules say",
        arguments: ["alloc::string::String", "alloc::vec::Vec<u16>", "app::Point"])
    func copiedElements(element: String) {
        func library(_ function: String) -> SymbolicatedFrame {
            SymbolicatedFrame(
                function: function, linkageName: "_ZN", file: "/rustc/1/library/alloc/src/a.rs", line: 3,
                language: .rust, templateArguments: [element], modulePath: "/app/tool")
        }
        let stack = [
            library("alloc::vec::Vec<T>::with_capacity"),
            library("<T as alloc::slice::<impl [T]>::to_vec_in::ConvertVec>::to_vec"),
            library("<alloc::vec::Vec<T> as core::clone::Clone>::clone"),
            frame("tool::run", .rust, link: "_ZN", file: "/app/src/a.rs"),
        ]
        let result = attributor.attribute(stack: stack, tag: nil)
        let name = ["alloc::string::String": "String", "alloc::vec::Vec<u16>": "Vec<u16>"][element] ?? element
        #expect(result.owner == Owner(family: "Array", type: "Vec<\(name)>", language: "rust"))
        #expect(result.cause == .clone)
    }

    private static let cloneOfVec = "<alloc::vec::Vec<T,A> as core::clone::Clone>::clone"
    private static let cloneOfTable = "<hashbrown::raw::RawTable<T,A> as core::clone::Clone>::clone"

    @Test(
        "what Rust code asks for tells the copies of elements from the container's, whose function they are inlined into",
        arguments: [
            ("bytes", cloneOfVec, "Array", "Vec<u8> or String in tool::run", Cause.clone),
            ("array", cloneOfVec, "Array", "array in tool::run", .clone),
            ("object", cloneOfVec, "Unattributed", "collection in tool::run", .clone),
            ("bytes", cloneOfTable, "Array", "Vec<u8> or String in tool::run", .clone),
            ("array", cloneOfTable, "Array", "array in tool::run", .clone),
            ("table", cloneOfTable, "Dictionary", "HashMap or HashSet in tool::run", .clone),
            ("bytes", "alloc::sync::Arc<T>::make_mut", "Array", "Vec<u8> or String in tool::run", .unknown),
            ("object", "alloc::sync::Arc<T>::make_mut", "Shared", "Arc<_>", .copyOnWrite),
            ("elements<24>", "tool::run", "Array", "Vec of 24-byte elements in tool::run", .unknown),
            ("object", "tool::run", "Unattributed", "alloc in tool::run", .unknown),
            ("box", "tool::run", "Box", "Box, Rc or Arc in tool::run", .unknown),
            ("box", cloneOfVec, "Box", "Box, Rc or Arc in tool::run", .clone),
            ("box", "alloc::rc::Rc<T>::new", "Shared", "Rc<_>", .construct),
            ("bytes", "<alloc::string::String as core::clone::Clone>::clone", "String", "String", .clone),
            (
                "bytes", "<&mut serde_json::de::Deserializer<R> as serde::de::Deserializer>::deserialize_string",
                "String", "String", .clone
            ),
        ])
    func requests(kind: String, function: String, family: String, type: String, cause: Cause) {
        let request = frame("rust::request::\(kind)", .rust)
        let stack = [request, frame(function, .rust, link: "_ZN"), frame("tool::run", .rust, link: "_ZN")]
        let result = attributor.attribute(stack: stack, tag: nil)
        #expect(result.owner == Owner(family: family, type: type, language: "rust"))
        #expect(result.cause == cause)
        #expect(result.site?.function == "tool::run")
    }

    @Test("operator new in a function without debug information may be a container's, inlined: it is unattributed")
    func opaqueNew() {
        for function in [
            frame("operator new", .cxx, link: "_Znwm", module: "/usr/lib/libstdc++.so.6"),
            frame("operator new(unsigned long)", .unknown, module: "/usr/lib/libstdc++.so.6"),
        ] {
            let opaque = [function, frame("app::run", .cxx, link: "_Z"), frame("main", .cxx)]
            let result = attributor.attribute(stack: opaque, tag: nil)
            #expect(result.owner == Owner(family: "Unattributed", type: "new in app::run", language: "c++"))
            #expect(result.cause == .unknown)
            let described = [function, frame("app::run", .cxx, link: "_Z", file: "/app/src/a.cpp")]
            let known = attributor.attribute(stack: described, tag: nil)
            #expect(known.owner == Owner(family: "Class", type: "new in app::run", language: "c++"))
            #expect(known.cause == .construct)
        }
    }

    @Test("a library's function without a name leaves the library's name alone")
    func unnamedLibraryFunction() {
        let stack = [
            frame("0x1f00", .unknown, module: "/usr/lib/libfoo.so.1"), frame("main", .c, file: "/app/src/a.c"),
        ]
        let owner = attributor.attribute(stack: stack, tag: nil).owner
        #expect(owner == Owner(family: "C", type: "libfoo", language: "c"))
    }

    @Test(
        "what a stripped program asks for is unattributed under the program's name, not its caller's in libc",
        arguments: [
            ("operator new", "_Znwm", "/usr/lib/libstdc++.so.6", "new in tool", "c++"),
            ("swift_allocObject", "", "/usr/lib/libswiftCore.so", "object in tool", "swift"),
        ])
    func stripped(function: String, link: String, module: String, type: String, language: String) {
        let stack = [
            frame(function, .cxx, link: link, module: module), frame("0x1260", .unknown), frame("0x10f0", .unknown),
            frame("__libc_start_call_main", .c, file: "./csu/libc_start_call_main.h", module: "/usr/lib/libc.so.6"),
        ]
        let owner = attributor.attribute(stack: stack, tag: nil).owner
        #expect(owner == Owner(family: "Unattributed", type: type, language: language))
    }
}
