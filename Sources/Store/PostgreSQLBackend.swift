import APISchema
import Dispatch
import Foundation
import Logging
import Synchronization

/// PostgreSQL: a bounded pool of connections, each with a thread of its own, since libpq's calls block. (`Thread` is why this file imports
/// Foundation.)
///
/// Writing transactions are SERIALIZABLE: a verb checks and then writes (quota, overlap, in use), and must not need locks to be right; it has
/// the meaning that SQLite's single writer gives it. What PostgreSQL refuses as a conflict runs again, here and only here:
///
///                      ┌──────────── conflict, at most `attempts` times, jittered pause, now with the turn ────────┐
///                      ▼                                                                                           │
///     waiting ──► [take the turn] ─► BEGIN ─► body ─► foreign keys ─► lock, revision, change log, NOTIFY ─► COMMIT ─┴─► caller resumes
///
/// The turn is a lock on a small table. While some transaction of this server is being retried, all of this server take it first, so
/// that transactions that would only defeat each other run one after the other.
final class PostgreSQLBackend: StoreBackend {
    let commits: CommitBroadcast
    private let url: String
    private let limits: StoreLimits
    private let logger: Logger
    private let statements: ResourceSQLCache
    private let writes: BlockingQueue<TransactionJob>
    private let reads: BlockingQueue<TransactionJob>
    private let listener: PostgreSQLListener
    private let threads = DispatchGroup()
    /// Transactions that met a conflict and have not ended.
    private let retrying = Mutex(0)
    private let lastTrimmedRevision = Mutex(0)

    init(url: String, limits: StoreLimits, logger: Logger, statements: ResourceSQLCache) throws(StoreError) {
        self.url = url
        self.limits = limits
        self.logger = logger
        self.statements = statements
        commits = CommitBroadcast(latest: try Self.migrate(url, limits))
        writes = BlockingQueue(limit: limits.waitingWrites, consumers: limits.writers)
        reads = BlockingQueue(limit: limits.waitingReads, consumers: limits.readers)
        listener = try PostgreSQLListener(url: url, limits: limits, commits: commits, logger: logger)
        for _ in 0..<limits.writers { start("store-writer") { $0.serve($0.writes, isWriter: true) } }
        for _ in 0..<limits.readers { start("store-reader") { $0.serve($0.reads, isWriter: false) } }
        start("store-listener") { $0.listener.run() }
    }

    /// Brings the schema up to date, alone: servers that start together take turns. Returns the latest revision.
    private static func migrate(_ url: String, _ limits: StoreLimits) throws(StoreError) -> Int {
        let connection = try PostgreSQLConnection(url: url, limits: limits)
        try connection.executeScript("BEGIN; SELECT pg_advisory_xact_lock(\(migrationLock))")
        // What throws closes the connection, and with it the transaction.
        try Migrator(connection: connection, location: .postgresql(url: url)).run()
        try connection.executeScript("COMMIT")
        return try connection.integer("SELECT max(revision) FROM change_log") ?? 0
    }

    /// An arbitrary number, the same in all versions.
    private static let migrationLock = 7_382_660_111

    func write(_ job: TransactionJob) { put(job, in: writes, limit: limits.waitingWrites) }

    func read(_ job: TransactionJob) { put(job, in: reads, limit: limits.waitingReads) }

    /// Every statement waits for the other end of a connection.
    func readNow<T>(_ body: (StoreTransaction) throws -> T) -> Result<T, any Error>? { nil }

    /// PostgreSQL shows what is durable.
    func awaitDurability() async throws {}

    private func put(_ job: TransactionJob, in queue: BlockingQueue<TransactionJob>, limit: Int) {
        switch queue.put(job) {
        case nil: break
        case .closed: job.fail(StoreError.unavailable("the store is closed"))
        case .full: job.fail(StoreError.unavailable("\(limit) transactions are waiting already"))
        }
    }

    func stop() {
        writes.close()
        reads.close()
        listener.stop()
    }

    func close() async {
        stop()
        await withCheckedContinuation { continuation in
            threads.notify(queue: .global()) { continuation.resume() }
        }
        commits.finish()
    }

    // MARK: Threads

    private func start(_ name: String, _ body: @escaping @Sendable (PostgreSQLBackend) -> Void) {
        threads.enter()
        let thread = Thread { [self] in
            body(self)
            threads.leave()
        }
        thread.name = name
        thread.start()
    }

    private func serve(_ queue: BlockingQueue<TransactionJob>, isWriter: Bool) {
        var connection: PostgreSQLConnection?
        while let job = queue.take() {
            if isWriter { write(job, &connection) } else { read(job, &connection) }
        }
    }

    /// The thread's connection, made anew when the server has gone away since.
    private func opened(_ connection: inout PostgreSQLConnection?) throws(StoreError) -> PostgreSQLConnection {
        if let connection, connection.isAlive {
            connection.forgetFailure()
            return connection
        }
        connection = nil
        let fresh = try PostgreSQLConnection(url: url, limits: limits)
        connection = fresh
        return fresh
    }

    // MARK: Writing

    private func write(_ job: TransactionJob, _ connection: inout PostgreSQLConnection?) {
        var isRetrying = false
        defer { if isRetrying { retrying.withLock { $0 -= 1 } } }
        var attempt = 1
        while true {
            let takesTurn = retrying.withLock { $0 > 0 }
            switch attemptWrite(job, &connection, takesTurn: takesTurn) {
            case .done: return
            case .failed(let error): return job.fail(error)
            case .mayRetry(let error, let onlyOnce):
                guard attempt < (onlyOnce ? 2 : limits.attempts) else { return job.fail(error) }
                logger.debug("a transaction runs again", metadata: ["attempt": "\(attempt)", "reason": "\(error)"])
            }
            if !isRetrying {
                isRetrying = true
                retrying.withLock { $0 += 1 }
            }
            pause(before: attempt + 1)
            attempt += 1
        }
    }

    private enum Outcome {
        case done
        case failed(any Error)
        /// Nothing was kept, and a second run may end differently.
        case mayRetry(any Error, onlyOnce: Bool)
    }

    private func attemptWrite(_ job: TransactionJob, _ slot: inout PostgreSQLConnection?, takesTurn: Bool) -> Outcome {
        let connection: PostgreSQLConnection
        do throws(StoreError) { connection = try opened(&slot) } catch { return .failed(error) }
        let success: @Sendable () -> Void
        let revision: Int?
        do {
            try connection.executeScript("BEGIN ISOLATION LEVEL SERIALIZABLE")
            // LOCK TABLE takes no snapshot: what the body sees begins when the turn has come.
            if takesTurn { try connection.executeScript("LOCK TABLE metadata IN SHARE UPDATE EXCLUSIVE MODE") }
            let transaction = StoreTransaction(connection, statements, isWritable: true)
            success = try job.run(transaction)
            revision = try transaction.finish()
        } catch {
            return rolledBack(connection, error, hadTurn: takesTurn)
        }
        do {
            try connection.executeScript("COMMIT")
        } catch {
            if connection.failure?.isConnectionLost == true {
                return .failed(StoreError.unavailable("the connection was lost during a commit, which may or may not have happened"))
            }
            return rolledBack(connection, error, hadTurn: takesTurn)
        }
        if let revision {
            commits.publish(revision)
            trim(connection, latest: revision)
        }
        success()
        return .done
    }

    private func rolledBack(_ connection: PostgreSQLConnection, _ error: any Error, hadTurn: Bool) -> Outcome {
        let failure = connection.failure
        if connection.isAlive { try? connection.executeScript("ROLLBACK") }
        guard let failure else { return .failed(error) }
        // The database's word, whatever the body made of it.
        let reason = connection.storeError(failure)
        if failure.isConflict { return .mayRetry(reason, onlyOnce: false) }
        if failure.isConnectionLost { return .mayRetry(reason, onlyOnce: true) }
        return failure.isViolation && !hadTurn ? .mayRetry(reason, onlyOnce: true) : .failed(error)
    }

    private func pause(before attempt: Int) {
        let longest = min(1 << min(attempt - 2, 16), limits.longestBackoffMilliseconds)
        usleep(UInt32.random(in: 0...UInt32(longest * 1000)))
    }

    /// Drops what the change log need not keep, every ``StoreLimits/trimInterval`` revisions.
    private func trim(_ connection: PostgreSQLConnection, latest: Int) {
        let isDue = lastTrimmedRevision.withLock { last in
            guard latest - last >= limits.trimInterval else { return false }
            last = latest
            return true
        }
        guard isDue else { return }
        do {
            _ = try connection.execute(
                "DELETE FROM change_log WHERE revision <= ?", [.integer(latest - limits.retainedRevisions)], isCached: true)
        } catch {
            logger.warning("the change log was not trimmed", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: Reading

    /// Repeatable read: the body sees one state. A lost connection is tried once more: reading twice harms nobody.
    private func read(_ job: TransactionJob, _ slot: inout PostgreSQLConnection?) {
        var isLastAttempt = false
        while true {
            let failure: any Error
            do {
                let connection = try opened(&slot)
                do {
                    try connection.executeScript("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    let success = try job.run(StoreTransaction(connection, statements, isWritable: false))
                    try connection.executeScript("COMMIT")
                    return success()
                } catch {
                    failure = error
                    if connection.isAlive {
                        try? connection.executeScript("ROLLBACK")
                        return job.fail(error)
                    }
                }
            } catch {
                return job.fail(error)
            }
            if isLastAttempt { return job.fail(failure) }
            isLastAttempt = true
        }
    }
}
