/// The transactions of one commit of SQLite, and what became of them.
struct CommitGroup: Sendable {
    private(set) var jobs: [TransactionJob] = []
    private var successes: [@Sendable () -> Void] = []
    private var failures: [(job: TransactionJob, error: any Error)] = []
    /// The last revision that one of them got.
    private(set) var latestRevision: Int?

    /// Takes a transaction in: from now on it hears of the commit.
    mutating func take(_ job: TransactionJob) { jobs.append(job) }

    /// Runs one of them in a savepoint. What its body throws is its own affair; throws when the whole group is lost.
    mutating func run(_ job: TransactionJob, _ connection: SQLiteConnection, _ statements: ResourceSQLCache, _ kept: KeptRows) throws {
        _ = try connection.execute("SAVEPOINT body", [], isCached: true)
        let transaction = StoreTransaction(connection, statements, isWritable: true, kept: kept)
        switch Result(catching: { (success: try job.run(transaction), revision: try transaction.finish()) }) {
        case .success(let outcome):
            _ = try connection.execute("RELEASE body", [], isCached: true)
            successes.append(outcome.success)
            latestRevision = outcome.revision ?? latestRevision
        case .failure(let error):
            // After a failure such as a full disk SQLite has rolled back everything by itself; this throws then.
            connection.forgetRevision()
            kept.forgetAll()
            _ = try connection.execute("ROLLBACK TO body", [], isCached: true)
            _ = try connection.execute("RELEASE body", [], isCached: true)
            failures.append((job, error))
        }
    }

    /// What it did is durable: tells every caller.
    func succeed() {
        for success in successes { success() }
        for (job, error) in failures { job.fail(error) }
    }

    /// Nothing was kept: tells every caller.
    func fail(_ error: any Error) {
        for job in jobs { job.fail(error) }
    }
}
