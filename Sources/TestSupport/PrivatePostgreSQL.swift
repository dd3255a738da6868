import Foundation
import Glibc
import KernelLinux
import Synchronization

/// A PostgreSQL server of the test process's own, from Debian's package: in a temporary directory, on a UNIX socket only, as an unprivileged
/// user, without fsync. It ends with the test process, also when that is killed.
public final class PrivatePostgreSQL: Sendable {
    /// The server of this process, started by the first test that asks.
    public static let shared = Result { try PrivatePostgreSQL() }

    private let directory: String
    private let programs: String
    /// Of the postmaster.
    public let processID: Int32

    /// What stands in the way, as a sentence.
    public struct Unavailable: Error, CustomStringConvertible {
        public var description: String
    }

    private static let startSeconds = 60

    private init() throws {
        programs = try Self.findPrograms()
        directory = "/tmp/neutrino-postgresql-\(getpid())"
        try? FileManager.default.removeItem(atPath: directory)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        if let user = Self.user { chown(directory, user.uid, user.gid) }
        let data = "\(directory)/data"
        try Self.run(Self.unprivileged + ["\(programs)/initdb", "-D", data, "-A", "trust", "-U", "neutrino", "-E", "UTF8", "--no-sync"])
        processID = try Self.startServer(
            Self.unprivileged + [
                // A second time, since a change of user clears the signal that the first would set.
                "setpriv", "--pdeathsig", "INT", "\(programs)/postgres", "-D", data, "-k", directory, "-c", "listen_addresses=", "-c",
                "fsync=off", "-c", "max_connections=4000", "-c", "unix_socket_permissions=0777",
            ], log: "\(directory)/log")
        Self.removeAtExit(directory, processID)
        try waitUntilReady(data)
    }

    /// A new, empty database. Returns its URL.
    public func makeDatabase() throws -> String {
        let name = "test_\(UInt64.random(in: 0...UInt64.max))"
        try Self.run(["\(programs)/createdb", "-h", directory, "-U", "neutrino", name])
        return "postgresql:///\(name)?host=\(directory)&user=neutrino"
    }

    /// Runs SQL as the superuser, in another session.
    public func execute(_ sql: String) throws {
        try Self.run(["\(programs)/psql", "-q", "-h", directory, "-U", "neutrino", "-c", sql, "postgres"])
    }

    // MARK: Programs

    private static func findPrograms() throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }.sorted()
        guard let newest = versions.last else { throw Unavailable(description: "No PostgreSQL in \(root): apt install postgresql.") }
        return "\(root)/\(newest)/bin"
    }

    /// PostgreSQL refuses to run as root; its package makes a user for it.
    private static let user: (uid: uid_t, gid: gid_t)? = {
        guard geteuid() == 0, let entry = getpwnam("postgres") else { return nil }
        return (entry.pointee.pw_uid, entry.pointee.pw_gid)
    }()

    private static var unprivileged: [String] {
        guard let user else { return [] }
        return ["setpriv", "--reuid", String(user.uid), "--regid", String(user.gid), "--clear-groups", "--"]
    }

    private static func process(_ arguments: [String]) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardInput = FileHandle.nullDevice
        return process
    }

    private static let timeoutMilliseconds = 120_000

    /// Not with Foundation's `Process`, which walks through all open descriptors, reads beyond the end of the directory's buffer where there are
    /// more than some 1,350 of them, and crashes now and then.
    private static func run(_ arguments: [String]) throws {
        // The server's user may not enter the directory of the tests.
        let result = try runProgram(["env", "--chdir=/"] + arguments, timeoutMilliseconds: timeoutMilliseconds)
        guard result.exitCode == 0 else {
            throw Unavailable(description: "\(arguments.joined(separator: " ")) failed: \(result.standardError)")
        }
    }

    /// Starts the server from a thread that lives as long as it: the kernel signals the child when the thread that made it ends, not the process.
    private static func startServer(_ arguments: [String], log: String) throws -> Int32 {
        guard FileManager.default.createFile(atPath: log, contents: nil), let output = FileHandle(forWritingAtPath: log) else {
            throw Unavailable(description: "\(log) cannot be written.")
        }
        let process = process(arguments)
        process.standardOutput = output
        process.standardError = output
        let started = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            // A server that did not start is noticed by waitUntilReady, which quotes the log.
            try? process.run()
            started.signal()
            if process.processIdentifier != 0 { process.waitUntilExit() }
        }
        started.wait()
        return process.processIdentifier
    }

    /// The eighth line of postmaster.pid tells the state.
    private func waitUntilReady(_ data: String) throws {
        let deadline = Date(timeIntervalSinceNow: TimeInterval(Self.startSeconds))
        while Date() < deadline {
            let state = (try? String(contentsOfFile: "\(data)/postmaster.pid", encoding: .utf8)) ?? ""
            let lines = state.split(separator: "\n", omittingEmptySubsequences: false)
            if lines.count > 7, lines[7].hasPrefix("ready") { return }
            usleep(20_000)
        }
        let log = (try? String(contentsOfFile: "\(directory)/log", encoding: .utf8)) ?? ""
        throw Unavailable(description: "PostgreSQL did not start within \(Self.startSeconds) s: \(log)")
    }

    // MARK: The end

    private static func removeAtExit(_ directory: String, _ processID: Int32) {
        leftovers.withLock { $0 = (directory, processID) }
        atexit {
            let (directory, processID) = PrivatePostgreSQL.leftovers.withLock { $0 }
            guard processID > 0 else { return }
            // Immediate shutdown: nothing in there is worth a checkpoint.
            kill(processID, SIGQUIT)
            // It still writes into its directory until it is gone; two seconds are plenty.
            for _ in 0..<200 where kill(processID, 0) == 0 { usleep(10_000) }
            try? FileManager.default.removeItem(atPath: directory)
        }
    }

    private static let leftovers = Mutex<(directory: String, processID: Int32)>(("", 0))
}
