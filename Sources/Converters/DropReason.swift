import KernelInterface

/// Why the security groups' table drops a frame: the name of its counter in `nft list counters table bridge neutrino`.
enum DropReason: String, CaseIterable {
    /// From or to a device whose rules are not in, or of a port that is administratively down.
    case unknownDevice = "unknown_device"
    case spoofedMAC = "spoofed_mac"
    case spoofedIPv4 = "spoofed_ipv4"
    case spoofedIPv6 = "spoofed_ipv6"
    case spoofedARP = "spoofed_arp"
    /// A neighbour solicitation or advertisement for somebody else's address, or with somebody else's MAC in it.
    case spoofedNeighbourDiscovery = "spoofed_nd"
    /// An instance that answers as a DHCP server, of either version.
    case dhcpServer = "dhcp_server"
    /// A DHCP request in somebody else's name, or in fragments that could hide the name.
    case spoofedDHCPClient = "spoofed_dhcp_client"
    case routerAdvertisement = "router_advertisement"
    /// An instance that asks for members of multicast groups (IGMP, MLD), as routers do.
    case multicastQuery = "multicast_query"
    /// An instance that says that it is a router of multicast (MRD, DVMRP, PIM).
    case multicastRouter = "multicast_router"
    /// 802.1Q, 802.1ad or QinQ (0x9100).
    case tagged
    /// To the addresses of LLDP, spanning trees and others of one wire's neighbours.
    case linkLocal = "link_local"
    /// Neither IPv4 nor IPv6 nor ARP nor RARP.
    case otherProtocol = "other_protocol"
    /// Between an instance or a tunnel and the host itself.
    case toHost = "to_host"
    case fromHost = "from_host"
    /// A frame that the bridge flooded to a port whose MAC it does not name.
    case notAddressed = "not_addressed"
    /// A packet that belongs to no connection and cannot begin one.
    case invalidState = "invalid_state"
    /// No rule of the port's groups allows it.
    case refusedEgress = "refused_egress"
    case refusedIngress = "refused_ingress"

    /// The end of a rule.
    var drop: String { "counter name \(rawValue) drop" }

    static var counters: [String: FirewallTable.Object] {
        Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, FirewallTable.Object(kind: "counter", lines: [])) })
    }
}
