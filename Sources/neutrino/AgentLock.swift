import ArgumentParser
import KernelInterface
import KernelLinux
import Logging

/// Keeps a second agent from a state directory: each would end what the other starts.
enum AgentLock {
    /// A new agent may be started while the one that it replaces is ending.
    static let patienceSeconds = 10
    private static let pauseMilliseconds = 50

    /// Answers what keeps the directory for this process; nil where the file system has no locks.
    static func take(_ directory: String, _ logger: Logger) async throws -> DirectoryLock? {
        let lock: DirectoryLock
        var holder: DirectoryLock.Holder
        do throws(KernelError) {
            lock = try DirectoryLock(directory)
            holder = try lock.take()
        } catch {
            logger.warning("Nothing keeps a second agent from the state directory", metadata: ["error": "\(error)"])
            return nil
        }
        if case .other(let process) = holder {
            logger.notice("Another agent works with the state directory: waiting for its end", metadata: ["process": "\(name(process))"])
        }
        for _ in 0..<(patienceSeconds * 1000 / pauseMilliseconds) where holder != .thisProcess {
            try await Task.sleep(for: .milliseconds(pauseMilliseconds))
            holder = try lock.take()
        }
        guard case .other(let process) = holder else { return lock }
        throw CleanExit.failure(
            """
            Another agent (process \(name(process))) works with the state directory \(directory) and has not ended within \(patienceSeconds) seconds. \
            End it before you start this one; two agents of one host end what the other starts.
            """)
    }

    private static func name(_ process: Int32?) -> String { process.map(String.init) ?? "of a container" }
}
