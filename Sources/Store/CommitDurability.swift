import Dispatch
import Glibc
import Logging
import Synchronization

/// Makes commits of SQLite durable while the next transactions run already, and tells who waits for that.
///
/// With `synchronous = FULL` SQLite would sync within COMMIT, and nothing could be executed meanwhile. Here COMMIT only writes the log (NORMAL:
/// what may damage the file is still synced by SQLite, at checkpoints), and a thread of its own syncs the log. Nobody hears of a commit before it is
/// durable: neither its callers nor those who read it, since a power failure might take back what they were told.
///
///     writer:   begins() ─ COMMIT ─ ended(…)        begins() ─ COMMIT ─ ended(…)
///                                    │                                   │ (waits for the next sync)
///     syncs:                         └─ fdatasync ──► callers, readers ──┴─ fdatasync ──► …
///
/// A sync that failed is never tried again: the kernel may have dropped what it could not write, and a second one would succeed for nothing. From
/// then on everybody is refused.
final class CommitDurability: Sendable {
    /// Somebody to be told when a commit and all before it are durable.
    private struct Waiter {
        var commit: Int
        var succeed: @Sendable () -> Void
        var fail: @Sendable (any Error) -> Void
    }

    private struct State {
        var waiters: [Waiter] = []
        /// The last commit that has ended.
        var ended = 0
        var isSyncing = false
        var failure: StoreError?
    }

    private let descriptor: Int32
    private let path: String
    private let logger: Logger
    private let synchronize: @Sendable (Int32) -> Int32
    private let queue = DispatchQueue(label: "store-sync")
    private let state = Mutex(State())
    /// Commits are counted. This one may be visible to readers.
    private let begun = Atomic<Int>(0)
    private let durable = Atomic<Int>(0)

    /// - Parameters:
    ///   - path: the database's file, whose log exists: its connections are open.
    ///   - synchronize: fdatasync(2).
    init(path: String, logger: Logger, synchronize: @escaping @Sendable (Int32) -> Int32 = { fdatasync($0) }) throws(StoreError) {
        self.path = path
        self.logger = logger
        self.synchronize = synchronize
        // A descriptor of our own: SQLite's locks are on the file and on its -shm, so that to close one of the log takes none away.
        descriptor = open("\(path)-wal", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unavailable("\(path)-wal cannot be opened: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// Why nothing can be made durable any more.
    var failure: StoreError? { state.withLock { $0.failure } }

    /// Whether a sync is under way. While it is, a commit would have to wait for the next one.
    var isSyncing: Bool { state.withLock { $0.isSyncing } }

    // MARK: Committing

    /// The writer is about to commit: what comes may be visible before COMMIT returns.
    func begins() { begun.add(1, ordering: .sequentiallyConsistent) }

    /// What ``begins()`` announced is in the log, or was not kept, which readers need not know.
    ///
    /// - Parameters:
    ///   - succeed: is called when it is durable.
    ///   - idle: is called whenever no sync is under way any more.
    func ended(
        succeed: @escaping @Sendable () -> Void, fail: @escaping @Sendable (any Error) -> Void, idle: @escaping @Sendable () -> Void
    ) {
        let commit = begun.load(ordering: .sequentiallyConsistent)
        let (isFirst, failure) = state.withLock { state -> (Bool, StoreError?) in
            if let failure = state.failure { return (false, failure) }
            state.ended = commit
            state.waiters.append(Waiter(commit: commit, succeed: succeed, fail: fail))
            defer { state.isSyncing = true }
            return (!state.isSyncing, nil)
        }
        if let failure { return fail(failure) }
        if isFirst { queue.async { self.sync(idle) } }
    }

    /// Syncs until nothing waits for it.
    private func sync(_ idle: @Sendable () -> Void) {
        while let commit = state.withLock({ $0.isSyncing ? $0.ended : nil }) {
            let outcome = synchronize(descriptor) == 0 ? nil : failedSync(errno)
            let told = state.withLock { state -> [Waiter] in
                state.failure = outcome
                if outcome == nil { durable.store(commit, ordering: .sequentiallyConsistent) }
                let told = state.waiters.filter { outcome != nil || $0.commit <= commit }
                state.waiters.removeAll { outcome != nil || $0.commit <= commit }
                state.isSyncing = outcome == nil && state.ended > commit
                return told
            }
            // The writer first: its commit is what the next sync waits for.
            idle()
            for waiter in told {
                if let outcome { waiter.fail(outcome) } else { waiter.succeed() }
            }
        }
    }

    private func failedSync(_ code: Int32) -> StoreError {
        let reason = String(cString: strerror(code))
        logger.critical(
            "the database's log cannot be written to the disk: nothing is read or written any more; mend the disk, then restart the server",
            metadata: ["path": "\(path)-wal", "reason": "\(reason)"])
        return .unavailable("\(path)-wal cannot be written to the disk (\(reason)): mend the disk, then restart the server")
    }

    // MARK: Reading

    /// Whether somebody who has read just now may have seen what is not durable yet.
    var isBehind: Bool { durable.load(ordering: .sequentiallyConsistent) < begun.load(ordering: .sequentiallyConsistent) }

    /// Tells somebody who has read as soon as all that can have been seen is durable: now, most times.
    func whenDurable(succeed: @escaping @Sendable () -> Void, fail: @escaping @Sendable (any Error) -> Void) {
        let seen = begun.load(ordering: .sequentiallyConsistent)
        guard durable.load(ordering: .sequentiallyConsistent) < seen else { return succeed() }
        let outcome = state.withLock { state -> Result<Void, StoreError>? in
            if let failure = state.failure { return .failure(failure) }
            guard durable.load(ordering: .sequentiallyConsistent) < seen else { return .success(()) }
            state.waiters.append(Waiter(commit: seen, succeed: succeed, fail: fail))
            return nil
        }
        switch outcome {
        case .success: succeed()
        case .failure(let failure): fail(failure)
        case nil: break
        }
    }

    /// Waits until nothing is under way. Nobody commits any more.
    func finish() async {
        await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
    }
}
