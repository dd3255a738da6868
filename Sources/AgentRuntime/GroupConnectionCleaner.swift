import Converters
import Dispatch
import HostModel
import KernelInterface
import Logging
import NetworkModel
import Synchronization

/// Ends connections that security groups no longer allow, beside the cycle: reading the connections of a network may take longer than changes may
/// wait.
///
///           rules are loaded, something was lost                 judged, ended
///     idle ────────────────────────────────────▶ suspects wait ─────────────────▶ idle
///                                                 ▲          │ the kernel refused
///                                                 └──────────┘ (again and again, ever more seldom: no suspect is ever let off)
final class GroupConnectionCleaner: Sendable {
    static let firstRetryMilliseconds = 1000
    static let lastRetryMilliseconds = 16_000
    /// Suspects of more networks than these cost one look at all connections, not one each.
    static let maximumLooks = 8

    private struct State {
        /// The view whose rules are enforced; nil before the first cycle.
        var enforced: HostView?
        /// As ``ConnectionReview/suspects(from:to:)`` names them.
        var suspects: [ResourceID: HostPort?] = [:]
        var backoff: Backoff
        var isWorking = false
    }

    private let state: Mutex<State>
    private let tracker: any ConnectionTracker
    private let logger: Logger
    private let queue = DispatchQueue(label: "agent.connections", qos: .userInitiated)

    init(
        tracker: any ConnectionTracker, logger: Logger,
        backoff: Backoff = Backoff(
            firstMilliseconds: GroupConnectionCleaner.firstRetryMilliseconds,
            lastMilliseconds: GroupConnectionCleaner.lastRetryMilliseconds)
    ) {
        state = Mutex(State(backoff: backoff))
        self.tracker = tracker
        self.logger = logger
    }

    /// To be called after each cycle that has loaded the rules of the view: before, connections would come back by the old ones.
    func review(_ view: HostView) {
        let mustStart = state.withLock { state in
            if state.enforced == view { return false }
            for (id, port) in ConnectionReview.suspects(from: state.enforced, to: view) where state.suspects[id] == nil {
                state.suspects.updateValue(port, forKey: id)
            }
            state.enforced = view
            guard !state.suspects.isEmpty, !state.isWorking else { return false }
            state.isWorking = true
            return true
        }
        if mustStart { queue.async { self.work() } }
    }

    private func work() {
        while let (suspects, view) = next() {
            do throws(KernelError) {
                try end(ConnectionReview.judges(suspects, in: view))
                state.withLock { $0.backoff.reset() }
            } catch {
                logger.error("Connections that no rule allows could not be ended; trying again", metadata: ["error": "\(error)"])
                postpone(suspects)
                return
            }
        }
    }

    /// Nil when there is nothing left to do, which ends the work.
    private func next() -> (suspects: [ResourceID: HostPort?], view: HostView)? {
        state.withLock { state in
            guard let view = state.enforced, !state.suspects.isEmpty else {
                state.isWorking = false
                return nil
            }
            let suspects = state.suspects
            state.suspects = [:]
            return (suspects, view)
        }
    }

    private func postpone(_ suspects: [ResourceID: HostPort?]) {
        let delay = state.withLock { state in
            // As it was first, a port has the more to lose.
            state.suspects.merge(suspects) { newer, older in older ?? newer }
            var generator = SystemRandomNumberGenerator()
            return state.backoff.next(using: &generator)
        }
        queue.asyncAfter(deadline: .now() + .milliseconds(Int(delay / .milliseconds(1)))) { self.work() }
    }

    private func end(_ judges: [ConnectionJudge]) throws(KernelError) {
        var stale: [TrackedConnection] = []
        if judges.count > Self.maximumLooks {
            let byZone = Dictionary(grouping: judges, by: \.zone)
            stale = try tracker.connections(inZone: nil) { connection in
                byZone[connection.zone, default: []].contains { $0.mustEnd(connection) }
            }
        } else {
            for judge in judges { stale += try tracker.connections(inZone: judge.zone) { judge.mustEnd($0) } }
        }
        for connection in stale { try tracker.end(connection) }
        if !stale.isEmpty { logger.info("Ended connections that no rule allows any more", metadata: ["count": "\(stale.count)"]) }
    }
}
