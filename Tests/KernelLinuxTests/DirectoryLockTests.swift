import Glibc
import KernelInterface
import Testing

@testable import KernelLinux

@Suite struct DirectoryLockTests {
    private let host = LinuxProcessHost()

    /// A process that has the lock of a directory, as another agent would; it ends when nothing refers to it any more.
    private final class Other {
        let child: ChildProcess

        init(_ directory: String) throws {
            // flock(1) locks the same way, and becomes what waits.
            child = try ChildProcess(
                ["flock", "--no-fork", directory, "sleep", "1000"], input: nil, output: nil, error: nil, "run flock")
        }

        deinit {
            child.kill()
            _ = child.reap()
        }
    }

    private func withDirectory(_ body: (String) throws -> Void) throws {
        let directory = "/tmp/neutrino-lock-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try host.writeFile(directory + "/other", "")
        defer { try? host.removeFile(directory) }
        try body(directory)
    }

    @Test("Who comes second is told who was first, and has the lock as soon as that one ends, by whatever signal")
    func second() throws {
        try withDirectory { directory in
            let lock = try DirectoryLock(directory)
            try holding(directory) { other in
                // It becomes what waits when it has the lock.
                #expect(RealKernel.eventually { host.process(id: other)?.program == "sleep" })
                let holder = try lock.take()
                #expect(holder == .other(other))
            }
            #expect(try lock.take() == .thisProcess)
            #expect(try DirectoryLock(directory).take() == .other(getpid()))
        }
    }

    private func holding(_ directory: String, _ body: (Int32) throws -> Void) throws {
        let other = try Other(directory)
        try withExtendedLifetime(other) { try body(other.child.id) }
    }

    @Test("Daemons that outlive their agent do not keep its lock")
    func daemons() throws {
        try withDirectory { directory in
            let mark = "1002.\(getpid())"
            defer { for process in host.processes(marked: mark) { kill(process.id, SIGKILL) } }
            do {
                let lock = try DirectoryLock(directory)
                #expect(try lock.take() == .thisProcess)
                try host.start(["sh", "-c", "setsid tail -s \(mark) -f /dev/null >/dev/null 2>&1 &"], in: nil, timeoutMilliseconds: 5000)
                #expect(RealKernel.eventually { host.processes(marked: mark).contains { $0.program == "tail" } })
            }
            #expect(try DirectoryLock(directory).take() == .thisProcess)
        }
    }

    @Test("A directory that is not there is an error that names it")
    func missing() {
        let error = #expect(throws: KernelError.self) { try DirectoryLock("/neutrino-no-such-directory") }
        #expect(error?.description == "cannot open /neutrino-no-such-directory: No such file or directory")
    }
}
