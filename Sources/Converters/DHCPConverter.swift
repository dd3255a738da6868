import Addressing
import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses

/// DHCP of one network: a namespace `qdhcp-<network>` with the DHCP port and a dnsmasq. Of IPv6 subnets it gives out addresses or other
/// settings, and never says who is the router: that is the router's to say.
public enum DHCPConverter {
    /// What one network's DHCP adds to the configuration of a host.
    public struct Pieces: Hashable, Sendable {
        public var namespace: NamespaceName
        public var configuration: NamespaceConfiguration
        /// The outer end of the veth pair, for the host's own namespace.
        public var hostLink: Link
        /// dnsmasq.
        public var daemon: DaemonConfiguration
        /// haproxy, where there is an instance that could ask.
        public var metadataProxy: DaemonConfiguration?

        var daemons: [DaemonConfiguration] { [daemon, metadataProxy].compactMap { $0 } }
    }

    public static func namespace(_ networkID: ResourceID) -> NamespaceName { NamespaceName("qdhcp-\(networkID)") }

    public static func directory(_ networkID: ResourceID, _ settings: AgentSettings) -> String {
        "\(settings.stateDirectory)/dhcp/\(networkID)"
    }

    /// Prefixes of IPv6 subnets are at least this long: dnsmasq serves no larger ones.
    static let minimumIPv6PrefixLength = 64

    /// Nil when the network has no subnet with DHCP.
    public static func convert(_ dhcp: HostDHCP, _ view: HostView, _ settings: AgentSettings) -> Pieces? {
        guard let dnsmasq = dnsmasq(dhcp, view, settings) else { return nil }
        let link = ServiceLink(
            .dhcp, portID: dhcp.portID, networkID: dhcp.networkID, mac: dhcp.portMAC, mtu: dhcp.mtu, namespace: dnsmasq.namespace)
        var configuration = NamespaceConfiguration()
        configuration.links[link.inner.name] = link.inner
        configuration.managesAddresses = [link.inner.name]
        let metadata = MetadataConverter.addresses(of: dhcp, settings)
        let carriesIPv6 = dnsmasq.subnets.contains { $0.prefix.version == .v6 } || metadata.contains { $0.address.version == .v6 }
        configuration.addresses = Set(
            (dhcp.portAddresses.filter { carriesIPv6 || $0.address.version == .v4 } + metadata)
                .map { LinkAddress(link: link.inner.name, address: $0) })
        configuration.routes = Set(
            [IPVersion.v4, .v6].filter { carriesIPv6 || $0 == .v4 }.compactMap { defaultRoute(dhcp, link.inner.name, $0) })
        configuration.sysctls = sysctls(carriesIPv6: carriesIPv6)
        if dnsmasq.subnets.contains(where: { $0.prefix.version == .v6 }) { configuration.firewall = [DHCPv6Filter.table] }
        return Pieces(
            namespace: dnsmasq.namespace, configuration: configuration, hostLink: link.outer, daemon: DnsmasqRenderer.daemon(dnsmasq),
            metadataProxy: MetadataConverter.daemon(of: dhcp, view, settings))
    }

    /// `default` counts for devices that are made later, `all` for those that are there.
    private static func sysctls(carriesIPv6: Bool) -> [String: String] {
        let value = carriesIPv6 ? "0" : "1"
        var sysctls = ["net/ipv6/conf/default/disable_ipv6": value, "net/ipv6/conf/all/disable_ipv6": value]
        if carriesIPv6 {
            for name in ["default/accept_ra", "all/accept_ra", "default/accept_dad"] { sysctls["net/ipv6/conf/\(name)"] = "0" }
        }
        return sysctls
    }

    /// Leases that dnsmasq must forget because of what changed from one view to the next: of ports that were deleted, moved to other
    /// networks, or got other addresses. Networks whose DHCP is no longer on this host need none: their dnsmasq goes.
    ///
    /// It costs as much as there are reservations in networks that changed.
    ///
    /// - Parameter leaseFile: What the lease file of a network's dnsmasq says now, nil for none. Asked only about networks that lost an IPv6
    ///   address: by which identifier a client holds one, nobody else knows.
    public static func leaseReleases(
        from old: HostView, to new: HostView, leaseFile: (_ networkID: ResourceID) -> String?
    ) -> [LeaseRelease] {
        new.dhcp.values.sorted { $0.networkID < $1.networkID }.flatMap { dhcp -> [LeaseRelease] in
            let before = old.reservations.items(of: dhcp.networkID)
            guard old.dhcp[dhcp.networkID] != nil, !before.isEmpty else { return [] }
            let after = new.reservations.items(of: dhcp.networkID)
            guard before != after else { return [] }
            let leases = Set(reservations(before).map { DnsmasqLeases.Lease(mac: $0.mac, address: $0.address) })
            let kept = Set(reservations(after).map { DnsmasqLeases.Lease(mac: $0.mac, address: $0.address) })
            let lost = Set(leases.subtracting(kept).map(\.address).filter { $0.version == .v6 })
            let text = lost.isEmpty ? nil : leaseFile(dhcp.networkID)
            return releases(of: leases, dhcp, after) + (text.map { releases(ofIPv6: $0, dhcp, where: lost.contains) } ?? [])
        }
    }

    /// The same by what dnsmasq's lease file says: for the start of an agent, which holds no older view. A DHCPv6 lease whose address went to
    /// another port meanwhile is not known from that port's own, and stays.
    public static func leaseReleases(leaseFile: String, networkID: ResourceID, in view: HostView) -> [LeaseRelease] {
        guard let dhcp = view.dhcp[networkID] else { return [] }
        let items = view.reservations.items(of: networkID)
        let wanted = Set(items.flatMap(\.addresses))
        return releases(of: DnsmasqLeases.parse(leaseFile), dhcp, items)
            + releases(ofIPv6: leaseFile, dhcp) { !wanted.contains($0) }
    }

    private static func releases(
        of leases: Set<DnsmasqLeases.Lease>, _ dhcp: HostDHCP, _ items: [HostReservation]
    ) -> [LeaseRelease] {
        DnsmasqLeases.releases(
            of: leases.filter { $0.address.version == .v4 }, for: reservations(items), namespace: namespace(dhcp.networkID),
            interface: ServiceLink.innerName(.dhcp, dhcp.portID))
    }

    private static func releases(
        ofIPv6 leaseFile: String, _ dhcp: HostDHCP, where isStale: (IPAddress) -> Bool
    ) -> [LeaseRelease] {
        DnsmasqLeases.releases(
            ofIPv6: leaseFile, namespace: namespace(dhcp.networkID), interface: ServiceLink.innerName(.dhcp, dhcp.portID), where: isStale)
    }

    static func dnsmasq(_ dhcp: HostDHCP, _ view: HostView, _ settings: AgentSettings) -> DnsmasqConfiguration? {
        let subnets = dhcp.subnets.filter { $0.prefix.version == .v4 || $0.prefix.length >= minimumIPv6PrefixLength }
        guard !subnets.isEmpty else { return nil }
        let items = view.reservations.items(of: dhcp.networkID)
        let served = subnets.map { subnet($0, all: subnets, dhcp, settings) }
        return DnsmasqConfiguration(
            name: dhcp.networkID.description, namespace: namespace(dhcp.networkID),
            interface: ServiceLink.innerName(.dhcp, dhcp.portID), mac: dhcp.portMAC, directory: directory(dhcp.networkID, settings),
            domain: settings.domainName, leaseSeconds: settings.leaseSeconds, mtu: dhcp.mtu,
            subnets: served,
            reservations: reservations(items), names: items.flatMap { names($0, settings.domainName) },
            options: items.compactMap { options($0, served) }, logsMessages: settings.logsDHCP)
    }

    /// A name without a domain is answered alone, in the domain of all networks, and in those that clients gave.
    private static func names(_ item: HostReservation, _ domain: String) -> [DnsmasqConfiguration.Name] {
        let names = item.names.isEmpty ? item.addresses.map { .init(address: $0, host: item.hostname) } : item.names
        return names.map { name in
            guard !name.host.hasSuffix(".") else { return .init(address: name.address, names: [String(name.host.dropLast())]) }
            let domains = ([domain] + name.domains.map { String($0.dropLast()) }).filter { !$0.isEmpty }
            return .init(address: name.address, names: domains.map { "\(name.host).\($0)" } + [name.host])
        }
    }

    /// Nil for a port without options of its own.
    private static func options(
        _ item: HostReservation, _ subnets: [DnsmasqConfiguration.Subnet]
    ) -> DnsmasqConfiguration.PortOptions? {
        guard !item.options.isEmpty else { return nil }
        return .init(
            tag: item.portID.description, mac: item.mac,
            options: item.options.compactMap { option in
                IPVersion(rawValue: option.version).map { .init(version: $0, name: option.name, value: option.value) }
            } + routes(of: item, subnets))
    }

    /// A client that heeds classless routes heeds no router (RFC 3442): a port with a router of its own is told of routes with that
    /// router.
    private static func routes(
        of item: HostReservation, _ subnets: [DnsmasqConfiguration.Subnet]
    ) -> [DnsmasqConfiguration.PortOptions.Option] {
        let own = item.options.filter { $0.version == IPVersion.v4.rawValue }
        guard let router = own.last(where: { ["router", "3"].contains($0.name) }),
            !own.contains(where: { ["classless-static-route", "121", "249"].contains($0.name) }),
            let subnet = subnets.first(where: { subnet in item.addresses.contains { $0.version == .v4 && subnet.prefix.contains($0) } })
        else { return [] }
        var routes = subnet.routes.filter { $0.destination.length > 0 }.map { "\($0.destination),\($0.nextHop)" }
        guard !routes.isEmpty else { return [] }
        if !router.value.isEmpty { routes.append("0.0.0.0/0,\(router.value)") }
        let text = routes.joined(separator: ",")
        return ["classless-static-route", "249"].map { .init(version: .v4, name: $0, value: text) }
    }

    private static func subnet(
        _ subnet: HostDHCP.Subnet, all subnets: [HostDHCP.Subnet], _ dhcp: HostDHCP, _ settings: AgentSettings
    ) -> DnsmasqConfiguration.Subnet {
        let routes = subnet.hostRoutes.filter { $0.destination.version == .v4 && $0.nextHop.version == .v4 }
            .map { DnsmasqConfiguration.ClasslessRoute(destination: $0.destination, nextHop: $0.nextHop) }
        guard subnet.prefix.version == .v4 else {
            return DnsmasqConfiguration.Subnet(prefix: subnet.prefix, gateway: nil, dnsServers: dnsServers(subnet, dhcp))
        }
        // The network's other subnets are on the same link.
        let onLink = subnets.filter { $0.id != subnet.id && $0.prefix.version == .v4 }
            .map { DnsmasqConfiguration.ClasslessRoute(destination: $0.prefix, nextHop: .v4(IPv4Address(rawValue: 0))) }
        let isOwnRoute = routes.contains { $0.destination == MetadataConverter.ipv4Address?.prefix }
        let metadata = isOwnRoute ? nil : MetadataConverter.route(dhcp, subnet, settings)
        return DnsmasqConfiguration.Subnet(
            prefix: subnet.prefix, gateway: subnet.gateway, dnsServers: dnsServers(subnet, dhcp),
            routes: routes + onLink + [metadata].compactMap { $0 })
    }

    /// The subnet's name servers; without any, dnsmasq itself. The only server 0.0.0.0 or :: says that none shall be announced.
    private static func dnsServers(_ subnet: HostDHCP.Subnet, _ dhcp: HostDHCP) -> [IPAddress] {
        let servers = subnet.dnsNameservers.filter { $0.version == subnet.prefix.version }
        if servers.isEmpty { return dhcp.portAddresses.map(\.address).filter(subnet.prefix.contains) }
        return servers.count == 1 && servers[0].isUnspecified ? [] : servers
    }

    /// A line per address: dnsmasq takes the one that fits the subnet.
    private static func reservations(_ items: [HostReservation]) -> [DnsmasqConfiguration.Reservation] {
        items.flatMap { item in
            item.addresses.map { DnsmasqConfiguration.Reservation(mac: item.mac, address: $0, hostname: item.hostname) }
        }
    }

    /// So that names can be asked for from other subnets, through the router.
    private static func defaultRoute(_ dhcp: HostDHCP, _ link: String, _ version: IPVersion) -> Route? {
        let gateways = dhcp.subnets.lazy.compactMap(\.gateway)
        let gateway = gateways.first { gateway in
            gateway.version == version && dhcp.portAddresses.contains { $0.prefix.contains(gateway) && $0.address != gateway }
        }
        return gateway.flatMap { gateway in
            IPPrefix(masking: gateway, length: 0)
                .map { Route(destination: $0, gateway: gateway, link: link) }
        }
    }
}
