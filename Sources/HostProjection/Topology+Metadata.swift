import Addressing
import HostModel
import Metadata
import NetworkModel

/// Who answers instances that ask for metadata, and what these hosts must know for it.
///
/// The DHCP servers of a network do: each instance is told of a route to its own server (option 121), so no router is needed, no failover
/// concerns it, and a router needs no process of its own. A router passes what it gets all the same, from clients that heed no option 121, on to
/// the DHCP port. Only on networks without DHCP it answers by itself, and its hosts must know the ports there.
extension Topology {
    /// Whether instances of the network have a DHCP server to ask, as far as subnets say: it may come and go, and must not touch as many items as
    /// the network has ports.
    func hasIPv4DHCP(_ networkID: ResourceID) -> Bool {
        subnetsByNetwork[networkID].contains { id in subnets[id].map { $0.prefix.version == .v4 && $0.isServedByDHCP } ?? false }
    }

    private func hasDHCP(_ networkID: ResourceID) -> Bool {
        subnetsByNetwork[networkID].contains { subnets[$0]?.isServedByDHCP ?? false }
    }

    /// Hosts that must know the ports of the network.
    func reservationHosts(of networkID: ResourceID) -> Set<String> {
        hasIPv4DHCP(networkID) ? dhcpHosts[networkID] : dhcpHosts[networkID].union(routerHosts(of: networkID))
    }

    func isReservationHost(_ host: String, of networkID: ResourceID) -> Bool {
        if dhcpHosts.contains(host, at: networkID) { return true }
        return !hasIPv4DHCP(networkID)
            && interfaces(on: networkID).contains { $0.routerID.map { memberHosts.contains(host, at: $0) } ?? false }
    }

    /// Hosts with a router that has an interface on the network.
    func routerHosts(of networkID: ResourceID) -> Set<String> {
        interfaces(on: networkID).reduce(into: []) { hosts, port in
            if let router = port.routerID { hosts.formUnion(memberHosts[router]) }
        }
    }

    func networksWithoutDHCP(behind router: ResourceID) -> Set<ResourceID> {
        Set(
            portsByRouter[router].lazy.compactMap { ports[$0] }.filter { DeviceOwner.isRouterInterface($0.deviceOwner) }.map(\.networkID)
                .filter { !hasIPv4DHCP($0) })
    }

    private func interfaces(on networkID: ResourceID) -> [Port] {
        routerPortsByNetwork[networkID].compactMap { ports[$0] }.filter { DeviceOwner.isRouterInterface($0.deviceOwner) }
    }

    /// DHCP ports of the network that answer, by id: of each host that serves DHCP and metadata the one that it has.
    func metadataPorts(on networkID: ResourceID) -> [Port] {
        var hosts: Set<String> = []
        return dhcpPortsByNetwork[networkID].sorted().compactMap { ports[$0] }.filter { port in
            dhcpHosts.contains(port.hostID, at: networkID) && agentsWithoutMetadataByHost[port.hostID].isEmpty
                && hosts.insert(port.hostID).inserted
        }
    }

    /// An agent of DHCP said whether its host serves metadata.
    mutating func replaceMetadataRefusal(of agentID: ResourceID, with new: Agent?, _ concerned: inout ConcernedKeys) {
        let old = agentsWithoutMetadata[agentID]
        let host = new.flatMap { $0.type == .dhcp && !$0.servesMetadata ? $0.hostID : nil }
        guard old != host else { return }
        if let old { agentsWithoutMetadataByHost.remove(agentID, at: old) }
        agentsWithoutMetadata[agentID] = host
        if let host { agentsWithoutMetadataByHost.insert(agentID, at: host) }
        for host in Set([old, host].compactMap { $0 }) {
            for networkID in dhcpNetworks[host] { noteMetadata(on: networkID, &concerned) }
        }
    }

    /// Nil for ports that the network itself made.
    func instance(of port: Port) -> HostReservation.Instance? {
        guard port.role == .instance else { return nil }
        let floating = floatingIPsByPort[port.id].compactMap { floatingIPs[$0] }.map(\.address).min()
        return HostReservation.Instance(
            id: port.deviceID, projectID: port.projectID, addresses: port.fixedIPs.map(\.address), floatingAddress: floating,
            facts: instanceFacts[port.id])
    }

    /// Of an interface of a router.
    func metadata(of port: Port) -> HostRouter.Metadata? {
        let addresses = interfaceAddresses(of: port)
        var metadata = HostRouter.Metadata()
        if addresses.contains(where: { $0.address.version == .v4 }) {
            metadata.answersIPv4 = !hasIPv4DHCP(port.networkID)
            metadata.neighbour = metadata.answersIPv4 ? nil : neighbour(of: addresses, on: port.networkID)
        }
        metadata.answersIPv6 = addresses.contains { $0.address.version == .v6 } && answersIPv6(port)
        return metadata == HostRouter.Metadata() ? nil : metadata
    }

    /// Whether the port is the one of its network that has the address of metadata in IPv6: if it comes or goes, another one loses or gets it.
    func answersIPv6(_ port: Port) -> Bool {
        DeviceOwner.isRouterInterface(port.deviceOwner) && hasIPv6Address(port) && !hasDHCP(port.networkID)
            && interfaces(on: port.networkID).lazy.filter(hasIPv6Address).map(\.id).min() == port.id
    }

    private func hasIPv6Address(_ port: Port) -> Bool { port.fixedIPs.contains { $0.address.version == .v6 } }

    private func neighbour(of addresses: [InterfaceAddress], on networkID: ResourceID) -> IPAddress? {
        for port in metadataPorts(on: networkID) {
            for fixed in port.fixedIPs
            where addresses.contains(where: { $0.prefix.contains(fixed.address) && fixed.address.version == .v4 }) {
                return fixed.address
            }
        }
        return nil
    }

    /// A DHCP port or binding of the network came, changed or went.
    func noteMetadata(on networkID: ResourceID, _ concerned: inout ConcernedKeys) {
        guard concerned.isRecording else { return }
        concerned.note(.dhcp, networkID, on: dhcpHosts[networkID])
        noteRouters(on: networkID, &concerned)
    }

    /// An interface of a router came to hosts or left them.
    func noteReservations(behind port: Port, on hosts: some Sequence<String>, _ concerned: inout ConcernedKeys) {
        guard concerned.isRecording, DeviceOwner.isRouterInterface(port.deviceOwner), !hasIPv4DHCP(port.networkID) else { return }
        for id in portsByNetwork[port.networkID] { concerned.note(.reservation, id, on: hosts) }
    }
}
