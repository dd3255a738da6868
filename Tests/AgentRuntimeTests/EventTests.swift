import Converters
import FakeKernel
import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses
import Testing

@Suite("An agent and what happens on its host")
struct EventTests {
    @Test("A tap that appears after its port is wired when the kernel tells of it")
    func wiresTapThatAppears() async throws {
        try await AgentBench.run { bench in
            let feed = try await bench.server.nextFeed()
            let tap = port(9, network: 1).deviceName
            feed.send(network(1), .put(.port(port(9, network: 1))), .bookmark(revision: 3))
            try await bench.eventually("that the port is down") { bench.state(of: id(9), .l2) == .down }

            try bench.kernel.plug(Link(name: tap, kind: .foreign, isUp: false))
            bench.linkChanges.yield()
            try await bench.eventually("that the port is up") { bench.state(of: id(9), .l2) == .up }
            let wired = bench.kernel.rendered.split(separator: "\n").first { $0.contains("link \(tap),") }
            #expect(wired?.contains("port of \(bridge(1))") == true)
        }
    }

    @Test("A port's state is reported once, and again when the server did not take the report")
    func reportsOnce() async throws {
        try await AgentBench.run { bench in
            let feed = try await bench.server.nextFeed()
            try bench.kernel.plug(Link(name: port(9, network: 1).deviceName, kind: .foreign, isUp: false))
            bench.server.refuseReports(2)
            feed.send(network(1), .put(.port(port(9, network: 1))), .bookmark(revision: 3))
            try await bench.eventually("that the port is up") { bench.state(of: id(9), .l2) == .up }
            #expect(bench.server.refusalsLeft == 0)

            let count = bench.server.reports.count
            try await bench.eventually("two signs of life") { bench.server.reports.count >= count + 2 }
            #expect(bench.server.reports.flatMap(\.ports).filter { $0.portID == id(9) }.count == 1)
        }
    }

    @Test("A flushed ruleset is loaded again, also when the one who tells of changes does not tell of this one")
    func findsFlushedRuleset() async throws {
        let (changes, teller) = AsyncStream.makeStream(of: NamespaceName?.self)
        try await AgentBench.run(rulesetChanges: changes, firewallCheckMilliseconds: 1) { bench in
            let feed = try await bench.server.nextFeed()
            feed.send(network(1), .put(.port(port(9, network: 1))), .bookmark(revision: 3))
            func isLoaded() -> Bool { bench.kernel.firewallTable("bridge neutrino") != nil }
            try await bench.eventually("the rules of security groups") { isLoaded() }
            try bench.kernel.somebodyElse(.applyFirewall(script: "flush ruleset\n", nil))
            try await bench.eventually("the rules again") { isLoaded() }
            withExtendedLifetime(teller) {}
        }
    }

    @Test("A change of a port's revision is acknowledged")
    func acknowledgesRevision() async throws {
        try await AgentBench.run { bench in
            let feed = try await bench.server.nextFeed()
            try bench.kernel.plug(Link(name: port(9, network: 1).deviceName, kind: .foreign, isUp: false))
            feed.send(network(1), .put(.port(port(9, network: 1, revision: 4))), .bookmark(revision: 3))
            feed.send(.put(.port(port(9, network: 1, revision: 5))), .bookmark(revision: 4))
            try await bench.eventually("revision 5") { bench.server.reports.flatMap(\.ports).last?.revision == 5 }
        }
    }

    @Test("A line of keepalived's notify pipe becomes the state file and a report, which each sign of life repeats")
    func noticesMaster() async throws {
        try await AgentBench.run { bench in
            let feed = try await bench.server.nextFeed()
            feed.send(network(1), router(5, haNetwork: 1, haPort: 6), .bookmark(revision: 3))
            let paths = RouterConverter.paths(of: id(5), settings: AgentBench.settings)
            try await bench.eventually("the pipe's reader") { bench.pipes.isOpen(paths.notifyPipe) }
            // A new master has the group's address before it says so.
            let primary = KeepalivedConfiguration.primaryAddress(virtualRouterID: 5, interface: "ha-" + id(6).devicePart)
            try bench.kernel.somebodyElse(.addAddress(primary, RouterConverter.namespace(of: id(5))))
            bench.pipes.write("INSTANCE \"VR_5\" MASTER 200", to: paths.notifyPipe)
            try await bench.eventually("the report") { bench.server.reports.flatMap(\.routers).last?.state == .active }
            #expect(try bench.kernel.readFile(paths.state) == HAState.active.stateFileText)
            let count = bench.server.reports.count
            // Reports of other things may come first; none may take the state back.
            try await bench.eventually("the next sign of life") { bench.server.reports.dropFirst(count).contains { !$0.routers.isEmpty } }
            #expect(bench.server.reports.dropFirst(count).flatMap(\.routers).allSatisfy { $0 == .init(routerID: id(5), state: .active) })
        }
    }

    @Test("A router that goes down and up again is listened to on its new pipe")
    func listensAgain() async throws {
        try await AgentBench.run { bench in
            let feed = try await bench.server.nextFeed()
            let pipe = RouterConverter.paths(of: id(5), settings: AgentBench.settings).notifyPipe
            feed.send(network(1), router(5, haNetwork: 1, haPort: 6), .bookmark(revision: 3))
            // Until its start has ended, what keepalived says is compared with the addresses that are there.
            try await bench.eventually("the start") { bench.pipes.isOpen(pipe) && bench.server.reports.last?.appliedRevision == 3 }
            bench.pipes.write("INSTANCE \"VR_5\" MASTER 200", to: pipe)
            try await bench.eventually("the master") { bench.server.reports.flatMap(\.routers).last?.state == .active }

            feed.send(router(5, haNetwork: 1, haPort: 6, isUp: false), .bookmark(revision: 4))
            try await bench.eventually("the standby") { bench.server.reports.flatMap(\.routers).last?.state == .standby }
            feed.send(router(5, haNetwork: 1, haPort: 6), .bookmark(revision: 5))
            try await bench.eventually("the new pipe") { bench.kernel.namedPipes.contains(pipe) }
            try await bench.eventually("the master again") {
                bench.pipes.write("INSTANCE \"VR_5\" MASTER 200", to: pipe)
                return bench.server.reports.flatMap(\.routers).last?.state == .active
            }
        }
    }

    @Test("A daemon that ends by itself is started again without waiting for the full check")
    func restartsDaemon() async throws {
        try await AgentBench.run { bench in
            let feed = try await bench.server.nextFeed()
            feed.send(network(1), dhcp(network: 1, port: 8), .bookmark(revision: 3))
            try await bench.eventually("the report") { bench.state(of: id(8), .dhcp) == .up }
            let process = try #require(bench.kernel.runningProcesses.first)
            bench.kernel.kill(process: process.id)
            try await bench.eventually("another dnsmasq") { bench.kernel.runningProcesses.map(\.command) == [process.command] }
            #expect(bench.kernel.runningProcesses.first?.id != process.id)
        }
    }

    @Test("What failed is tried again, and reported as a failure until it succeeds")
    func retries() async throws {
        try await AgentBench.run { bench in
            bench.kernel.failAlways(link: bridge(1))
            let feed = try await bench.server.nextFeed()
            feed.send(network(1), .bookmark(revision: 3))
            try await bench.eventually("the failure") { bench.server.reports.last?.failures.isEmpty == false }
            #expect(bench.server.reports.last?.appliedRevision == nil)
            bench.kernel.stopFailing()
            try await bench.eventually("the applied revision") { bench.server.reports.last?.appliedRevision == 3 }
            #expect(bench.kernel.rendered.contains("link \(bridge(1)),"))
        }
    }
}
