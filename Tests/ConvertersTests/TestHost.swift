import Foundation
import Glibc
import KernelLinux
import Synchronization
import Testing

/// What a program said and how it ended.
struct Output {
    var status: Int32
    var text: String
}

/// Why tests with real namespaces cannot run, as the comment of a trait.
let needsRoot: Comment = "needs root: it makes network namespaces"
let isRoot = geteuid() == 0

/// Network namespaces and files of one test, removed at its end. Names are unique among all runs on the machine.
final class TestHost: Sendable {
    private static let counter = Atomic<Int>(0)
    /// Nothing that a test starts may take longer.
    static let timeoutMilliseconds = 20_000

    let prefix: String
    let directory: String
    private let names = Mutex<[String]>([])

    init() throws {
        prefix = "ntest-\(getpid())-\(Self.counter.add(1, ordering: .relaxed).newValue)-"
        directory = "/tmp/\(prefix)files"
        // dnsmasq reads its files without root's rights.
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    }

    /// Removes everything, what runs inside included.
    func remove() {
        for name in names.withLock({ $0 }) {
            for process in (try? run("ip netns pids \(name)"))?.text.split(separator: "\n") ?? [] {
                if let id = Int32(process) { kill(id, SIGKILL) }
            }
            _ = try? run("ip netns del \(name)")
        }
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Makes a namespace and answers its whole name.
    func namespace(_ name: String) throws -> String {
        let name = prefix + name
        try expect("ip netns add \(name) && ip -n \(name) link set lo up")
        names.withLock { $0.append(name) }
        return name
    }

    /// Runs a shell script, in a namespace if one is named; standard error is part of the text.
    @discardableResult
    func run(_ script: String, in namespace: String? = nil) throws -> Output {
        let environment = ["env", "--ignore-environment", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        let shell = ["sh", "-c", "exec 2>&1\n" + script]
        let result = try runProgram(
            environment + (namespace.map { ["ip", "netns", "exec", $0] } ?? []) + shell, timeoutMilliseconds: Self.timeoutMilliseconds)
        return Output(status: result.exitCode, text: result.standardOutput + result.standardError)
    }

    /// Runs a script that must succeed.
    func expect(_ script: String, in namespace: String? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let output = try run(script, in: namespace)
        #expect(output.status == 0, "\(script): \(output.text)", sourceLocation: sourceLocation)
    }

    func write(_ name: String, _ contents: String) throws -> String {
        let path = name.hasPrefix("/") ? name : "\(directory)/\(name)"
        let parent = URL(fileURLWithPath: path).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        try contents.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }
}
