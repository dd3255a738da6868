// swift-tools-version: 6.2
import PackageDescription

// Warnings are errors in our own targets; packages that we depend on keep their own settings.
// Release builds also specialise generic code of one room where another uses it: rooms are many, and resources generic.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

/// A room of the project (see ARCHITECTURE.md). Imports point down only.
func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// The rooms that use no package at all: they build and test in seconds with `NEUTRINO_ROOMS=pure swift test`.
let pureRooms: [Target] = [
    // Level 0 and 1: values.
    room("Addressing"),
    room("NetworkModel", ["Addressing"]),
    // Level 2: contracts.
    room("APISchema", ["Addressing", "NetworkModel"]),
    room("HostModel", ["Addressing", "NetworkModel"]),
    room("KernelInterface", ["Addressing"]),
    // Level 3.
    room("AccessPolicy", ["APISchema"]),
    room("Drivers", ["Addressing", "KernelInterface"]),
    room("ServiceProcesses", ["Addressing", "KernelInterface"]),
    room("Election", ["Addressing", "NetworkModel"]),
    room("Metadata", ["Addressing", "NetworkModel", "APISchema", "HostModel"]),
    // Level 4.
    room("HostProjection", ["Addressing", "NetworkModel", "HostModel", "Metadata"]),
    room("Converters", ["Addressing", "NetworkModel", "HostModel", "KernelInterface", "ServiceProcesses"]),
    // The kernels behind KernelInterface.
    .target(name: "CLinux"),
    .systemLibrary(name: "CNftables", pkgConfig: "libnftables", providers: [.apt(["libnftables-dev"])]),
    room("KernelLinux", ["Addressing", "KernelInterface", "CLinux", "CNftables"]),
    room("FakeKernel", ["Addressing", "KernelInterface"]),
    room("ElectionService", ["Addressing", "NetworkModel", "Election", "ServiceProcesses", "KernelInterface", "CLinux"]),

    // What every kernel must do; the tests of both kernels run it.
    .target(
        name: "KernelConformance", dependencies: ["Addressing", "KernelInterface"], path: "Tests/KernelConformance", swiftSettings: strict),

    tests("AccessPolicyTests", ["APISchema", "AccessPolicy"]),
    tests("AddressingTests", ["Addressing"]),
    tests("APISchemaTests", ["Addressing", "NetworkModel", "APISchema"]),
    tests("MetadataTests", ["Addressing", "NetworkModel", "APISchema", "HostModel", "Metadata"]),
    tests("ElectionTests", ["Addressing", "NetworkModel", "Election"]),
    tests("HostProjectionTests", ["Addressing", "NetworkModel", "HostModel", "HostProjection"]),
    tests("NetworkModelTests", ["Addressing", "NetworkModel"]),
    tests(
        "ConvertersTests",
        ["Addressing", "NetworkModel", "HostModel", "KernelInterface", "KernelLinux", "ServiceProcesses", "Drivers", "Converters"]),
    tests(
        "ElectionServiceTests",
        ["Addressing", "NetworkModel", "Election", "ElectionService", "ServiceProcesses", "KernelInterface", "KernelLinux", "CLinux"]),
    tests("ServiceProcessesTests", ["Addressing", "KernelInterface", "ServiceProcesses"]),
    tests("KernelLinuxTests", ["Addressing", "KernelInterface", "KernelLinux", "KernelConformance", "CLinux"]),
    tests("DriversTests", ["Addressing", "KernelInterface", "Drivers", "FakeKernel"]),
    tests("FakeKernelTests", ["Addressing", "KernelInterface", "FakeKernel", "KernelConformance"]),
]

// How long a host with many HA routers takes (scripts/bench-routers): no part of the product, and built only by itself.
let benchmarks: [Target] = [
    .executableTarget(
        name: "RouterBench",
        dependencies: ["Addressing", "NetworkModel", "HostModel", "KernelInterface", "Converters", "Drivers", "KernelLinux"],
        path: "Tests/RouterBench", swiftSettings: strict)
]

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let sqlite = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqliteLibrary = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")

/// The rooms that need a database but no HTTP: `NEUTRINO_ROOMS=store swift test`.
let storeRooms: [Target] = [
    .systemLibrary(name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    room("Store", ["Addressing", "NetworkModel", "APISchema", "CPostgreSQL", sqlite, sqliteLibrary, log]),
    room("Operations", ["Addressing", "NetworkModel", "APISchema", "AccessPolicy", "HostModel", "Store", log]),
    room("Identity", ["NetworkModel", "APISchema", crypto, cryptoExtras]),
    room("IdentityService", ["NetworkModel", "APISchema", "AccessPolicy", "Identity", "Store", log]),
    room("TestSupport", ["Addressing", "KernelLinux", "NetworkModel", "APISchema", "Store", "Operations", log]),

    tests("StoreTests", ["Addressing", "NetworkModel", "APISchema", "KernelLinux", "Store", "TestSupport", sqlite, log]),
    tests(
        "OperationsTests",
        ["Addressing", "NetworkModel", "APISchema", "AccessPolicy", "HostModel", "Store", "Operations", "TestSupport"]),
    tests("IdentityTests", ["APISchema", "Identity"]),
    tests(
        "IdentityServiceTests",
        ["NetworkModel", "APISchema", "AccessPolicy", "Identity", "IdentityService", "Store", "TestSupport", log]),
]

let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

/// The rooms that speak HTTP, the lab, and the executable.
let wholeRooms: [Target] = [
    room(
        "ControllerServer",
        [
            "Addressing", "NetworkModel", "APISchema", "AccessPolicy", "Identity", "IdentityService", "Store", "Operations", "HostModel",
            "HostProjection", hummingbird, httpClient, log, lifecycle, yaml,
        ]),
    room(
        "AgentRuntime",
        [
            "Addressing", "NetworkModel", "HostModel", "KernelInterface", "Election", "Converters", "Drivers", "ServiceProcesses",
            "Metadata", httpClient, log, lifecycle,
        ]),
    room(
        "MetadataService", ["Addressing", "NetworkModel", "Metadata", hummingbird, httpClient, crypto, log, lifecycle]),
    tests(
        "MetadataServiceTests",
        [
            "Addressing", "NetworkModel", "APISchema", "HostModel", "Metadata", "MetadataService", "TestSupport", "CLinux", hummingbird,
            httpClient, crypto, log, lifecycle,
        ]),
    tests(
        "AgentRuntimeTests",
        [
            "Addressing", "NetworkModel", "HostModel", "KernelInterface", "Converters", "Drivers", "Election", "ServiceProcesses",
            "AgentRuntime", "FakeKernel", "TestSupport", hummingbird, log, lifecycle,
        ]),
    room(
        "Lab",
        ["Addressing", "NetworkModel", "APISchema", "HostModel", "Metadata", "KernelInterface", "KernelLinux", "CLinux", httpClient, log]),
    .executableTarget(
        name: "neutrino",
        dependencies: [
            "AccessPolicy", "Addressing", "APISchema", "NetworkModel", "KernelInterface", "HostProjection", "Converters",
            "ControllerServer",
            "AgentRuntime", "Drivers", "Election", "ElectionService", "HostModel", "Metadata", "MetadataService", "ServiceProcesses",
            "Identity",
            "IdentityService", "KernelLinux", "Lab", "Store", "Operations",
            arguments, log, lifecycle,
        ],
        swiftSettings: strict),
    // These also run the executable itself, which `swift build --build-tests` puts beside the tests.
    tests(
        "ControllerServerTests",
        [
            "Addressing", "NetworkModel", "APISchema", "AccessPolicy", "HostModel", "HostProjection", "Store", "Operations", "Identity",
            "IdentityService", "ControllerServer", "CLinux", "TestSupport", hummingbird, httpClient, log, lifecycle,
        ]),
    tests("LabTests", ["Addressing", "APISchema", "HostModel", "Lab"]),
]

let storePackages: [Package.Dependency] = [
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
]

let wholePackages: [Package.Dependency] = [
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
]

// NEUTRINO_ROOMS=pure|store leaves the rooms above out, for quick work on the rooms below.
let rooms = Context.environment["NEUTRINO_ROOMS"] ?? "all"

let package = Package(
    name: "neutrino",
    dependencies: rooms == "pure" ? [] : rooms == "store" ? storePackages : storePackages + wholePackages,
    targets: rooms == "pure" ? pureRooms + benchmarks : rooms == "store" ? pureRooms + storeRooms : pureRooms + storeRooms + wholeRooms,
    swiftLanguageModes: [.v6]
)
