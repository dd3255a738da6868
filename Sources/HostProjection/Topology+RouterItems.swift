import Addressing
import HostModel
import NetworkModel

/// Router items.
extension Topology {
    /// An HA router without its VRRP group or its HA port is withheld: a member outside of the group would answer for the addresses
    /// that the master of the group owns.
    func routerItem(_ id: ResourceID, for host: String) -> HostRouter? {
        guard let router = routers[id], let member = members[RouterMemberKey(routerID: id, hostID: host)] else { return nil }
        let redundancy = redundancy(of: router, member: member)
        guard redundancy != nil || !router.isHighlyAvailable else { return nil }
        let ports = portsByRouter[id].sorted().compactMap { self.ports[$0] }
        let gateways = gateways(of: router, ports)
        let further = gateways.dropFirst().map { gateway in
            HostRouter.FurtherGateway(
                port: gateway.port, isSNATEnabled: gateway.row.isSNATEnabled,
                limits: limits(of: gateway.row.qosPolicyID, on: gateway.port.networkID))
        }
        return HostRouter(
            id: id, isAdminStateUp: router.isAdminStateUp, redundancy: redundancy, gateway: gateways.first?.port,
            isSNATEnabled: router.gateway?.isSNATEnabled ?? true,
            interfaces: ports.filter { DeviceOwner.isRouterInterface($0.deviceOwner) }.compactMap(routerPort),
            floatingIPs: floating(of: id, gateways.map(\.port)), portForwardings: portForwardings(of: id, gateways.map(\.port)),
            connectionHelpers: connectionHelpers(of: router),
            gatewayLimits: limits(of: router.gateway?.qosPolicyID, on: router.gateway?.networkID), routes: router.routes,
            revision: router.standard.revisionNumber, furtherGateways: further.isEmpty ? nil : further,
            sharesDefaultRoute: router.sharesDefaultRoute ? true : nil)
    }

    /// The router's ports on external networks in the order of its row, each with what the row says of it. What the row does not know is no gateway.
    private func gateways(of router: Router, _ ports: [Port]) -> [(port: HostRouter.RouterPort, row: ExternalGateway)] {
        let external = ports.filter { $0.deviceOwner == DeviceOwner.routerGateway }.compactMap(routerPort)
        return router.gateways.compactMap { row in external.first { $0.id == row.portID }.map { (port: $0, row: row) } }
    }

    /// Which further gateway is on the network; nil when the first one is, and when none is.
    private static func furtherGateway(on network: ResourceID, _ gateways: [HostRouter.RouterPort]) -> ResourceID? {
        guard let index = gateways.firstIndex(where: { $0.networkID == network }), index > 0 else { return nil }
        return gateways[index].id
    }

    private func redundancy(of router: Router, member: RouterMember) -> HostRouter.Redundancy? {
        guard router.isHighlyAvailable, let virtualRouterID = router.virtualRouterID, let id = member.haPortID, let port = ports[id],
            port.role == .haInterface, let haPort = routerPort(port), !haPort.addresses.isEmpty
        else { return nil }
        return HostRouter.Redundancy(
            virtualRouterID: virtualRouterID, priority: member.priority, port: haPort, vrrpVersion: settings.vrrpVersion,
            advertisementIntervalMilliseconds: settings.advertisementIntervalMilliseconds, password: settings.password,
            peers: peers(of: member), isDraining: drainingAgents.contains(member.agentID),
            replicatesConnections: settings.replicatesConnections)
    }

    /// The other members, as far as they have an address on the HA network. By falling priority.
    private func peers(of member: RouterMember) -> [HostRouter.Peer] {
        memberHosts[member.routerID].compactMap { host -> HostRouter.Peer? in
            guard host != member.hostID, let other = members[RouterMemberKey(routerID: member.routerID, hostID: host)],
                let port = other.haPortID.flatMap({ ports[$0] }), port.role == .haInterface, let address = port.fixedIPs.first?.address
            else { return nil }
            return HostRouter.Peer(
                hostID: host, address: address, mac: port.mac, endpoint: tunnelAddresses[host], priority: other.priority,
                isDraining: drainingAgents.contains(other.agentID))
        }.sorted { ($1.priority, $0.hostID) < ($0.priority, $1.hostID) }
    }

    /// Nil while the port's network is not known.
    private func routerPort(_ port: Port) -> HostRouter.RouterPort? {
        guard let network = networks[port.networkID] else { return nil }
        return HostRouter.RouterPort(
            id: port.id, networkID: port.networkID, mac: port.mac, addresses: interfaceAddresses(of: port),
            gateways: nextHops(of: port, on: network), mtu: network.mtu, isAdminStateUp: port.isAdminStateUp,
            revision: port.standard.revisionNumber, scope4: network.ipv4AddressScopeID, scope6: network.ipv6AddressScopeID,
            advertisement: DeviceOwner.isRouterInterface(port.deviceOwner) ? advertisement(of: port, on: network) : nil,
            onLinkPrefixes: port.deviceOwner == DeviceOwner.routerGateway ? furtherPrefixes(of: port) : [],
            metadata: DeviceOwner.isRouterInterface(port.deviceOwner) ? metadata(of: port) : nil, quality: quality(of: port))
    }

    /// The gateways of the port's subnets. An external network may have subnets for floating IPs alone (service types): where the port has no
    /// IPv4 address, the first of the others says how the floating IPs' packets go on.
    private func nextHops(of port: Port, on network: Network) -> [IPAddress] {
        var gateways: [IPAddress] = []
        for fixedIP in port.fixedIPs {
            guard let gateway = subnet(of: fixedIP, on: port.networkID)?.gatewayAddress, !gateways.contains(gateway) else { continue }
            gateways.append(gateway)
        }
        if port.deviceOwner == DeviceOwner.routerGateway, !port.fixedIPs.contains(where: { $0.address.version == .v4 }) {
            let others = subnetsByNetwork[network.id].compactMap { subnets[$0] }.filter { $0.prefix.version == .v4 }
            if let gateway = inOrderOfCreation(others, on: network).lazy.compactMap(\.gatewayAddress).first { gateways.append(gateway) }
        }
        return gateways
    }

    /// Of the other subnets of the port's network.
    private func furtherPrefixes(of port: Port) -> [IPPrefix] {
        let own = Set(port.fixedIPs.map(\.subnetID))
        return subnetsByNetwork[port.networkID].subtracting(own).compactMap { subnets[$0]?.prefix }.sorted()
    }

    /// radvd refuses more in one RDNSS option.
    private static let maximumNameservers = 3

    /// What the router says on the port's network of its IPv6 subnets. Those without a mode are somebody else's to advertise.
    private func advertisement(of port: Port, on network: Network) -> HostRouter.Advertisement? {
        let announced = inOrderOfCreation(port.fixedIPs.compactMap { subnet(of: $0, on: network.id) }, on: network)
            .filter { $0.prefix.version == .v6 && $0.ipv6RouterAdvertisementMode != nil }
        guard !announced.isEmpty else { return nil }
        var prefixes: [HostRouter.Advertisement.Prefix] = []
        var servers: [IPAddress] = []
        for subnet in announced where !prefixes.contains(where: { $0.prefix == subnet.prefix }) {
            prefixes.append(.init(prefix: subnet.prefix, isAutonomous: subnet.ipv6RouterAdvertisementMode != .stateful))
            for server in subnet.dnsNameservers where server.version == .v6 && !server.isUnspecified && !servers.contains(server) {
                servers.append(server)
            }
        }
        return HostRouter.Advertisement(
            prefixes: prefixes, isManaged: announced.contains { $0.ipv6RouterAdvertisementMode == .stateful },
            hasOtherConfiguration: announced.contains { $0.ipv6RouterAdvertisementMode == .stateless },
            dnsNameservers: Array(servers.prefix(Self.maximumNameservers)))
    }

    /// Those that lead somewhere.
    private func floating(of router: ResourceID, _ gateways: [HostRouter.RouterPort]) -> [HostRouter.Floating] {
        floatingIPsByRouter[router].sorted().compactMap { id in
            guard let row = floatingIPs[id], row.portID != nil, let fixedAddress = row.fixedAddress else { return nil }
            return HostRouter.Floating(
                id: id, address: row.address, fixedAddress: fixedAddress, limits: limits(of: row.qosPolicyID, on: row.floatingNetworkID),
                gatewayID: Self.furtherGateway(on: row.floatingNetworkID, gateways))
        }
    }

    /// Those of all floating IPs on the router. A protocol that is not known is left out.
    private func portForwardings(of router: ResourceID, _ gateways: [HostRouter.RouterPort]) -> [HostRouter.PortForwarding] {
        floatingIPsByRouter[router].sorted().compactMap { floatingIPs[$0] }.flatMap { row in
            row.portForwardings.compactMap { forwarding -> HostRouter.PortForwarding? in
                guard let networkProtocol = NetworkProtocol(forwarding.networkProtocol, version: .v4)?.number else { return nil }
                return HostRouter.PortForwarding(
                    id: forwarding.id, protocolNumber: networkProtocol, externalAddress: row.address,
                    externalPorts: forwarding.externalPorts.first...forwarding.externalPorts.last,
                    internalAddress: forwarding.internalAddress,
                    internalPorts: forwarding.internalPorts.first...forwarding.internalPorts.last,
                    limits: limits(of: row.qosPolicyID, on: row.floatingNetworkID),
                    gatewayID: Self.furtherGateway(on: row.floatingNetworkID, gateways))
            }
        }.sorted { $0.id < $1.id }
    }

    private func connectionHelpers(of router: Router) -> [HostRouter.ConnectionHelper] {
        router.helpers.compactMap { helper -> HostRouter.ConnectionHelper? in
            guard let networkProtocol = NetworkProtocol(helper.networkProtocol, version: .v4)?.number else { return nil }
            return HostRouter.ConnectionHelper(id: helper.id, helper: helper.helper, protocolNumber: networkProtocol, port: helper.port)
        }.sorted { $0.id < $1.id }
    }
}
