import Addressing
import NetworkModel

/// The DHCP service of one network on this host: a qdhcp- namespace with the DHCP port and one dnsmasq.
public struct HostDHCP: Hashable, Sendable, Codable {
    public struct Subnet: Hashable, Sendable, Codable {
        public var id: ResourceID
        public var prefix: IPPrefix
        public var gateway: IPAddress?
        public var dnsNameservers: [IPAddress]
        public var hostRoutes: [StaticRoute]

        public init(id: ResourceID, prefix: IPPrefix, gateway: IPAddress?, dnsNameservers: [IPAddress] = [], hostRoutes: [StaticRoute] = [])
        {
            self.id = id
            self.prefix = prefix
            self.gateway = gateway
            self.dnsNameservers = dnsNameservers
            self.hostRoutes = hostRoutes
        }
    }

    public var networkID: ResourceID
    public var portID: ResourceID
    public var portMAC: MACAddress
    public var portAddresses: [InterfaceAddress]
    public var portRevision: Int
    public var mtu: Int
    /// Subnets with DHCP enabled, in the order of their creation.
    public var subnets: [Subnet]

    public init(
        networkID: ResourceID, portID: ResourceID, portMAC: MACAddress, portAddresses: [InterfaceAddress], portRevision: Int, mtu: Int,
        subnets: [Subnet]
    ) {
        self.networkID = networkID
        self.portID = portID
        self.portMAC = portMAC
        self.portAddresses = portAddresses
        self.portRevision = portRevision
        self.mtu = mtu
        self.subnets = subnets
    }
}

/// What DHCP on this host must answer to one port. One item per port: a new port costs one item, however many there are.
public struct HostReservation: Hashable, Sendable, Codable {
    public var portID: ResourceID
    public var networkID: ResourceID
    public var mac: MACAddress
    /// Addresses in subnets with DHCP enabled.
    public var addresses: [IPAddress]
    /// Such as `host-10-0-0-5`.
    public var hostname: String
    public var revision: Int

    public init(portID: ResourceID, networkID: ResourceID, mac: MACAddress, addresses: [IPAddress], hostname: String, revision: Int) {
        self.portID = portID
        self.networkID = networkID
        self.mac = mac
        self.addresses = addresses
        self.hostname = hostname
        self.revision = revision
    }
}
