import Addressing
import HostModel
import HostProjection
import NetworkModel
import Testing

// What routers are told of the networks that they are on.

extension RouterItemTests {
    @Test("Ports of a router are in the address scopes of their networks, and a change of them reaches the hosts")
    func scopes() {
        let rows = surroundings + [router(1), member(1, on: "h1"), interfacePort]
        var topology = Topology(rows: rows)
        let scoped = network(1) {
            $0.ipv4AddressScopeID = scopeID(4)
            $0.ipv6AddressScopeID = scopeID(6)
        }
        let outside = network(9, type: .flat) {
            $0.isExternal = true
            $0.ipv4AddressScopeID = scopeID(4)
        }
        #expect(topology.apply([.put(scoped)])["h1"]?.contains(HostItemKey(.router, routerID(1))) == true)
        #expect(topology.apply([.put(outside)])["h1"]?.contains(HostItemKey(.router, routerID(1))) == true)
        guard case .router(let router) = topology.item(HostItemKey(.router, routerID(1)), for: "h1") else {
            Issue.record("there is no router")
            return
        }
        #expect(router.interfaces.map(\.scope4) == [scopeID(4)] && router.interfaces.map(\.scope6) == [scopeID(6)])
        #expect(router.gateway?.scope4 == scopeID(4) && router.gateway?.scope6 == nil)
    }

    @Test("A router with several subnets on one port has the gateways of all of them")
    func severalSubnets() {
        let rows =
            surroundings + [
                router(1), member(1, on: "h1"), subnet(8, on: 9, "198.51.100.0/25"),
                port(
                    2, on: 9, owner: DeviceOwner.routerGateway, device: Self.device,
                    addresses: [(9, "203.0.113.10"), (8, "198.51.100.10")]),
            ]
        #expect(item(rows, "h1")?.gateway?.addresses == [interface("203.0.113.10/24"), interface("198.51.100.10/25")])
        #expect(item(rows, "h1")?.gateway?.gateways == [address("203.0.113.1"), address("198.51.100.1")])
    }

    @Test("Further subnets of the external network are on the gateway's link, and each that comes, changes or goes reaches the hosts")
    func onLinkPrefixes() {
        let key = HostItemKey(.router, routerID(1))
        var topology = Topology(
            rows: surroundings + [router(1), member(1, on: "h1"), interfacePort, subnet(2, on: 1, "10.0.9.0/24")])
        func prefixes() -> [IPPrefix]? {
            guard case .router(let router) = topology.item(key, for: "h1") else { return nil }
            #expect(router.interfaces.allSatisfy { $0.onLinkPrefixes.isEmpty })
            return router.gateway?.onLinkPrefixes
        }
        #expect(prefixes() == [])
        let changes: [(TopologyChange, [String])] = [
            (.put(subnet(8, on: 9, "198.51.100.0/24")), ["198.51.100.0/24"]),
            (.put(subnet(7, on: 9, "192.0.2.0/24")), ["192.0.2.0/24", "198.51.100.0/24"]),
            (
                .put(
                    port(
                        2, on: 9, owner: DeviceOwner.routerGateway, device: Self.device,
                        addresses: [(9, "203.0.113.10"), (7, "192.0.2.10")])), ["198.51.100.0/24"]
            ), (.drop(.subnet(subnetID(8))), []),
        ]
        for (change, expected) in changes {
            #expect(topology.apply([change])["h1"]?.contains(key) == true)
            #expect(prefixes() == expected.map(prefix))
        }
    }

    @Test("A gateway without an IPv4 address leads on to the gateway of another subnet, for floating IPs, and follows its changes")
    func nextHopOfFloatingIPs() {
        let key = HostItemKey(.router, routerID(1))
        let gatewayPort = port(2, on: 9, owner: DeviceOwner.routerGateway, device: Self.device, addresses: [(8, "2001:db8::10")])
        var topology = Topology(
            rows: surroundings + [router(1), member(1, on: "h1"), subnet(8, on: 9, "2001:db8::/64"), gatewayPort])
        func gateways() -> [IPAddress]? {
            guard case .router(let router) = topology.item(key, for: "h1") else { return nil }
            return router.gateway?.gateways
        }
        #expect(gateways() == [address("2001:db8::1"), address("203.0.113.1")])
        let changed = subnet(9, on: 9, "203.0.113.0/24") { $0.gatewayAddress = address("203.0.113.254") }
        #expect(topology.apply([.put(changed)])["h1"]?.contains(key) == true)
        #expect(gateways() == [address("2001:db8::1"), address("203.0.113.254")])
    }

    @Test("Port forwardings of the router's floating IPs and its connection helpers are told with protocol numbers, sorted")
    func forwardings() {
        let rows =
            surroundings + [
                router(1) { $0.helpers = [helper(2, "tftp", "udp", 69), helper(1, "ftp", "tcp", 21)] }, member(1, on: "h1"), interfacePort,
                floatingIP(1, "203.0.113.50", router: 1) {
                    $0.portForwardings = [
                        forwarding(3, "udp", (1000, 1009), to: "10.0.0.6", (2000, 2009)),
                        forwarding(1, "tcp", (80, 80), to: "10.0.0.5", (8080, 8080)),
                    ]
                }, floatingIP(2, "203.0.113.51", router: 2) { $0.portForwardings = [forwarding(2, "tcp", (1, 1), to: "10.0.0.5", (1, 1))] },
            ]
        let router = item(rows, "h1")
        #expect(
            router?.portForwardings == [
                HostRouter.PortForwarding(
                    id: identity(9, 1), protocolNumber: 6, externalAddress: address("203.0.113.50"), externalPorts: 80...80,
                    internalAddress: address("10.0.0.5"), internalPorts: 8080...8080),
                HostRouter.PortForwarding(
                    id: identity(9, 3), protocolNumber: 17, externalAddress: address("203.0.113.50"), externalPorts: 1000...1009,
                    internalAddress: address("10.0.0.6"), internalPorts: 2000...2009),
            ])
        #expect(router?.floatingIPs.isEmpty == true)
        #expect(
            router?.connectionHelpers == [
                HostRouter.ConnectionHelper(id: identity(10, 1), helper: "ftp", protocolNumber: 6, port: 21),
                HostRouter.ConnectionHelper(id: identity(10, 2), helper: "tftp", protocolNumber: 17, port: 69),
            ])
    }

    @Test("An interface advertises its IPv6 subnets that have a mode, in the order of their creation; a gateway advertises nothing")
    func advertisement() {
        func six(_ number: Int, _ cidr: String, _ mode: IPv6Mode?, _ servers: [String] = [], on network: Int = 1) -> TopologyChange.Row {
            subnet(number, on: network, cidr) {
                $0.ipv6RouterAdvertisementMode = mode
                $0.dnsNameservers = servers.map { address($0) }
            }
        }
        let rows = [
            network(1) { $0.subnetIDs = [1, 4, 3, 2].map(subnetID) }, network(9) { $0.isExternal = true }, subnet(1, on: 1, "10.0.0.0/24"),
            six(2, "fd02::/64", .slaac, ["2001:db8::1", "2001:db8::2", "2001:db8::3"]), six(3, "fd03::/64", .stateful, ["2001:db8::9"]),
            six(4, "fd04::/64", nil), six(9, "fd09::/64", .slaac, on: 9), router(1), member(1, on: "h1"),
            port(
                1, on: 1, owner: DeviceOwner.routerInterface, device: Self.device,
                addresses: [(1, "10.0.0.1"), (2, "fd02::1"), (3, "fd03::1"), (4, "fd04::1")]),
            port(2, on: 9, owner: DeviceOwner.routerGateway, device: Self.device, addresses: [(9, "fd09::5")]),
        ]
        let router = item(rows, "h1")
        #expect(
            router?.interfaces.first?.advertisement
                == HostRouter.Advertisement(
                    prefixes: [
                        .init(prefix: prefix("fd03::/64"), isAutonomous: false), .init(prefix: prefix("fd02::/64"), isAutonomous: true),
                    ], isManaged: true, hasOtherConfiguration: false,
                    dnsNameservers: [address("2001:db8::9"), address("2001:db8::1"), address("2001:db8::2")]))
        #expect(router?.gateway != nil && router?.gateway?.advertisement == nil)
    }
}
