import Addressing
import HostModel
import HostProjection
import NetworkModel
import Testing

/// Routers as their members must realise them.
@Suite struct RouterItemTests {
    func item(_ rows: [TopologyChange.Row], _ host: String, settings: ProjectionSettings = ProjectionSettings()) -> HostRouter? {
        guard case .router(let item) = Topology(rows: rows, settings: settings).item(HostItemKey(.router, routerID(1)), for: host) else {
            return nil
        }
        return item
    }

    static let device = routerID(1).description

    /// Its gateway is the port 2 outside.
    func router(_ number: Int, change: (inout Router) -> Void = { _ in }) -> TopologyChange.Row {
        HostProjectionTests.router(number) {
            $0.gateway = ExternalGateway(networkID: networkID(9), portID: portID(2))
            change(&$0)
        }
    }

    /// Network 1 (10.0.0.0/24) inside, network 9 (203.0.113.0/24, flat) outside, network 5 for VRRP.
    let surroundings = [
        network(1), subnet(1, on: 1, "10.0.0.0/24"), network(9, type: .flat) { $0.isExternal = true }, subnet(9, on: 9, "203.0.113.0/24"),
        network(5) { $0.haProjectID = "p" },
        subnet(5, on: 5, "169.254.192.0/18") {
            $0.gatewayAddress = nil
            $0.isDHCPEnabled = false
        },
        port(2, on: 9, owner: DeviceOwner.routerGateway, device: device, addresses: [(9, "203.0.113.10")]),
        port(11, on: 5, host: "h1", owner: DeviceOwner.haInterface, device: device, addresses: [(5, "169.254.192.11")]),
        port(12, on: 5, host: "h2", owner: DeviceOwner.haInterface, device: device, addresses: [(5, "169.254.192.12")]),
    ]
    let interfacePort = port(1, on: 1, owner: DeviceOwner.routerInterface, device: device, addresses: [(1, "10.0.0.1")]) {
        $0.standard.revisionNumber = 3
    }
    let replicatedPort = port(
        1, on: 1, host: "h2", owner: DeviceOwner.haReplicatedInterface, device: device, addresses: [(1, "10.0.0.1")])

    @Test("A standalone router is on its one host, with its ports and routes and without redundancy")
    func standalone() {
        let route = StaticRoute(destination: prefix("172.16.0.0/12"), nextHop: address("10.0.0.9"))
        let rows =
            surroundings + [
                router(1) {
                    $0.routes = [route]
                    $0.gateway = ExternalGateway(networkID: networkID(9), portID: portID(2), isSNATEnabled: false)
                    $0.standard.revisionNumber = 8
                }, member(1, on: "h1"), interfacePort,
            ]
        let router = item(rows, "h1")
        #expect(router?.redundancy == nil)
        #expect(router?.isAdminStateUp == true)
        #expect(router?.isSNATEnabled == false)
        #expect(router?.routes == [route])
        #expect(router?.revision == 8)
        #expect(
            router?.interfaces == [
                HostRouter.RouterPort(
                    id: portID(1), networkID: networkID(1), mac: .init(rawValue: 0xFA16_3E00_0001), addresses: [interface("10.0.0.1/24")],
                    gateways: [address("10.0.0.1")], mtu: 1450, revision: 3)
            ])
        #expect(router?.gateway?.id == portID(2))
        #expect(router?.gateway?.addresses == [interface("203.0.113.10/24")])
        #expect(router?.gateway?.gateways == [address("203.0.113.1")])
        #expect(router?.gateway?.mtu == 1500)
        #expect(item(rows, "h2") == nil)
    }

    @Test("Gateways come in the order of the router's row, each with its translation, and floating IPs name theirs")
    func furtherGateways() {
        let rows: [TopologyChange.Row] =
            surroundings + [
                network(8, type: .flat) { $0.isExternal = true }, subnet(8, on: 8, "198.51.100.0/24"), policy(1, egress: 500),
                port(3, on: 8, owner: DeviceOwner.routerGateway, device: Self.device, addresses: [(8, "198.51.100.10")]),
                port(4, on: 8, owner: DeviceOwner.routerGateway, device: Self.device, addresses: [(8, "198.51.100.11")]),
                router(1) {
                    $0.gateways = [
                        ExternalGateway(networkID: networkID(8), portID: portID(4)),
                        ExternalGateway(networkID: networkID(9), portID: portID(2), isSNATEnabled: false),
                        ExternalGateway(networkID: networkID(8), portID: portID(3)),
                    ]
                    $0.sharesDefaultRoute = true
                }, member(1, on: "h1"), interfacePort, port(7, on: 1, addresses: [(1, "10.0.0.7")]),
                floatingIP(1, "203.0.113.50", port: 7, fixed: "10.0.0.7", router: 1, policy: 1),
                floatingIP(2, "198.51.100.50", port: 7, fixed: "10.0.0.7", router: 1) { $0.floatingNetworkID = networkID(8) },
            ]
        let router = item(rows, "h1")
        #expect(router?.gatewayPorts.map(\.id) == [portID(4), portID(2), portID(3)])
        #expect(router?.isSNATEnabled == true && router?.furtherGateways?.map(\.isSNATEnabled) == [false, true])
        #expect(router?.sharesDefaultRoute == true)
        #expect(router?.floatingIPs.map(\.gatewayID) == [portID(2), nil])
        #expect(router?.furtherGateways?.map(\.port.addresses) == [[interface("203.0.113.10/24")], [interface("198.51.100.10/24")]])
    }

    @Test("Each member of an HA router has the group's id, its own priority and its own HA port")
    func highlyAvailable() {
        let rows =
            surroundings + [
                router(1) {
                    $0.isHighlyAvailable = true
                    $0.virtualRouterID = 42
                }, member(1, on: "h1", haPort: 11, priority: 210), member(1, on: "h2", haPort: 12), replicatedPort,
            ]
        let settings = ProjectionSettings(vrrpVersion: 2, advertisementIntervalMilliseconds: 2000)
        let first = item(rows, "h1", settings: settings)
        let second = item(rows, "h2", settings: settings)
        #expect(first?.redundancy?.virtualRouterID == 42)
        #expect(first?.redundancy?.priority == 210)
        #expect(first?.redundancy?.port.addresses == [interface("169.254.192.11/18")])
        #expect(first?.redundancy?.vrrpVersion == 2)
        #expect(first?.redundancy?.advertisementIntervalMilliseconds == 2000)
        #expect(second?.redundancy?.priority == 200)
        #expect(second?.redundancy?.port.id == portID(12))
        #expect(first?.interfaces == second?.interfaces)
        #expect(first?.interfaces.map(\.id) == [portID(1)])
        #expect(first?.gateway == second?.gateway)
    }

    /// Router 1 on h1 (agent 1, 169.254.192.11) and h2 (agent 2, 169.254.192.12).
    var group: [TopologyChange.Row] {
        surroundings + threeHosts + [
            router(1) {
                $0.isHighlyAvailable = true
                $0.virtualRouterID = 42
            }, member(1, on: "h1", haPort: 11, priority: 254, agent: 1), member(1, on: "h2", haPort: 12, priority: 250, agent: 2),
            replicatedPort,
        ]
    }

    @Test("Each member knows the others by falling priority: their addresses, MAC addresses, tunnel endpoints and whether they are drained")
    func peers() {
        let third = [
            port(13, on: 5, host: "h3", owner: DeviceOwner.haInterface, device: Self.device, addresses: [(5, "169.254.192.13")]),
            member(1, on: "h3", haPort: 13, priority: 252, agent: 3), agent(2, isAdminStateUp: false),
            agent(3, type: .dhcp, isAdminStateUp: false),
        ]
        let first = item(group + third, "h1")?.redundancy
        #expect(
            first?.peers == [
                .init(
                    hostID: "h3", address: address("169.254.192.13"), mac: .init(rawValue: 0xFA16_3E00_000D),
                    endpoint: address("10.9.0.3"), priority: 252),
                .init(
                    hostID: "h2", address: address("169.254.192.12"), mac: .init(rawValue: 0xFA16_3E00_000C),
                    endpoint: address("10.9.0.2"), priority: 250, isDraining: true),
            ])
        #expect(first?.isDraining == false)
        #expect(item(group + third, "h2")?.redundancy?.isDraining == true)
        #expect(item(group + third, "h2")?.redundancy?.peers.map(\.hostID) == ["h1", "h3"])
    }

    @Test("A member without an address or a port is nobody's peer, and one without a tunnel has no endpoint")
    func incompletePeers() {
        #expect(item(group + [member(1, on: "h3", agent: 3)], "h1")?.redundancy?.peers.map(\.hostID) == ["h2"])
        let peer = item(group + [host("h2", tunnel: nil)], "h1")?.redundancy?.peers.first
        #expect(peer?.hostID == "h2")
        #expect(peer?.endpoint == nil)
    }

    @Test(
        "What changes about one member reaches the hosts of all",
        arguments: [
            member(1, on: "h2", haPort: 12, priority: 246, agent: 2), agent(2, isAdminStateUp: false), host("h2", tunnel: "10.9.0.22"),
            port(
                12, on: 5, host: "h2", owner: DeviceOwner.haInterface, device: routerID(1).description, addresses: [(5, "169.254.192.99")]),
            port(
                12, on: 5, host: "h2", owner: DeviceOwner.haInterface, device: routerID(1).description, addresses: [(5, "169.254.192.12")]
            ) { $0.mac = .init(rawValue: 0xFA16_3E99_0001) },
        ])
    func spreading(_ change: TopologyChange.Row) {
        var topology = Topology(rows: group)
        let before = topology.item(HostItemKey(.router, routerID(1)), for: "h1")
        let concerned = topology.apply([.put(change)])
        #expect(concerned["h1"]?.contains(HostItemKey(.router, routerID(1))) == true)
        #expect(topology.item(HostItemKey(.router, routerID(1)), for: "h1") != before)
    }

    @Test("A change of a member's VRRP state alone concerns no host")
    func stateConcernsNobody() {
        var topology = Topology(rows: group)
        var row = RouterMember(routerID: routerID(1), agentID: agentID(1), hostID: "h1", haPortID: portID(11))
        row.priority = 254
        row.state = .active
        #expect(topology.apply([.put(.routerMember(row))]).isEmpty)
    }

    @Test("Password and replication of connections are what the server was told")
    func settings() {
        let told = ProjectionSettings(
            vrrpVersion: 2, advertisementIntervalMilliseconds: 2000, password: "secret", replicatesConnections: false)
        #expect(item(group, "h1", settings: told)?.redundancy?.password == "secret")
        #expect(item(group, "h1", settings: told)?.redundancy?.replicatesConnections == false)
        #expect(item(group, "h1")?.redundancy?.replicatesConnections == true)
        #expect(item(group, "h1")?.redundancy?.advertisementIntervalMilliseconds == 1000)
    }

    @Test("An HA router is withheld until its VRRP group and its HA port are there: alone, each member would own the addresses")
    func incomplete() {
        let withoutGroup = router(1) { $0.isHighlyAvailable = true }
        let complete = router(1) {
            $0.isHighlyAvailable = true
            $0.virtualRouterID = 1
        }
        #expect(item(surroundings + [withoutGroup, member(1, on: "h1", haPort: 11), replicatedPort], "h1") == nil)
        #expect(item(surroundings + [complete, member(1, on: "h1"), replicatedPort], "h1") == nil)
        #expect(item(surroundings + [complete, member(1, on: "h1", haPort: 77), replicatedPort], "h1") == nil)
        #expect(item(surroundings + [complete, member(1, on: "h1", haPort: 11), replicatedPort], "h1") != nil)
    }

    @Test("A port that only names a router, whatever its owner says, is no port of the router and brings its network to no host")
    func foreignPorts() {
        let honest = surroundings + [router(1), member(1, on: "h1"), interfacePort]
        let owners = [
            DeviceOwner.routerGateway, DeviceOwner.routerInterface, DeviceOwner.haReplicatedInterface, DeviceOwner.haInterface,
            DeviceOwner.dhcp, "network:router_centralized_snat",
        ]
        let foreign = owners.enumerated().map { number, owner in
            // Ids before and behind those of the router's own ports.
            port(number == 0 ? 0 : 50 + number, on: 6, owner: owner, device: Self.device, addresses: [(6, "10.6.0.1")]) {
                $0.attachedRouterID = nil
            }
        }
        let topology = Topology(rows: honest + [network(6), subnet(6, on: 6, "10.6.0.0/24")] + foreign)
        #expect(topology.items(for: "h1").filter { $0.key.id == networkID(6) } == [])
        guard case .router(let router) = topology.item(HostItemKey(.router, routerID(1)), for: "h1") else {
            Issue.record("there is no router")
            return
        }
        #expect(router == item(honest, "h1"))
        #expect(router.gateway?.id == portID(2) && router.interfaces.map(\.id) == [portID(1)])
    }

    @Test("A port comes to its router's hosts with the router's record of it, and goes with it")
    func record() {
        let unrecorded = port(7, on: 1, owner: DeviceOwner.routerInterface, device: Self.device, addresses: [(1, "10.0.0.7")]) {
            $0.attachedRouterID = nil
        }
        let recorded = port(7, on: 1, owner: DeviceOwner.routerInterface, addresses: [(1, "10.0.0.7")]) {
            $0.attachedRouterID = routerID(1)
        }
        let key = HostItemKey(.router, routerID(1))
        var topology = Topology(rows: surroundings + [router(1), member(1, on: "h1")])
        #expect(topology.apply([.put(unrecorded)])["h1"]?.contains(key) != true)
        for (row, ports) in [(recorded, [portID(7)]), (unrecorded, [])] {
            #expect(topology.apply([.put(row)])["h1"]?.contains(key) == true)
            guard case .router(let router) = topology.item(key, for: "h1") else {
                Issue.record("there is no router")
                return
            }
            #expect(router.interfaces.map(\.id) == ports)
        }
    }

    @Test("Of several gateways the one that the router's row names is the gateway, and a router whose row names none has none")
    func severalGateways() {
        let further = port(0, on: 9, owner: DeviceOwner.routerGateway, device: Self.device, addresses: [(9, "203.0.113.9")])
        #expect(item(surroundings + [router(1), member(1, on: "h1"), further], "h1")?.gateway?.id == portID(2))
        let without = router(1) { $0.gateway = nil }
        #expect(item(surroundings + [without, member(1, on: "h1"), further], "h1")?.gateway == nil)
    }

    @Test("A router that is administratively down is still sent, as down")
    func adminDown() {
        #expect(item(surroundings + [router(1) { $0.isAdminStateUp = false }, member(1, on: "h1")], "h1")?.isAdminStateUp == false)
    }

    @Test("Floating IPs are on the router when they lead to a port")
    func floating() {
        let rows =
            surroundings + [
                router(1), member(1, on: "h1"), floatingIP(2, "203.0.113.22", port: 3, fixed: "10.0.0.5", router: 1),
                floatingIP(1, "203.0.113.21", port: 4, fixed: "10.0.0.6", router: 1), floatingIP(3, "203.0.113.23", router: 1),
                floatingIP(4, "203.0.113.24", port: 5, fixed: "10.0.0.7", router: 2),
            ]
        #expect(
            item(rows, "h1")?.floatingIPs == [
                HostRouter.Floating(id: floatingID(1), address: address("203.0.113.21"), fixedAddress: address("10.0.0.6")),
                HostRouter.Floating(id: floatingID(2), address: address("203.0.113.22"), fixedAddress: address("10.0.0.5")),
            ])
    }

    @Test("Floating IPs and the gateway have the limits of their policies, whose directions the router shares with the instance")
    func limits() {
        let rows =
            surroundings + [
                router(1) { $0.gateway = ExternalGateway(networkID: networkID(9), portID: portID(2), qosPolicyID: policyID(2)) },
                member(1, on: "h1"), policy(1, ingress: 2000, egress: 1000, burst: 100), policy(2, egress: 500), policy(3, ingress: 0),
                floatingIP(1, "203.0.113.21", port: 3, fixed: "10.0.0.5", router: 1, policy: 1),
                floatingIP(2, "203.0.113.22", port: 4, fixed: "10.0.0.6", router: 1, policy: 3),
                floatingIP(3, "203.0.113.23", port: 5, fixed: "10.0.0.7", router: 1),
                floatingIP(4, "203.0.113.24", router: 1, policy: 2) {
                    $0.portForwardings = [forwarding(1, "tcp", (80, 80), to: "10.0.0.5", (8080, 8080))]
                },
            ]
        let router = item(rows, "h1")
        #expect(router?.portForwardings.map(\.limits) == [.init(egress: .init(kilobitsPerSecond: 500, burstKilobits: 0))])
        #expect(
            router?.floatingIPs.first?.limits
                == .init(
                    ingress: .init(kilobitsPerSecond: 2000, burstKilobits: 100),
                    egress: .init(kilobitsPerSecond: 1000, burstKilobits: 100)))
        #expect(router?.floatingIPs.dropFirst().map(\.limits) == [nil, nil])
        #expect(router?.gatewayLimits == .init(egress: .init(kilobitsPerSecond: 500, burstKilobits: 0)))
    }

    @Test("A changed rule concerns the hosts of every router that it limits, and no other")
    func changedRule() {
        var topology = Topology(
            rows: surroundings + [
                router(1) { $0.gateway = ExternalGateway(networkID: networkID(9), portID: portID(2), qosPolicyID: policyID(1)) },
                router(2), router(3), member(1, on: "h1"), member(2, on: "h2"), member(3, on: "h3"), policy(1, egress: 500),
                floatingIP(1, "203.0.113.21", port: 3, fixed: "10.0.0.5", router: 2, policy: 1),
            ])
        let concerned = topology.apply([.put(policy(1, egress: 600))])
        #expect(concerned == ["h1": [HostItemKey(.router, routerID(1))], "h2": [HostItemKey(.router, routerID(2))]])
        #expect(topology.apply([.put(policy(1, egress: 600))]).isEmpty)
        #expect(topology.apply([.drop(.qosPolicy(policyID(1)))]).keys.sorted() == ["h1", "h2"])
    }
}
