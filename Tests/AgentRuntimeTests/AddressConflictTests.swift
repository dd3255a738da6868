import Addressing
import Converters
import Election
import FakeKernel
import HostModel
import NetworkModel
import Synchronization
import Testing

@testable import AgentRuntime

@Suite("An agent and other owners of its routers' addresses")
struct AddressConflictTests {
    /// What the external network says, as the test has it.
    private final class Network: Sendable {
        let asked = Mutex<[ExternalAddress]>([])
        let conflicts = Mutex<[ResourceID: String]>([:])

        @Sendable func find(_ addresses: [ExternalAddress]) async -> [ResourceID: String] {
            asked.withLock { $0 = addresses }
            return conflicts.withLock { $0 }
        }
    }

    private static func gateway(_ number: Int) -> HostRouter.RouterPort {
        HostRouter.RouterPort(
            id: id(number), networkID: id(2), mac: mac(number),
            addresses: [interface("203.0.113.\(number)/24"), interface("2001:db8::\(number)/64")], mtu: 1500)
    }

    @Test("A conflict is the failure of its router for as long as it lasts; another router is untouched")
    func conflict() async throws {
        let network = Network()
        try await AgentBench.run(findConflicts: network.find) { bench in
            let feed = try await bench.server.nextFeed()
            for number in [10, 11] {
                feed.send(.put(.router(HostRouter(id: id(number), gateway: Self.gateway(number + 100)))))
            }
            feed.send(.bookmark(revision: 3))
            try await bench.eventually("that both are well") {
                Set(bench.server.reports.flatMap(\.routers).map(\.routerID)) == [id(10), id(11)]
            }
            network.conflicts.withLock { $0 = [id(10): "somebody has 203.0.113.110"] }
            try await bench.eventually("the failure") { Self.failure(of: id(10), bench) == "somebody has 203.0.113.110" }
            network.conflicts.withLock { $0 = [:] }
            try await bench.eventually("that it is over") { Self.failure(of: id(10), bench) == nil }
            #expect(bench.server.reports.flatMap(\.routers).allSatisfy { $0.routerID == id(10) || $0.failure == nil })
        }
    }

    private static func failure(of router: ResourceID, _ bench: AgentBench) -> String? {
        bench.server.reports.flatMap(\.routers).last { $0.routerID == router }?.failure
    }

    @Test("Asked for is what a router has that forwards here: a standalone one, and a group's master, not its backup")
    func addresses() async throws {
        let network = Network()
        try await AgentBench.run(findConflicts: network.find) { bench in
            let feed = try await bench.server.nextFeed()
            let haPort = HostRouter.RouterPort(
                id: id(6), networkID: id(1), mac: mac(6), addresses: [interface("169.254.192.5/18")], mtu: 1450)
            let redundant = HostRouter(
                id: id(20), redundancy: .init(virtualRouterID: 5, priority: 200, port: haPort), gateway: Self.gateway(120),
                floatingIPs: [.init(id: id(30), address: ip("203.0.113.130"), fixedAddress: ip("10.0.0.5"))])
            feed.send(
                AgentRuntimeTests.network(1), .put(.router(redundant)), .put(.router(HostRouter(id: id(10), gateway: Self.gateway(110)))))
            feed.send(.bookmark(revision: 3))
            let standalone = ["203.0.113.110", "2001:db8::110"].map {
                ExternalAddress(routerID: id(10), bridge: bridge(2), address: ip($0), mac: mac(110))
            }
            try await bench.eventually("the standalone router") { network.asked.withLock { $0 } == standalone }

            let pipe = RouterConverter.paths(of: id(20), settings: AgentBench.settings).notifyPipe
            try await bench.eventually("the pipe") { bench.pipes.isOpen(pipe) }
            // The simulated kernel has no addresses of a master: a look at the new member would take the word back.
            try await bench.eventually("the look at the new member") {
                bench.server.reports.flatMap(\.routers).contains { $0.routerID == id(20) && $0.state == .standby }
            }
            bench.pipes.write("INSTANCE \"VR_5\" MASTER 200", to: pipe)
            let master = ["203.0.113.120", "203.0.113.130", "2001:db8::120"].map {
                ExternalAddress(routerID: id(20), bridge: bridge(2), address: ip($0), mac: mac(120))
            }
            try await bench.eventually("the master") { network.asked.withLock { $0 } == standalone + master }
            bench.pipes.write("INSTANCE \"VR_5\" BACKUP 200", to: pipe)
            try await bench.eventually("the backup") { network.asked.withLock { $0 } == standalone }
        }
    }
}
