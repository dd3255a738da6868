import Dispatch
import GRDB
import Glibc
import Logging
import Synchronization

/// SQLite: one file with a write-ahead log, one writer, a pool of readers.
///
/// Writes commit in groups. Callers queue up; the writer runs each body in a savepoint of one transaction, and commits once: one sync of the log
/// makes many requests durable. A body that throws is rolled back to its savepoint alone. Callers hear of their success, and those whose body threw of
/// their failure, only when the commit is durable (``CommitDurability``). While one group is synced the next one is run: it takes in all who
/// come until the sync has ended, and is committed then, once it holds as many as still wait. So of many callers half are synced while the other
/// half is run, and one who is alone waits for nobody.
///
///     write() ──► waiting ──► BEGIN IMMEDIATE ─ (SAVEPOINT, body, RELEASE)* ─ COMMIT ──► sync ──► callers resume
///                  ▲   ▲                                 │                      │
///                  │   └── more came, or a sync lasts ◄──┘                      │
///                  └────────────────── the next group ◄────────────────────────┘
final class SQLiteBackend: StoreBackend {
    private struct Waiting {
        var jobs: [TransactionJob] = []
        var isWriterAwake = false
        /// Whether the writer, while a sync is under way, waits for ``SQLiteBackend/arrival``.
        var isWriterListening = false
        var isClosed = false
        var lastTrimmedRevision = 0
    }

    private let path: String
    private let file: SQLiteFile
    private let pool: DatabasePool
    private let readers: SQLiteReaders
    private let durability: CommitDurability
    private let limits: StoreLimits
    private let logger: Logger
    private let broadcast: CommitBroadcast
    private let statements: ResourceSQLCache
    private let waiting = Mutex(Waiting())
    /// Signalled once for each time that the writer listens and somebody comes or a sync ends.
    private let arrival = DispatchSemaphore(value: 0)

    /// - Parameter synchronize: fdatasync(2).
    init(
        path: String, limits: StoreLimits, logger: Logger, statements: ResourceSQLCache,
        synchronize: @escaping @Sendable (Int32) -> Int32 = { fdatasync($0) }
    ) throws(StoreError) {
        self.path = path
        self.limits = limits
        self.logger = logger
        self.statements = statements
        try Self.checkDirectory(of: path)
        do {
            pool = try Self.open(path, limits)
            let latest = try pool.writeWithoutTransaction { database in
                // Said though GRDB says it too: checkpoints are synced by SQLite, commits by us.
                try database.execute(sql: "PRAGMA synchronous = NORMAL")
                try Self.tuneWriter(database, limits)
                return try Self.migrate(database, path: path)
            }
            durability = try CommitDurability(path: path, logger: logger, synchronize: synchronize)
            file = SQLiteFile(path: path, logger: logger)
            readers = try SQLiteReaders(file: file, limits: limits, statements: statements, durability: durability)
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
        if let failure = durability.failure { return job.fail(failure) }
        let refusal = waiting.withLock { waiting -> String? in
            if waiting.isClosed { return "the store is closed" }
            if waiting.jobs.count >= limits.waitingWrites { return "\(limits.waitingWrites) transactions are waiting already" }
            waiting.jobs.append(job)
            wake(&waiting)
            if !waiting.isWriterAwake {
                waiting.isWriterAwake = true
                // Still under the lock, so that it is in front of what close() enqueues.
                pool.asyncWriteWithoutTransaction { self.drain($0) }
            }
            return nil
        }
        if let refusal { job.fail(StoreError.unavailable(refusal)) }
    }

    /// Lets the writer look again at what there is to do, if it listens.
    private func wake(_ waiting: inout Waiting) {
        guard waiting.isWriterListening else { return }
        waiting.isWriterListening = false
        arrival.signal()
    }

    /// Commits groups until nobody waits.
    private func drain(_ database: Database) {
        let connection = SQLiteConnection(database, path: path)
        while let job = firstJob() {
            do {
                if let latest = try commit(startingWith: job, connection) { try trim(connection, latest) }
            } catch {
                // The group's callers have been told; the next group gets its own chance.
                logger.error("a commit failed", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// The first of a group; nil: nobody waits.
    private func firstJob() -> TransactionJob? {
        waiting.withLock { waiting in
            guard waiting.jobs.isEmpty else { return waiting.jobs.removeFirst() }
            waiting.isWriterAwake = false
            return nil
        }
    }

    /// Another for a group of `count`, who may still have to come; nil: it is time to commit.
    private func nextJob(after count: Int) -> TransactionJob? {
        while count < limits.groupedWrites {
            let (job, isListening) = waiting.withLock { waiting -> (TransactionJob?, Bool) in
                // A commit would wait for the sync. Without one, those behind the group have to be worth a commit of their own.
                let isSyncing = durability.isSyncing
                guard isSyncing || waiting.jobs.count > count else { return (nil, false) }
                waiting.isWriterListening = waiting.jobs.isEmpty
                return (waiting.jobs.isEmpty ? nil : waiting.jobs.removeFirst(), waiting.isWriterListening)
            }
            guard isListening else { return job }
            arrival.wait()
        }
        return nil
    }

    /// Runs a group in one transaction. Tells every caller exactly once; throws when nothing of the group was kept.
    ///
    /// - Returns: the latest revision; nil: the group got none.
    private func commit(startingWith first: TransactionJob, _ connection: SQLiteConnection) throws -> Int? {
        var group = CommitGroup()
        do {
            group.take(first)
            try file.check()
            _ = try connection.execute("BEGIN IMMEDIATE", [], isCached: true)
            connection.forgetRevision()
            let kept = KeptRows()
            try group.run(first, connection, statements, kept)
            while let job = nextJob(after: group.jobs.count) {
                group.take(job)
                try group.run(job, connection, statements, kept)
            }
        } catch {
            abandon(group, error, connection)
            throw error
        }
        durability.begins()
        do {
            _ = try connection.execute("COMMIT", [], isCached: true)
        } catch {
            end {}
            abandon(group, error, connection)
            throw error
        }
        end { [group, broadcast] in
            if let latestRevision = group.latestRevision { broadcast.publish(latestRevision) }
            group.succeed()
        } failed: { [group] in
            group.fail($0)
        }
        return group.latestRevision
    }

    private func abandon(_ group: CommitGroup, _ error: any Error, _ connection: SQLiteConnection) {
        if connection.isInTransaction { try? connection.executeScript("ROLLBACK") }
        group.fail(error)
    }

    /// COMMIT has ended.
    private func end(_ succeed: @escaping @Sendable () -> Void, failed: @escaping @Sendable (any Error) -> Void = { _ in }) {
        durability.ended(succeed: succeed, fail: failed, idle: { [self] in waiting.withLock { wake(&$0) } })
    }

    /// Drops what the change log need not keep, every ``StoreLimits/trimInterval`` revisions.
    private func trim(_ connection: SQLiteConnection, _ latest: Int) throws {
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
    func readNow<T>(_ body: (StoreTransaction) throws -> T) -> Result<T, any Error>? { readers.readNow(body) }

    func awaitDurability() async throws {
        guard durability.isBehind else { return }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            durability.whenDurable(succeed: { continuation.resume() }, fail: { continuation.resume(throwing: $0) })
        }
    }

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
        await durability.finish()
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
