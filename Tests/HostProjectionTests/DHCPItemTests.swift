import HostModel
import HostProjection
import NetworkModel
import Testing

/// DHCP services and what they answer.
@Suite struct DHCPItemTests {
    private func service(_ rows: [TopologyChange.Row], _ host: String) -> HostDHCP? {
        guard case .dhcp(let item) = Topology(rows: rows).item(HostItemKey(.dhcp, networkID(1)), for: host) else { return nil }
        return item
    }

    private func reservation(_ rows: [TopologyChange.Row], _ port: Int, _ host: String) -> HostReservation? {
        let key = HostItemKey(.reservation, portID(port))
        guard case .reservation(let item) = Topology(rows: rows).item(key, for: host) else { return nil }
        return item
    }

    private let dhcpPort = port(2, on: 1, host: "h1", owner: DeviceOwner.dhcp, addresses: [(1, "10.0.0.2")]) {
        $0.standard.revisionNumber = 4
    }

    @Test("A bound host with its DHCP port serves the subnets with DHCP, in the order of their creation, and no SLAAC")
    func serves() {
        let rows = [
            network(1) { $0.subnetIDs = [3, 1, 2, 4, 5].map(subnetID) },
            subnet(1, on: 1, "10.0.0.0/24") {
                $0.dnsNameservers = [address("8.8.8.8")]
                $0.hostRoutes = [StaticRoute(destination: prefix("172.16.0.0/12"), nextHop: address("10.0.0.9"))]
            },
            subnet(2, on: 1, "10.0.1.0/24") { $0.isDHCPEnabled = false }, subnet(3, on: 1, "10.0.2.0/24"),
            subnet(4, on: 1, "fd00::/64") { $0.ipv6AddressMode = .slaac },
            subnet(5, on: 1, "fd01::/64") {
                $0.ipv6AddressMode = .stateful
                $0.gatewayAddress = nil
            }, dhcp(1, on: "h1"), dhcpPort,
        ]
        let item = service(rows, "h1")
        #expect(item?.portID == portID(2))
        #expect(item?.portAddresses == [interface("10.0.0.2/24")])
        #expect(item?.portRevision == 4)
        #expect(item?.mtu == 1450)
        #expect(
            item?.subnets == [
                HostDHCP.Subnet(id: subnetID(3), prefix: prefix("10.0.2.0/24"), gateway: address("10.0.2.1")),
                HostDHCP.Subnet(
                    id: subnetID(1), prefix: prefix("10.0.0.0/24"), gateway: address("10.0.0.1"), dnsNameservers: [address("8.8.8.8")],
                    hostRoutes: [StaticRoute(destination: prefix("172.16.0.0/12"), nextHop: address("10.0.0.9"))]),
                HostDHCP.Subnet(id: subnetID(5), prefix: prefix("fd01::/64"), gateway: nil, addressMode: .stateful),
            ])
        #expect(item?.otherSubnets.map(\.id) == [2, 4].map(subnetID), "which only metadata tells of")
    }

    @Test("A port's names are those of all its addresses with DHCP, in its own domain or else its network's")
    func names() {
        let rows = [
            network(1) { $0.dnsDomain = "<project_id>.example." }, subnet(1, on: 1, "10.0.0.0/24"),
            subnet(2, on: 1, "fd00::/64") { $0.ipv6AddressMode = .slaac }, dhcp(1, on: "h1"),
            port(3, on: 1, host: "h2", addresses: [(1, "10.0.0.3"), (2, "fd00::3")]) {
                $0.dnsName = "web"
                $0.extraDHCPOptions = [ExtraDHCPOption(name: "59", value: "x", version: .v6)]
            },
            port(4, on: 1, host: "h2", addresses: [(1, "10.0.0.4")]) { $0.dnsDomain = "<user_name>.example." },
        ]
        let web = reservation(rows, 3, "h1")
        #expect(web?.addresses == [address("10.0.0.3")] && web?.hostname == "web")
        #expect(
            web?.names == [
                .init(address: address("10.0.0.3"), host: "web", domains: ["p.example."]),
                .init(address: address("fd00::3"), host: "web", domains: ["p.example."]),
            ])
        #expect(web?.options == [.init(version: 6, name: "59", value: "x")])
        let plain = reservation(rows, 4, "h1")
        #expect(plain?.names == [.init(address: address("10.0.0.4"), host: "host-10-0-0-4")], "who the user is, nobody knows here")
    }

    @Test("Each host that is bound serves with its own DHCP port")
    func twoHosts() {
        let rows = [
            network(1), subnet(1, on: 1, "10.0.0.0/24"), dhcp(1, on: "h1"), dhcp(1, on: "h2"), dhcpPort,
            port(3, on: 1, host: "h2", owner: DeviceOwner.dhcp, addresses: [(1, "10.0.0.3")]),
        ]
        #expect(service(rows, "h1")?.portID == portID(2))
        #expect(service(rows, "h2")?.portID == portID(3))
        #expect(service(rows, "h3") == nil)
    }

    @Test("There is no service without the port, without the binding or without a subnet with DHCP")
    func servesNot() {
        let rows = [network(1), subnet(1, on: 1, "10.0.0.0/24"), dhcp(1, on: "h1")]
        #expect(service(rows, "h1") == nil)
        #expect(service([network(1), subnet(1, on: 1, "10.0.0.0/24"), dhcpPort], "h1") == nil)
        let disabled = subnet(1, on: 1, "10.0.0.0/24") { $0.isDHCPEnabled = false }
        #expect(service([network(1), dhcp(1, on: "h1"), dhcpPort, disabled], "h1") == nil)
        #expect(service(rows + [dhcpPort], "h1") != nil)
    }

    @Test("Every port with an address in a subnet with DHCP has a reservation wherever its network is served")
    func reserves() {
        let rows = [
            network(1), subnet(1, on: 1, "10.0.0.0/24"), subnet(2, on: 1, "10.0.1.0/24") { $0.isDHCPEnabled = false },
            subnet(3, on: 1, "fd00::/64") { $0.ipv6AddressMode = .stateful },
            subnet(4, on: 1, "fd01::/64") { $0.ipv6AddressMode = .stateless }, dhcp(1, on: "h1"),
            port(1, on: 1, addresses: [(2, "10.0.1.5"), (3, "fd00::5"), (1, "10.0.0.5"), (4, "fd01::5")]) {
                $0.standard.revisionNumber = 9
            },
            port(3, on: 1, addresses: [(2, "10.0.1.6")]),
            port(4, on: 1, owner: DeviceOwner.routerInterface, device: routerID(1).description, addresses: [(1, "10.0.0.1")]),
        ]
        let item = reservation(rows, 1, "h1")
        #expect(item?.addresses == [address("fd00::5"), address("10.0.0.5")])
        #expect(item?.hostname == "host-10-0-0-5")
        #expect(item?.networkID == networkID(1))
        #expect(item?.revision == 9)
        #expect(reservation(rows, 3, "h1")?.addresses == [], "no address of it is in a subnet with DHCP, but it may ask for metadata")
        #expect(reservation(rows, 4, "h1") != nil, "names of routers resolve too")
        #expect(reservation(rows, 1, "h2") == nil, "the network is not served there")
    }

    @Test("DHCP ports and ports of floating IPs have no reservation")
    func reservesNot() {
        let rows = [
            network(1), subnet(1, on: 1, "10.0.0.0/24"), dhcp(1, on: "h1"), dhcpPort,
            port(3, on: 1, owner: DeviceOwner.floatingIP, addresses: [(1, "10.0.0.9")]),
        ]
        #expect(reservation(rows, 2, "h1") == nil)
        #expect(reservation(rows, 3, "h1") == nil)
    }
}
