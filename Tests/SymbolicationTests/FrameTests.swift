// What frames say of functions: names, languages, template arguments, inlining, lines.
import Testing

@testable import Symbolication

@Suite("Frames")
struct FrameTests {
    @Test(
        "An inlined C function stands in front of its caller, each with its line",
        .enabled(if: Tool.gcc.exists, "no gcc"))
    func inlinedC() throws {
        let fixture = try Fixture("inlines.c", .gcc, ["-O2", "-g"])
        let stacks = try fixture.stacks(in: "compute")
        let deepest = try #require(stacks.first { $0.count == 3 })
        #expect(deepest.map(\.function) == ["square", "sum_of_squares", "compute"])
        #expect(deepest.map(\.isInlined) == [true, true, false])
        #expect(deepest.map(\.language) == [.c, .c, .c])
        #expect(deepest.map(\.line) == [7, 14, 20])
        #expect(deepest.allSatisfy { $0.file?.hasSuffix("/Fixtures/inlines.c") ?? false })
    }

    @Test(
        "The template arguments of a C++ function and of its class are known",
        arguments: [Tool.gxx, .clangxx])
    func templates(tool: Tool) throws {
        try #require(tool.exists, "\(tool.rawValue) is not installed")
        let fixture = try Fixture("templates.cpp", tool, ["-O2", "-g"])
        let frames = try fixture.stacks(in: "4GridI5PointE3add").joined()
        let add = try #require(frames.first { $0.function == "geometry::Grid<Point>::add" })
        #expect(add.templateArguments == ["Point"])
        #expect(add.language == .cxx)
        #expect(!add.isInlined)
        let push = try #require(frames.first { $0.linkageName.contains("push_back") })
        #expect(push.function == "std::vector<Point, std::allocator<Point>>::push_back")
        #expect(push.templateArguments == ["Point", "std::allocator<Point>"])
        #expect(push.isInlined)
    }

    @Test("Box::new of a Matrix names its type in legacy mangling", .enabled(if: Tool.rustc.exists, "no rustc"))
    func boxOfMatrix() throws {
        let fixture = try RustFixture.build(mangling: "legacy")
        let frames = try fixture.stacks(in: "make_matrix").joined()
        let new = try #require(
            frames.first { $0.function.hasSuffix("boxed::Box<T>::new") || $0.function.hasSuffix("::new") })
        #expect(new.function == "alloc::boxed::Box<T>::new")
        #expect(new.templateArguments == ["owners::own::Matrix"])
        #expect(new.isInlined)
        #expect(new.language == .rust)
        #expect(frames.contains { $0.function == "owners::make_matrix" && !$0.isInlined })
    }

    @Test("Box::new of a Matrix names its type in v0 mangling", .enabled(if: Tool.rustc.exists, "no rustc"))
    func boxOfMatrixV0() throws {
        let fixture = try RustFixture.build(mangling: "v0")
        let frames = try fixture.stacks(in: "make_matrix").joined()
        let new = try #require(frames.first { $0.function.hasSuffix("::new") })
        #expect(new.function == "<alloc::boxed::Box<owners::own::Matrix>>::new")
        #expect(new.templateArguments == ["owners::own::Matrix"])
    }

    @Test(
        "A generic argument without a size is spelled out", .enabled(if: Tool.rustc.exists, "no rustc"),
        arguments: ["legacy", "v0"])
    func unsizedArgument(mangling: String) throws {
        let fixture = try RustFixture.build(mangling: mangling)
        let frames = try fixture.stacks(in: "make_owned").joined()
        let toMut = try #require(frames.first { $0.function.hasSuffix("::to_mut") })
        #expect(toMut.templateArguments == ["str"])
        #expect(toMut.isInlined)
    }

    @Test("Constants among generic arguments are no types")
    func constantArguments() {
        #expect(RustGenericArguments.spelled(in: "new<str, 5, true>", orElse: ["u8"]) == ["str"])
        #expect(
            RustGenericArguments.spelled(in: "new<[u8], fn(u8, u8) -> u8>", orElse: ["a", "b"]) == [
                "[u8]", "fn(u8, u8) -> u8",
            ])
        #expect(RustGenericArguments.spelled(in: "new<A>", orElse: ["a", "b"]) == ["a", "b"])
        #expect(RustGenericArguments.spelled(in: "new", orElse: ["a"]) == ["a"])
    }

    @Test("A Swift specialization keeps its types", .enabled(if: Tool.swiftc.exists, "no swiftc"))
    func swiftSpecialization() throws {
        let fixture = try Fixture("points.swift", .swiftc, ["-O", "-g"])
        let frames = try fixture.stacks(in: "buildGroups").joined()
        let append = try #require(frames.first { $0.function == "specialized Array.append(_:)" })
        #expect(append.templateArguments == ["program.Point"])
        #expect(append.isInlined)
        let outer = try #require(frames.first { $0.function == "program.buildGroups(_:)" })
        #expect(outer.language == .swift)
        #expect(frames.contains { $0.line == 16 && $0.file?.hasSuffix("/points.swift") ?? false })
    }

    @Test("A program without debug information gives its symbols", .enabled(if: Tool.clang.exists, "no clang"))
    func symbolsOnly() throws {
        let fixture = try Fixture("inlines.c", .clang, ["-O2"])
        for stack in try fixture.stacks(in: "compute") {
            #expect(stack.map(\.function) == ["compute"])
            #expect(stack[0].line == nil && stack[0].file == nil)
            #expect(stack[0].language == .c)
        }
    }

    @Test(
        "A stripped library gives what it exports",
        .enabled(if: Tool.clang.exists && Tool.strip.exists, "no clang or strip"))
    func dynamicSymbolsOnly() throws {
        let fixture = try Fixture("inlines.c", .clang, ["-O2", "-shared", "-fPIC"])
        let addresses = try fixture.addresses(of: "compute")
        try Tool.strip.run([fixture.path])
        let symbolicator = Symbolicator()
        for address in addresses {
            #expect(symbolicator.frames(in: fixture.module, at: address).map(\.function) == ["compute"])
        }
    }

    @Test("An address outside every function says where it is", .enabled(if: Tool.clang.exists, "no clang"))
    func unknownAddress() throws {
        let fixture = try Fixture("inlines.c", .clang, ["-O2", "-g"])
        let frames = Symbolicator().frames(in: fixture.module, at: 0xffff_ffff_0000)
        #expect(frames.map(\.function) == ["0xffffffff0000 in program"])
        #expect(frames[0].linkageName == "" && frames[0].language == .unknown)
        #expect(Symbolicator().frames(in: fixture.module, at: .max).count == 1)
    }

    @Test("Asking again, in any order, gives the same answer", .enabled(if: Tool.gxx.exists, "no g++"))
    func repeatable() throws {
        let fixture = try Fixture("templates.cpp", .gxx, ["-O2", "-g"])
        let addresses = Array(try fixture.addresses(of: "main"))
        let first = Symbolicator(), second = Symbolicator()
        let forward = addresses.map { first.frames(in: fixture.module, at: $0) }
        let backward = addresses.reversed().map { second.frames(in: fixture.module, at: $0) }
        #expect(forward == backward.reversed())
        #expect(forward == addresses.map { first.frames(in: fixture.module, at: $0) })
    }
}
