import HostModel
import HostProjection
import Logging
import ServiceLifecycle
import Store

/// Follows the change log and keeps every connected agent's feed up to date.
///
///     commit ──▶ change log ──▶ topology.apply ──▶ keys per host ──▶ pending keys of each subscriber ──▶ its next batch
///
/// A commit wakes only the hosts that it concerns; the others learn of its revision by their next keep-alive bookmark, so that a commit costs
/// what it changes and not what the cloud has hosts.
///
/// A subscriber has no queue but the set of keys that changed since its last batch: a slow reader gets fewer, larger batches and never holds
/// anything up. The set is bounded by the host's view itself.
actor FeedHub: Service {
    /// Entries of the log that are read in one transaction.
    static let changesPerRead = 2000
    /// How long a log that could not be read waits for the next try, unless a commit comes first.
    static let retryMilliseconds = 1000

    struct Subscription: Sendable {
        let id: Int
        /// Yields when something waits; coalesces.
        let wakeUps: AsyncStream<Void>
        /// What the agent must be sent first.
        let opening: [FeedMessage]
    }

    private struct Subscriber {
        var feed: HostFeed
        var pending: Set<HostItemKey> = []
        var wake: AsyncStream<Void>.Continuation
    }

    private let store: Store
    private let logger: Logger
    private var topology: Topology
    private var journal: ChangeJournal
    private var subscribers: [Int: Subscriber] = [:]
    private var nextID = 0
    private var isStopping = false
    private var retry: Task<Void, Never>?

    /// Loads the topology.
    init(store: Store, settings: ProjectionSettings, logger: Logger) async throws {
        self.store = store
        self.logger = logger
        let (rows, revision) = try await store.read { try TopologyReader.all($0) }
        topology = Topology(rows: rows, settings: settings)
        journal = ChangeJournal(startingAt: revision)
    }

    /// Follows the log until the server stops.
    func run() async throws {
        let commits = store.commits()
        await withGracefulShutdownHandler {
            await catchUp()
            for await _ in commits.cancelOnGracefulShutdown() { await catchUp() }
            retry?.cancel()
        } onGracefulShutdown: {
            Task { await self.stop() }
        }
    }

    private func stop() {
        isStopping = true
        endSubscriptions()
    }

    /// Ends every feed: an agent that comes back is told what it missed.
    private func endSubscriptions() {
        for subscriber in subscribers.values { subscriber.wake.finish() }
        subscribers = [:]
    }

    private func catchUp() async {
        do {
            while try await readOnce() {}
            retry?.cancel()
        } catch {
            logger.error("The change log could not be read; trying again soon", metadata: ["error": "\(error)"])
            scheduleRetry()
        }
    }

    private func scheduleRetry() {
        retry?.cancel()
        retry = Task {
            do { try await Task.sleep(for: .milliseconds(Self.retryMilliseconds)) } catch { return }
            await catchUp()
        }
    }

    /// True when there may be more.
    private func readOnce() async throws -> Bool {
        let after = journal.latest
        let (changes, last, isGap, isWhole) = try await store.read { transaction -> ([TopologyChange], Int, Bool, Bool) in
            // A log that was trimmed past us (this server slept for long) cannot be followed.
            let oldest = try transaction.oldestRevision
            if oldest > after + 1 { return ([], after, true, false) }
            let entries = try transaction.changes(after: after, limit: Self.changesPerRead)
            let isWhole = entries.count < Self.changesPerRead
            return (try TopologyReader.changes(entries, transaction), entries.last?.revision ?? after, false, isWhole)
        }
        if isGap {
            try await reload()
            return false
        }
        guard last > after, last > journal.latest else { return false }
        let keys = topology.apply(changes)
        journal.record(keys, revision: last)
        for (id, subscriber) in subscribers {
            guard let changed = keys[subscriber.feed.hostID] else { continue }
            subscribers[id]?.pending.formUnion(changed)
            subscriber.wake.yield()
        }
        // What is committed after this read wakes the hub again.
        return !isWhole
    }

    private func reload() async throws {
        logger.warning("The change log no longer reaches back to this server's revision: reading everything anew")
        let (rows, revision) = try await store.read { try TopologyReader.all($0) }
        topology = Topology(rows: rows, settings: topology.settings)
        journal = ChangeJournal(startingAt: revision)
        endSubscriptions()
    }

    var subscriberCount: Int { subscribers.count }

    /// - Parameter revision: what the agent holds; nil for nothing.
    func subscribe(host: String, after revision: Int?) async -> Subscription {
        // Another server of the same database was ahead of this one: without this, the agent would be taken back in time.
        if let revision, revision > journal.latest { await catchUp() }
        let (wakeUps, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        var feed = HostFeed(hostID: host)
        let opening = feed.start(after: revision, topology: topology, journal: journal)
        nextID += 1
        // Whoever comes when the server stops gets the opening and the end.
        if isStopping { wake.finish() } else { subscribers[nextID] = Subscriber(feed: feed, wake: wake) }
        return Subscription(id: nextID, wakeUps: wakeUps, opening: opening)
    }

    /// What changed since the last batch, and a bookmark. Empty when nothing did.
    ///
    /// - Parameter isKeepAlive: whether a bookmark is due although nothing changed for this host.
    /// - Returns: Nil when the subscription has ended.
    func nextBatch(of id: Int, isKeepAlive: Bool) -> [FeedMessage]? {
        guard let pending = subscribers[id]?.pending else { return nil }
        if pending.isEmpty && !isKeepAlive { return [] }
        // In place: a copy of what was sent would cost as much as the host holds.
        let messages = subscribers[id]?.feed.changes(pending, topology: topology, revision: journal.latest)
        subscribers[id]?.pending = []
        return messages
    }

    func unsubscribe(_ id: Int) {
        subscribers.removeValue(forKey: id)?.wake.finish()
    }
}
