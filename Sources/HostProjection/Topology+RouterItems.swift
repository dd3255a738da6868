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
        return HostRouter(
            id: id, isAdminStateUp: router.isAdminStateUp, redundancy: redundancy,
            gateway: ports.lazy.filter { $0.deviceOwner == DeviceOwner.routerGateway }.compactMap(routerPort).first,
            isSNATEnabled: router.gateway?.isSNATEnabled ?? true,
            interfaces: ports.filter { DeviceOwner.isRouterInterface($0.deviceOwner) }.compactMap(routerPort),
            floatingIPs: floating(of: id), gatewayLimits: limits(of: router.gateway?.qosPolicyID), routes: router.routes,
            revision: router.standard.revisionNumber)
    }

    private func redundancy(of router: Router, member: RouterMember) -> HostRouter.Redundancy? {
        guard router.isHighlyAvailable, let virtualRouterID = router.virtualRouterID, let id = member.haPortID, let port = ports[id],
            port.role == .haInterface, let haPort = routerPort(port), !haPort.addresses.isEmpty
        else { return nil }
        return HostRouter.Redundancy(
            virtualRouterID: virtualRouterID, priority: member.priority, port: haPort, vrrpVersion: settings.vrrpVersion,
            advertisementIntervalMilliseconds: settings.advertisementIntervalMilliseconds)
    }

    /// Nil while the port's network is not known.
    private func routerPort(_ port: Port) -> HostRouter.RouterPort? {
        guard let network = networks[port.networkID] else { return nil }
        var gateways: [IPAddress] = []
        for fixedIP in port.fixedIPs {
            guard let gateway = subnet(of: fixedIP, on: port.networkID)?.gatewayAddress, !gateways.contains(gateway) else { continue }
            gateways.append(gateway)
        }
        return HostRouter.RouterPort(
            id: port.id, networkID: port.networkID, mac: port.mac, addresses: interfaceAddresses(of: port), gateways: gateways,
            mtu: network.mtu, isAdminStateUp: port.isAdminStateUp, revision: port.standard.revisionNumber,
            scope4: network.ipv4AddressScopeID, scope6: network.ipv6AddressScopeID)
    }

    /// Those that lead somewhere.
    private func floating(of router: ResourceID) -> [HostRouter.Floating] {
        floatingIPsByRouter[router].sorted().compactMap { id in
            guard let row = floatingIPs[id], row.portID != nil, let fixedAddress = row.fixedAddress else { return nil }
            return HostRouter.Floating(id: id, address: row.address, fixedAddress: fixedAddress, limits: limits(of: row.qosPolicyID))
        }
    }
}
