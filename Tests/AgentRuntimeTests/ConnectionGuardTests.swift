import Dispatch
import FakeKernel
import Glibc
import HostModel
import KernelInterface
import Synchronization
import TestSupport
import Testing

@testable import AgentRuntime
@testable import Converters

@Suite("Whom the agent keeps from filling the kernel's table of connections")
struct ConnectionGuardTests {
    /// A kernel that tracks so many connections of each instance, by the last number of its address.
    private final class Tracker: ConnectionTracker {
        private struct State {
            var held: [Int: Int] = [:]
            var looks = 0
            var isRefusing = false
        }

        private let state = Mutex(State())

        var looks: Int { state.withLock { $0.looks } }
        func hold(_ held: [Int: Int]) { state.withLock { $0.held = held } }
        func refuse(_ isRefusing: Bool) { state.withLock { $0.isRefusing = isRefusing } }

        func connections(inZone zone: Int?, _ isWanted: (TrackedConnection) -> Bool) throws(KernelError) -> [TrackedConnection] {
            let now = state.withLock { state in
                state.looks += 1
                return state
            }
            if now.isRefusing { throw KernelError(code: ENOBUFS, "no buffer space") }
            let zone = ConntrackZones.assign([id(1)])[id(1)] ?? 0
            for (number, count) in now.held {
                for port in 0..<count {
                    _ = isWanted(
                        TrackedConnection(
                            zone: zone, source: ip("10.0.0.\(number)"), destination: ip("192.0.2.1"), protocolNumber: 17,
                            sourcePort: UInt16(port), destinationPort: 53))
                }
            }
            return []
        }

        func end(_ connection: TrackedConnection) throws(KernelError) { Issue.record("what a holder has goes on") }
    }

    /// A host that tracks 1,000 connections, with instances 7 and 8, and a guard whose clock is the test's.
    private final class Host {
        let kernel: FakeKernel
        let tracker = Tracker()
        let log = LogLines()
        private let queue = DispatchQueue(label: "test.shares")
        private let view: HostView
        private let configuration: AgentConfiguration
        private lazy var guardian = makeGuard()

        init(sharePercent: Int = 10, capacity: Int? = nil, kernel: FakeKernel = FakeKernel()) throws {
            self.kernel = kernel
            configuration = AgentConfiguration(
                hostID: "h1", serverURLs: ["http://192.0.2.1:9696"], settings: AgentBench.settings, connectionSharePercent: sharePercent,
                connectionCapacity: capacity)
            var view = HostView()
            view.put(.network(HostNetwork(id: id(1), carrier: .local, mtu: 1500)))
            for number in [7, 8] { view.put(.port(port(number, network: 1))) }
            self.view = view
            try kernel.somebodyElse(.setSysctl(path: "net/netfilter/nf_conntrack_max", value: "1000", nil))
        }

        private func makeGuard() -> ConnectionGuard {
            ConnectionGuard(kernel: kernel, tracker: tracker, configuration: configuration, logger: log.logger, queue: queue)
        }

        /// Another agent, which knows nothing of this one.
        func restart() { guardian = makeGuard() }

        /// The kernel counts so many connections at a time; what the guard does of it is done when this returns.
        func watch(_ count: Int, at now: Int) throws {
            try begin(count, at: now)
            queue.sync {}
        }

        private func begin(_ count: Int, at now: Int) throws {
            try kernel.somebodyElse(.setSysctl(path: "net/netfilter/nf_conntrack_count", value: "\(count)", nil))
            guardian.watch(view, now: now)
        }

        /// As ``watch(_:at:)`` at several times, before anything that the guard does of it begins.
        func watch(_ count: Int, atOnceAt times: [Int]) throws {
            queue.suspend()
            defer {
                queue.resume()
                queue.sync {}
            }
            for now in times { try begin(count, at: now) }
        }

        /// Instances that begin no connections; nil: there is no filter.
        var refused: Set<Int>? {
            let elements = kernel.firewallTable(ConnectionShareFilter.table)?.sets["holders"]?.elements
            return elements.map { elements in Set([7, 8].filter { elements.contains("\"\(tap($0))\" timeout 10000ms") }) }
        }

        func tap(_ number: Int) -> String { port(number, network: 1).deviceName }
        func lines(with words: String) -> Int { log.all.count { $0.contains(words) } }
        func failFilters() { kernel.failAlways { if case .applyFirewall = $0 { true } else { false } } }
    }

    @Test("Below three quarters of the table nobody is looked at, whatever one holds; from there who holds more than its share is refused")
    func threshold() throws {
        let host = try Host()
        host.tracker.hold([7: 700, 8: 50])
        try host.watch(749, at: 0)
        #expect(host.tracker.looks == 0 && host.refused == nil)
        try host.watch(750, at: 500)
        #expect(host.tracker.looks == 1 && host.refused == [7])
        #expect(host.lines(with: host.tap(7)) == 1)
    }

    @Test("A share is a tenth of the table: who holds just that goes on")
    func share() throws {
        let host = try Host()
        host.tracker.hold([7: 100, 8: 101])
        try host.watch(800, at: 0)
        #expect(host.refused == [8])
    }

    @Test("Shares are of what the operator says that the host can track, where it says so")
    func capacity() throws {
        let host = try Host(capacity: 400)
        host.tracker.hold([7: 41, 8: 40])
        try host.watch(299, at: 0)
        #expect(host.refused == nil)
        try host.watch(300, at: 500)
        #expect(host.refused == [7])
    }

    @Test("A share of nothing limits nobody, and the kernel is not asked")
    func off() throws {
        let host = try Host(sharePercent: 0)
        host.tracker.hold([7: 900])
        host.kernel.clearLog()
        for second in 0..<5 { try host.watch(1000, at: second * 1000) }
        #expect(host.refused == nil && host.tracker.looks == 0 && host.kernel.reads.isEmpty)
    }

    @Test("While the table is nearly full everybody is looked at every two seconds, and the refusal of who still holds too much goes on")
    func renewal() throws {
        let host = try Host()
        host.tracker.hold([7: 700])
        for now in stride(from: 0, to: 2000, by: 500) { try host.watch(800, at: now) }
        #expect(host.tracker.looks == 1)
        host.tracker.hold([8: 700])
        host.kernel.clearLog()
        try host.watch(800, at: 2000)
        #expect(host.tracker.looks == 2)
        // The kernel takes the former holder out by itself: it is not named again.
        let script = host.kernel.performed.lazy.compactMap { if case .applyFirewall(let script, nil) = $0 { script } else { nil } }.first
        #expect(script?.contains(host.tap(8)) == true && script?.contains(host.tap(7)) == false)
    }

    @Test("The filter stays until less than half is taken and ten seconds after the last look, and then goes")
    func end() throws {
        let host = try Host()
        host.tracker.hold([7: 700])
        try host.watch(750, at: 0)
        try host.watch(749, at: 20_000)
        try host.watch(500, at: 30_000)
        #expect(host.refused == [7] && host.tracker.looks == 1)
        try host.watch(499, at: 30_500)
        #expect(host.refused == nil)
        #expect(host.lines(with: "nobody is refused any more") == 1)
        host.kernel.clearLog()
        try host.watch(0, at: 31_000)
        #expect(host.kernel.performed.isEmpty)
    }

    @Test("Connections that end at once do not take a refusal away before its ten seconds")
    func quickEnd() throws {
        let host = try Host()
        host.tracker.hold([7: 700])
        try host.watch(750, at: 0)
        try host.watch(10, at: 9999)
        #expect(host.refused == [7])
        try host.watch(10, at: 10_000)
        #expect(host.refused == nil)
    }

    @Test("Looks that find nobody above its share become rarer, up to one in eight seconds, and are warned of once")
    func nobody() throws {
        let host = try Host()
        host.tracker.hold([7: 90, 8: 90])
        var looks: [Int] = []
        for now in stride(from: 0, through: 30_000, by: 500) {
            let before = host.tracker.looks
            try host.watch(900, at: now)
            if host.tracker.looks > before { looks.append(now) }
        }
        #expect(looks == [0, 4000, 12_000, 20_000, 28_000])
        #expect(host.refused == nil && host.lines(with: "raise net.netfilter.nf_conntrack_max") == 1)
        // Somebody is found: they are as frequent as before.
        host.tracker.hold([7: 700])
        for now in [36_000, 38_000] { try host.watch(900, at: now) }
        #expect(host.tracker.looks == 7 && host.refused == [7])
    }

    @Test("A table that had room meanwhile is a new matter: the operator is warned again, and looks are frequent again")
    func nobodyAgain() throws {
        let host = try Host()
        host.tracker.hold([7: 90])
        try host.watch(0, at: 0)
        for now in stride(from: 500, through: 30_000, by: 500) { try host.watch(900, at: now) }
        try host.watch(100, at: 40_000)
        let before = host.tracker.looks
        for now in [50_000, 54_000] { try host.watch(900, at: now) }
        #expect(host.tracker.looks == before + 2)
        #expect(host.lines(with: "raise net.netfilter.nf_conntrack_max") == 2)
        #expect(host.lines(with: "nobody is refused any more") == 0)
    }

    @Test("What an agent before left goes when there is room, without a word; while there is none it stays")
    func restart() throws {
        let host = try Host()
        host.tracker.hold([7: 700])
        try host.watch(750, at: 0)
        host.restart()
        try host.watch(600, at: 100)
        #expect(host.refused == [7])
        try host.watch(499, at: 600)
        #expect(host.refused == nil)
        #expect(host.lines(with: "nobody is refused any more") == 0)
        // Nor does it matter that there was nothing.
        host.restart()
        try host.watch(0, at: 0)
        #expect(host.lines(with: "could not") == 0)
    }

    @Test("An agent that limits nobody takes away what one before it left, and nothing else")
    func restartWithoutLimit() throws {
        let host = try Host()
        host.tracker.hold([7: 700])
        try host.watch(750, at: 0)
        let other = try Host(sharePercent: 0, kernel: host.kernel)
        try other.watch(750, at: 0)
        #expect(other.refused == nil)
        host.kernel.clearLog()
        try other.watch(750, at: 500)
        #expect(host.kernel.performed.isEmpty && other.tracker.looks == 0)
    }

    @Test("A kernel that does not tell its connections refuses nobody, is in the log, and is asked again after two seconds")
    func unreadable() throws {
        let host = try Host()
        host.tracker.hold([7: 700])
        host.tracker.refuse(true)
        try host.watch(800, at: 0)
        #expect(host.refused == nil && host.lines(with: "could not be shared out") == 1)
        host.tracker.refuse(false)
        try host.watch(800, at: 1999)
        #expect(host.refused == nil)
        try host.watch(800, at: 2000)
        #expect(host.refused == [7])
    }

    @Test("A filter that the kernel does not take is tried again with the next look")
    func refusedFilter() throws {
        let host = try Host()
        host.tracker.hold([7: 700])
        host.failFilters()
        try host.watch(800, at: 0)
        #expect(host.refused == nil && host.lines(with: "could not be shared out") == 1)
        host.kernel.stopFailing()
        try host.watch(800, at: 2000)
        #expect(host.refused == [7])
    }

    @Test("A filter that cannot be taken away is tried again every eight seconds, with a line each, not twice a second")
    func stubbornFilter() throws {
        let host = try Host()
        host.tracker.hold([7: 700])
        try host.watch(800, at: 0)
        host.failFilters()
        for now in stride(from: 10_000, to: 18_000, by: 500) { try host.watch(100, at: now) }
        #expect(host.lines(with: "could not be taken away") == 1)
        try host.watch(100, at: 18_000)
        #expect(host.lines(with: "could not be taken away") == 2)
        host.kernel.stopFailing()
        try host.watch(100, at: 26_000)
        #expect(host.refused == nil)
    }

    @Test("A kernel that tracks no connections, or does not say how many, is left alone")
    func uncounted() throws {
        let host = try Host()
        host.tracker.hold([7: 700])
        host.kernel.failReading(nil)
        try host.watch(800, at: 0)
        #expect(host.tracker.looks == 0 && host.log.all.isEmpty)
        host.kernel.stopFailing()
        try host.kernel.somebodyElse(.setSysctl(path: "net/netfilter/nf_conntrack_max", value: "0", nil))
        try host.watch(800, at: 500)
        #expect(host.tracker.looks == 0 && host.refused == nil)
    }

    @Test("A look that is still going on is waited for: there are no two at a time")
    func slowLook() throws {
        let host = try Host()
        host.tracker.hold([7: 700])
        try host.watch(800, atOnceAt: [0, 4000])
        #expect(host.tracker.looks == 1)
    }
}
