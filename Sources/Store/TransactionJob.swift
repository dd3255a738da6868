/// A transaction that waits for a connection, with its caller's type erased.
struct TransactionJob: Sendable {
    /// Runs the body. What it returns hands the result to the caller: to be called once the commit is durable.
    let run: @Sendable (StoreTransaction) throws -> @Sendable () -> Void
    /// Tells the caller that nothing was kept.
    let fail: @Sendable (any Error) -> Void

    init<T: Sendable>(
        _ body: @escaping @Sendable (StoreTransaction) throws -> T, _ continuation: CheckedContinuation<T, any Error>
    ) {
        run = { transaction in
            let value = try body(transaction)
            return { continuation.resume(returning: value) }
        }
        fail = { continuation.resume(throwing: $0) }
    }
}

/// A database: takes transactions and runs each on one of its connections.
protocol StoreBackend: Sendable {
    func write(_ job: TransactionJob)
    func read(_ job: TransactionJob)
    /// Runs the body of a reading transaction on the caller's thread, if that is possible at once; nil, and nothing has run, when it is not.
    /// Nobody may hear of the result before ``awaitDurability()``.
    func readNow<T>(_ body: (StoreTransaction) throws -> T) -> Result<T, any Error>?
    /// Returns when all that was committed until now is durable.
    func awaitDurability() async throws
    var commits: CommitBroadcast { get }
    /// Refuses further jobs and lets the threads end when nothing waits any more. Does not wait for that.
    func stop()
    /// ``stop()``, and waits until the connections are closed.
    func close() async
}
