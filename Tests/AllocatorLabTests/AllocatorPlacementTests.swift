// Whether a row's figures are its allocator's: made-up programs held against allocators.

import Testing

@testable import AllocatorLab

@Suite struct AllocatorPlacementTests {
    private let custom = Allocator(name: "mine", libraryPath: "/no/such/folder/libmine.so")
    private let libc = "/lib/x86_64-linux-gnu/libc.so.6"
    private var served: ServingAllocator { .library(name: "mine", path: "/no/such/folder/libmine.so") }

    private func program(
        _ name: String, _ allocator: ServingAllocator, ticks: UInt64 = 0, resident: UInt64 = 1
    ) -> SeenProgram {
        SeenProgram(
            executable: "/bin/\(name)", name: name, allocator: allocator, systemLibrary: libc, ticks: ticks,
            residentBytes: resident
        )
    }

    private func placement(_ allocator: Allocator, _ programs: SeenProgram...) -> AllocatorPlacement {
        AllocatorPlacement(of: programs, on: allocator)
    }

    @Test func `programs on the row's allocator are nothing to speak of`() {
        let mine = placement(custom, program("a", served), program("b", served))
        #expect(mine.failure == nil && mine.note == nil && mine.repair == nil)
        let system = placement(
            .system, program("a", .system(path: libc)), program("b", .staticallyLinked), program("c", .foreign))
        #expect(system.failure == nil && system.note == nil && system.repair == nil)
        #expect(placement(custom).failure == nil)
        let hidden = placement(custom, program("a", .unknown, resident: 2), program("b", served))
        #expect(hidden.failure == nil)
        #expect(hidden.note == "whether a runs on it could not be seen")
        #expect(placement(custom, program("a", .unknown), program("b", served, resident: 2)).note == nil)
    }

    @Test func `the largest program on another allocator voids the row`() {
        #expect(
            placement(custom, program("sh", served), program("app", .staticallyLinked, resident: 2)).failure
                == "app does not run on it: it is statically linked, so nothing can be preloaded")
        #expect(
            placement(custom, program("app", .own(name: "jemalloc"))).failure
                == "app does not run on it: it carries its own allocator (jemalloc)")
        #expect(
            placement(custom, program("app", .library(name: "jemalloc", path: "/usr/lib/libjemalloc.so.2"))).failure
                == "app does not run on it: jemalloc (/usr/lib/libjemalloc.so.2) stands in front")
        #expect(
            placement(custom, program("app", .system(path: libc))).failure?.contains("taken out of the environment")
                == true)
        var root = program("ping", .system(path: libc))
        root.hasOtherRights = true
        #expect(placement(custom, root).failure?.contains("with other rights") == true)
    }

    @Test func `programs that take half of the time void the row, small ones are told`() {
        let app = program("app", served, ticks: 100, resident: 9)
        let half = placement(custom, app, program("one", .foreign, ticks: 60), program("two", .foreign, ticks: 40))
        #expect(half.failure?.hasPrefix("one does not run on it: ") == true)
        #expect(half.note == nil)
        let less = placement(custom, app, program("one", .foreign, ticks: 59), program("two", .foreign, ticks: 40))
        #expect(less.failure == nil)
        #expect(
            less.note
                == "of the programs that it starts, one and 1 more run on another allocator: it is no program of this "
                + "machine's own kind, so the library cannot be preloaded")
        // A tick or two of a hundred a second say nothing.
        #expect(
            placement(custom, program("app", served, resident: 9), program("one", .foreign, ticks: 2)).failure == nil)
    }

    @Test func `the C library is put in front of a library that serves in its place, and of nothing else`() throws {
        let linked = program("redis", .library(name: "jemalloc", path: "/usr/lib/libjemalloc.so.2"))
        let named = Allocator(name: "glibc:A=1", libraryPath: nil, variables: [.init(name: "A", value: "1")])
        let repair = try #require(placement(named, program("sh", .system(path: libc)), linked).repair)
        #expect(repair.allocator == Allocator(name: "glibc:A=1", libraryPath: libc, variables: named.variables))
        #expect(
            repair.note
                == "redis has jemalloc already (/usr/lib/libjemalloc.so.2): on glibc, \(libc) was preloaded in front of it"
        )
        #expect(placement(repair.allocator, linked).repair == nil)
        #expect(placement(repair.allocator, linked).failure != nil)
        #expect(placement(repair.allocator, program("redis", .system(path: libc))).failure == nil)
        #expect(placement(.system, program("app", .own(name: "mimalloc"))).repair == nil)
        #expect(placement(.system, program("app", .own(name: "mimalloc"))).failure != nil)
        #expect(placement(custom, linked).repair == nil)
    }
}
