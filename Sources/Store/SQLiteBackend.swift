import Dispatch
import GRDB
import Glibc
import Logging
import Synchronization

/// SQLite: one file with a write-ahead log, one writer, a pool of readers.
///
/// Writes commit in groups. Callers queue up; the writer takes all that wait, runs each in a savepoint of one transaction, and commits once:
/// one fsync makes many requests durable. A body that throws is rolled back to its savepoint alone. Callers hear of their success, and those
/// whose body threw of their failure, only when the commit is durable.
///
///     write() ──► waiting ──► BEGIN IMMEDIATE ─ (SAVEPOINT, body, RELEASE)* ─ COMMIT ──► callers resume
///                    ▲                                                             │
///                    └──────────────── more came meanwhile ◄───────────────────────┘
final class SQLiteBackend: StoreBackend {
    private struct Waiting {
        var jobs: [TransactionJob] = []
        var isWriterAwake = false
        var isClosed = false
        var lastTrimmedRevision = 0
    }

    private let path: String
    private let pool: DatabasePool
    private let readers: SQLiteReaders
    private let limits: StoreLimits
    private let logger: Logger
    private let broadcast: CommitBroadcast
    private let statements: ResourceSQLCache
    private let waiting = Mutex(Waiting())

    init(path: String, limits: StoreLimits, logger: Logger, statements: ResourceSQLCache) throws(StoreError) {
        self.path = path
        self.limits = limits
        self.logger = logger
        self.statements = statements
        try Self.checkDirectory(of: path)
        do {
            pool = try Self.open(path, limits)
            let latest = try pool.writeWithoutTransaction { database in
                // After GRDB, which settles for NORMAL in WAL mode: an answered request must survive a power failure.
                try database.execute(sql: "PRAGMA synchronous = FULL")
                try Self.tuneWriter(database, limits)
                return try Self.migrate(database, path: path)
            }
            readers = try SQLiteReaders(path: path, limits: limits, statements: statements)
            broadcast = CommitBroadcast(latest: latest)
        } catch let error as StoreError {
            throw error
        } catch let error as DatabaseError {
            throw SQLiteConnection.storeError(
                code: error.extendedResultCode.rawValue, message: error.message ?? error.description, path: path)
        } catch {
            throw .unavailable("\(path): \(error)")
        }
    }

    var commits: CommitBroadcast { broadcast }

    // MARK: Opening

    private static func checkDirectory(of path: String) throws(StoreError) {
        let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        var status = stat()
        guard stat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { throw .missingDirectory(directory) }
        if access(path, F_OK) == 0, access(path, R_OK | W_OK) != 0 { throw .notWritable(path) }
        if access(directory, W_OK) != 0 { throw .notWritable(path) }
    }

    private static func open(_ path: String, _ limits: StoreLimits) throws -> DatabasePool {
        // A new file is its owner's alone, and with it SQLite's files beside it: it holds hashes of passwords and keys of tokens. Where it cannot be
        // made, opening says why.
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 { Glibc.close(descriptor) }
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(Double(limits.busyTimeoutMilliseconds) / 1000)
        // What reads has connections of its own: SQLiteReaders.
        configuration.maximumReaderCount = 1
        configuration.label = "store"
        return try DatabasePool(path: path, configuration: configuration)
    }

    /// Settings of the connection that writes. None of them weakens what a commit promises.
    private static func tuneWriter(_ database: Database, _ limits: StoreLimits) throws {
        // What a savepoint may have to undo is kept in memory, not in a temporary file: bodies touch more pages than SQLite keeps by itself.
        try database.execute(sql: "PRAGMA temp_store = MEMORY")
        // Negative: KiB instead of pages. New rows fall on random pages of the indexes by identity, which the default of 2 MiB does not hold.
        try database.execute(sql: "PRAGMA cache_size = -\(limits.writerCacheKiB)")
        // A page that many commits change is copied into the database file once.
        try database.execute(sql: "PRAGMA wal_autocheckpoint = \(limits.checkpointPages)")
    }

    /// Checks the file and brings the schema up to date. Returns the latest revision.
    private static func migrate(_ database: Database, path: String) throws -> Int {
        let connection = SQLiteConnection(database, path: path)
        let verdict = try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "no answer"
        guard verdict == "ok" else { throw StoreError.corrupt("\(path) is damaged (\(verdict))") }
        try connection.executeScript("BEGIN IMMEDIATE")
        do {
            try Migrator(connection: connection, location: .sqlite(path: path)).run()
            try connection.executeScript("COMMIT")
        } catch {
            if connection.isInTransaction { try connection.executeScript("ROLLBACK") }
            throw error
        }
        return try connection.integer("SELECT max(revision) FROM change_log") ?? 0
    }

    // MARK: Writing

    func write(_ job: TransactionJob) {
        let refusal = waiting.withLock { waiting -> String? in
            if waiting.isClosed { return "the store is closed" }
            if waiting.jobs.count >= limits.waitingWrites { return "\(limits.waitingWrites) transactions are waiting already" }
            waiting.jobs.append(job)
            if !waiting.isWriterAwake {
                waiting.isWriterAwake = true
                // Still under the lock, so that it is in front of what close() enqueues.
                pool.asyncWriteWithoutTransaction { self.drain($0) }
            }
            return nil
        }
        if let refusal { job.fail(StoreError.unavailable(refusal)) }
    }

    /// Commits groups until nobody waits.
    private func drain(_ database: Database) {
        let connection = SQLiteConnection(database, path: path)
        while let group = nextGroup() {
            do {
                try commit(group, connection)
                try trim(connection)
            } catch {
                // The group's callers have been told; the next group gets its own chance.
                logger.error("a commit failed", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func nextGroup() -> [TransactionJob]? {
        waiting.withLock { waiting in
            guard !waiting.jobs.isEmpty else {
                waiting.isWriterAwake = false
                return nil
            }
            let group = Array(waiting.jobs.prefix(limits.groupedWrites))
            waiting.jobs.removeFirst(group.count)
            return group
        }
    }

    /// Runs a group in one transaction. Tells every caller exactly once; throws when nothing of the group was kept.
    private func commit(_ group: [TransactionJob], _ connection: SQLiteConnection) throws {
        var successes: [@Sendable () -> Void] = []
        var failures: [(job: TransactionJob, error: any Error)] = []
        var latestRevision: Int?
        do {
            _ = try connection.execute("BEGIN IMMEDIATE", [], isCached: true)
            connection.forgetRevision()
            let kept = KeptRows()
            for job in group {
                _ = try connection.execute("SAVEPOINT body", [], isCached: true)
                let outcome = Result { try run(job, connection, kept) }
                switch outcome {
                case .success(let (success, revision)):
                    _ = try connection.execute("RELEASE body", [], isCached: true)
                    successes.append(success)
                    latestRevision = revision ?? latestRevision
                case .failure(let error):
                    // After a failure such as a full disk SQLite has rolled back everything by itself; this throws then.
                    connection.forgetRevision()
                    kept.forgetAll()
                    _ = try connection.execute("ROLLBACK TO body", [], isCached: true)
                    _ = try connection.execute("RELEASE body", [], isCached: true)
                    failures.append((job, error))
                }
            }
            _ = try connection.execute("COMMIT", [], isCached: true)
        } catch {
            if connection.isInTransaction { try? connection.executeScript("ROLLBACK") }
            for job in group { job.fail(error) }
            throw error
        }
        if let latestRevision { broadcast.publish(latestRevision) }
        for success in successes { success() }
        for (job, error) in failures { job.fail(error) }
    }

    private func run(_ job: TransactionJob, _ connection: SQLiteConnection, _ kept: KeptRows) throws -> (@Sendable () -> Void, Int?) {
        let transaction = StoreTransaction(connection, statements, isWritable: true, kept: kept)
        let success = try job.run(transaction)
        return (success, try transaction.finish())
    }

    /// Drops what the change log need not keep, every ``StoreLimits/trimInterval`` revisions.
    private func trim(_ connection: SQLiteConnection) throws {
        let latest = broadcast.latest
        let isDue = waiting.withLock { waiting in
            guard latest - waiting.lastTrimmedRevision >= limits.trimInterval else { return false }
            waiting.lastTrimmedRevision = latest
            return true
        }
        guard isDue else { return }
        _ = try connection.execute(
            "DELETE FROM change_log WHERE revision <= ?", [.integer(latest - limits.retainedRevisions)], isCached: true)
    }

    // MARK: Reading

    func read(_ job: TransactionJob) { readers.read(job) }
    func readNow<T>(_ body: (StoreTransaction) throws -> T) throws -> T? { try readers.readNow(body) }

    func stop() {
        waiting.withLock { $0.isClosed = true }
        readers.stop()
    }

    func close() async {
        stop()
        // Behind everything that the writer has to do; the readers are waited for on a thread that may block.
        await withCheckedContinuation { continuation in
            pool.asyncWriteWithoutTransaction { _ in continuation.resume() }
        }
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { [self] in
                do {
                    try readers.close()
                    try pool.close()
                } catch {
                    logger.warning("the database did not close cleanly", metadata: ["reason": "\(error)"])
                }
                continuation.resume()
            }
        }
        broadcast.finish()
    }
}
