import Addressing
import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses

/// Metadata for instances: a haproxy in the namespaces that answer, and the way of requests to it.
///
///     instance ── 169.254.169.254 by option 121, fe80::a9fe:a9fe ──▶ qdhcp-<network>: haproxy :80 ─┐
///         └────── by the default route ──▶ qrouter-<id> ── a neighbour on the same link ──▶ ┘        ├─▶ the agent's service
///                                              └── no DHCP there: haproxy :9697 … ────────────────────┘
///
/// A haproxy costs 4.5 MB. So there is none for networks without instances, and routers have one only for networks without DHCP: the members of an
/// HA router all have it then, so that a failover starts nothing.
enum MetadataConverter {
    static let firstRouterPort = 9697
    static let tableName = "neutrino_metadata"

    private static func address(_ text: String, _ length: Int) -> InterfaceAddress? {
        IPAddress(text).map { InterfaceAddress($0, prefixLength: length) }
    }

    static let ipv4Address = address(MetadataProxyConfiguration.ipv4Address, 32)
    /// With the prefix length of all link-local addresses: what answers it is on the link.
    static let ipv6Address = address(MetadataProxyConfiguration.ipv6Address, 64)

    // MARK: DHCP

    /// What a DHCP namespace has on its device besides the addresses of its port.
    static func addresses(of dhcp: HostDHCP, _ settings: AgentSettings) -> [InterfaceAddress] {
        guard settings.servesMetadata else { return [] }
        let hasIPv6 = dhcp.hasLinkLocalMetadata && dhcp.mtu >= L2Converter.minimumIPv6MTU
        return [ipv4Address, hasIPv6 ? ipv6Address : nil].compactMap { $0 }
    }

    /// The route to the network's own DHCP server on the host (option 121).
    static func route(_ dhcp: HostDHCP, _ subnet: HostDHCP.Subnet, _ settings: AgentSettings) -> DnsmasqConfiguration.ClasslessRoute? {
        guard settings.servesMetadata, let destination = ipv4Address?.prefix,
            let nextHop = dhcp.portAddresses.map(\.address).first(where: subnet.prefix.contains)
        else { return nil }
        return DnsmasqConfiguration.ClasslessRoute(destination: destination, nextHop: nextHop)
    }

    /// Nil for a network without instances.
    static func daemon(of dhcp: HostDHCP, _ view: HostView, _ settings: AgentSettings) -> DaemonConfiguration? {
        guard settings.servesMetadata, hasInstances(dhcp.networkID, view) else { return nil }
        let network = dhcp.networkID.description
        return MetadataProxyDaemon.daemon(
            owner: network, namespace: DHCPConverter.namespace(dhcp.networkID), stateDirectory: settings.stateDirectory,
            configuration: configuration([.init(addresses: .metadata, port: 80, network: network)], router: nil, settings))
    }

    private static func hasInstances(_ networkID: ResourceID, _ view: HostView) -> Bool {
        view.reservations.contains(of: networkID) { $0.instance != nil }
    }

    // MARK: Routers

    static func addRouter(_ router: HostRouter, _ view: HostView, _ settings: AgentSettings, to pieces: inout RouterPieces) {
        guard settings.servesMetadata, router.isAdminStateUp else { return }
        let interfaces = router.interfaces.filter(\.isAdminStateUp)
        let own = interfaces.filter { $0.metadata?.answers == true && hasInstances($0.networkID, view) }.sorted { $0.id < $1.id }
        // A network may have several interfaces: each IPv6 port of a router is one of its own.
        let networks = Set(own.map(\.networkID)).sorted()
        let ports = Dictionary(networks.enumerated().map { ($1, firstRouterPort + $0) }) { first, _ in first }
        pieces.configuration.firewall += [ipv4Table(interfaces, ports), ipv6Table(own, ports)].compactMap { $0 }
        guard !own.isEmpty else { return }
        let listeners = ports.map { MetadataProxyConfiguration.Listener(addresses: .all, port: $1, network: $0.description) }
        pieces.daemons.append(
            MetadataProxyDaemon.daemon(
                owner: router.id.description, namespace: pieces.namespace, stateDirectory: settings.stateDirectory,
                configuration: configuration(listeners, router: router.id.description, settings)))
    }

    private static func configuration(
        _ listeners: [MetadataProxyConfiguration.Listener], router: String?, _ settings: AgentSettings
    ) -> MetadataProxyConfiguration {
        MetadataProxyConfiguration(
            listeners: listeners, router: router, jail: MetadataProxyDaemon.jail(stateDirectory: settings.stateDirectory),
            socketName: MetadataProxyDaemon.socketName)
    }

    /// Requests that a DHCP server of the network answers are sent on to it as they are: it has the address too, and answers the instance directly.
    /// `dup` sends a copy by the way to the neighbour, past the tracking of connections; the packet itself ends here.
    private static func ipv4Table(_ interfaces: [HostRouter.RouterPort], _ ports: [ResourceID: Int]) -> FirewallTable? {
        let passed = interfaces.compactMap { port in
            port.metadata?.neighbour.map { "\(request(from: port, .v4)) dup to \($0) drop" }
        }
        let answered = interfaces.filter { $0.metadata?.answersIPv4 == true }
        guard !passed.isEmpty || answered.contains(where: { ports[$0.networkID] != nil }) else { return nil }
        var table = FirewallTable(family: .ip, name: tableName)
        if !passed.isEmpty {
            table.chains["pass"] = .init(hook: "type filter hook prerouting priority raw; policy accept;", rules: passed)
        }
        addRedirection(of: answered, .v4, ports, to: &table)
        return table
    }

    private static func ipv6Table(_ own: [HostRouter.RouterPort], _ ports: [ResourceID: Int]) -> FirewallTable? {
        guard !own.isEmpty else { return nil }
        var table = FirewallTable(family: .ip6, name: tableName)
        addRedirection(of: own.filter { $0.metadata?.answersIPv6 == true }, .v6, ports, to: &table)
        return table
    }

    /// To haproxy's port for the network, which nobody reaches in another way.
    private static func addRedirection(
        of interfaces: [HostRouter.RouterPort], _ version: IPVersion, _ ports: [ResourceID: Int], to table: inout FirewallTable
    ) {
        guard let last = ports.values.max() else { return }
        table.chains["answer"] = .init(
            // Before the router's own translation: what was translated once is not looked at again.
            hook: "type nat hook prerouting priority -101; policy accept;",
            rules: interfaces.compactMap { port in ports[port.networkID].map { "\(request(from: port, version)) redirect to :\($0)" } })
        table.chains["input"] = .init(
            hook: "type filter hook input priority filter; policy accept;",
            rules: ["tcp dport \(firstRouterPort)-\(last) ct status dnat accept", "tcp dport \(firstRouterPort)-\(last) drop"])
    }

    private static func request(from port: HostRouter.RouterPort, _ version: IPVersion) -> String {
        let device = ServiceLink.innerName(.routerInterface, port.id)
        return switch version {
        case .v4: "iifname \"\(device)\" ip daddr \(MetadataProxyConfiguration.ipv4Address) tcp dport 80"
        case .v6: "iifname \"\(device)\" ip6 daddr \(MetadataProxyConfiguration.ipv6Address) tcp dport 80"
        }
    }
}
