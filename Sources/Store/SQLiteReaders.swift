import GRDB
import Synchronization

/// The connections of a SQLite file that read.
///
/// A read runs on a connection's own thread, and what comes meanwhile waits for the next connection that is free. Reads of a row or two may instead
/// run at once on the thread of whoever asks (``readNow(_:)``): handing them to another thread and back would cost more than the rows. GRDB's own
/// pool takes two such hops and prepares its BEGIN and COMMIT for each read.
final class SQLiteReaders: Sendable {
    private struct State {
        var idle: [DatabaseQueue]
        var waiting: [TransactionJob] = []
        var isClosed = false
        /// Reads that were handed over and have not ended.
        var count = 0
    }

    private let file: SQLiteFile
    private let limit: Int
    private let statements: ResourceSQLCache
    private let durability: CommitDurability
    private let all: [DatabaseQueue]
    private let state: Mutex<State>

    /// Opens the connections of a file that exists.
    init(file: SQLiteFile, limits: StoreLimits, statements: ResourceSQLCache, durability: CommitDurability) throws {
        self.file = file
        self.durability = durability
        self.statements = statements
        limit = limits.waitingReads
        all = try (0..<limits.readers).map { number in
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(Double(limits.busyTimeoutMilliseconds) / 1000)
            configuration.label = "store-reader-\(number)"
            return try DatabaseQueue(path: file.path, configuration: configuration)
        }
        state = Mutex(State(idle: all))
    }

    func read(_ job: TransactionJob) {
        let (reader, refusal) = state.withLock { state -> (DatabaseQueue?, String?) in
            if state.isClosed { return (nil, "the store is closed") }
            if state.count >= limit { return (nil, "\(limit) reads are waiting already") }
            state.count += 1
            let reader = state.idle.popLast()
            if reader == nil { state.waiting.append(job) }
            return (reader, nil)
        }
        if let refusal { return job.fail(StoreError.unavailable(refusal)) }
        if let reader { start(job, on: reader) }
    }

    /// Runs the body on this thread; nil, and nothing has run, when no connection is free. What it has seen may not be durable yet.
    func readNow<T>(_ body: (StoreTransaction) throws -> T) -> Result<T, any Error>? {
        guard let reader = state.withLock({ $0.isClosed ? nil : $0.idle.popLast() }) else { return nil }
        defer { if let job = nextJob(after: reader) { start(job, on: reader) } }
        return Result { try reader.unsafeReentrantRead { try transaction(on: $0, body) } }
    }

    private func start(_ job: TransactionJob, on reader: DatabaseQueue) {
        reader.asyncUnsafeRead { [self] result in
            var next: TransactionJob? = job
            while let job = next {
                answer(job, Result { try transaction(on: try result.get(), job.run) })
                state.withLock { $0.count -= 1 }
                next = nextJob(after: reader)
            }
        }
    }

    /// That something is not there is told no sooner than what is there.
    private func answer(_ job: TransactionJob, _ outcome: Result<@Sendable () -> Void, any Error>) {
        switch outcome {
        case .success(let success): durability.whenDurable(succeed: success, fail: job.fail)
        case .failure(let error): durability.whenDurable(succeed: { job.fail(error) }, fail: job.fail)
        }
    }

    /// What waits for a connection; when nothing does, the connection is free again.
    private func nextJob(after reader: DatabaseQueue) -> TransactionJob? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.idle.append(reader)
                return nil
            }
            return state.waiting.removeFirst()
        }
    }

    /// A deferred transaction: the body sees one state of the file.
    private func transaction<T>(on database: Database, _ body: (StoreTransaction) throws -> T) throws -> T {
        try file.checkLast()
        let connection = SQLiteConnection(database, path: file.path)
        _ = try connection.execute("BEGIN", [], isCached: true)
        // Ends a transaction that only read in every case; after some failures SQLite has ended it by itself.
        defer { if connection.isInTransaction { _ = try? connection.execute("ROLLBACK", [], isCached: true) } }
        return try body(StoreTransaction(connection, statements, isWritable: false))
    }

    func stop() { state.withLock { $0.isClosed = true } }

    /// Waits for the reads that run or wait. Blocks.
    func close() throws {
        stop()
        for reader in all { try reader.close() }
    }
}
