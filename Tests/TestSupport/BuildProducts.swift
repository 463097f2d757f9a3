// Where the package and what it builds lie, for tests that start the real programs.

internal import Foundation

/// The package's folders and its built products.
public enum BuildProducts {
    /// The package's root folder.
    public static let packageRoot = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// The folder of the release products: `HEAPTRAIL_BUILD_DIR` where it is set, else `.build/release`.
    public static let directory =
        ProcessInfo.processInfo.environment["HEAPTRAIL_BUILD_DIR"] ?? "\(packageRoot)/.build/release"

    /// The command-line tool.
    ///
    /// - Throws: `TestSupportError` with the command that builds it.
    public static func heaptrail() throws -> String { try product("heaptrail") }

    /// The demo workloads' executable.
    public static func demo() throws -> String { try product("heaptrail-demo") }

    /// The preload library.
    public static func preload() throws -> String { try product("libheaptrail.so") }

    /// The program that performs a plan on an allocator.
    public static func replay() throws -> String { try product("heaptrail-replay") }

    /// Whether the tool, the workloads and the preload have all been built, for a test's condition.
    public static var areBuilt: Bool {
        (try? heaptrail()) != nil && (try? demo()) != nil && (try? preload()) != nil
    }

    /// The path of a file under `Tests/Programs`.
    public static func testProgram(_ name: String) -> String { "\(packageRoot)/Tests/Programs/\(name)" }

    private static func product(_ name: String) throws -> String {
        let path = "\(directory)/\(name)"
        guard FileManager.default.fileExists(atPath: path) else {
            throw TestSupportError("\(path) is not built; type: swift build -c release && scripts/build-interposer")
        }
        return path
    }
}
