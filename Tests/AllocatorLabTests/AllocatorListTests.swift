// Allocators as they are typed: lists, options, what a program's environment becomes.

import Testing

@testable import AllocatorLab

@Suite struct AllocatorListTests {
    private let catalogue = AllocatorCatalogue(directories: [])

    private func glibc(_ item: String) throws -> [String] {
        try AllocatorList.resolve(item, in: catalogue).variables.map { "\($0.name)=\($0.value)" }
    }

    @Test func `commas separate allocators`() {
        #expect(AllocatorList.items(of: "glibc,jemalloc,./own.so") == ["glibc", "jemalloc", "./own.so"])
        #expect(AllocatorList.items(of: ",glibc,,") == ["glibc"])
        #expect(AllocatorList.items(of: "") == [])
    }

    @Test func `a comma behind a backslash, or before what is plainly no allocator, belongs to the value`() throws {
        #expect(AllocatorList.items(of: #"glibc:A=1\,2,jemalloc"#) == [#"glibc:A=1\,2"#, "jemalloc"])
        #expect(try glibc(#"glibc:A=1\,2"#) == ["A=1,2"])
        let items = AllocatorList.items(of: "glibc:MALLOC_CONF=narenas:1,dirty_decay_ms:0,glibc:B=1,mimalloc")
        #expect(items == [#"glibc:MALLOC_CONF=narenas:1\,dirty_decay_ms:0"#, "glibc:B=1", "mimalloc"])
        #expect(try glibc(items[0]) == ["MALLOC_CONF=narenas:1,dirty_decay_ms:0"])
        // A name that is misspelt is not swallowed by the value before it.
        #expect(AllocatorList.items(of: "glibc:A=1,mimaloc") == ["glibc:A=1", "mimaloc"])
        #expect(AllocatorList.items(of: "glibc:A=1,mimaloc:B=2") == ["glibc:A=1", "mimaloc:B=2"])
    }

    @Test func `variables stand behind a colon, several apart by blanks`() throws {
        #expect(try glibc("glibc:MALLOC_ARENA_MAX=1") == ["MALLOC_ARENA_MAX=1"])
        #expect(
            try glibc("glibc:GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.perturb=3 B=") == [
                "GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.perturb=3", "B=",
            ])
        #expect(try glibc(#"glibc:A=one\ two B=c:\\dir\n"#) == ["A=one two", #"B=c:\dir\n"#])
    }

    @Test func `a row is named as it was typed`() throws {
        let allocator = try AllocatorList.resolve("glibc:MALLOC_ARENA_MAX=1 MALLOC_TOP_PAD_=0", in: catalogue)
        #expect(allocator.name == "glibc:MALLOC_ARENA_MAX=1 MALLOC_TOP_PAD_=0")
        #expect(allocator.libraryPath == nil)
    }

    @Test(arguments: ["glibc:", "glibc:narenas", "glibc:=1", "glibc:1A=1", "glibc:A B=1", "glibc:LD_PRELOAD=/x.so"])
    func `what is no list of variables is bad usage in one line`(item: String) {
        let error = #expect(throws: AllocatorError.self) { try AllocatorList.resolve(item, in: catalogue) }
        #expect(error?.exitStatus == 64)
        #expect(error?.description.contains(item) == true)
    }

    @Test func `no program runs on a simulated allocator, and a misspelt one is not taken for a real one with options`()
    {
        let known = #expect(throws: AllocatorError.self) { try AllocatorList.resolve("sim:buddy", in: catalogue) }
        #expect(known?.description.hasSuffix("type: heaptrail replay TRACE --allocators sim:buddy") == true)
        let unknown = #expect(throws: AllocatorError.self) { try AllocatorList.resolve("sim:budy", in: catalogue) }
        #expect(unknown?.description == "unknown simulated allocator 'sim:budy': use sim:buddy or sim:bestfit")
        #expect(unknown?.exitStatus == 64)
    }

    @Test func `a tunable that the C library does not have is bad usage`() {
        let error = #expect(throws: AllocatorError.self) {
            try AllocatorList.resolve(
                "glibc:GLIBC_TUNABLES=glibc.malloc.perturb=1:glibc.malloc.arena_ma=1", in: catalogue)
        }
        #expect(error?.exitStatus == 64)
        #expect(error?.description.contains("has no 'glibc.malloc.arena_ma'; type: ") == true)
    }

    @Test func `what an allocator says of its options is seen where there are any`() {
        let said = "noise\n<jemalloc>: Invalid conf pair: nonsense:1\n"
        let tuned = Allocator(
            name: "x", libraryPath: "/x.so", variables: [.init(name: "MALLOC_CONF", value: "nonsense:1")])
        #expect(tuned.warning(in: said) == "the allocator says: <jemalloc>: Invalid conf pair: nonsense:1")
        #expect(tuned.warning(in: "noise\n") == nil)
        #expect(Allocator(name: "x", libraryPath: "/x.so").warning(in: said) == nil)
    }

    @Test func `a bad name is told as such, options or not`() {
        #expect(throws: AllocatorError.unknown("jemaloc")) {
            try AllocatorList.resolve("jemaloc:MALLOC_CONF=narenas:1", in: catalogue)
        }
        #expect(throws: AllocatorError.missing(path: "/no/such.so")) {
            try AllocatorList.resolve("/no/such.so:A=1", in: catalogue)
        }
    }

    @Test func `the variables replace those of the same name and leave the others`() {
        let allocator = Allocator(
            name: "x", libraryPath: "/x.so", variables: [.init(name: "A", value: "2"), .init(name: "C", value: "")])
        #expect(
            allocator.environment(over: ["A=1", "AB=1", "LD_PRELOAD=/own.so"])
                == ["AB=1", "A=2", "C=", "LD_PRELOAD=/x.so /own.so"])
        #expect(Allocator.system.environment(over: ["A=1"]) == ["A=1"])
    }

    @Test func `the loader's refusal of the library is seen, and only of this one`() {
        let allocator = Allocator(name: "x", libraryPath: "/x.so")
        let line =
            "ERROR: ld.so: object '/x.so' from LD_PRELOAD cannot be preloaded (cannot open shared object file): ignored.\n"
        #expect(
            allocator.refusal(in: line) == .broken("the loader cannot preload /x.so (cannot open shared object file)"))
        #expect(allocator.refusal(in: line.replacing("/x.so", with: "/y.so")) == nil)
        #expect(allocator.refusal(in: "") == nil)
        #expect(Allocator.system.refusal(in: line) == nil)
    }
}
