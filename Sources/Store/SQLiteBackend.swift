import Dispatch
import GRDB
import Glibc
import Logging
import Synchronization

/// SQLite: one file with a write-ahead log, one writer, a pool of readers.
///
/// Writes commit in groups. Callers queue up; the writer takes all that wait, and those that come while it is at it or are expected shortly
/// (``CommitPace``), runs each in a savepoint of one transaction, and commits once: one fsync makes many requests durable. A body that throws is
/// rolled back to its savepoint alone. Callers hear of their success, and those whose body threw of their failure, only when the commit is
/// durable.
///
///     write() ──► waiting ──► BEGIN IMMEDIATE ─ (SAVEPOINT, body, RELEASE)* ─ COMMIT ──► callers resume
///                  ▲   ▲                                 │                   │
///                  │   └───── more came meanwhile ◄──────┘                   │
///                  └───────── more came during the commit ◄──────────────────┘
final class SQLiteBackend: StoreBackend {
    private struct Waiting {
        var jobs: [TransactionJob] = []
        var isWriterAwake = false
        /// Whether the writer, with a group that is not complete, waits for ``SQLiteBackend/arrival``.
        var isWriterListening = false
        var pace = CommitPace()
        var isClosed = false
        var lastTrimmedRevision = 0
    }

    private let path: String
    private let file: SQLiteFile
    private let pool: DatabasePool
    private let readers: SQLiteReaders
    private let limits: StoreLimits
    private let logger: Logger
    private let broadcast: CommitBroadcast
    private let statements: ResourceSQLCache
    private let waiting = Mutex(Waiting())
    /// Signalled once for each time that the writer listens and somebody comes.
    private let arrival = DispatchSemaphore(value: 0)

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
            file = SQLiteFile(path: path, logger: logger)
            readers = try SQLiteReaders(file: file, limits: limits, statements: statements)
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
            if waiting.isWriterListening {
                waiting.isWriterListening = false
                arrival.signal()
            }
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
        while let (jobs, pace) = nextGroup() {
            do {
                try commit(jobs, pace, connection)
                try trim(connection)
            } catch {
                // The group's callers have been told; the next group gets its own chance.
                logger.error("a commit failed", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// Those who wait, and how long others are to be waited for; nil: nobody waits.
    private func nextGroup() -> ([TransactionJob], CommitPace.Group)? {
        waiting.withLock { waiting in
            guard !waiting.jobs.isEmpty else {
                waiting.isWriterAwake = false
                return nil
            }
            return (Self.take(limits.groupedWrites, from: &waiting.jobs), waiting.pace.group(startingAt: Self.nanoseconds))
        }
    }

    /// More for a group of `count`: those who came meanwhile, or come while the group may wait for them. None: it is time to commit.
    private func latecomers(after count: Int, startedAt start: UInt64, _ pace: inout CommitPace.Group) -> [TransactionJob] {
        while count < limits.groupedWrites {
            let now = Self.nanoseconds
            let (jobs, mayWait) = waiting.withLock { waiting -> ([TransactionJob], Bool) in
                // Those who are in the group already must not wait for ever longer.
                guard now < start + limits.gatheringNanoseconds else { return ([], false) }
                guard waiting.jobs.isEmpty else { return (Self.take(limits.groupedWrites - count, from: &waiting.jobs), false) }
                waiting.isWriterListening = !waiting.isClosed && pace.waits(after: count)
                return ([], waiting.isWriterListening)
            }
            guard mayWait else { return jobs }
            listen(until: min(now + pace.patienceNanoseconds, start + limits.gatheringNanoseconds))
            pace.waited(Self.nanoseconds - now)
        }
        return []
    }

    /// Waits for somebody to come. Whoever comes signals once, which is used up here.
    private func listen(until deadline: UInt64) {
        guard arrival.wait(timeout: DispatchTime(uptimeNanoseconds: deadline)) == .timedOut else { return }
        let isSignalled = waiting.withLock { waiting in
            defer { waiting.isWriterListening = false }
            return !waiting.isWriterListening
        }
        if isSignalled { arrival.wait() }
    }

    private static func take(_ count: Int, from jobs: inout [TransactionJob]) -> [TransactionJob] {
        defer { jobs.removeFirst(min(count, jobs.count)) }
        return Array(jobs.prefix(count))
    }

    private static var nanoseconds: UInt64 { DispatchTime.now().uptimeNanoseconds }

    /// Runs a group in one transaction. Tells every caller exactly once; throws when nothing of the group was kept.
    private func commit(_ first: [TransactionJob], _ pace: CommitPace.Group, _ connection: SQLiteConnection) throws {
        var group = CommitGroup()
        var pace = pace
        let start = Self.nanoseconds
        do {
            var jobs = first
            group.take(jobs)
            try file.check()
            _ = try connection.execute("BEGIN IMMEDIATE", [], isCached: true)
            connection.forgetRevision()
            let kept = KeptRows()
            while !jobs.isEmpty {
                for job in jobs { try group.run(job, connection, statements, kept) }
                jobs = latecomers(after: group.jobs.count, startedAt: start, &pace)
                group.take(jobs)
            }
            try commit(group.jobs.count, connection)
        } catch {
            if connection.isInTransaction { try? connection.executeScript("ROLLBACK") }
            group.fail(error)
            throw error
        }
        if let latestRevision = group.latestRevision { broadcast.publish(latestRevision) }
        group.succeed()
    }

    /// Makes durable what `count` transactions did.
    private func commit(_ count: Int, _ connection: SQLiteConnection) throws {
        let start = Self.nanoseconds
        _ = try connection.execute("COMMIT", [], isCached: true)
        let now = Self.nanoseconds
        waiting.withLock { waiting in
            waiting.pace.note(count: count, waiting: waiting.jobs.count, commitNanoseconds: now - start, now: now)
        }
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
