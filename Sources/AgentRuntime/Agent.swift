import Converters
import Drivers
import HostModel
import KernelInterface
import Logging
import NetworkModel
import ServiceLifecycle
import ServiceProcesses

/// The agent of one host: follows the server's feed, makes the kernel agree, and reports.
///
///     feed ──▶ view ──(bookmark)──▶ ┐
///     link events ────────────────▶ │ dirty ──▶ cycle: convert, reconcile ──▶ outbox ──▶ reports
///     timer, daemons, retries ────▶ ┘                    ▲
///     keepalived's notify pipes ──▶ HA states ───────────┴──▶ state files, outbox
///
/// Until the first bookmark arrives nothing of the host is touched, so that an agent which starts while every server is down leaves the
/// data plane as it is. Stopping an agent likewise touches nothing.
public actor Agent: Service {
    /// How long a cycle that failed in part waits for its next try.
    static let retryMilliseconds = 1000
    /// Changes that arrive within this time after the first are realised together.
    static let throttleMilliseconds = 2

    private let thread: CycleThread
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    let configuration: AgentConfiguration
    let kernel: any NetworkKernel
    let processes: any ProcessHost
    let senses: AgentSenses
    let logger: Logger
    private let registration: HostStatus.Registration
    private let connection: ServerConnection
    private let reconciler: Reconciler

    var view = HostView()
    /// False between the first message of a batch and its bookmark: a view in that state is never converted.
    private var isViewWhole = false
    private var viewRevision: Int?
    /// Whether the connection in use has brought anything.
    private var hasHeardServer = false
    var outbox = StatusOutbox()
    var members: [ResourceID: RouterMembership] = [:]
    private var reports = PortReports()
    private var cleaner = ConnectionCleaner()
    private var needsFullCheck = true

    let cycleWakeUp = WakeUp()
    let reportWakeUp = WakeUp()

    public init(
        configuration: AgentConfiguration, kernel: any NetworkKernel, processes: any ProcessHost, senses: AgentSenses, logger: Logger
    ) {
        thread = CycleThread(name: "agent.cycle")
        self.configuration = configuration
        self.kernel = kernel
        self.processes = processes
        self.senses = senses
        self.logger = logger
        var generator = SystemRandomNumberGenerator()
        registration = HostStatus.Registration(
            startID: ResourceID(using: &generator).description, tunnelAddress: configuration.settings.tunnelAddress,
            physicalNetworks: configuration.settings.physicalNetworks, stateDirectory: configuration.settings.stateDirectory)
        connection = ServerConnection(configuration: configuration)
        let start = ContinuousClock.now
        reconciler = Reconciler(
            kernel: kernel, processes: processes, stateDirectory: configuration.settings.stateDirectory,
            clock: { Int((ContinuousClock.now - start) / .milliseconds(1)) })
    }

    /// Runs until the task is cancelled or a graceful shutdown begins.
    public func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.followFeed() }
            group.addTask { await self.sendReports() }
            group.addTask { await self.runCycles() }
            group.addTask { await self.watchLinks() }
            group.addTask { await self.requestFullChecks() }
            group.addTask {
                // The loops end by cancellation; this task turns a graceful shutdown into one.
                try? await gracefulShutdown()
                await self.stop()
            }
            await waitForStop()
            group.cancelAll()
        }
        try? await connection.close()
    }

    private let stopWakeUp = WakeUp()
    private func stop() { stopWakeUp() }
    private nonisolated func waitForStop() async {
        for await _ in stopWakeUp.stream { return }
    }

    // MARK: The feed

    private func followFeed() async {
        var backoff = Backoff()
        var generator = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            do {
                try await connection.follow(after: resumePoint()) { message in await self.take(message) }
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

    /// The revision that the view holds. A view that was cut off inside a batch is void: the server lists everything again.
    private func resumePoint() -> Int? {
        if !isViewWhole {
            view.reset()
            viewRevision = nil
        }
        return viewRevision
    }

    private func take(_ message: FeedMessage) {
        hasHeardServer = true
        switch message {
        case .reset:
            view.reset()
            isViewWhole = false
        case .put(let item):
            isViewWhole = false
            view.put(item)
        case .drop(let key):
            isViewWhole = false
            view.drop(key)
        case .bookmark(let revision):
            let isNews = !isViewWhole || viewRevision != revision
            isViewWhole = true
            viewRevision = revision
            if isNews { cycleWakeUp() }
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
        guard isViewWhole, let revision = viewRevision else { return }
        let mode: Reconciler.Mode = needsFullCheck ? .full : .changed
        needsFullCheck = false
        let conversion = HostConverter.convert(view, configuration.settings)
        let result = reconciler.apply(conversion.configuration, mode)
        log(result)
        refreshMembers(isClose: mode == .full || !result.daemonActions.isEmpty)
        cleaner.clean(view, settings: configuration.settings, processes: processes, logger: logger)
        for report in reports.update(view: view, result: result) { outbox.add(report) }
        outbox.set(failures: conversion.problems + result.failures.map(\.description))
        outbox.set(appliedRevision: revision)
        if outbox.isUrgent { reportWakeUp() }
        scheduleRetry(result)
    }

    private func log(_ result: ApplyReport) {
        for failure in result.failures { logger.error("Could not realise a part of the host", metadata: ["failure": "\(failure)"]) }
        for action in result.daemonActions { logger.info("Daemon", metadata: ["key": "\(action.key)", "action": "\(action.kind)"]) }
        if result.performed > 0 { logger.debug("Applied", metadata: ["operations": "\(result.performed)"]) }
    }

    private func scheduleRetry(_ result: ApplyReport) {
        guard !result.isComplete else { return }
        let milliseconds = result.retryAfterMilliseconds ?? Self.retryMilliseconds
        Task {
            try? await Task.sleep(for: .milliseconds(milliseconds))
            self.cycleWakeUp()
        }
    }

    private func watchLinks() async {
        for await _ in senses.linkChanges {
            if Task.isCancelled { return }
            reconciler.markLinksDirty(nil)
            cycleWakeUp()
        }
    }

    private func requestFullChecks() async {
        var generator = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            let quarter = configuration.fullCheckSeconds * 250
            let jitter = Int.random(in: -quarter...quarter, using: &generator)
            try? await Task.sleep(for: .milliseconds(configuration.fullCheckSeconds * 1000 + jitter))
            needsFullCheck = true
            cycleWakeUp()
        }
    }

    // MARK: Reports

    /// A sign of life. It repeats what each member is: while this host was cut off, the server may have decided otherwise.
    private func beat() {
        for (id, member) in members {
            if let state = member.state { outbox.add(HostStatus.RouterReport(routerID: id, state: state)) }
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
        var backoff = Backoff()
        var generator = SystemRandomNumberGenerator()
        for await _ in reportWakeUp.stream {
            if Task.isCancelled { return }
            let status = outbox.take(registration)
            do {
                try await connection.report(status)
                backoff.reset()
            } catch {
                outbox.restore(status)
                logger.warning("A report was not taken; trying again", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: backoff.next(using: &generator))
                reportWakeUp()
            }
        }
    }
}
