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
        /// How hosts get their addresses in an IPv6 subnet (`ipv6_address_mode`): `stateful`, dnsmasq gives them out (RFC 8415); `stateless`,
        /// it tells only name servers and the like, and hosts make their addresses themselves. Nil for IPv4, and for IPv6 subnets whose modes
        /// nobody set: addresses are given out as with `stateful`, and somebody else announces it to the hosts.
        public var addressMode: IPv6Mode?

        public init(
            id: ResourceID, prefix: IPPrefix, gateway: IPAddress?, dnsNameservers: [IPAddress] = [], hostRoutes: [StaticRoute] = [],
            addressMode: IPv6Mode? = nil
        ) {
            self.id = id
            self.prefix = prefix
            self.gateway = gateway
            self.dnsNameservers = dnsNameservers
            self.hostRoutes = hostRoutes
            self.addressMode = addressMode
        }
    }

    public var networkID: ResourceID
    public var portID: ResourceID
    public var portMAC: MACAddress
    public var portAddresses: [InterfaceAddress]
    public var portRevision: Int
    public var mtu: Int
    /// Subnets with DHCP enabled, in the order of their creation; of IPv6 those that DHCPv6 serves (no SLAAC alone).
    public var subnets: [Subnet]
    /// Of the port's own QoS policy.
    public var portQuality: HostQuality?

    public init(
        networkID: ResourceID, portID: ResourceID, portMAC: MACAddress, portAddresses: [InterfaceAddress], portRevision: Int, mtu: Int,
        subnets: [Subnet], portQuality: HostQuality? = nil
    ) {
        self.networkID = networkID
        self.portID = portID
        self.portMAC = portMAC
        self.portAddresses = portAddresses
        self.portRevision = portRevision
        self.mtu = mtu
        self.subnets = subnets
        self.portQuality = portQuality
    }
}

/// What DHCP on this host must answer to one port. One item per port: a new port costs one item, however many there are.
public struct HostReservation: Hashable, Sendable, Codable {
    /// What one address is called.
    public struct Name: Hashable, Sendable, Codable {
        public var address: IPAddress
        /// Without domain; whole when it ends with a full stop.
        public var host: String
        /// Domains in which it is answered besides the one that every network has, with full stops at their ends.
        public var domains: [String]

        public init(address: IPAddress, host: String, domains: [String] = []) {
            self.address = address
            self.host = host
            self.domains = domains
        }
    }

    /// A DHCP option by its name or number, as clients of the API wrote it.
    public struct Option: Hashable, Sendable, Codable {
        public var version: Int
        public var name: String
        public var value: String

        public init(version: Int, name: String, value: String) {
            self.version = version
            self.name = name
            self.value = value
        }
    }

    public var portID: ResourceID
    public var networkID: ResourceID
    public var mac: MACAddress
    /// Addresses that DHCP gives out, of either family.
    public var addresses: [IPAddress]
    /// What the client is told that it is called, such as `host-10-0-0-5`.
    public var hostname: String
    /// Names and addresses that are answered, in the order of the port's addresses: also those that DHCP does not give out.
    public var names: [Name]
    /// Options of this port alone, in their order.
    public var options: [Option]
    public var revision: Int

    public init(
        portID: ResourceID, networkID: ResourceID, mac: MACAddress, addresses: [IPAddress], hostname: String, names: [Name] = [],
        options: [Option] = [], revision: Int
    ) {
        self.portID = portID
        self.networkID = networkID
        self.mac = mac
        self.addresses = addresses
        self.hostname = hostname
        self.names = names
        self.options = options
        self.revision = revision
    }
}
