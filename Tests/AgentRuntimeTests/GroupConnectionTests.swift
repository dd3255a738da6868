import Converters
import HostModel
import KernelInterface
import Logging
import NetworkModel
import Synchronization
import TestSupport
import Testing

@testable import AgentRuntime

@Suite("Connections that groups no longer allow")
struct GroupConnectionTests {
    /// A kernel that tracks one connection to 10.0.0.7, and refuses to tell of it for a while.
    private final class Tracker: ConnectionTracker {
        private struct State {
            var refusals: Int
            var hasEnded = false
        }

        private let state: Mutex<State>

        init(refusals: Int) { state = Mutex(State(refusals: refusals)) }

        var hasEnded: Bool { state.withLock { $0.hasEnded } }

        func connections(
            inZone zone: Int?, _ isWanted: (TrackedConnection) -> Bool
        ) throws(KernelError) -> [TrackedConnection] {
            let mustRefuse = state.withLock { state in
                state.refusals -= 1
                return state.refusals >= 0
            }
            if mustRefuse { throw KernelError(code: 105, "no buffer space") }
            let connection = TrackedConnection(
                zone: zone ?? 0, source: ip("192.0.2.9"), destination: ip("10.0.0.7"), protocolNumber: 6, sourcePort: 40000,
                destinationPort: 22)
            return isWanted(connection) ? [connection] : []
        }

        func end(_ connection: TrackedConnection) throws(KernelError) { state.withLock { $0.hasEnded = true } }
    }

    @Test("They are ended however often the kernel refuses before")
    func refusals() async {
        let tracker = Tracker(refusals: 20)
        var logger = Logger(label: "connections")
        logger.logLevel = .critical
        let cleaner = GroupConnectionCleaner(
            tracker: tracker, logger: logger, backoff: Backoff(firstMilliseconds: 1, lastMilliseconds: 2))
        var view = HostView()
        view.put(.network(HostNetwork(id: id(1), carrier: .local, mtu: 1500)))
        view.put(
            .port(HostPort(id: id(7), networkID: id(1), mac: mac(7), addresses: [ip("10.0.0.7")], securityGroupIDs: [])))
        cleaner.review(view)
        let hasEnded = await poll(until: .now + .seconds(60)) { tracker.hasEnded }
        #expect(hasEnded)
    }
}
