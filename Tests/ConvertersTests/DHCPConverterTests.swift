import Addressing
import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses
import Testing

@testable import Converters

@Suite("DHCP")
struct DHCPConverterTests {
    let portID = id(50)
    let namespace = NamespaceName("qdhcp-\(networkID)")

    private func dhcp(_ subnets: [HostDHCP.Subnet]) -> HostDHCP {
        HostDHCP(
            networkID: networkID, portID: portID, portMAC: mac(50),
            portAddresses: [interfaceAddress("10.0.0.2/24"), interfaceAddress("2001:db8::2/64")], portRevision: 1, mtu: 1450,
            subnets: subnets)
    }

    private func subnet(
        _ cidr: String = "10.0.0.0/24", gateway: String? = "10.0.0.1", dns: [String] = [], routes: [StaticRoute] = [], number: Int = 60
    ) -> HostDHCP.Subnet {
        .init(
            id: id(number), prefix: prefix(cidr), gateway: gateway.map(ip), dnsNameservers: dns.map(ip), hostRoutes: routes)
    }

    private func reservation(_ number: Int, mac: Int? = nil) -> HostItem {
        .reservation(
            HostReservation(
                portID: id(number), networkID: networkID, mac: ConvertersTests.mac(mac ?? number), addresses: [ip("10.0.0.\(number)")],
                hostname: "host-10-0-0-\(number)", revision: 1))
    }

    private func options(_ subnets: HostDHCP.Subnet...) throws -> [String] {
        let pieces = try #require(DHCPConverter.convert(dhcp(subnets), view(), settings))
        return try #require(pieces.daemon.files.first { $0.path.hasSuffix("/opts") }).contents.split(separator: "\n").map(String.init)
    }

    @Test("A network's DHCP is a namespace with the port's device, both ends of its veth pair, and a dnsmasq")
    func pieces() throws {
        let configuration = HostConverter.convert(view(network(), .dhcp(dhcp([subnet()])), reservation(5)), settings).configuration
        let inner = "ns-" + portID.devicePart
        let inside = try #require(configuration.namespaces[namespace])
        #expect(
            inside.links[inner]
                == Link(name: inner, kind: .veth(peer: tap(50), peerNamespace: nil), mac: mac(50), mtu: 1450, alias: "neutrino:dhcp"))
        #expect(
            inside.addresses
                == Set(["10.0.0.2/24", "169.254.169.254/32"].map { LinkAddress(link: inner, address: interfaceAddress($0)) }))
        #expect(inside.managesAddresses == [inner])
        #expect(inside.routes == [Route(destination: prefix("0.0.0.0/0"), gateway: ip("10.0.0.1"), link: inner)])
        #expect(inside.sysctls["net/ipv6/conf/all/disable_ipv6"] == "1")
        #expect(
            configuration.own.links[tap(50)]
                == Link(
                    name: tap(50), kind: .veth(peer: inner, peerNamespace: namespace), mtu: 1450, bridge: "brq00000001-00",
                    alias: "neutrino:dhcp"))
        #expect(configuration.own.sysctls["net/ipv6/conf/\(tap(50))/disable_ipv6"] == "1")
        #expect(configuration.own.firewall.first?.sets["trusted"]?.elements == ["\"\(tap(50))\""])
        let daemon = try #require(configuration.daemons["dnsmasq/\(networkID)"])
        #expect(daemon.namespace == namespace)
        #expect(daemon.processIDFile == "/state/dhcp/\(networkID)/pid")
        #expect(daemon.files.first?.contents == "fa:16:3e:00:00:05,host-10-0-0-5.openstacklocal,10.0.0.5\n")
    }

    @Test("A service whose bridge is not on this host stays unplugged, and a sentence says so")
    func withoutBridge() {
        let conversion = HostConverter.convert(view(.dhcp(dhcp([subnet()]))), settings)
        #expect(conversion.configuration.own.links[tap(50)]?.bridge == nil)
        #expect(conversion.problems.count == 1)
    }

    @Test("Without name servers dnsmasq announces itself; 0.0.0.0 announces none")
    func nameServers() throws {
        #expect(try options(subnet()).first == "tag:tag0,option:dns-server,10.0.0.2")
        #expect(try options(subnet(dns: ["9.9.9.9", "2001:db8::53"])).first == "tag:tag0,option:dns-server,9.9.9.9")
        #expect(try options(subnet(dns: ["0.0.0.0"])).first == "tag:tag0,option:dns-server")
    }

    @Test("Host routes are announced under both numbers with the way to metadata and the default route among them")
    func hostRoutes() throws {
        let route = StaticRoute(destination: prefix("172.16.0.0/12"), nextHop: ip("10.0.0.9"))
        let routes = "172.16.0.0/12,10.0.0.9,169.254.169.254/32,10.0.0.2,0.0.0.0/0,10.0.0.1"
        #expect(
            try options(subnet(routes: [route])) == [
                "tag:tag0,option:dns-server,10.0.0.2",
                "tag:tag0,option:classless-static-route,\(routes)", "tag:tag0,249,\(routes)", "tag:tag0,option:router,10.0.0.1",
            ])
        let own = StaticRoute(destination: prefix("169.254.169.254/32"), nextHop: ip("10.0.0.7"))
        #expect(
            try options(subnet(routes: [own]))[1]
                == "tag:tag0,option:classless-static-route,169.254.169.254/32,10.0.0.7,0.0.0.0/0,10.0.0.1",
            "a way that a user chose stays")
        #expect(try options(subnet(gateway: nil)).last == "tag:tag0,option:router")
    }

    @Test("Other subnets of the network are on the link")
    func severalSubnets() throws {
        let lines = try options(subnet(), subnet("10.1.0.0/24", gateway: nil, number: 61))
        #expect(lines.contains("tag:tag0,option:classless-static-route,10.1.0.0/24,0.0.0.0,169.254.169.254/32,10.0.0.2,0.0.0.0/0,10.0.0.1"))
        #expect(lines.contains("tag:tag1,option:classless-static-route,10.0.0.0/24,0.0.0.0"))
    }

    @Test("A network whose subnets are all IPv6 has a dnsmasq in a namespace with IPv6; of one larger than dnsmasq serves nothing is there")
    func onlyIPv6() throws {
        let pieces = try #require(DHCPConverter.convert(dhcp([subnet("2001:db8::/64", gateway: nil)]), view(), settings))
        #expect(pieces.configuration.sysctls["net/ipv6/conf/all/disable_ipv6"] == "0")
        #expect(pieces.configuration.sysctls["net/ipv6/conf/default/accept_ra"] == "0")
        #expect(pieces.daemon.command.contains("--dhcp-range=set:tag0,2001:db8::,static,64,86400s"))
        #expect(!pieces.daemon.command.contains { $0.contains("enable-ra") })
        #expect(DHCPConverter.convert(dhcp([subnet("2001:db8::/48", gateway: nil)]), view(), settings) == nil)
    }

    @Test("A lease is released when its port goes, changes its MAC or its address, and not when a port comes")
    func releases() {
        let service = HostItem.dhcp(dhcp([subnet()]))
        let old = view(network(), service, reservation(5), reservation(6), reservation(7))
        let new = view(network(), service, reservation(6), reservation(7, mac: 99), reservation(8))
        #expect(
            DHCPConverter.leaseReleases(from: old, to: new) { _ in nil }.map(\.command) == [
                ["dhcp_release", "ns-" + portID.devicePart, "10.0.0.5", "fa:16:3e:00:00:05"],
                ["dhcp_release", "ns-" + portID.devicePart, "10.0.0.7", "fa:16:3e:00:00:07"],
            ])
        #expect(DHCPConverter.leaseReleases(from: old, to: old) { _ in nil }.isEmpty)
        #expect(DHCPConverter.leaseReleases(from: old, to: view(network())) { _ in nil }.isEmpty)
        #expect(DHCPConverter.leaseReleases(from: view(), to: new) { _ in nil }.isEmpty)
    }

    @Test("After a start the lease file tells what to release")
    func releasesAfterStart() {
        let now = view(network(), .dhcp(dhcp([subnet()])), reservation(6))
        let file = "1 fa:16:3e:00:00:05 10.0.0.5 * *\n1 fa:16:3e:00:00:06 10.0.0.6 * *\n"
        #expect(DHCPConverter.leaseReleases(leaseFile: file, networkID: networkID, in: now).map(\.address) == [ip("10.0.0.5")])
    }
}
