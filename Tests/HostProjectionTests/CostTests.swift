import HostModel
import HostProjection
import NetworkModel
import Testing

/// The cost of a change is what it concerns, not what there is. Counted in items, never in time.
@Suite struct CostTests {
    private static let portCount = 10_000

    /// 10,000 ports of ten networks on 50 hosts: each network on five of them. Each port is in its network's group, which permits itself.
    private static let large: Topology = {
        var rows: [TopologyChange.Row] = (0..<50).map { host("host\($0)", tunnel: "10.9.0.\($0)") }
        for number in 0..<10 {
            rows += [network(number), subnet(number, on: number, "10.\(number).0.0/16"), dhcp(number, on: "host\(number)"), group(number)]
            rows.append(rule(number, of: number) { $0.remoteGroupID = groupID(number) })
        }
        rows += (0..<portCount).map { newPort($0) }
        return Topology(rows: rows)
    }()

    /// On the network of its last digit, on one of the network's five hosts.
    private static func newPort(_ number: Int, change: (inout Port) -> Void = { _ in }) -> TopologyChange.Row {
        let network = number % 10
        return port(
            number, on: network, host: "host\(network + number / 10 % 5 * 10)",
            addresses: [(network, "10.\(network).\(number / 250 % 250).\(number % 250)")], groups: [network], change: change)
    }

    @Test("A new port among 10,000 touches three items at most on each host of its network, and none elsewhere")
    func portCreate() {
        var topology = Self.large
        let concerned = topology.apply([.put(Self.newPort(Self.portCount))])
        #expect(Set(concerned.keys) == ["host0", "host10", "host20", "host30", "host40"])
        // A remote port and a group member on each; the port on its host; the reservation on the DHCP host.
        #expect(concerned.values.reduce(0) { $0 + $1.count } == 12)
    }

    @Test("A change of a port, even of its host's only one on a network, does not touch the network's other ports")
    func portUpdate() {
        var topology = Self.large
        _ = topology.apply([.put(port(20_000, on: 0, host: "host5"))])
        let concerned = topology.apply([.put(port(20_000, on: 0, host: "host5") { $0.status = .active })])
        #expect(concerned.values.reduce(0) { $0 + $1.count } <= 8)
    }

    @Test("Binding a network's first port on a host touches as many items as the network has ports, on that host alone")
    func firstPort() {
        var topology = Self.large
        let concerned = topology.apply([.put(port(20_000, on: 0, host: "host5"))])
        #expect(concerned["host5"]?.count == Self.portCount / 10 + 3)
        for host in ["host0", "host10", "host20", "host30", "host40"] {
            #expect((1...3).contains(concerned[host]?.count ?? 0), "\(host)")
        }
        #expect(concerned.count == 6)
    }

    @Test("A new rule touches its group once on each host that filters by it")
    func ruleCreate() {
        var topology = Self.large
        let concerned = topology.apply([.put(rule(100, of: 3))])
        #expect(concerned.count == 5)
        for keys in concerned.values { #expect(keys == [HostItemKey(.securityGroup, groupID(3))]) }
    }

    @Test(
        "A new gateway among a hundred concerns its own router, and so does an interface that is not first in IPv6")
    func newRouterPort() {
        func gateway(_ number: Int) -> TopologyChange.Row {
            port(
                number, on: 1, owner: DeviceOwner.routerGateway, device: routerID(number).description,
                addresses: [(1, "203.0.113.\(number)"), (2, "2001:db8::\(number)")])
        }
        func interface(_ number: Int) -> TopologyChange.Row {
            port(
                500 + number, on: 2, owner: DeviceOwner.routerInterface, device: routerID(number).description,
                addresses: [(3, "fd00::\(number)")])
        }
        var rows = [
            network(1), network(2), subnet(1, on: 1, "203.0.113.0/24") { $0.isDHCPEnabled = false },
            subnet(2, on: 1, "2001:db8::/64") { $0.isDHCPEnabled = false }, subnet(3, on: 2, "fd00::/64") { $0.isDHCPEnabled = false },
        ]
        for number in 1...100 { rows += [router(number) { _ in }, member(number, on: "h1")] }
        for number in 2..<100 { rows += [gateway(number), interface(number)] }
        var topology = Topology(rows: rows)
        func routers(_ row: TopologyChange.Row) -> Int {
            topology.apply([.put(row)]).values.joined().filter { $0.kind == .router }.count
        }
        #expect(routers(gateway(100)) == 1)
        #expect(routers(interface(100)) == 1)
        #expect(routers(interface(1)) == 100, "the first takes the address of metadata from another one")
    }

    @Test("A heartbeat of a host, or a row that is equal to the stored one, touches nothing")
    func nothing() {
        var topology = Self.large
        #expect(topology.apply([.put(host("host0", tunnel: "10.9.0.0")), .put(Self.newPort(7)), .put(network(1))]).isEmpty)
    }
}
