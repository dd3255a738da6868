import Addressing

/// How addresses of an IPv6 subnet are made (`ipv6_address_mode`) or announced (`ipv6_ra_mode`).
public enum IPv6Mode: String, Sendable, Hashable, Codable {
    case slaac
    case stateful = "dhcpv6-stateful"
    case stateless = "dhcpv6-stateless"
}

/// A route that DHCP hands to instances (`host_routes`) or that a router has (`routes`).
public struct StaticRoute: Sendable, Hashable, Codable {
    public var destination: IPPrefix
    public var nextHop: IPAddress

    public init(destination: IPPrefix, nextHop: IPAddress) {
        self.destination = destination
        self.nextHop = nextHop
    }
}

/// A block of addresses on a network.
public struct Subnet: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var networkID: ResourceID
    public var name: String = ""
    public var prefix: IPPrefix
    public var gatewayAddress: IPAddress?
    /// Ranges from which addresses are given out, in the order in which they are used.
    public var allocationPools: [IPRange] = []
    public var dnsNameservers: [IPAddress] = []
    public var hostRoutes: [StaticRoute] = []
    public var isDHCPEnabled: Bool = true
    public var ipv6RouterAdvertisementMode: IPv6Mode?
    public var ipv6AddressMode: IPv6Mode?
    /// The owners of ports that get addresses here without asking for the subnet, by the beginning of `device_owner`; empty: all.
    public var serviceTypes: [String] = []
    /// What clients want of an external DNS service (`dns_publish_fixed_ip`): kept for them.
    public var publishesFixedAddresses: Bool = false
    /// Whether its network is external; not kept: whoever reads the row fills it in.
    public var isOnExternalNetwork: Bool = false
    /// The pool that the prefix was cut from; nil: none.
    public var subnetPoolID: ResourceID?
    /// The segment of the network that alone has the subnet; nil: the whole network has it.
    public var segmentID: ResourceID?
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String, networkID: ResourceID, prefix: IPPrefix) {
        self.id = id
        self.projectID = projectID
        self.networkID = networkID
        self.prefix = prefix
    }
}

extension Subnet {
    /// Whether a DHCP server serves the subnet. IPv6: when it gives out addresses or other settings, or when nobody said how addresses are made
    /// (then it gives them out, and a router that is not ours announces it). Hosts of SLAAC subnets need none.
    public var isServedByDHCP: Bool {
        guard isDHCPEnabled else { return false }
        guard prefix.version == .v6 else { return true }
        switch ipv6AddressMode {
        case .stateful, .stateless: return true
        case .slaac: return false
        case nil: return ipv6RouterAdvertisementMode == nil
        }
    }

    /// Whether that server gives out the addresses as well, rather than only the settings beside them.
    public var hasDHCPAddresses: Bool { isServedByDHCP && ipv6AddressMode != .stateless }
}
