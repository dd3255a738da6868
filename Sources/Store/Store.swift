import Logging

/// The one place that keeps state: resources, what they hold, and the log of their changes, in SQLite or PostgreSQL.
public final class Store: Sendable {
    /// Opens the database, checks its version and brings it up to date.
    public init(_ location: StoreLocation, logger: Logger) throws {}

    /// Runs one transaction and returns when it is durable.
    ///
    /// The body may run more than once (serialisation failures are tried again), on a thread of the store: it must only touch the
    /// transaction. What it throws is thrown here, and leaves nothing behind.
    public func write<T: Sendable>(_ body: @escaping @Sendable (StoreTransaction) throws -> T) async throws -> T {
        throw StoreError.unavailable("")
    }

    /// Runs a transaction that sees one state of the database and changes nothing.
    public func read<T: Sendable>(_ body: @escaping @Sendable (StoreTransaction) throws -> T) async throws -> T {
        throw StoreError.unavailable("")
    }

    /// Yields the latest revision after each commit that appended to the change log: commits of this store at once, those of other servers
    /// on the same PostgreSQL when they notify. Coalesces. To miss nothing, take the stream first and read then.
    public func commits() -> AsyncStream<Int> { AsyncStream { $0.finish() } }

    /// Finishes what waits, ends the streams and closes the connections.
    public func close() async {}
}
