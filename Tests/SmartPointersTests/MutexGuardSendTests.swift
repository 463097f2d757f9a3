// The promise that only the compiler can keep: a guard is not sent to another thread. Each violation is a small program
// that must not compile, for that reason; the control, the same program without the violation, must.

import Foundation
import TestSupport
import Testing

@Suite struct MutexGuardSendTests {
    /// Where the build keeps the package's modules: beside this test's executable.
    static let products: String = {
        let executable = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: executable).deletingLastPathComponent().path
    }()

    static let canCompile =
        Tool.isInstalled("swiftc")
        && FileManager.default.fileExists(atPath: "\(products)/Modules/SmartPointers.swiftmodule")

    /// A program in which `body` has a guard, `held`, and a function that wants something it can send.
    private func program(_ body: String) -> String {
        """
        import SmartPointers

        func send<Value: Sendable & ~Copyable & ~Escapable>(_ value: borrowing Value) {}
        func onAnotherThread(_ body: @escaping @Sendable () -> Void) { body() }

        func use(_ mutex: Mutex<Int>) {
            \(body)
        }
        """
    }

    /// What the compiler says, through the passes that check ownership and lifetimes; empty where it is content.
    private func errors(in source: String) throws -> String {
        let folder = try TemporaryDirectory()
        let file = try folder.write(source, to: "violation.swift")
        let result = try run(
            "swiftc",
            [
                "-emit-sil", "-o", folder.file("out.sil"), "-swift-version", "6", "-parse-as-library",
                "-I", "\(Self.products)/Modules", "-Xcc",
                "-fmodule-map-file=\(Self.products)/CHeaptrailTags.build/module.modulemap", file,
            ], timeout: 300)
        if result.isSuccess { return "" }
        return result.stderr.split(separator: "\n").filter { $0.contains("error:") }.joined(separator: "\n")
    }

    @Test(.enabled(if: canCompile, "no swiftc, or the build keeps its modules somewhere else"))
    func `a guard that stays on its thread compiles`() throws {
        let source = program(
            """
            var held = mutex.lock()
            held.value += 1
            onAnotherThread { mutex.withLock { $0 += 1 } }
            send(mutex)
            """)
        #expect(try errors(in: source) == "")
    }

    @Test(.enabled(if: canCompile, "no swiftc, or the build keeps its modules somewhere else"))
    func `a guard is not Sendable`() throws {
        let errors = try errors(
            in: program(
                """
                let held = mutex.lock()
                send(held)
                """))
        #expect(errors.contains("conformance of 'MutexGuard<Value>' to 'Sendable' is unavailable"), "\(errors)")
    }

    // The first fails for want of Sendable too; in the others, nobody else refers to the guard, and only its lifetime holds it.
    @Test(
        .enabled(if: canCompile, "no swiftc, or the build keeps its modules somewhere else"),
        arguments: [
            "onAnotherThread { print(held.value) }", "Task.detached { print(held.value) }",
            "let thread: () -> Int = { held.value }; let keep: [() -> Int] = [thread]; print(keep)",
        ])
    func `a guard cannot be captured by a closure that may outlive it`(use: String) throws {
        let errors = try errors(
            in: program(
                """
                let held = mutex.lock()
                \(use)
                """))
        #expect(
            errors.contains("lifetime-dependent") || errors.contains("non-Sendable type 'MutexGuard<Int>'"), "\(errors)"
        )
    }

    @Test(.enabled(if: canCompile, "no swiftc, or the build keeps its modules somewhere else"))
    func `a guard cannot outlive its mutex`() throws {
        let errors = try errors(
            in: program("func escape() -> MutexGuard<Int> { Mutex(0).lock() }"))
        #expect(errors.contains("cannot return a ~Escapable result"), "\(errors)")
    }

    @Test(.enabled(if: canCompile, "no swiftc, or the build keeps its modules somewhere else"))
    func `a guard cannot be copied`() throws {
        let errors = try errors(
            in: program(
                """
                let held = mutex.lock()
                let other = held
                print(held.value, other.value)
                """))
        #expect(errors.contains("'held' used after consume"), "\(errors)")
    }
}
