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
    /// The network's other subnets: instances hear of them from the metadata service.
    public var otherSubnets: [Subnet]
    /// Whether this host is the one that has the network's fe80::a9fe:a9fe, the address of metadata in IPv6: of several DHCP servers one.
    public var hasLinkLocalMetadata: Bool
    /// Of the port's own QoS policy.
    public var portQuality: HostQuality?

    public init(
        networkID: ResourceID, portID: ResourceID, portMAC: MACAddress, portAddresses: [InterfaceAddress], portRevision: Int, mtu: Int,
        subnets: [Subnet], otherSubnets: [Subnet] = [], hasLinkLocalMetadata: Bool = false, portQuality: HostQuality? = nil
    ) {
        self.networkID = networkID
        self.portID = portID
        self.portMAC = portMAC
        self.portAddresses = portAddresses
        self.portRevision = portRevision
        self.mtu = mtu
        self.subnets = subnets
        self.otherSubnets = otherSubnets
        self.hasLinkLocalMetadata = hasLinkLocalMetadata
        self.portQuality = portQuality
    }
}

/// What DHCP and the metadata service on this host must answer to one port. One item per port: a new port costs one item, however many there are.
/// Hosts have it of the networks that they serve DHCP for, and of those without DHCP that they have a router of.
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

    /// Whose port it is: how the metadata service knows who asks.
    public struct Instance: Hashable, Sendable, Codable {
        /// The port's `device_id`; empty when nobody gave it one.
        public var id: String
        public var projectID: String
        /// All addresses of the port.
        public var addresses: [IPAddress]
        /// The first floating IP that leads to the port.
        public var floatingAddress: IPAddress?
        public var facts: InstanceFacts?

        public init(
            id: String, projectID: String, addresses: [IPAddress], floatingAddress: IPAddress? = nil, facts: InstanceFacts? = nil
        ) {
            self.id = id
            self.projectID = projectID
            self.addresses = addresses
            self.floatingAddress = floatingAddress
            self.facts = facts
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
    /// Nil for ports that the network itself made, such as a router's.
    public var instance: Instance?

    public init(
        portID: ResourceID, networkID: ResourceID, mac: MACAddress, addresses: [IPAddress], hostname: String, names: [Name] = [],
        options: [Option] = [], revision: Int, instance: Instance? = nil
    ) {
        self.portID = portID
        self.networkID = networkID
        self.mac = mac
        self.addresses = addresses
        self.hostname = hostname
        self.names = names
        self.options = options
        self.revision = revision
        self.instance = instance
    }
}
