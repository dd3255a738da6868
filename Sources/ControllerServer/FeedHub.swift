import HostModel
import HostProjection
import Logging
import ServiceLifecycle
import Store

/// Follows the change log and keeps every connected agent's feed up to date.
///
///     commit ──▶ change log ──▶ topology.apply ──▶ keys per host ──▶ pending keys of each subscriber ──▶ its next batch
///
/// A subscriber has no queue but the set of keys that changed since its last batch: a slow reader gets fewer, larger batches and never holds
/// anything up. The set is bounded by the host's view itself.
actor FeedHub: Service {
    /// Entries of the log that are read in one transaction.
    static let changesPerRead = 2000

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
        var sentRevision: Int
        var wake: AsyncStream<Void>.Continuation
    }

    private let store: Store
    private let logger: Logger
    private var topology: Topology
    private var journal: ChangeJournal
    private var subscribers: [Int: Subscriber] = [:]
    private var nextID = 0
    private var isStopping = false

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
        } onGracefulShutdown: {
            Task { await self.stop() }
        }
    }

    private func stop() {
        isStopping = true
        endSubscriptions()
    }

    private func endSubscriptions() {
        for subscriber in subscribers.values { subscriber.wake.finish() }
    }

    private func catchUp() async {
        do {
            while try await readOnce() {}
        } catch {
            logger.error("The change log could not be read; the next commit tries again", metadata: ["error": "\(error)"])
        }
    }

    /// True when there may be more.
    private func readOnce() async throws -> Bool {
        let after = journal.latest
        let (changes, last, isGap) = try await store.read { transaction -> ([TopologyChange], Int, Bool) in
            // A log that was trimmed past us (this server slept for long) cannot be followed.
            let oldest = try transaction.oldestRevision
            if oldest > after + 1 { return ([], after, true) }
            let entries = try transaction.changes(after: after, limit: Self.changesPerRead)
            return (try TopologyReader.changes(entries, transaction), entries.last?.revision ?? after, false)
        }
        if isGap {
            try await reload()
            return false
        }
        guard last > after, last > journal.latest else { return false }
        let keys = topology.apply(changes)
        journal.record(keys, revision: last)
        for (id, subscriber) in subscribers {
            if let changed = keys[subscriber.feed.hostID] { subscribers[id]?.pending.formUnion(changed) }
            // Every subscriber learns of the revision, so that all agents can resume from it.
            subscriber.wake.yield()
        }
        return true
    }

    private func reload() async throws {
        logger.warning("The change log no longer reaches back to this server's revision: reading everything anew")
        let (rows, revision) = try await store.read { try TopologyReader.all($0) }
        topology = Topology(rows: rows, settings: topology.settings)
        journal = ChangeJournal(startingAt: revision)
        endSubscriptions()
    }

    func subscribe(host: String, after revision: Int?) -> Subscription {
        let (wakeUps, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        var feed = HostFeed(hostID: host)
        let opening = feed.start(after: revision, topology: topology, journal: journal)
        // Whoever comes now gets the opening and the end.
        if isStopping { wake.finish() }
        nextID += 1
        subscribers[nextID] = Subscriber(feed: feed, sentRevision: journal.latest, wake: wake)
        return Subscription(id: nextID, wakeUps: wakeUps, opening: opening)
    }

    /// What changed since the last batch. Empty when nothing did, not even the revision.
    func nextBatch(of id: Int) -> [FeedMessage] {
        guard var subscriber = subscribers[id], subscriber.sentRevision < journal.latest else { return [] }
        let messages = subscriber.feed.changes(subscriber.pending, topology: topology, revision: journal.latest)
        subscriber.pending = []
        subscriber.sentRevision = journal.latest
        subscribers[id] = subscriber
        return messages
    }

    /// The revision for a bookmark that only shows that the server lives.
    func revision(of id: Int) -> Int { subscribers[id]?.sentRevision ?? journal.latest }

    func unsubscribe(_ id: Int) {
        subscribers.removeValue(forKey: id)?.wake.finish()
    }
}
