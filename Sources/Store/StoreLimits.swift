/// The limits of a store. Tests make them small.
struct StoreLimits: Sendable {
    /// Transactions that wait for a writer; more are refused as unavailable.
    var waitingWrites = 4096
    /// Transactions that wait for a reader; more are refused as unavailable.
    var waitingReads = 4096
    /// SQLite: transactions that share one commit.
    var groupedWrites = 64
    /// SQLite: the page cache of the connection that writes.
    var writerCacheKiB = 32 * 1024
    /// SQLite: pages of 4 KiB that the write-ahead log gathers before they go to the database file.
    var checkpointPages = 8_192
    /// Connections that read.
    var readers = 4
    /// PostgreSQL: connections that write. SQLite has one writer.
    var writers = 6
    /// PostgreSQL: how often a transaction is tried before it is given up as unavailable.
    var attempts = 12
    /// PostgreSQL: the longest pause before another attempt. It doubles from 1 ms and is jittered.
    var longestBackoffMilliseconds = 128
    /// PostgreSQL: how long connecting may take.
    var connectTimeoutSeconds = 5
    /// PostgreSQL: after so long without a sign of life a TCP connection is lost.
    var silenceSeconds = 15
    /// PostgreSQL: how often the latest revision is asked for besides what notifications tell. What was not told, this tells.
    var revisionCheckMilliseconds = 5_000
    /// PostgreSQL: how long a statement may run or wait for a lock, and a transaction may idle, before the server ends it.
    var statementTimeoutMilliseconds = 30_000
    /// SQLite: how long another process may hold the file's lock.
    var busyTimeoutMilliseconds = 5_000
    /// Revisions that the change log keeps. Whoever is further behind must list again.
    var retainedRevisions = 100_000
    /// The log is trimmed every so many revisions.
    var trimInterval = 1_000
}
