import Addressing
import HostModel
import NetworkModel

/// DHCP items, of both families.
extension Topology {
    func dhcpItem(_ id: ResourceID, for host: String) -> HostDHCP? {
        guard let network = networks[id], dhcpHosts.contains(host, at: id), let port = dhcpPort(on: id, host: host) else { return nil }
        let all = inOrderOfCreation(subnetsByNetwork[id].compactMap { self.subnets[$0] }, on: network)
        let subnets = all.filter(\.isServedByDHCP)
        guard !subnets.isEmpty else { return nil }
        return HostDHCP(
            networkID: id, portID: port.id, portMAC: port.mac,
            portAddresses: interfaceAddresses(of: port), portRevision: port.standard.revisionNumber,
            mtu: network.mtu,
            subnets: subnets.map(Self.item), otherSubnets: all.filter { !$0.isServedByDHCP }.map(Self.item),
            hasLinkLocalMetadata: metadataPorts(on: id).first?.id == port.id, portQuality: quality(of: port))
    }

    private static func item(_ subnet: Subnet) -> HostDHCP.Subnet {
        HostDHCP.Subnet(
            id: subnet.id, prefix: subnet.prefix, gateway: subnet.gatewayAddress, dnsNameservers: subnet.dnsNameservers,
            hostRoutes: subnet.hostRoutes, addressMode: subnet.ipv6AddressMode)
    }

    private func dhcpPort(on network: ResourceID, host: String) -> Port? {
        dhcpPortsByNetwork[network].lazy.filter { ports[$0]?.hostID == host }.min().flatMap { ports[$0] }
    }

    /// As the network lists them, then by time.
    func inOrderOfCreation(_ subnets: [Subnet], on network: Network) -> [Subnet] {
        func rank(_ subnet: Subnet) -> (Int, Timestamp, ResourceID) {
            (network.subnetIDs.firstIndex(of: subnet.id) ?? Int.max, subnet.standard.createdAt, subnet.id)
        }
        return subnets.sorted { rank($0) < rank($1) }
    }

    /// Independent of the DHCP port, which may come and go: it must not touch as many items as the network has ports.
    func reservationItem(_ id: ResourceID, for host: String) -> HostReservation? {
        guard let port = ports[id], isReservationHost(host, of: port.networkID) else { return nil }
        switch port.role {
        case .dhcp, .floatingIP, .haInterface: return nil
        case .instance, .router, .other: break
        }
        let instance = instance(of: port)
        let addresses = port.fixedIPs.filter { subnet(of: $0, on: port.networkID)?.hasDHCPAddresses == true }.map(\.address)
        let named = port.fixedIPs.filter { subnet(of: $0, on: port.networkID)?.isDHCPEnabled == true }.map(\.address)
        let first = addresses.first(where: { $0.version == .v4 }) ?? addresses.first ?? named.first ?? instance?.addresses.first
        guard let first else { return nil }
        let domains = domains(of: port)
        return HostReservation(
            portID: id, networkID: port.networkID, mac: port.mac, addresses: addresses, hostname: PortName(port, first).host,
            names: named.map { HostReservation.Name(address: $0, host: PortName(port, $0).host, domains: domains) },
            options: port.extraDHCPOptions.map { .init(version: $0.version.rawValue, name: $0.name, value: $0.value) },
            revision: port.standard.revisionNumber, instance: instance)
    }

    /// The domain that clients gave the port or its network. A domain that says `<project_id>` is one of each project; the other words are for
    /// whoever publishes names outside.
    private func domains(of port: Port) -> [String] {
        let chosen = port.dnsDomain.isEmpty ? networks[port.networkID]?.dnsDomain ?? "" : port.dnsDomain
        let labels = chosen.split(separator: ".").map { $0 == "<project_id>" ? port.projectID.lowercased() : String($0) }
        guard !labels.isEmpty, labels.allSatisfy(Self.isLabel) else { return [] }
        return [labels.map { "\($0)." }.joined()]
    }

    /// Letters, digits and hyphens: nothing that a file of names could take for more. Projects may be called anything.
    private static func isLabel(_ text: String) -> Bool {
        (1...63).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
                default: false
                }
            }
    }

    /// The subnet of an address, if it is a subnet of the port's network.
    func subnet(of fixedIP: FixedIP, on network: ResourceID) -> Subnet? {
        guard let subnet = subnets[fixedIP.subnetID], subnet.networkID == network else { return nil }
        return subnet
    }

    /// The port's addresses with the prefix lengths of their subnets.
    func interfaceAddresses(of port: Port) -> [InterfaceAddress] {
        port.fixedIPs.compactMap { fixedIP in
            guard let subnet = subnet(of: fixedIP, on: port.networkID), subnet.prefix.version == fixedIP.address.version else { return nil }
            return InterfaceAddress(fixedIP.address, prefixLength: subnet.prefix.length)
        }
    }
}
