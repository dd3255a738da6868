import Converters
import Dispatch
import HostModel
import KernelInterface
import Logging
import NetworkModel
import Synchronization

/// Ends connections of routers beside the cycle, whose changes must not wait for programs: a lane for each router, in which one thing is done after the
/// other, and few lanes at a time.
///
///             end(…)                a worker is free                 done
///     idle ───────────▶ waiting ────────────────────▶ at work ──────────────────▶ idle
///                          ▲                              │ more was asked for meanwhile, or it failed (at most five times)
///                          └──────────────────────────────┘
final class RouterConnections: Sendable {
    /// How long one `conntrack` may take.
    static let timeoutMilliseconds = 2000
    /// Lanes at work at the same time. All but one leave the looks through whole tables of connections to the last one, so that an agent that starts
    /// with hundreds of routers ends the connections of a change at once.
    static let width = 2
    /// Of more commands that wait for a lane, a look through all connections takes the place.
    static let maximumCommands = 256
    /// How often a router is compared again after a command failed.
    static let maximumAttempts = 5
    /// Of a longer list (about 180 octets a connection) the rest is not looked at.
    static let maximumListBytes = 15_000_000

    private struct Lane {
        /// As it is realised.
        var router: HostRouter
        var commands: [[String]] = []
        /// Whether all translated connections must be compared with the configuration.
        var mustCheck = false
        /// See ``ConntrackFlush/changesScopes``.
        var changesScopes = false
        var attempts = 0
        var isAtWork = false

        var hasWork: Bool { mustCheck || !commands.isEmpty }
    }

    private struct State {
        var lanes: [ResourceID: Lane] = [:]
        /// Lanes that wait, in their order.
        var waiting: [ResourceID] = []
        var idleWorkers = Set(0..<RouterConnections.width)
        var checks = 0
    }

    private struct Work {
        var router: HostRouter
        var commands: [[String]]
        var mustCheck: Bool
        var changesScopes: Bool
    }

    private let state = Mutex(State())
    private let processes: any ProcessHost
    private let stateDirectory: String
    private let logger: Logger
    private let queues = (0..<RouterConnections.width).map { DispatchQueue(label: "agent.connections.routers.\($0)", qos: .userInitiated) }

    init(processes: any ProcessHost, stateDirectory: String, logger: Logger) {
        self.processes = processes
        self.stateDirectory = stateDirectory
        self.logger = logger
    }

    /// To be called when the router is realised: before, connections would come back by the old translation.
    ///
    /// - Parameters:
    ///   - commands: see ``ConntrackFlush``.
    ///   - mustCheck: whether ``StaleConnections`` shall be looked for.
    ///   - changesScopes: see ``ConntrackFlush``.
    func end(of router: HostRouter, commands: [[String]], mustCheck: Bool, changesScopes: Bool = false) {
        let workers = state.withLock { state -> Set<Int> in
            var lane = state.lanes[router.id] ?? Lane(router: router)
            lane.router = router
            lane.commands += commands
            lane.mustCheck = lane.mustCheck || mustCheck
            lane.changesScopes = lane.changesScopes || changesScopes
            if lane.commands.count > Self.maximumCommands { (lane.commands, lane.mustCheck) = ([], true) }
            guard lane.hasWork || lane.isAtWork else { return [] }
            state.lanes[router.id] = lane
            if lane.hasWork, !lane.isAtWork, !state.waiting.contains(router.id) { state.waiting.append(router.id) }
            defer { state.idleWorkers = [] }
            return state.idleWorkers
        }
        for worker in workers { queues[worker].async { self.work(worker) } }
    }

    /// The connections of a router that is gone went with its namespace.
    func forget(_ id: ResourceID) {
        state.withLock { state in
            state.waiting.removeAll { $0 == id }
            if state.lanes[id]?.isAtWork != true { state.lanes[id] = nil }
        }
    }

    private func work(_ worker: Int) {
        while let work = next(worker) {
            var isDone = true
            for command in work.commands where !run(command, for: work.router.id) { isDone = false }
            if work.mustCheck, !endStaleConnections(of: work.router, changesScopes: work.changesScopes) { isDone = false }
            finish(work, isDone)
        }
    }

    private func next(_ worker: Int) -> Work? {
        state.withLock { state in
            let index = state.waiting.firstIndex { id in
                guard let lane = state.lanes[id] else { return false }
                return !lane.mustCheck || state.checks < max(Self.width - 1, 1)
            }
            guard let index, var lane = state.lanes[state.waiting[index]] else {
                state.idleWorkers.insert(worker)
                return nil
            }
            state.waiting.remove(at: index)
            let work = Work(router: lane.router, commands: lane.commands, mustCheck: lane.mustCheck, changesScopes: lane.changesScopes)
            if lane.mustCheck { state.checks += 1 }
            (lane.commands, lane.mustCheck, lane.changesScopes, lane.isAtWork) = ([], false, false, true)
            state.lanes[work.router.id] = lane
            return work
        }
    }

    private func finish(_ work: Work, _ isDone: Bool) {
        state.withLock { state in
            if work.mustCheck { state.checks -= 1 }
            guard var lane = state.lanes[work.router.id] else { return }
            lane.isAtWork = false
            lane.attempts = isDone ? 0 : lane.attempts + 1
            if !isDone, lane.attempts <= Self.maximumAttempts {
                lane.mustCheck = true
                lane.changesScopes = lane.changesScopes || work.changesScopes
            }
            state.lanes[work.router.id] = lane.hasWork ? lane : nil
            if lane.hasWork { state.waiting.append(work.router.id) }
        }
    }

    // MARK: What is done

    /// What an agent that just started, or a change that no simple command undoes, may have left: every translated connection of the router is
    /// compared with what its configuration gives.
    private func endStaleConnections(of router: HostRouter, changesScopes: Bool) -> Bool {
        let path = "\(stateDirectory)/connections/\(router.id)"
        defer { try? processes.removeFile(path) }
        do throws(KernelError) {
            try processes.writeFile(path, "")
            let list = StaleConnections.listing(for: router, changesScopes: changesScopes).joined(separator: " ")
            let script = "\(list) 2>/dev/null | head -c \(Self.maximumListBytes) >\"$1\""
            let listing = ["sh", "-c", script, "list", path]
            try processes.start(
                listing, in: RouterConverter.namespace(of: router.id), timeoutMilliseconds: Self.timeoutMilliseconds)
            let deletions = StaleConnections.deletions(try processes.readFile(path) ?? "", for: router)
            guard !deletions.isEmpty else { return true }
            try processes.writeFile(path, deletions.map { $0 + "\n" }.joined())
            guard run(["conntrack", "-R", path], for: router.id) else { return false }
            logger.info("Ended connections of a router", metadata: ["router": "\(router.id)", "count": "\(deletions.count)"])
            return true
        } catch {
            logger.error("Connections of a router could not be read", metadata: ["router": "\(router.id)", "error": "\(error)"])
            return false
        }
    }

    /// False when it must be tried again.
    private func run(_ command: [String], for router: ResourceID) -> Bool {
        do throws(KernelError) {
            try processes.start(
                command, in: RouterConverter.namespace(of: router), timeoutMilliseconds: Self.timeoutMilliseconds)
            return true
        } catch {
            // Exit code 1 (an error without an errno): there was nothing to end.
            if error.code == 0 { return true }
            logger.error("Connections of a router could not be ended", metadata: ["router": "\(router)", "error": "\(error)"])
            return false
        }
    }
}
