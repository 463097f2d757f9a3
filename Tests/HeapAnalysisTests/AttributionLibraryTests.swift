// Owners that are libraries' own: what libc keeps, what C++ makes by `operator new<…>`, LLVM's containers.

@testable import HeapAnalysis
import Symbolication
import Testing

private let libc = "/usr/lib/x86_64-linux-gnu/libc.so.6"
private let libstdcxx = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
private let tool = "/app/tool"

@Suite("Attribution of libraries' own blocks")
struct AttributionLibraryTests {
    private let attributor = Attributor(executablePath: tool)

    private func c(_ name: String, _ module: String = libc, file: String? = nil) -> SymbolicatedFrame {
        SymbolicatedFrame(function: name, file: file, line: file == nil ? nil : 3, language: .c, modulePath: module)
    }

    private func cxx(_ name: String, _ module: String = tool, file: String? = nil) -> SymbolicatedFrame {
        SymbolicatedFrame(
            function: name, linkageName: "_Z", file: file, line: file == nil ? nil : 3, language: .cxx,
            modulePath: module)
    }

    private func made(_ type: String) -> SymbolicatedFrame {
        SymbolicatedFrame(function: "operator new<\(type)>", isInlined: true, language: .cxx, modulePath: tool)
    }

    private func owner(_ frames: SymbolicatedFrame...) -> String {
        let result = attributor.attribute(stack: frames, tag: nil)
        return "\(result.owner.family) \(result.owner.type)"
    }

    @Test(
        "the C library's buffers are named by what they are for, through its own internal functions",
        arguments: [
            (["_IO_file_doallocate", "_IO_doallocbuf", "fgets"], "C libc: FILE buffer"),
            (["__alloc_dir", "opendir_tail"], "C libc: opendir"),
            (["_nl_make_l10nflist", "_nl_find_locale", "setlocale"], "C libc: locale"),
            (["__libc_alloc_buffer_allocate", "getdelim"], "C libc: getline"),
            (["__new_exitfn", "__internal_atexit"], "C libc: atexit"),
            (
                ["_dl_resize_dtv", "_dl_update_slotinfo", "update_get_addr", "__tls_get_addr"],
                "C libc: thread-local storage"
            ),
            (["__fopen_internal"], "C libc: fopen"), (["strdup"], "C libc: strdup"),
        ])
    func libraryBuffers(names: [String], expected: String) {
        let frames = names.map { c($0) } + [c("main", tool, file: "/app/src/main.c")]
        let result = attributor.attribute(stack: frames, tag: nil)
        #expect("\(result.owner.family) \(result.owner.type)" == expected)
        #expect(result.site?.function == "main")
    }

    @Test("a program's own function of the C library's name owns for the program")
    func sameNameInTheProgram() {
        #expect(owner(c("getline", tool), c("main", tool)) == "C tool: getline")
        #expect(owner(c("opendir", "/usr/lib/libother.so.2"), c("main", tool)) == "C libother: opendir")
    }

    @Test("what the code says of a block decides where the caller is the program's own")
    func madeTypes() {
        let new = cxx("operator new", libstdcxx)
        let caller = cxx("app::run")
        #expect(owner(new, made("geo::Circle"), caller) == "Class geo::Circle")
        #expect(
            owner(
                new, made("std::_Sp_counted_ptr_inplace<geo::Mesh, std::allocator<void>, (__gnu_cxx::_Lock_policy)2>"),
                caller) == "Shared std::shared_ptr<geo::Mesh>")
        #expect(
            owner(new, made("std::_Sp_counted_ptr<geo::Mesh*, (__gnu_cxx::_Lock_policy)2>"), caller)
                == "Shared std::shared_ptr<geo::Mesh>")
        #expect(owner(new, made("elements of std::vector"), caller) == "Array std::vector")
        #expect(owner(new, made("coroutine count_up"), caller) == "Task coroutine count_up")
        #expect(
            owner(new, made("target of std::function<double (double)>"), caller)
                == "Closure std::function<double (double)>")
        #expect(
            owner(
                new,
                made(
                    "node of std::_Rb_tree<int, std::pair<int const, geo::Point>, std::_Select1st<std::pair<int const, geo::Point>>, std::less<int>, std::allocator<std::pair<int const, geo::Point>>>"
                ), caller)
                == "Dictionary std::map<int, geo::Point>")
        #expect(
            owner(
                new,
                made(
                    "node of equal keys in std::_Rb_tree<long, long, std::_Identity<long>, std::less<long>, std::allocator<long>>"
                ), caller) == "Set std::multiset<long>")
        #expect(owner(new, made("one object"), caller) == "C new in app::run")
        #expect(owner(new, made("array of objects"), caller) == "Array new[] in app::run")
        #expect(owner(new, caller) == "Unattributed new in app::run")
    }

    @Test("whether keys are unique stands in the type of libstdc++'s hash table")
    func hashTraits() {
        func table(_ unique: Bool) -> String {
            "std::_Hashtable<int, std::pair<int const, char>, std::allocator<std::pair<int const, char>>, std::__detail::_Select1st, std::equal_to<int>, std::hash<int>, std::__detail::_Mod_range_hashing, std::__detail::_Default_ranged_hash, std::__detail::_Prime_rehash_policy, std::__detail::_Hashtable_traits<false, false, \(unique)>>"
        }
        let new = cxx("operator new", libstdcxx)
        #expect(owner(new, cxx(table(true) + "::_M_rehash"), cxx("f")) == "Dictionary std::unordered_map<int, char>")
        #expect(
            owner(new, cxx(table(false) + "::_M_rehash"), cxx("f")) == "Dictionary std::unordered_multimap<int, char>")
    }

    @Test("a class's own operator new names the class, and the site is who asked for the object")
    func classNew() {
        let source = "/app/src/pool.cpp"
        let frames = [c("malloc"), cxx("geo::Pooled::operator new", file: source), cxx("app::run", file: source)]
        let result = attributor.attribute(stack: Array(frames.dropFirst()), tag: nil)
        #expect(result.owner == Owner(family: "Class", type: "geo::Pooled", language: "c++"))
        #expect(result.site?.function == "app::run")
    }

    @Test("LLVM's containers own what they allocate through LLVM's own plumbing")
    func llvm() {
        let new = cxx("operator new", libstdcxx)
        let grow = cxx(
            "llvm::DenseMap<clang::Decl const*, unsigned int, llvm::DenseMapInfo<clang::Decl const*, void>>::grow")
        #expect(
            owner(new, cxx("llvm::allocate_buffer"), grow, cxx("clang::Sema::act"))
                == "Dictionary llvm::DenseMap<clang::Decl const*, unsigned int>")
        let set = cxx("llvm::DenseMap<int, llvm::detail::DenseSetEmpty, llvm::DenseMapInfo<int, void>>::grow")
        #expect(owner(new, cxx("llvm::allocate_buffer"), set, cxx("clang::Sema::act")) == "Set llvm::DenseSet<int>")
        #expect(
            owner(cxx("llvm::SmallVectorBase<unsigned int>::grow_pod"), cxx("clang::Sema::act"))
                == "Array llvm::SmallVector")
        #expect(
            owner(
                cxx("llvm::SmallVectorBase<unsigned int>::grow_pod"),
                cxx("llvm::SmallVectorImpl<clang::Token>::push_back"), cxx("clang::Sema::act"))
                == "Array llvm::SmallVector<clang::Token>")
    }

    @Test("a stripped program's functions are named by their place")
    func stripped() {
        let frame = SymbolicatedFrame(function: "0x1234 in tool", modulePath: tool)
        #expect(owner(frame) == "C tool+0x1234")
        #expect(owner(cxx("operator new", libstdcxx), made("one object"), frame) == "C new in tool")
    }

    @Test("an allocator of the program's own under a container of the standard library owns nothing")
    func ownAllocators() {
        let new = cxx("operator new", libstdcxx)
        let allocate = cxx("app::Counted<int>::allocate", file: "/app/src/a.cpp")
        let traits = cxx("std::allocator_traits<app::Counted<int> >::allocate", file: "/usr/include/c++/12/x.h")
        let push = cxx("std::vector<int, app::Counted<int> >::push_back", file: "/usr/include/c++/12/y.h")
        let run = cxx("app::run", file: "/app/src/b.cpp")
        #expect(owner(new, allocate, traits, push, run) == "Array std::vector<int>")
        let site = attributor.attribute(stack: [new, allocate, traits, push, run], tag: nil).site
        #expect(site?.function == "app::run")
        // Called by the program itself it is a function like others, and so it is where the stack ends.
        #expect(owner(new, allocate, run) == "Class new in app::Counted<int>::allocate")
        #expect(owner(new, allocate) == "Class new in app::Counted<int>::allocate")
    }

    @Test("a checked malloc of the program's own hands its requests on, but for main")
    func ownWrappers() {
        func attribution(_ wrapper: String, _ caller: String, file: String?) -> Attribution {
            attributor.attribute(
                stack: [c(wrapper, tool, file: file), c(caller, tool, file: file), c("main", tool, file: file)],
                tag: nil)
        }
        for file in [nil, "/app/src/a.c"] {
            for wrapper in ["xmalloc", "safe_realloc", "xcalloc_or_die", "my_strdup", "mem_alloc"] {
                let result = attribution(wrapper, "table_put", file: file)
                #expect(result.owner.type == "tool: table_put", "\(wrapper)")
                #expect(result.site?.function == "table_put", "\(wrapper)")
            }
            for function in ["test_malloc", "malloc_all", "leak_realloc", "pool_alloc"] {
                let result = attribution(function, "run", file: file)
                #expect(result.owner.type == "tool: \(function)", "\(function)")
                #expect(result.site?.function == function, "\(function)")
            }
            let result = attributor.attribute(
                stack: [c("xmalloc", tool, file: file), c("main", tool, file: file)], tag: nil)
            #expect(result.owner.type == "tool: xmalloc")
            #expect(result.site?.function == "xmalloc")
        }
    }

    @Test("a name far beyond functions without names does not stand for the one that allocates")
    func unnamedRuns() {
        let library = "/usr/lib/libtext.so.1"
        func unnamed(_ count: Int) -> [SymbolicatedFrame] {
            (0..<count).map { c("0x\($0)00 in libtext.so.1", library) }
        }
        func type(_ count: Int) -> String {
            attributor.attribute(stack: unnamed(count) + [c("text_call", library), c("main", tool)], tag: nil).owner
                .type
        }
        #expect(type(1) == "libtext: text_call")
        #expect(type(3) == "libtext: text_call")
        #expect(type(6) == "libtext")
    }

    @Test("wide strings and paths are told from the strings that they are made like")
    func wideStringsAndPaths() {
        let new = cxx("operator new", libstdcxx)
        let mutate = cxx(
            "std::__cxx11::basic_string<wchar_t, std::char_traits<wchar_t>, std::allocator<wchar_t> >::_M_mutate",
            libstdcxx)
        #expect(owner(new, made("elements of std::string"), mutate, cxx("app::run")) == "String std::wstring")
        let append = cxx("std::filesystem::__cxx11::path::_M_append", libstdcxx)
        #expect(
            owner(new, c("0x177ac8 in libstdc++.so.6", libstdcxx), append, cxx("app::run"))
                == "String std::filesystem::path")
        let text = cxx("std::filesystem::__cxx11::path::string", file: "/usr/include/c++/12/bits/fs_path.h")
        let string = cxx(
            "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::_M_construct", libstdcxx)
        #expect(owner(new, string, text, cxx("app::run")) == "String std::string")
    }

    @Test("pools and streams that write into what they are given contradict nobody")
    func undisputed() {
        func stack(_ inner: SymbolicatedFrame, _ outer: SymbolicatedFrame) -> HeapProfile {
            var source = ScriptedSource()
            source.stacks[1] = SourceStack(addresses: [2], tag: nil, firstUse: 0, isTruncated: false)
            source.modules = [
                (0..<0x1000, LoadedModule(description: ModuleDescription(path: tool, buildID: []), bias: 0))
            ]
            source.events = [.allocate(0x10, size: 8, at: 1)]
            let frames = [cxx("operator new", libstdcxx), inner, outer, cxx("app::run")]
            return source.profile(symbolicator: ListedSymbols([1: frames, 2: frames]))
        }
        let vector = cxx("llvm::SmallVectorBase<unsigned int>::grow_pod")
        #expect(stack(vector, cxx("llvm::raw_svector_ostream::write_impl")).disagreements.isEmpty)
        #expect(stack(vector, cxx("std::string::append")).disagreements.count == 1)
    }
}
