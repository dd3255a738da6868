import Addressing
import HostModel
import NetworkModel

/// What hosts must realise, as a function of the rows.
extension Topology {
    /// The item as it must be on the host now; nil when it must not be there.
    public func item(_ key: HostItemKey, for host: String) -> HostItem? {
        switch key.kind {
        case .network: networkItem(key.id, for: host).map(HostItem.network)
        case .remotePort: remotePortItem(key.id, for: host).map(HostItem.remotePort)
        case .port: portItem(key.id, for: host).map(HostItem.port)
        case .securityGroup: securityGroupItem(key.id, for: host).map(HostItem.securityGroup)
        case .groupMember: key.owner.flatMap { groupMemberItem(key.id, of: $0, for: host) }.map(HostItem.groupMember)
        case .addressGroup: addressGroupItem(key.id, for: host).map(HostItem.addressGroup)
        case .dhcp: dhcpItem(key.id, for: host).map(HostItem.dhcp)
        case .reservation: reservationItem(key.id, for: host).map(HostItem.reservation)
        case .router: routerItem(key.id, for: host).map(HostItem.router)
        }
    }

    /// Everything that the host must realise, in an order in which what is referred to comes first.
    public func items(for host: String) -> [HostItem] {
        candidates(for: host).sorted(by: HostItemKey.comesBefore).compactMap { item($0, for: host) }
    }

    /// At least the keys of the host's items.
    private func candidates(for host: String) -> Set<HostItemKey> {
        var keys: Set<HostItemKey> = []
        for network in networksByHost[host] {
            keys.insert(HostItemKey(.network, network))
            guard isTunnelled(network) else { continue }
            for port in portsByNetwork[network] { keys.insert(HostItemKey(.remotePort, port)) }
        }
        for port in portsByHost[host] {
            keys.insert(HostItemKey(.port, port))
            for group in ports[port].map(filteredGroups) ?? [] {
                guard keys.insert(HostItemKey(.securityGroup, group)).inserted else { continue }
                for addresses in remoteAddressGroups[group] { keys.insert(HostItemKey(.addressGroup, addresses)) }
                for remote in remoteGroups[group] {
                    for member in portsByGroup[remote] { keys.insert(HostItemKey(.groupMember, member, of: remote)) }
                }
            }
        }
        for network in dhcpNetworks[host] {
            keys.insert(HostItemKey(.dhcp, network))
            for port in portsByNetwork[network] { keys.insert(HostItemKey(.reservation, port)) }
        }
        for router in routersByHost[host] {
            keys.insert(HostItemKey(.router, router))
            for network in networksWithoutDHCP(behind: router) {
                for port in portsByNetwork[network] { keys.insert(HostItemKey(.reservation, port)) }
            }
        }
        return keys
    }

    private func networkItem(_ id: ResourceID, for host: String) -> HostNetwork? {
        guard let network = networks[id], presence.contains(host, at: id), let carrier = carrier(of: network, on: host) else { return nil }
        var endpoints: Set<IPAddress> = []
        if case .vxlan = carrier {
            // A host that came back under another name leaves its old row: flooding to one's own endpoint would loop.
            for other in presence[id] where other != host {
                if let address = tunnelAddresses[other], address != tunnelAddresses[host] { endpoints.insert(address) }
            }
        }
        return HostNetwork(id: id, carrier: carrier, mtu: network.mtu, remoteEndpoints: endpoints)
    }

    /// Of several segments the first that the host reaches. Nil when the network has no segment yet.
    private func carrier(of network: Network, on host: String) -> HostNetwork.Carrier? {
        var carrier = network.carrier
        if !network.furtherCarriers.isEmpty {
            let reached = physicalNetworks[host] ?? []
            guard let first = network.carriers.first(where: { $0.physicalNetwork.map(reached.contains) ?? false }) else { return nil }
            carrier = first
        }
        return switch (carrier.type, carrier.physicalNetwork, carrier.segmentationID) {
        case (.local, _, _): .local
        case (.flat, let physicalNetwork?, _): .flat(physicalNetwork: physicalNetwork)
        case (.vlan, let physicalNetwork?, let id?): .vlan(physicalNetwork: physicalNetwork, id: id)
        case (.vxlan, _, let vni?): .vxlan(vni: vni)
        default: nil
        }
    }

    private func remotePortItem(_ id: ResourceID, for host: String) -> HostRemotePort? {
        guard let port = ports[id], presence.contains(host, at: port.networkID), isTunnelled(port.networkID),
            networks[port.networkID]?.segmentationID != nil, let location = location(of: port), location != host,
            let endpoint = tunnelAddresses[location], endpoint != tunnelAddresses[host]
        else { return nil }
        return HostRemotePort(
            portID: id, networkID: port.networkID, mac: port.mac, addresses: port.fixedIPs.map(\.address), endpoint: endpoint)
    }

    private func portItem(_ id: ResourceID, for host: String) -> HostPort? {
        guard let port = ports[id], port.role == .instance, port.wiringHostIDs.contains(host) else { return nil }
        return HostPort(
            id: id, networkID: port.networkID, mac: port.mac, addresses: port.fixedIPs.map(\.address),
            isAdminStateUp: port.isAdminStateUp, isPortSecurityEnabled: port.isPortSecurityEnabled,
            securityGroupIDs: port.securityGroupIDs.sorted(),
            allowedAddressPairs: port.allowedAddressPairs.map { HostPort.Pair(prefix: $0.prefix, mac: $0.mac) },
            revision: port.standard.revisionNumber, quality: quality(of: port))
    }
}
