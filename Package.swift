// swift-tools-version: 6.1
import PackageDescription

// Every Swift target gets the same settings; warnings are errors unless a caller of the package asks otherwise.
let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-warnings-as-errors"]),
]

let cSettings: [CSetting] = [
    .define("_GNU_SOURCE"),
    .unsafeFlags(["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]),
]

func library(
    _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [],
    embedding resources: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(name)", exclude: exclude,
        resources: resources.map { .embedInCode($0) }, swiftSettings: swiftSettings)
}

func cLibrary(
    _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [], extra: [CSetting] = [],
    linker: [LinkerSetting] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "CShims/\(name)", exclude: exclude,
        cSettings: cSettings + extra, linkerSettings: linker)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, swiftSettings: swiftSettings)
}

let package = Package(
    name: "heaptrail",
    products: [
        .executable(name: "heaptrail", targets: ["heaptrail"]),
        .executable(name: "heaptrail-demo", targets: ["DemoWorkloads"]),
        .library(name: "SmartPointers", targets: ["SmartPointers"]),
        .library(name: "HeaptrailTags", targets: ["HeaptrailTags"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        // C: the format both sides share, the codecs of its chunks, the recorder's two halves, the debug-information shim, the public tag header.
        cLibrary("CTraceFormat", exclude: ["FORMAT.md"]),
        cLibrary("CTraceCodec", ["CTraceFormat"], linker: [.linkedLibrary("zstd")]),
        cLibrary(
            "CAttach", ["CPatch"], extra: [.headerSearchPath("."), .headerSearchPath("../CCollector")],
            linker: [.linkedLibrary("dw"), .linkedLibrary("elf")]),
        cLibrary("CCollector", ["CTraceFormat", "CPatch", "CAttach"], extra: [.headerSearchPath(".")]),
        cLibrary(
            "CInterposer", ["CTraceFormat", "CCollector", "CPatch"], exclude: ["hooks", "README.md"],
            extra: [
                .headerSearchPath("../CCollector"), .headerSearchPath("../CPatch/include"), .headerSearchPath("."),
                .unsafeFlags(["-fno-omit-frame-pointer"]),
            ]),
        cLibrary(
            "CDebugInfo",
            linker: [
                .linkedLibrary("dw"), .linkedLibrary("elf"), .linkedLibrary("iberty"), .linkedLibrary("capstone"),
            ]),
        cLibrary("CPatch", linker: [.linkedLibrary("capstone"), .linkedLibrary("elf")]),
        cLibrary("CHeaptrailTags"),
        cLibrary("CLaunch"),
        cLibrary("CMachine"),
        // The loops that perform a trace again; the program around them is built by scripts/build-interposer.
        cLibrary("CReplay", exclude: ["program", "README.md"]),

        // Swift: the analyzer, one direction: TraceReader <- HeapAnalysis <- ProfileExport, AllocatorLab <- heaptrail.
        library("TraceReader", ["CTraceFormat", "CTraceCodec", "CMachine"]),
        library("Symbolication", ["CDebugInfo"]),
        library(
            "HeapAnalysis",
            ["TraceReader", "Symbolication", "CMachine", .product(name: "DequeModule", package: "swift-collections")],
            exclude: ["Rules/README.md"],
            embedding: [
                "Rules/rust.rules", "Rules/crates.rules", "Rules/cxx.rules", "Rules/swift.rules", "Rules/c.rules",
                "Rules/leaks.suppressions",
            ]),
        library("TraceCompaction", ["TraceReader", "HeapAnalysis", "CTraceFormat"]),
        library("ProfileExport", ["HeapAnalysis", "Symbolication"]),
        library(
            "AllocatorLab",
            ["HeapAnalysis", "ProfileExport", "Symbolication", "TraceReader", "CLaunch", "CPatch", "CReplay"]),
        library("HeaptrailTags", ["CHeaptrailTags"]),
        // Lifetimes: the guard of SmartPointers' Mutex cannot leave the scope that locked.
        .target(
            name: "SmartPointers", dependencies: ["HeaptrailTags"], path: "Sources/SmartPointers",
            swiftSettings: swiftSettings + [.enableExperimentalFeature("Lifetimes")]),
        .executableTarget(
            name: "DemoWorkloads", dependencies: ["SmartPointers", "HeaptrailTags"], path: "Sources/DemoWorkloads",
            exclude: ["Rust", "README.md"], swiftSettings: swiftSettings),
        .executableTarget(
            name: "heaptrail",
            dependencies: [
                "TraceReader", "TraceCompaction", "Symbolication", "HeapAnalysis", "ProfileExport", "AllocatorLab",
                "CCollector",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Sources/heaptrail", swiftSettings: swiftSettings),

        .target(
            name: "TestSupport", dependencies: ["CTraceFormat"], path: "Tests/TestSupport",
            swiftSettings: swiftSettings),
        tests(
            "TraceReaderTests", ["TraceReader", "TraceCompaction", "CTraceFormat", "TestSupport"], exclude: ["Golden"]),
        tests(
            "TraceCompactionTests", ["TraceCompaction", "TraceReader", "HeapAnalysis", "Symbolication", "TestSupport"]),
        tests("SymbolicationTests", ["Symbolication", "TestSupport"], exclude: ["Fixtures"]),
        tests(
            "HeapAnalysisTests", ["HeapAnalysis", "Symbolication", "TraceReader", "TestSupport"],
            exclude: ["AttributionCorpus"]),
        tests("ProfileExportTests", ["ProfileExport", "HeapAnalysis", "Symbolication", "TraceReader", "TestSupport"]),
        tests("AllocatorLabTests", ["AllocatorLab", "HeapAnalysis", "ProfileExport", "Symbolication", "TestSupport"]),
        tests("CPatchTests", ["CPatch", "AllocatorLab", "TestSupport"]),
        tests("SmartPointersTests", ["SmartPointers", "HeaptrailTags", "TestSupport"]),
        // The C core's headers hold atomics, which Swift cannot see: what its tests call is this target's plain data.
        .target(
            name: "CInterposerTestSupport", dependencies: ["CInterposer", "CCollector", "CTraceFormat"],
            path: "Tests/CInterposerTestSupport",
            cSettings: cSettings + [
                .headerSearchPath("../../CShims/CInterposer"), .headerSearchPath("../../CShims/CCollector"),
                .headerSearchPath("."), .unsafeFlags(["-fno-omit-frame-pointer"]),
            ]),
        tests(
            "CInterposerTests",
            ["CInterposerTestSupport", "CInterposer", "CCollector", "CTraceFormat", "TraceReader", "TestSupport"]),
        tests("IntegrationTests", ["TestSupport", "TraceReader"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
