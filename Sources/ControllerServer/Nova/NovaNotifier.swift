import Logging
import NetworkModel
import Operations
import ServiceLifecycle
import Store

/// Tells Nova what became of the ports of its instances. Of several servers on one database one does it at a time.
///
///     waiting ──duty taken──▶ everything is compared ──▶ following the log ──duty lost, log trimmed, error──▶ waiting
///                                                          │    ▲
///                                                   events ▼    │ accepted or given up
///                                                         sending
///
/// What was told is kept (``NovaLedger``), so a server that takes over tells what the one before it did not come to tell.
struct NovaNotifier: Service {
    private static let duty = "nova"
    /// How long a server keeps the duty without renewing it, and when it renews it.
    private static let dutySeconds = 30
    private static let renewalSeconds = 10
    /// How often a server that waits for the duty looks for it.
    private static let waitingSeconds = 5
    /// Entries of the log that are read in one transaction.
    private static let changesPerRead = 500
    /// Events that wait; at so many the log is not read on until they are sent.
    private static let maximumPendingEvents = 10_000
    /// Events in one request.
    static let maximumEventsPerRequest = 100
    /// How often one request is tried; the pause before the next try doubles.
    static let maximumAttempts = 5
    private static let firstPauseMilliseconds = 250

    let operations: Operations
    let settings: NovaSettings
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown { await follow() }
    }

    /// What this server has while it has the duty.
    private struct Work {
        var ledger: NovaLedger
        var pending: [NovaEvent]
        var renewedAt: ContinuousClock.Instant
        var flushedAt: ContinuousClock.Instant?
    }

    private func follow() async {
        var generator = SystemRandomNumberGenerator()
        let holder = ResourceID(using: &generator).description
        let client = NovaClient(settings: settings)
        var work: Work?
        var nextTry = ContinuousClock.now
        for await _ in wakeUps() {
            guard !Task.isCancelled else { break }
            do {
                if work == nil, ContinuousClock.now >= nextTry {
                    nextTry = .now + .seconds(Self.waitingSeconds)
                    work = try await begin(holder)
                }
                guard var current = work else { continue }
                work = try await step(&current, holder, client) ? current : nil
            } catch is CancellationError {
                break
            } catch {
                logger.error("Nova cannot be told what changed; trying again soon", metadata: ["error": "\(error)"])
                work = nil
            }
        }
        try? await operations.releaseDuty(Self.duty, by: holder)
    }

    /// Wakes at commits, and often enough for a batch to go out in time.
    private func wakeUps() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let commits = operations.store.commits()
        let forward = Task {
            for await _ in commits { continuation.yield() }
            continuation.finish()
        }
        let interval = min(settings.batchMilliseconds, Self.waitingSeconds * 1000)
        let ticks = Task {
            while !Task.isCancelled {
                continuation.yield()
                try await Task.sleep(for: .milliseconds(interval))
            }
        }
        continuation.onTermination = { _ in
            forward.cancel()
            ticks.cancel()
        }
        return stream
    }

    private func begin(_ holder: String) async throws -> Work? {
        guard try await operations.holdDuty(Self.duty, by: holder, forSeconds: Self.dutySeconds) else { return nil }
        let (ledger, events) = try await NovaLedger.load(operations.store)
        logger.notice("This server tells Nova of ports", metadata: ["url": "\(settings.url)", "missed": "\(events.count)"])
        return Work(ledger: ledger, pending: events, renewedAt: .now)
    }

    /// Reads the log and sends what is due. False when the work is to be begun anew.
    private func step(_ work: inout Work, _ holder: String, _ client: NovaClient) async throws -> Bool {
        if work.renewedAt.duration(to: .now) > .seconds(Self.renewalSeconds) {
            guard try await operations.holdDuty(Self.duty, by: holder, forSeconds: Self.dutySeconds) else { return false }
            work.renewedAt = .now
        }
        while work.pending.count < Self.maximumPendingEvents {
            guard let (events, hasMore) = try await work.ledger.follow(operations.store, limit: Self.changesPerRead) else { return false }
            work.pending += events
            guard hasMore else { break }
        }
        let isDue = work.flushedAt.map { $0.duration(to: .now) >= .milliseconds(settings.batchMilliseconds) } ?? true
        guard isDue, !work.pending.isEmpty || !work.ledger.isSaved else { return true }
        try await flush(&work, client)
        return true
    }

    private func flush(_ work: inout Work, _ client: NovaClient) async throws {
        while !work.pending.isEmpty {
            let batch = Array(work.pending.prefix(Self.maximumEventsPerRequest))
            try await deliver(batch, client)
            work.pending.removeFirst(batch.count)
            // So that no other server takes a slow Nova for this server's end.
            guard work.renewedAt.duration(to: .now) < .seconds(Self.renewalSeconds) else { break }
        }
        if work.pending.isEmpty {
            try await work.ledger.save(operations.store)
            work.flushedAt = .now
        }
    }

    /// Tries a few times; what Nova does not take then is given up, as Neutron does: Nova reads ports anew by itself, later.
    private func deliver(_ events: [NovaEvent], _ client: NovaClient) async throws {
        var reason = ""
        for attempt in 0..<Self.maximumAttempts {
            if attempt > 0 { try await Task.sleep(for: .milliseconds(Self.firstPauseMilliseconds << (attempt - 1))) }
            switch await client.send(events) {
            case .accepted(let unknown):
                if unknown > 0 { logger.info("Nova does not know some of the instances", metadata: ["events": "\(events.count)"]) }
                return
            case .refused(let text):
                logger.error("Nova refuses events", metadata: ["events": "\(events.count)", "reason": "\(text)"])
                return
            case .unavailable(let text): reason = text
            }
        }
        logger.error("Nova cannot be told of ports", metadata: ["events": "\(events.count)", "reason": "\(reason)"])
    }
}
