import Glibc
import Logging

/// Waits for the notifications of commits, of this server and of others on the same database, on a thread of its own.
///
///     connecting ──LISTEN──► listening ──lost──► pausing (1…30 s) ──► connecting        stop() ends each of them
///
/// Whatever was missed while nobody listened, the latest revision tells: it is asked for after each LISTEN, and every few seconds as well. So a notification
/// that did not come costs seconds, and a connection whose other end is gone without a word is found to be lost.
final class PostgreSQLListener: Sendable {
    private let url: String
    private let limits: StoreLimits
    private let commits: CommitBroadcast
    private let logger: Logger
    /// Readable once ``stop()`` was called.
    private let stopDescriptor: Int32
    private let stopTrigger: Int32

    private static let longestPauseMilliseconds = 30_000

    init(url: String, limits: StoreLimits, commits: CommitBroadcast, logger: Logger) throws(StoreError) {
        self.url = url
        self.limits = limits
        self.commits = commits
        self.logger = logger
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .unavailable("no descriptor for a pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (stopDescriptor, stopTrigger) = (ends[0], ends[1])
    }

    deinit {
        Glibc.close(stopDescriptor)
        Glibc.close(stopTrigger)
    }

    func stop() {
        var byte: UInt8 = 1
        _ = Glibc.write(stopTrigger, &byte, 1)
    }

    func run() {
        var pauseMilliseconds: Int32 = 1_000
        while true {
            do throws(StoreError) {
                let connection = try PostgreSQLConnection(url: url, limits: limits)
                try connection.executeScript("LISTEN \(PostgreSQLConnection.channel)")
                try publishLatest(connection)
                pauseMilliseconds = 1_000
                if try listen(connection) == .stopped { return }
                logger.warning("the connection that listens for commits was lost")
            } catch {
                logger.warning("cannot listen for commits", metadata: ["reason": "\(error)"])
            }
            if wait(for: nil, milliseconds: pauseMilliseconds) == .stopped { return }
            pauseMilliseconds = min(pauseMilliseconds * 2, Int32(Self.longestPauseMilliseconds))
        }
    }

    private enum Event { case stopped, readable, timedOut }
    private enum End { case stopped, lost }

    private func listen(_ connection: PostgreSQLConnection) throws(StoreError) -> End {
        // First what came with the answers to earlier statements: the socket does not become readable for it again.
        while let payloads = connection.takeNotifications() {
            for revision in payloads.compactMap({ Int($0) }) { commits.publish(revision) }
            switch wait(for: connection.socketDescriptor, milliseconds: Int32(limits.revisionCheckMilliseconds)) {
            case .stopped: return .stopped
            case .readable: continue
            case .timedOut: try publishLatest(connection)
            }
        }
        return .lost
    }

    private func publishLatest(_ connection: PostgreSQLConnection) throws(StoreError) {
        if let latest = try connection.integer("SELECT max(revision) FROM change_log") { commits.publish(latest) }
    }

    private func wait(for descriptor: Int32?, milliseconds: Int32) -> Event {
        var descriptors = [pollfd(fd: stopDescriptor, events: Int16(POLLIN), revents: 0)]
        if let descriptor { descriptors.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)) }
        let count = poll(&descriptors, nfds_t(descriptors.count), milliseconds)
        if descriptors[0].revents != 0 { return .stopped }
        // An interrupted wait (-1) is like one that ended: the caller looks again.
        return count > 0 ? .readable : .timedOut
    }
}
