import HostModel
import HostProjection
import NetworkModel
import Testing

@Suite("QoS rules of ports")
struct QualityItemTests {
    private let surroundings = [
        network(1) { $0.qosPolicyID = policyID(1) }, subnet(1, on: 1, "10.0.0.0/24"), host("h1", tunnel: "10.9.0.1"),
        policy(1, ingress: 2000, egress: 1000, burst: 100), policy(2, egress: 500, packets: 7, mark: 46), policy(3),
    ]

    private func quality(_ rows: [TopologyChange.Row], of number: Int, on host: String = "h1") -> HostQuality? {
        guard case .port(let item) = Topology(rows: rows).item(HostItemKey(.port, portID(number)), for: host) else { return nil }
        return item.quality
    }

    private let ofNetwork = HostQuality(
        ingress: .init(bandwidth: .init(kilobitsPerSecond: 2000, burstKilobits: 100)),
        egress: .init(bandwidth: .init(kilobitsPerSecond: 1000, burstKilobits: 100)))

    @Test("A port has the rules of its own policy, else those of its network's, and never both")
    func precedence() {
        let rows =
            surroundings + [
                port(1, on: 1, host: "h1"), port(2, on: 1, host: "h1") { $0.qosPolicyID = policyID(2) },
                port(3, on: 1, host: "h1") { $0.qosPolicyID = policyID(3) },
            ]
        #expect(quality(rows, of: 1) == ofNetwork)
        #expect(
            quality(rows, of: 2)
                == HostQuality(
                    egress: .init(
                        bandwidth: .init(kilobitsPerSecond: 500, burstKilobits: 0),
                        packetRate: .init(kilopacketsPerSecond: 7, burstKilopackets: 0)), dscpMark: 46))
        // A policy without rules is a policy: it frees the port of the network's.
        #expect(quality(rows, of: 3) == nil)
        let network2 = [network(2), port(4, on: 2, host: "h1")]
        #expect(quality(rows + network2, of: 4) == nil)
    }

    @Test("Ports of routers and DHCP servers have the policy that they were given, and not their network's")
    func services() {
        let rows =
            surroundings + [
                router(1), member(1, on: "h1"), dhcp(1, on: "h1"),
                port(5, on: 1, owner: DeviceOwner.routerInterface, device: routerID(1).description, addresses: [(1, "10.0.0.1")]),
                port(6, on: 1, owner: DeviceOwner.routerInterface, device: routerID(1).description, addresses: [(1, "10.0.0.2")]) {
                    $0.qosPolicyID = policyID(1)
                },
                port(7, on: 1, host: "h1", owner: DeviceOwner.dhcp, addresses: [(1, "10.0.0.3")]) { $0.qosPolicyID = policyID(1) },
            ]
        let topology = Topology(rows: rows)
        guard case .router(let router) = topology.item(HostItemKey(.router, routerID(1)), for: "h1"),
            case .dhcp(let server) = topology.item(HostItemKey(.dhcp, networkID(1)), for: "h1")
        else {
            Issue.record("the services are on the host")
            return
        }
        #expect(router.interfaces.map(\.quality) == [nil, ofNetwork])
        #expect(server.portQuality == ofNetwork)
    }

    @Test("Floating IPs and gateways without a policy have that of the external network")
    func externalNetwork() {
        let rows =
            surroundings + [
                network(9, type: .flat) { $0.qosPolicyID = policyID(2) },
                router(1) { $0.gateway = ExternalGateway(networkID: networkID(9), portID: portID(2)) }, member(1, on: "h1"),
                floatingIP(1, "203.0.113.21", port: 3, fixed: "10.0.0.5", router: 1, policy: 1),
                floatingIP(2, "203.0.113.22", port: 4, fixed: "10.0.0.6", router: 1),
            ]
        guard case .router(let router) = Topology(rows: rows).item(HostItemKey(.router, routerID(1)), for: "h1") else {
            Issue.record("the router is on the host")
            return
        }
        #expect(router.gatewayLimits?.egress?.kilobitsPerSecond == 500 && router.gatewayLimits?.ingress == nil)
        #expect(router.floatingIPs.map(\.limits?.egress?.kilobitsPerSecond) == [1000, 500])
    }

    @Test("A changed policy concerns the ports that have it, by themselves or by their network, and no other")
    func changes() {
        var topology = Topology(
            rows: surroundings + [
                network(2), port(1, on: 1, host: "h1"), port(2, on: 1, host: "h2") { $0.qosPolicyID = policyID(2) },
                port(3, on: 2, host: "h3"),
            ])
        #expect(topology.apply([.put(policy(1, egress: 900))]) == ["h1": [HostItemKey(.port, portID(1))]])
        #expect(topology.apply([.put(policy(2, egress: 900))]) == ["h2": [HostItemKey(.port, portID(2))]])
        #expect(topology.apply([.put(policy(2, egress: 900))]).isEmpty)
        let given = topology.apply([.put(network(2) { $0.qosPolicyID = policyID(2) })])
        #expect(given["h3"]?.contains(HostItemKey(.port, portID(3))) == true)
        #expect(topology.apply([.put(policy(2, mark: 10))]).keys.sorted() == ["h2", "h3"])
        let taken = topology.apply([.put(network(1))])
        #expect(taken["h1"]?.contains(HostItemKey(.port, portID(1))) == true)
        #expect(topology.apply([.put(policy(1, egress: 800))]).isEmpty)
    }
}
