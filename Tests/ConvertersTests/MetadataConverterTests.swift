import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses
import Testing

@testable import Converters

/// Where haproxies run, and how requests reach them.
@Suite("Metadata")
struct MetadataConverterTests {
    private let namespace = NamespaceName("qdhcp-\(networkID)")
    private let inner = "ns-" + id(50).devicePart

    private func dhcp(isFirst: Bool = true) -> HostItem {
        .dhcp(
            HostDHCP(
                networkID: networkID, portID: id(50), portMAC: mac(50), portAddresses: [interfaceAddress("10.0.0.2/24")], portRevision: 1,
                mtu: 1450, subnets: [.init(id: id(60), prefix: prefix("10.0.0.0/24"), gateway: ip("10.0.0.1"))],
                hasLinkLocalMetadata: isFirst))
    }

    private func instance(_ number: Int, network: Int = 1, isInstance: Bool = true) -> HostItem {
        .reservation(
            HostReservation(
                portID: id(number), networkID: id(network), mac: mac(number), addresses: [ip("10.0.0.\(number)")], hostname: "h",
                revision: 1,
                instance: isInstance ? .init(id: "d", projectID: "p", addresses: [ip("10.0.0.\(number)")]) : nil))
    }

    private func haproxies(_ items: [HostItem], _ settings: AgentSettings = settings) -> [String] {
        HostConverter.convert(view(items), settings).configuration.daemons.keys.filter { $0.hasPrefix("haproxy/") }
    }

    @Test("A network with DHCP has a haproxy in the namespace of it as soon as there is an instance, unless the agent shall serve none")
    func dhcpNamespace() throws {
        #expect(haproxies([network(), dhcp(), instance(5)]) == ["haproxy/\(networkID)"])
        #expect(haproxies([network(), dhcp(), instance(5, isInstance: false)]) == [])
        #expect(haproxies([network(), dhcp(), instance(5, network: 2)]) == [])
        var without = settings
        without.servesMetadata = false
        #expect(haproxies([network(), dhcp(), instance(5)], without) == [])
        let configuration = HostConverter.convert(view([network(), dhcp(), instance(5)]), settings).configuration
        let daemon = try #require(configuration.daemons["haproxy/\(networkID)"])
        #expect(daemon.namespace == namespace)
        #expect(daemon.command == ["haproxy", "-f", "/state/ns-metadata-proxy/\(networkID)/haproxy.cfg"])
        let lines = try #require(daemon.files.first).contents.split(separator: "\n").map { $0.trimmingPrefix(" ") }
        for line in [
            "chroot /state/metadata_proxy", "bind 169.254.169.254:80 transparent", "http-request del-header ^x- -m reg",
            "http-request set-header X-Neutron-Network-ID \(networkID)", "server agent unix@/socket maxconn 16",
        ] { #expect(lines.contains { $0.drop { $0 == " " } == line }, "\(line)") }
    }

    @Test("Of several DHCP servers one has the address of metadata in IPv6, and IPv6 for it")
    func linkLocal() throws {
        let address = LinkAddress(link: inner, address: interfaceAddress("fe80::a9fe:a9fe/64"))
        for isFirst in [true, false] {
            let inside = try #require(
                HostConverter.convert(view([network(), dhcp(isFirst: isFirst)]), settings).configuration.namespaces[namespace])
            #expect(inside.addresses.contains(address) == isFirst)
            #expect(inside.sysctls["net/ipv6/conf/all/disable_ipv6"] == (isFirst ? "0" : "1"))
        }
    }

    private func router(_ metadata: HostRouter.Metadata?, isRedundant: Bool = false) -> HostRouter {
        var router = isRedundant ? redundantRouter(member: 1) : standaloneRouter()
        router.interfaces[0].metadata = metadata
        return router
    }

    private func inside(_ router: HostRouter, _ items: [HostItem] = []) throws -> NamespaceConfiguration {
        try #require(
            HostConverter.convert(view([.router(router)] + items), settings).configuration
                .namespaces[NamespaceName("qrouter-\(routerID)")])
    }

    private func tables(_ configuration: NamespaceConfiguration) -> [FirewallTable] {
        configuration.firewall.filter { $0.name == "neutrino_metadata" }
    }

    @Test("A router passes requests on to the DHCP port of their network, and needs no haproxy for it", arguments: [true, false])
    func passing(isRedundant: Bool) throws {
        let router = router(.init(neighbour: ip("10.0.0.2")), isRedundant: isRedundant)
        #expect(haproxies([.router(router), instance(5)]) == [])
        let found = tables(try inside(router, [instance(5)]))
        #expect(found.map(\.family) == [.ip])
        #expect(
            found.first?.chains["pass"]?.rules == [
                "iifname \"\(device("qr-", 11))\" ip daddr 169.254.169.254 tcp dport 80 dup to 10.0.0.2 drop"
            ])
        #expect(tables(try inside(self.router(nil))).isEmpty)
    }

    @Test("A router answers by itself on networks without DHCP, with a port of haproxy for each, which nobody reaches from elsewhere")
    func answering() throws {
        var router = router(.init(answersIPv4: true))
        router.interfaces[1].metadata = .init(answersIPv4: true, answersIPv6: true)
        #expect(haproxies([.router(router)]) == [], "without instances nobody asks")
        let items = [instance(5), instance(6, network: 2)]
        #expect(haproxies([.router(router)] + items) == ["haproxy/\(routerID)"])
        let found = tables(try inside(router, items))
        #expect(found.map(\.family) == [.ip, .ip6])
        #expect(
            found.first?.chains["answer"]?.rules == [
                "iifname \"\(device("qr-", 11))\" ip daddr 169.254.169.254 tcp dport 80 redirect to :9697",
                "iifname \"\(device("qr-", 12))\" ip daddr 169.254.169.254 tcp dport 80 redirect to :9698",
            ])
        #expect(
            found.last?.chains["answer"]?.rules == [
                "iifname \"\(device("qr-", 12))\" ip6 daddr fe80::a9fe:a9fe tcp dport 80 redirect to :9698"
            ])
        #expect(
            found.first?.chains["input"]?.rules == ["tcp dport 9697-9698 ct status dnat accept", "tcp dport 9697-9698 drop"])
        let address = LinkAddress(link: device("qr-", 12), address: interfaceAddress("fe80::a9fe:a9fe/64"))
        #expect(try inside(router).addresses.contains(address))
    }
}
