import HostModel
import HostProjection
import NetworkModel
import Testing

/// Which hosts carry a network, and what they know of each other.
@Suite struct NetworkItemTests {
    private func topology(_ rows: [TopologyChange.Row]) -> Topology { Topology(rows: threeHosts + rows) }

    private func item(_ topology: Topology, _ network: Int, _ host: String) -> HostNetwork? {
        guard case .network(let item) = topology.item(HostItemKey(.network, networkID(network)), for: host) else { return nil }
        return item
    }

    private func remote(_ topology: Topology, _ port: Int, _ host: String) -> HostRemotePort? {
        guard case .remotePort(let item) = topology.item(HostItemKey(.remotePort, portID(port)), for: host) else { return nil }
        return item
    }

    @Test("A network is on the hosts of its instances, and each knows the tunnel endpoints of the others")
    func instances() {
        let topology = topology([network(1), port(1, on: 1, host: "h1"), port(2, on: 1, host: "h3")])
        #expect(
            item(topology, 1, "h1")
                == HostNetwork(id: networkID(1), carrier: .vxlan(vni: 1001), mtu: 1450, remoteEndpoints: [address("10.9.0.3")]))
        #expect(item(topology, 1, "h3")?.remoteEndpoints == [address("10.9.0.1")])
        #expect(item(topology, 1, "h2") == nil)
    }

    @Test("A DHCP binding brings the network to its host")
    func dhcpBinding() {
        let topology = topology([network(1), dhcp(1, on: "h2")])
        #expect(item(topology, 1, "h2") != nil)
        #expect(item(topology, 1, "h1") == nil)
    }

    @Test("A port that the network owns does not bring the network to the host that it is bound to")
    func networkOwned() {
        for owner in [DeviceOwner.dhcp, DeviceOwner.floatingIP, DeviceOwner.routerInterface] {
            #expect(item(topology([network(1), port(1, on: 1, host: "h1", owner: owner)]), 1, "h1") == nil)
        }
    }

    @Test("Every member of a router carries the networks of the router's interfaces, gateway and HA port")
    func routerMembers() {
        let device = routerID(1).description
        let topology = topology([
            network(1), network(2, type: .flat), network(3),
            router(1) {
                $0.isHighlyAvailable = true
                $0.virtualRouterID = 1
            },
            member(1, on: "h1", haPort: 11), member(1, on: "h2", haPort: 12),
            port(1, on: 1, owner: DeviceOwner.haReplicatedInterface, device: device),
            port(2, on: 2, owner: DeviceOwner.routerGateway, device: device),
            port(11, on: 3, host: "h1", owner: DeviceOwner.haInterface, device: device),
            port(12, on: 3, host: "h2", owner: DeviceOwner.haInterface, device: device),
        ])
        for host in ["h1", "h2"] {
            for network in 1...3 { #expect(item(topology, network, host) != nil, "network \(network) on \(host)") }
        }
        for network in 1...3 { #expect(item(topology, network, "h3") == nil) }
        #expect(item(topology, 2, "h1")?.carrier == .flat(physicalNetwork: "external"))
    }

    @Test("Only tunnelled networks have remote endpoints and remote ports", arguments: [NetworkType.local, .flat, .vlan])
    func notTunnelled(type: NetworkType) {
        let topology = topology([network(1, type: type), port(1, on: 1, host: "h1"), port(2, on: 1, host: "h2")])
        #expect(item(topology, 1, "h1")?.remoteEndpoints == [])
        #expect(remote(topology, 2, "h1") == nil)
    }

    @Test("A network without a segment is not sent")
    func withoutSegment() {
        let topology = topology([network(1) { $0.segmentationID = nil }, port(1, on: 1, host: "h1"), port(2, on: 1, host: "h2")])
        #expect(topology.items(for: "h1").map(\.key) == [HostItemKey(.port, portID(1))])
    }

    @Test("An instance's port is a remote port wherever else its network is")
    func remoteInstance() {
        let topology = topology([
            network(1), port(1, on: 1, host: "h1", addresses: [(1, "10.0.0.5")]), port(2, on: 1, host: "h2"), port(3, on: 1),
        ])
        let item = remote(topology, 1, "h2")
        #expect(item?.endpoint == address("10.9.0.1"))
        #expect(item?.addresses == [address("10.0.0.5")])
        #expect(item?.networkID == networkID(1))
        #expect(remote(topology, 1, "h1") == nil, "it is local there")
        #expect(remote(topology, 1, "h3") == nil, "the network is not there")
        #expect(remote(topology, 3, "h1") == nil, "it is bound nowhere")
    }

    @Test("Ports and networks on a host without a tunnel endpoint, or with one's own, are no remote ports")
    func withoutEndpoint() {
        let topology = topology([
            network(1), host("old-name", tunnel: "10.9.0.1"), host("dark", tunnel: nil), port(1, on: 1, host: "h1"),
            port(2, on: 1, host: "old-name"), port(3, on: 1, host: "dark"), port(4, on: 1, host: "unknown"),
        ])
        for port in 2...4 { #expect(remote(topology, port, "h1") == nil) }
        #expect(item(topology, 1, "h1")?.remoteEndpoints == [])
    }

    @Test("DHCP ports and HA ports are remote ports, those of floating IPs are not")
    func remoteNetworkPorts() {
        let topology = topology([
            network(1), port(1, on: 1, host: "h1"), router(1), member(1, on: "h3", haPort: 4),
            port(2, on: 1, host: "h2", owner: DeviceOwner.dhcp), port(3, on: 1, host: "h2", owner: DeviceOwner.floatingIP),
            port(4, on: 1, owner: DeviceOwner.haInterface, device: routerID(1).description),
        ])
        #expect(remote(topology, 2, "h1")?.endpoint == address("10.9.0.2"))
        #expect(remote(topology, 3, "h1") == nil)
        #expect(remote(topology, 4, "h1")?.endpoint == address("10.9.0.3"), "where its member is")
    }

    @Test("A standalone router's ports are remote ports of its host")
    func standaloneRouter() {
        let device = routerID(1).description
        let topology = topology([
            network(1), port(1, on: 1, host: "h1"), router(1), member(1, on: "h2"),
            port(2, on: 1, owner: DeviceOwner.routerInterface, device: device),
            port(3, on: 1, owner: DeviceOwner.routerGateway, device: device),
        ])
        #expect(remote(topology, 2, "h1")?.endpoint == address("10.9.0.2"))
        #expect(remote(topology, 3, "h1")?.endpoint == address("10.9.0.2"))
        #expect(remote(topology, 2, "h2") == nil)
    }

    @Test("The interfaces and the gateway of an HA router are never remote ports: their MAC moves with the master")
    func highlyAvailableRouter() {
        let device = routerID(1).description
        let topology = topology([
            network(1), port(1, on: 1, host: "h1"), router(1) { $0.isHighlyAvailable = true }, member(1, on: "h2"),
            port(2, on: 1, host: "h2", owner: DeviceOwner.haReplicatedInterface, device: device),
            port(3, on: 1, host: "h2", owner: DeviceOwner.routerGateway, device: device),
        ])
        #expect(remote(topology, 2, "h1") == nil)
        #expect(remote(topology, 3, "h1") == nil)
    }

    @Test("A router that becomes highly available takes its ports from the remote ports, and gives them back")
    func conversion() {
        let row = port(2, on: 1, owner: DeviceOwner.routerGateway, device: routerID(1).description)
        var topology = topology([network(1), port(1, on: 1, host: "h1"), router(1), member(1, on: "h2"), row])
        #expect(remote(topology, 2, "h1") != nil)
        let key = HostItemKey(.remotePort, portID(2))
        #expect(topology.apply([.put(router(1) { $0.isHighlyAvailable = true })])["h1"] == [key])
        #expect(remote(topology, 2, "h1") == nil)
        #expect(topology.apply([.put(router(1))])["h1"] == [key])
        #expect(remote(topology, 2, "h1") != nil)
    }
}
