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
    /// Refused for so long after the last look that found the device above its share.
    static let refusalMilliseconds = 10_000

    private struct State {
        var isWorking = false
        /// An agent before this one may have left it.
        var isFilterLoaded = true
        /// Milliseconds of the agent's clock.
        var lastLook: Int?
        var lookMilliseconds = ConnectionGuard.lookMilliseconds
    }

    private let state = Mutex(State())
    private let kernel: any NetworkKernel
    private let tracker: any ConnectionTracker
    private let configuration: AgentConfiguration
    private let logger: Logger
    private let queue = DispatchQueue(label: "agent.shares", qos: .userInitiated)

    init(kernel: any NetworkKernel, tracker: any ConnectionTracker, configuration: AgentConfiguration, logger: Logger) {
        self.kernel = kernel
        self.tracker = tracker
        self.configuration = configuration
        self.logger = logger
    }

    /// To be called every ``watchMilliseconds`` with the view whose ports are wired.
    func watch(_ view: HostView, now: Int) {
        guard configuration.connectionSharePercent > 0, let (count, capacity) = usage() else { return }
        let share = capacity * configuration.connectionSharePercent / 100
        let isCrowded = count >= capacity / 4 * 3
        let mustWork = state.withLock { state in
            let isDue: Bool
            if isCrowded {
                isDue = state.lastLook.map { now - $0 >= state.lookMilliseconds } ?? true
            } else {
                let isOver = state.lastLook.map { now - $0 >= Self.refusalMilliseconds } ?? true
                isDue = state.isFilterLoaded && isOver && count < capacity / 2
            }
            guard isDue, !state.isWorking else { return false }
            state.isWorking = true
            if isCrowded { state.lastLook = now }
            return true
        }
        guard mustWork else { return }
        queue.async {
            if isCrowded { self.look(view, share: share) } else { self.takeFilterAway() }
            self.state.withLock { $0.isWorking = false }
        }
    }

    /// How many connections the host's own namespace tracks, and how many it may.
    private func usage() -> (count: Int, capacity: Int)? {
        let (count, maximum) = ("net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_max")
        let values = try? kernel.sysctls([count, maximum], in: nil)
        guard let values, let tracked = values[count].flatMap({ Int($0) }) else { return nil }
        let capacity = configuration.connectionCapacity ?? values[maximum].flatMap { Int($0) }
        return capacity.flatMap { $0 > 0 ? (tracked, $0) : nil }
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
        state.withLock { $0.isFilterLoaded = true }
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
                defer { (state.isFilterLoaded, state.lookMilliseconds) = (false, Self.lookMilliseconds) }
                return state.lastLook != nil
            }
            guard wasRefusing else { return }
            logger.info("There is room for connections again: nobody is refused any more")
        } catch {
            logger.error("The filter of connections could not be taken away", metadata: ["error": "\(error)"])
        }
    }
}
