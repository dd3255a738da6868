import Addressing
import Drivers
import FakeKernel
import Glibc
import KernelInterface
import Testing

/// Permanent neighbours: of bridges, and of routers on the HA network.
@Suite struct NeighbourTests {
    @Test("The neighbours of a bridge survive its ports, whatever their MACs")
    func bridgeKeepsNeighbours() throws {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        builder.remotePort(5, network: 1, at: ip(192, 0, 2, 7))
        builder.port(1, network: 1)
        _ = bench.reconciler.apply(builder.host, .full)
        try bench.kernel.plug(Link(name: "tap1", kind: .foreign, mac: mac(0), isUp: false))
        bench.reconciler.markLinksDirty(nil)
        _ = bench.reconciler.apply(builder.host, .changed)
        #expect(try bench.kernel.neighbours(in: nil).count == 1)
        try bench.kernel.somebodyElse(.removeLink(name: "tap1", nil))
        #expect(try bench.kernel.neighbours(in: nil).count == 1)
    }

    @Test("Neighbours on ha- come with a peer, change with its MAC address and go with it, also when an agent comes back")
    func redundancyNeighbours() throws {
        let bench = Bench()
        let namespace = NamespaceName("qrouter-1")
        let ha = Link(name: "ha-1", kind: .veth(peer: "tap1", peerNamespace: nil), mac: mac(1))
        func apply(_ peers: Set<Neighbour>, _ mode: Reconciler.Mode) throws -> Set<Neighbour> {
            var host = HostConfiguration()
            host.own.links["tap1"] = Link(name: "tap1", kind: .veth(peer: "ha-1", peerNamespace: namespace), alias: "neutrino")
            var inside = NamespaceConfiguration()
            inside.links["ha-1"] = ha
            inside.neighbours = peers
            host.namespaces[namespace] = inside
            let report = bench.reconciler.apply(host, mode)
            #expect(report.failures.isEmpty)
            return try bench.kernel.neighbours(in: namespace)
        }
        func peer(_ number: Int, _ macNumber: Int) -> Neighbour {
            Neighbour(address: ip(169, 254, 192, number), mac: mac(macNumber), link: "ha-1")
        }
        for peers: Set<Neighbour> in [[peer(2, 2), peer(3, 3)], [peer(2, 9), peer(3, 3)], [peer(2, 9)]] {
            #expect(try apply(peers, .changed) == peers)
        }
        #expect(try apply([], .full).isEmpty)
    }
}
