// Names that are too long for their column.
import Testing

@testable import ProfileExport

@Suite("Names that are shortened") struct NameTextTests {
    @Test("arguments lose their namespaces and modules before anything else goes")
    func qualifiers() {
        let map = "llvm::DenseMap<llvm::Value const*, llvm::SDValue>"
        #expect(NameText.abbreviated(map, to: 49) == map)
        #expect(NameText.abbreviated(map, to: 40) == "llvm::DenseMap<Value const*, SDValue>")
        #expect(
            NameText.abbreviated("Array<(key: app.Key, value: app.Map.Value)>", to: 40)
                == "Array<(key: Key, value: Map.Value)>")
        #expect(NameText.abbreviated("std::vector<a::b::C::D>", to: 20) == "std::vector<C::D>")
        #expect(NameText.abbreviated("std::vector<(anonymous namespace)::Entry>", to: 30) == "std::vector<Entry>")
        #expect(
            NameText.abbreviated("std::function<void (app::A, ns::B) -> x::C>", to: 36)
                == "std::function<void (A, B) -> C>")
    }

    @Test("arguments of arguments go where the name is much too long, then outer namespaces")
    func nestedArguments() {
        let map = "llvm::DenseMap<llvm::AssertingVH<llvm::BasicBlock const>, std::pair<llvm::Node, llvm::CallbackVH>>"
        #expect(NameText.abbreviated(map, to: 44) == "llvm::DenseMap<AssertingVH<…>, pair<…>>")
        #expect(NameText.abbreviated(map, to: 36) == "…DenseMap<AssertingVH<…>, pair<…>>")
        #expect(
            NameText.abbreviated("llvm::SmallVector<dt::Info<dt::Tree<dt::Block, false>>::Record>", to: 30)
                == "…SmallVector<Info<…>::Record>")
    }

    @Test("functions keep their type, types their name, and std its name")
    func outerNames() {
        #expect(NameText.abbreviated("clang::sema::Sema::BuildExpression", to: 30) == "…sema::Sema::BuildExpression")
        #expect(NameText.abbreviated("clang::Sema::BuildExpression", to: 10) == "…Sema::BuildExpression")
        #expect(NameText.abbreviated("std::map<int, int>", to: 6) == "std::map<int, int>")
        #expect(NameText.abbreviated("Server.Handler.handle(_:)", to: 8) == "…Handler.handle(_:)")
        #expect(NameText.abbreviated("Class Foundation.JSONEncoder", to: 20) == "Class …JSONEncoder")
        #expect(NameText.abbreviated("new in llvm::Mapper::Mapper", to: 22) == "new in …Mapper::Mapper")
        #expect(NameText.abbreviated("libsqlite3: sqlite3MemMalloc", to: 4) == "libsqlite3: sqlite3MemMalloc")
    }
}
