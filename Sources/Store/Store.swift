import Logging

/// The one place that keeps state: resources, what they hold, and the log of their changes, in SQLite or PostgreSQL.
public final class Store: Sendable {
    private let backend: any StoreBackend

    /// Opens the database, checks its version and brings it up to date. Blocks meanwhile.
    public convenience init(_ location: StoreLocation, logger: Logger) throws(StoreError) {
        try self.init(location, limits: StoreLimits(), logger: logger)
    }

    init(_ location: StoreLocation, limits: StoreLimits, logger: Logger) throws(StoreError) {
        let statements = ResourceSQLCache()
        switch location {
        case .sqlite(let path): backend = try SQLiteBackend(path: path, limits: limits, logger: logger, statements: statements)
        case .postgresql(let url): backend = try PostgreSQLBackend(url: url, limits: limits, logger: logger, statements: statements)
        }
    }

    init(_ backend: any StoreBackend) { self.backend = backend }

    deinit { backend.stop() }

    /// Runs one transaction and returns when it is durable.
    ///
    /// Transactions have the effect of running one after the other, on both databases. The body may run more than once (serialisation failures
    /// are tried again), on a thread of the store: it must only touch the transaction. What it throws is thrown here, and leaves nothing behind.
    @discardableResult
    public func write<T: Sendable>(_ body: @escaping @Sendable (StoreTransaction) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { backend.write(TransactionJob(body, $0)) }
    }

    /// Runs a transaction that sees one state of the database and changes nothing.
    public func read<T: Sendable>(_ body: @escaping @Sendable (StoreTransaction) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { backend.read(TransactionJob(body, $0)) }
    }

    /// The same for a body that reads a row or a few by their keys: it may run on the caller's thread, which it must not hold for long.
    public func readBriefly<T: Sendable>(_ body: @escaping @Sendable (StoreTransaction) throws -> T) async throws -> T {
        guard let outcome = backend.readNow(body) else { return try await read(body) }
        try await backend.awaitDurability()
        return try outcome.get()
    }

    /// Yields the latest revision after each commit that appended to the change log: commits of this store at once, those of other servers
    /// on the same PostgreSQL when they notify. Coalesces. To miss nothing, take the stream first and read then.
    public func commits() -> AsyncStream<Int> { backend.commits.stream() }

    /// The latest revision that this store knows to be committed.
    public var currentRevision: Int { backend.commits.latest }

    /// Finishes what waits, ends the streams and closes the connections. Transactions are refused from now on.
    public func close() async { await backend.close() }
}
