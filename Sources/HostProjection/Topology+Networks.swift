import Addressing
import HostModel
import NetworkModel

/// Changes of networks, subnets, DHCP bindings and hosts.
extension Topology {
    mutating func replaceNetwork(_ id: ResourceID, with new: Network?, _ concerned: inout ConcernedKeys) {
        let old = networks[id]
        guard old != new else { return }
        networks[id] = new
        if let policy = old?.qosPolicyID { networksByQoSPolicy.remove(id, at: policy) }
        if let policy = new?.qosPolicyID { networksByQoSPolicy.insert(id, at: policy) }
        guard concerned.isRecording else { return }
        if old?.qosPolicyID != new?.qosPolicyID { noteQuality(onNetwork: id, &concerned) }
        concerned.note(.network, id, on: presence[id])
        if old?.type != new?.type || old?.segmentationID != new?.segmentationID {
            for port in portsByNetwork[id] { concerned.note(.remotePort, port, on: presence[id]) }
        }
        if old?.mtu != new?.mtu || old?.subnetIDs != new?.subnetIDs { concerned.note(.dhcp, id, on: dhcpHosts[id]) }
        if old?.dnsDomain != new?.dnsDomain {
            let hosts = reservationHosts(of: id)
            for port in portsByNetwork[id] { concerned.note(.reservation, port, on: hosts) }
        }
        let isSameScope =
            old?.ipv4AddressScopeID == new?.ipv4AddressScopeID && old?.ipv6AddressScopeID == new?.ipv6AddressScopeID
        // The order of the subnets is the order of what routers advertise.
        if old?.mtu != new?.mtu || old?.subnetIDs != new?.subnetIDs || !isSameScope { noteRouters(on: id, &concerned) }
    }

    mutating func replaceSubnet(_ id: ResourceID, with new: Subnet?, _ concerned: inout ConcernedKeys) {
        let old = subnets[id]
        guard old != new else { return }
        if let old { subnetsByNetwork.remove(id, at: old.networkID) }
        subnets[id] = new
        if let new { subnetsByNetwork.insert(id, at: new.networkID) }
        guard concerned.isRecording else { return }
        let isSameForReservations =
            old?.networkID == new?.networkID && old?.hasDHCPAddresses == new?.hasDHCPAddresses
            && old?.isDHCPEnabled == new?.isDHCPEnabled
        let isSameForRouters =
            old?.networkID == new?.networkID && old?.prefix == new?.prefix && old?.gatewayAddress == new?.gatewayAddress
            && old?.ipv6RouterAdvertisementMode == new?.ipv6RouterAdvertisementMode && old?.dnsNameservers == new?.dnsNameservers
            && old?.standard.createdAt == new?.standard.createdAt && old?.isServedByDHCP == new?.isServedByDHCP
        // Whether routers must know the network's ports: see `hasIPv4DHCP`.
        let isSameService =
            old?.networkID == new?.networkID && old?.isServedByDHCP == new?.isServedByDHCP && old?.prefix.version == new?.prefix.version
        for networkID in Set([old?.networkID, new?.networkID].compactMap { $0 }) {
            concerned.note(.dhcp, networkID, on: dhcpHosts[networkID])
            if !isSameForReservations { noteReservations(on: networkID, from: id, &concerned) }
            if !isSameService {
                let hosts = routerHosts(of: networkID)
                for port in portsByNetwork[networkID] { concerned.note(.reservation, port, on: hosts) }
            }
            if !isSameForRouters { noteRouters(on: networkID, &concerned) }
        }
    }

    mutating func setDHCP(_ binding: DHCPBinding, bound: Bool, _ concerned: inout ConcernedKeys) {
        guard dhcpHosts.contains(binding.hostID, at: binding.networkID) != bound else { return }
        let claim = [PresenceClaim(networkID: binding.networkID, hostID: binding.hostID)]
        if bound {
            dhcpHosts.insert(binding.hostID, at: binding.networkID)
            dhcpNetworks.insert(binding.networkID, at: binding.hostID)
            replaceClaims([], with: claim, &concerned)
        } else {
            dhcpHosts.remove(binding.hostID, at: binding.networkID)
            dhcpNetworks.remove(binding.networkID, at: binding.hostID)
            replaceClaims(claim, with: [], &concerned)
        }
        guard concerned.isRecording else { return }
        concerned.note(.dhcp, binding.networkID, on: binding.hostID)
        noteMetadata(on: binding.networkID, &concerned)
        for port in portsByNetwork[binding.networkID] { concerned.note(.reservation, port, on: binding.hostID) }
    }

    /// Of a host the tunnel endpoint matters: to itself, to every host that shares a tunnelled network with it, and to the other members of
    /// its routers. Its physical networks matter to itself, where networks have several segments.
    mutating func replaceHost(_ id: String, with new: Host?, _ concerned: inout ConcernedKeys) {
        let reached = new.map { Set($0.physicalNetworks.keys) }
        if physicalNetworks[id] != reached {
            physicalNetworks[id] = reached
            for network in networksByHost[id] where networks[network]?.furtherCarriers.isEmpty == false {
                concerned.note(.network, network, on: id)
            }
        }
        let address = new?.tunnelAddress.flatMap { IPAddress($0) }
        guard tunnelAddresses[id] != address else { return }
        tunnelAddresses[id] = address
        guard concerned.isRecording else { return }
        for network in networksByHost[id] where isTunnelled(network) {
            concerned.note(.network, network, on: presence[network])
            for port in portsByNetwork[network] { concerned.note(.remotePort, port, on: id) }
        }
        for port in portsLocated(on: id) { noteRemotePort(port, &concerned) }
        for router in routersByHost[id] where routers[router]?.isHighlyAvailable == true {
            concerned.note(.router, router, on: memberHosts[router])
        }
    }

    /// At least the ports whose ``location(of:)`` is the host.
    private func portsLocated(on host: String) -> [Port] {
        var found = portsByHost[host]
        for router in routersByHost[host] {
            found.formUnion(portsByRouter[router])
            if let port = members[RouterMemberKey(routerID: router, hostID: host)]?.haPortID { found.insert(port) }
        }
        return found.compactMap { ports[$0] }
    }

    private func noteReservations(on networkID: ResourceID, from subnetID: ResourceID, _ concerned: inout ConcernedKeys) {
        let hosts = reservationHosts(of: networkID)
        guard !hosts.isEmpty else { return }
        for port in portsByNetwork[networkID] where ports[port]?.fixedIPs.contains(where: { $0.subnetID == subnetID }) == true {
            concerned.note(.reservation, port, on: hosts)
        }
    }

    /// Routers with an interface, gateway or HA port on the network.
    func noteRouters(on networkID: ResourceID, _ concerned: inout ConcernedKeys) {
        for id in routerPortsByNetwork[networkID] {
            guard let port = ports[id] else { continue }
            noteRouter(of: port, &concerned)
        }
    }
}
