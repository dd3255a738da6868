import Converters
import Dispatch
import KernelInterface
import Logging
import Synchronization

/// Keeps one instance from filling the kernel's table of tracked connections, without which no instance of the host begins a connection.
///
///                 three quarters full: who holds more than its share?
///     watching ─────────────────────────────────────────────────▶ refusing
///         ▲                                                          │
///         └── half full, and nobody is refused: the filter goes ─────┘
///
/// What a holder has goes on: nothing tells what it needs from what it does not. It ends by the kernel's times, and those that nobody answers make room by
/// themselves when the table is full (nf_conntrack's early drop).
///
/// While there is room, nobody is limited and no packet pays for it: the kernel's own limits for connections (`ct count`) cost a walk over all of a port's
/// connections for a new one.
final class ConnectionGuard: Sendable {
    /// How often the kernel is asked how many connections there are: two small files.
    static let watchMilliseconds = 500
    /// How long after a look at all connections the next one waits: with 262,144 of them it takes half a second of a processor.
    static let lookMilliseconds = 2000
    /// The longest such wait: it doubles with each look that finds nobody above its share. Whoever comes next may fill the rest meanwhile.
    static let maximumLookMilliseconds = 8000
    /// How long after a filter could not be taken away it is tried again.
    static let removalMilliseconds = 8000
    /// Refused for so long after the last look that found the device above its share.
    static let refusalMilliseconds = 10_000

    private enum Occupation {
        /// Less than half is taken.
        case room
        case between
        /// Three quarters are taken, and the share of one instance is so many.
        case crowded(share: Int)
    }

    private struct State {
        var isWorking = false
        /// An agent before this one may have left it.
        var isFilterLoaded = true
        /// By this agent, since the filter was last taken away.
        var hasRefused = false
        /// Milliseconds of the agent's clock.
        var lastLook: Int?
        /// When it was last tried to take the filter away.
        var lastRemoval: Int?
        var lookMilliseconds = ConnectionGuard.lookMilliseconds

        /// Whether there is something to do now that nobody does yet.
        mutating func begin(_ occupation: Occupation, _ now: Int) -> Bool {
            switch occupation {
            case .crowded:
                guard !isWorking, lastLook.map({ now - $0 >= lookMilliseconds }) ?? true else { return false }
                lastLook = now
            case .between: return false
            case .room:
                lookMilliseconds = ConnectionGuard.lookMilliseconds
                let isOver = lastLook.map { now - $0 >= ConnectionGuard.refusalMilliseconds } ?? true
                let isDue = isOver && lastRemoval.map { now - $0 >= ConnectionGuard.removalMilliseconds } ?? true
                guard !isWorking, isFilterLoaded, isDue else { return false }
                lastRemoval = now
            }
            isWorking = true
            return true
        }
    }

    private let state = Mutex(State())
    private let kernel: any NetworkKernel
    private let tracker: any ConnectionTracker
    private let configuration: AgentConfiguration
    private let logger: Logger
    private let queue: DispatchQueue

    /// - Parameter queue: looks at connections and changes the filter, one after the other.
    init(
        kernel: any NetworkKernel, tracker: any ConnectionTracker, configuration: AgentConfiguration, logger: Logger,
        queue: DispatchQueue = DispatchQueue(label: "agent.shares", qos: .userInitiated)
    ) {
        self.queue = queue
        self.kernel = kernel
        self.tracker = tracker
        self.configuration = configuration
        self.logger = logger
    }

    /// To be called every ``watchMilliseconds`` with the view whose ports are wired.
    func watch(_ view: HostView, now: Int) {
        guard let occupation = occupation(), state.withLock({ $0.begin(occupation, now) }) else { return }
        queue.async {
            if case .crowded(let share) = occupation { self.look(view, share: share) } else { self.takeFilterAway() }
            self.state.withLock { $0.isWorking = false }
        }
    }

    /// How full the table is, by how many connections the host's own namespace tracks, and how many it may.
    private func occupation() -> Occupation? {
        // Nobody is limited: there is no more to do than to take away what an agent before this one left.
        guard configuration.connectionSharePercent > 0 else { return .room }
        let (count, maximum) = ("net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_max")
        let values = try? kernel.sysctls([count, maximum], in: nil)
        guard let values, let tracked = values[count].flatMap({ Int($0) }) else { return nil }
        let capacity = configuration.connectionCapacity ?? values[maximum].flatMap { Int($0) } ?? 0
        guard capacity > 0 else { return nil }
        if tracked >= capacity / 4 * 3 { return .crowded(share: capacity * configuration.connectionSharePercent / 100) }
        return tracked < capacity / 2 ? .room : .between
    }

    private func look(_ view: HostView, share: Int) {
        do throws(KernelError) {
            var tally = ConnectionTally(view)
            _ = try tracker.connections(inZone: nil) { connection in
                tally.count(connection)
                return false
            }
            let holders = tally.holders(above: share)
            guard !holders.isEmpty else { return noteNobody() }
            state.withLock { $0.lookMilliseconds = Self.lookMilliseconds }
            try refuse(holders, share: share)
        } catch {
            logger.error("Connections could not be shared out", metadata: ["error": "\(error)"])
        }
    }

    private func noteNobody() {
        let isFirst = state.withLock { state in
            defer { state.lookMilliseconds = min(state.lookMilliseconds * 2, Self.maximumLookMilliseconds) }
            return state.lookMilliseconds == Self.lookMilliseconds
        }
        guard isFirst else { return }
        logger.warning(
            "The host tracks nearly as many connections as it can, and no instance holds more than its share: raise net.netfilter.nf_conntrack_max"
        )
    }

    private func refuse(_ holders: [ConnectionTally.Holder], share: Int) throws(KernelError) {
        let script = ConnectionShareFilter.script(
            holders.map(\.device), milliseconds: Self.refusalMilliseconds, hasBridgeConntrack: configuration.settings.hasBridgeConntrack)
        try kernel.perform(.applyFirewall(script: script, nil))
        state.withLock { ($0.isFilterLoaded, $0.hasRefused) = (true, true) }
        for holder in holders {
            logger.warning(
                "The host tracks nearly as many connections as it can, and an instance holds more than its share: it begins no more for now",
                metadata: ["device": "\(holder.device)", "connections": "\(holder.connections)", "share": "\(share)"])
        }
    }

    private func takeFilterAway() {
        do throws(KernelError) {
            try kernel.perform(.applyFirewall(script: ConnectionShareFilter.removal, nil))
            let wasRefusing = state.withLock { state in
                defer { (state.isFilterLoaded, state.hasRefused) = (false, false) }
                return state.hasRefused
            }
            guard wasRefusing else { return }
            logger.info("There is room for connections again: nobody is refused any more")
        } catch {
            logger.error("The filter of connections could not be taken away", metadata: ["error": "\(error)"])
        }
    }
}
