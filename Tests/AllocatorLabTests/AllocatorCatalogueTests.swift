// Names to libraries, over folders made for the test and over the machine's own.

import Foundation
import TestSupport
import Testing

@testable import AllocatorLab

@Suite struct AllocatorCatalogueTests {
    private static let allocator = "void *malloc(unsigned long size) { return (void *)size; }"

    /// A folder that holds real shared objects, allocators unless the source says otherwise, under the given names.
    private func folder(_ names: [String], source: String = allocator) throws -> TemporaryDirectory {
        let library = try ProgramBuilder.build(
            source, language: .c, name: "library.so", arguments: ["-shared", "-fPIC", "-fno-builtin"])
        let directory = try TemporaryDirectory()
        for name in names { try runChecked("cp", [library, directory.file(name)]) }
        return directory
    }

    @Test func `glibc and system are the allocator that needs no library`() throws {
        let catalogue = AllocatorCatalogue(directories: [])
        #expect(try catalogue.resolve("glibc") == Allocator.system)
        #expect(try catalogue.resolve("system") == Allocator.system)
    }

    @Test func `versioned names are found and the newest is taken`() throws {
        let directory = try folder([
            "libjemalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so.10", "libmimalloc-debug.so.11",
        ])
        let catalogue = AllocatorCatalogue(directories: [directory.path])
        #expect(try catalogue.resolve("jemalloc").libraryPath == directory.file("libjemalloc.so.2"))
        #expect(try catalogue.resolve("mimalloc").libraryPath == directory.file("libmimalloc.so.10"))
    }

    @Test func `tcmalloc is the minimal one where both are there`() throws {
        let both = try folder(["libtcmalloc.so.4", "libtcmalloc_minimal.so.4", "libtcmalloc_minimal_debug.so.4"])
        #expect(
            try AllocatorCatalogue(directories: [both.path]).resolve("tcmalloc").libraryPath
                == both.file("libtcmalloc_minimal.so.4"))
        let full = try folder(["libtcmalloc.so.4"])
        #expect(
            try AllocatorCatalogue(directories: [full.path]).resolve("tcmalloc").libraryPath
                == full.file("libtcmalloc.so.4"))
    }

    @Test func `earlier folders win and files that are no libraries are passed over`() throws {
        let first = try TemporaryDirectory()
        try first.write("INPUT(-ljemalloc)", to: "libjemalloc.so.2")
        let second = try folder(["libjemalloc.so.2"])
        let third = try folder(["libjemalloc.so.2"])
        let catalogue = AllocatorCatalogue(directories: [first.path, second.path, third.path])
        #expect(try catalogue.resolve("jemalloc").libraryPath == second.file("libjemalloc.so.2"))
    }

    @Test func `a library for another machine is refused`() throws {
        let directory = try folder(["libmine.so"])
        var bytes = try directory.read("libmine.so")
        bytes[18] = 183  // e_machine: AArch64
        let path = directory.file("libother.so")
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        #expect(throws: AllocatorError.unusable(path: path, reason: "built for another machine")) {
            try AllocatorCatalogue(directories: []).resolve(path)
        }
    }

    @Test func `an allocator that is not installed names its package`() {
        let error = #expect(throws: AllocatorError.self) {
            try AllocatorCatalogue(directories: ["/nowhere"]).resolve("jemalloc")
        }
        #expect(error?.exitStatus == 69)
        #expect(error?.description == "jemalloc is not installed; type: sudo apt-get install libjemalloc2")
    }

    @Test func `an unknown name is bad usage`() {
        let error = #expect(throws: AllocatorError.self) { try AllocatorCatalogue().resolve("jemaloc") }
        #expect(error?.exitStatus == 64)
        #expect(error?.description.contains("'jemaloc'") == true)
    }

    @Test func `a path is taken as it is when it can be preloaded`() throws {
        let directory = try folder(["own.so"])
        #expect(try AllocatorCatalogue().resolve(directory.file("own.so")).libraryPath == directory.file("own.so"))
    }

    @Test func `a path the loader would silently ignore is refused`() throws {
        let directory = try folder(["with space.so"])
        try directory.write("text", to: "text.so")
        func status(_ path: String) -> Int32? {
            #expect(throws: AllocatorError.self) { try AllocatorCatalogue().resolve(path) }?.exitStatus
        }
        #expect(status(directory.file("absent.so")) == 66)
        #expect(status(directory.file("text.so")) == 69)
        #expect(status(directory.file("with space.so")) == 69)
        let other = try folder(["other.so"], source: "int nothing;")
        #expect(status(other.file("other.so")) == 69)
    }

    @Test(.enabled(if: (try? AllocatorCatalogue().resolve("jemalloc")) != nil, "libjemalloc2 is not installed"))
    func `the machine's jemalloc is found`() throws {
        let path = try #require(try AllocatorCatalogue().resolve("jemalloc").libraryPath)
        #expect(path.contains("/libjemalloc.so"))
    }
}
