import Converters
import Drivers
import Election
import HostModel
import KernelInterface
import Logging
import Metadata
import NetworkModel
import ServiceLifecycle
import ServiceProcesses

/// The agent of one host: follows the server's feed, makes the kernel agree, and reports.
///
///     feed ──▶ batch ──(bookmark)──▶ view ┐
///     link events, ends of daemons ──────▶│ dirty ──▶ cycle: convert, reconcile ──▶ outbox ──▶ reports
///     timer, retries ────────────────────▶┘                    ▲
///     keepalived's notify pipes ──▶ HA states ─────────────────┴──▶ state files, outbox
///
/// Until the first bookmark arrives nothing of the host is touched, so that an agent which starts while every server is down leaves the
/// data plane as it is. Stopping an agent likewise touches nothing.
///
/// Isolation: the actor runs on a thread of its own, and a cycle has no suspension point, so that nothing else of the agent happens while
/// one runs. What happens meanwhile waits and coalesces: link events and wake-ups in streams that hold one, the feed in its socket.
public actor Agent: Service {
    /// How long a cycle that failed in part waits for its next try: doubling, since what fails again and again costs a look at the kernel each time.
    static let firstRetryMilliseconds = 100
    static let lastRetryMilliseconds = 16_000
    /// Changes that arrive within this time after the first are realised together.
    static let throttleMilliseconds = 2
    /// So many operations are a burst.
    private static let burstOperations = 500
    /// Messages between two bookmarks: far more than a host's whole list. A server that sends more is broken.
    static let maximumBatchMessages = 1_000_000
    /// How much more seldom rulesets are looked at where the kernel's events tell of their changes.
    static let firewallCheckFactor = 20

    private let thread: CycleThread
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    nonisolated let configuration: AgentConfiguration
    let kernel: any NetworkKernel
    let processes: any ProcessHost
    nonisolated let senses: AgentSenses
    let logger: Logger
    /// Who may ask for metadata, told to whoever answers.
    private let instances: InstanceDirectory
    private let registration: HostStatus.Registration
    private let connection: ServerConnection
    let reconciler: Reconciler

    /// What was sent since the last bookmark. It enters the view as a whole or, when the feed is cut before its bookmark, not at all.
    private var batch: [FeedMessage] = []
    private(set) var view = HostView()
    /// The revision that the view holds; nil before the first bookmark.
    private(set) var viewRevision: Int?
    /// What became of the view since it was converted.
    private var changes = HostChanges.everything
    private var converter: HostConverter
    /// What the view converts to; nil after the view changed.
    private var conversion: HostConverter.Conversion?
    /// Whether the last cycle realised all of the view.
    private var isViewRealised = false
    /// Whether the connection in use has brought anything.
    private var hasHeardServer = false
    var outbox = StatusOutbox()
    var members: [ResourceID: RouterMembership] = [:]
    /// What the election was told last.
    var electionMembers: [ElectionMember] = []
    nonisolated let errands: RouterErrands
    /// What this host answers for on external networks; nil after the view or a member changed.
    var externalAddresses: [ExternalAddress]?
    private var reports = PortReports()
    /// What the last cycle found of routers that are not as they shall be, and what other parts of the agent say of them.
    var routerFindings: [ResourceID: RouterFailures.Finding] = [:]
    var routerProblems: [ResourceID: String] = [:]
    var routerFailures = RouterFailures()
    /// The one look at routers that waits.
    var routerReview: Task<Void, Never>?
    /// What the agent counts its milliseconds from.
    let clockStart = ContinuousClock.now
    /// Since the agent was made.
    var milliseconds: Int { Int((ContinuousClock.now - clockStart) / .milliseconds(1)) }
    private var cleaner: ConnectionCleaner
    private var leases: LeaseReleaser
    private let groupConnections: GroupConnectionCleaner?
    let connectionGuard: ConnectionGuard?
    private var needsFullCheck = true
    /// Whether the last cycle left something of a resync to look at.
    private var isResyncing = false
    /// The one retry that waits; each cycle decides anew.
    private var retry: Task<Void, Never>?
    /// Since memory was last given back.
    private var performedOperations = 0
    private var retryBackoff = Backoff(firstMilliseconds: firstRetryMilliseconds, lastMilliseconds: lastRetryMilliseconds)
    var watches: [String: DaemonWatch] = [:]

    let cycleWakeUp = WakeUp()
    let reportWakeUp = WakeUp()
    private let stopWakeUp = WakeUp()

    public init(
        configuration: AgentConfiguration, kernel: any NetworkKernel, processes: any ProcessHost, senses: AgentSenses,
        instances: InstanceDirectory = InstanceDirectory(), logger: Logger
    ) {
        thread = CycleThread(name: "agent.cycle")
        self.configuration = configuration
        converter = HostConverter(settings: configuration.settings)
        self.kernel = kernel
        self.processes = processes
        self.senses = senses
        self.instances = instances
        self.logger = logger
        var generator = SystemRandomNumberGenerator()
        registration = HostStatus.Registration(
            startID: ResourceID(using: &generator).description, tunnelAddress: configuration.settings.tunnelAddress,
            physicalNetworks: configuration.settings.physicalNetworks, stateDirectory: configuration.settings.stateDirectory,
            availabilityZone: configuration.availabilityZone, servesMetadata: configuration.settings.servesMetadata)
        connection = ServerConnection(configuration: configuration)
        groupConnections = senses.connections.map { GroupConnectionCleaner(tracker: $0, logger: logger) }
        connectionGuard = senses.connections.map {
            ConnectionGuard(kernel: kernel, tracker: $0, configuration: configuration, logger: logger)
        }
        cleaner = ConnectionCleaner(
            connections: RouterConnections(
                processes: processes, stateDirectory: configuration.settings.stateDirectory, logger: logger))
        leases = LeaseReleaser(processes: processes, settings: configuration.settings, logger: logger)
        errands = RouterErrands(
            kernel: kernel, processes: processes, settings: configuration.settings, logger: logger, urgently: senses.urgently)
        reconciler = Reconciler(
            kernel: kernel, processes: processes, stateDirectory: configuration.settings.stateDirectory,
            rulesets: senses.rulesetHistory, onStartEnd: { [cycleWakeUp] in cycleWakeUp() },
            clock: { [clockStart] in Int((ContinuousClock.now - clockStart) / .milliseconds(1)) })
        // Before the election knows any member.
        if let election = senses.election { election.setErrandRunner { [errands] in errands.run($0, for: election) } }
    }

    /// Runs until the task is cancelled or a graceful shutdown begins.
    public func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.followFeed() }
            group.addTask { await self.sendReports() }
            group.addTask { await self.runCycles() }
            group.addTask { await self.watchLinks() }
            group.addTask { await self.watchNamespaceLinks() }
            group.addTask { await self.requestFullChecks() }
            group.addTask { await self.watchFirewalls() }
            group.addTask { await self.lookAtFirewalls() }
            group.addTask { await self.watchEntries() }
            group.addTask { await self.watchConnections() }
            group.addTask { await self.followElection() }
            group.addTask { await self.watchAddresses() }
            group.addTask {
                // The loops end by cancellation; this task turns a graceful shutdown into one.
                try? await gracefulShutdown()
                await self.stop()
            }
            await waitForStop()
            group.cancelAll()
        }
        endListening()
        // Nothing waits for the client any more; that it was closed already is no news.
        try? await connection.close()
    }

    private func stop() { stopWakeUp() }

    /// Ends the tasks and closes the descriptors that belong to daemons. The daemons go on.
    private func endListening() {
        retry?.cancel()
        routerReview?.cancel()
        for member in members.values { member.stopListening() }
        for watch in watches.values { watch.task.cancel() }
        (members, watches) = ([:], [:])
    }

    private nonisolated func waitForStop() async {
        for await _ in stopWakeUp.stream { return }
    }

    // MARK: The feed

    private func followFeed() async {
        var backoff = Backoff.ofServer
        var generator = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            do {
                try await connection.follow(after: resumePoint()) { message in try await self.take(message) }
                logger.info("The feed ended; connecting again")
            } catch is CancellationError {
                return
            } catch {
                logger.warning("The feed broke; connecting again", metadata: ["error": "\(error)"])
                connection.turnToNextServer()
            }
            if hasHeardServer { backoff.reset() }
            hasHeardServer = false
            try? await Task.sleep(for: backoff.next(using: &generator))
        }
    }

    /// The revision to resume from. What was sent of a batch whose bookmark never came is dropped: the server sends it again.
    private func resumePoint() -> Int? {
        batch = []
        return viewRevision
    }

    private func take(_ message: FeedMessage) throws {
        hasHeardServer = true
        guard case .bookmark(let revision) = message else {
            guard batch.count < Self.maximumBatchMessages else {
                throw ServerFailure(description: "the server sent \(batch.count) messages without a bookmark")
            }
            batch.append(message)
            return
        }
        var new = HostChanges()
        for message in batch { new.apply(message, to: &view) }
        // The server says again what only became ACTIVE.
        let isNews = viewRevision == nil || !new.isEmpty
        changes.formUnion(new)
        instances.apply(batch)
        batch = []
        viewRevision = revision
        if isNews {
            conversion = nil
            externalAddresses = nil
            isViewRealised = false
            retryBackoff.reset()
            cycleWakeUp()
        } else if isViewRealised {
            // What changed concerned other hosts: there is nothing to do.
            outbox.set(appliedRevision: revision)
        }
    }

    // MARK: Cycles

    private func runCycles() async {
        for await _ in cycleWakeUp.stream {
            if Task.isCancelled { return }
            try? await Task.sleep(for: .milliseconds(Self.throttleMilliseconds))
            cycle()
        }
    }

    private func cycle() {
        guard let revision = viewRevision else { return }
        let mode: Reconciler.Mode = needsFullCheck ? .full : .changed
        needsFullCheck = false
        let conversion = currentConversion()
        let namespaces = Set(conversion.configuration.namespaces.keys)
        // Before, so that those that go can end; after, for those that were made.
        senses.watchNamespaces(namespaces)
        expectMembers()
        let result = reconciler.apply(conversion.configuration, mode)
        senses.watchNamespaces(namespaces)
        log(result)
        if result.isResyncing { cycleWakeUp() }
        let isResynced = isResyncing && !result.isResyncing
        isResyncing = result.isResyncing
        refreshMembers(lookingAt: mode == .full || isResynced || result.isCutShort ? nil : result.routersOfKeepalived)
        expectWords(after: result)
        logEnds(result)
        refreshWatches()
        refreshElection()
        cleaner.clean(view, after: result)
        leases.release(view, after: result, now: milliseconds)
        if !result.concernsFirewall { groupConnections?.review(view) }
        noteRouters(conversion, result)
        for report in reports.update(view: view, unrealised: conversion.unrealisedNetworks, result: result) { outbox.add(report) }
        outbox.set(failures: conversion.problems + result.failures.map(\.description))
        isViewRealised = result.isComplete
        if isViewRealised { outbox.set(appliedRevision: revision) }
        if outbox.isUrgent { reportWakeUp() }
        scheduleRetry(result)
        giveBackMemory(after: result)
    }

    /// What the scripts of a burst needed lies scattered over the heap.
    private func giveBackMemory(after result: ApplyReport) {
        performedOperations += result.performed
        guard performedOperations >= Self.burstOperations, result.isComplete else { return }
        performedOperations = 0
        senses.giveBackMemory()
    }

    /// Link events, timers and retries leave the view as it is: only the feed makes a conversion necessary.
    private func currentConversion() -> HostConverter.Conversion {
        if let conversion { return conversion }
        let new = converter.convert(view, changes)
        changes = HostChanges()
        conversion = new
        return new
    }

    private func log(_ result: ApplyReport) {
        for finding in result.findings { logger.warning("Repairing what somebody else changed", metadata: ["found": "\(finding)"]) }
        for failure in result.failures { logger.error("Could not realise a part of the host", metadata: ["failure": "\(failure)"]) }
        for action in result.daemonActions { logger.info("Daemon", metadata: ["key": "\(action.key)", "action": "\(action.kind)"]) }
        if result.performed > 0 { logger.debug("Applied", metadata: ["operations": "\(result.performed)"]) }
    }

    /// Takes the place of the retry that waits, if one does: whatever woke this cycle, there is never more than one.
    private func scheduleRetry(_ result: ApplyReport) {
        retry?.cancel()
        retry = nil
        if result.isComplete { retryBackoff.reset() }
        var generator = SystemRandomNumberGenerator()
        var delay = result.retryAfterMilliseconds.map { Duration.milliseconds($0) }
        if delay == nil, !result.isComplete { delay = retryBackoff.next(using: &generator) }
        let look = leases.nextLookMilliseconds(now: milliseconds).map { Duration.milliseconds($0) }
        guard let delay = [delay, look].compactMap(\.self).min() else { return }
        retry = Task {
            do { try await Task.sleep(for: delay) } catch { return }
            cycleWakeUp()
        }
    }

    private func requestFullChecks() async {
        var generator = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            let quarter = configuration.fullCheckSeconds * 250
            let jitter = Int.random(in: -quarter...quarter, using: &generator)
            try? await Task.sleep(for: .milliseconds(configuration.fullCheckSeconds * 1000 + jitter))
            reconciler.requestResync()
            isResyncing = true
            cycleWakeUp()
        }
    }

    // MARK: Reports

    /// A sign of life. It repeats what each router is: while this host was cut off, the server may have decided otherwise.
    private func beat() {
        // Of a standalone router nothing is known before a cycle has looked at it.
        for id in view.routers.keys where conversion != nil || members[id] != nil {
            if let report = routerReport(id) { outbox.add(report) }
        }
        reportWakeUp()
    }

    private func sendReports() async {
        let heartbeat = Task {
            while !Task.isCancelled {
                self.beat()
                try? await Task.sleep(for: .seconds(self.configuration.heartbeatSeconds))
            }
        }
        defer { heartbeat.cancel() }
        var backoff = Backoff.ofServer
        var generator = SystemRandomNumberGenerator()
        for await _ in reportWakeUp.stream {
            if Task.isCancelled { return }
            let status = outbox.take(registration)
            do {
                try await connection.report(status)
                backoff.reset()
                // What one report does not carry.
                if outbox.isUrgent { reportWakeUp() }
            } catch {
                // The agent stops; nothing is wrong.
                if Task.isCancelled { return }
                outbox.restore(status)
                logger.warning("A report was not taken; trying again", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: backoff.next(using: &generator))
                reportWakeUp()
            }
        }
    }
}
