import Addressing

/// What an operator can choose about the server's decisions. The defaults are Neutron's where it has them.
public struct ServerSettings: Sendable {
    /// VNIs that the server gives out by itself. Administrators may name any of 1...16777215.
    public var vxlanRange: ClosedRange<Int> = 1...65535
    /// Physical networks that flat networks may use; nil: any.
    public var flatPhysicalNetworks: Set<String>?
    /// VLAN ids that the server gives out by itself, by physical network.
    public var vlanRanges: [String: ClosedRange<Int>] = [:]
    /// What carries a network when nobody says it.
    public var projectNetworkType = "vxlan"
    /// The MTU of the physical networks, of which tunnels lose their headers.
    public var physicalNetworkMTU = 1500
    /// Whether the addresses of tunnel endpoints are IPv6: its header is 20 bytes longer.
    public var areTunnelEndpointsIPv6 = false

    /// The domain of all names, without full stops around it; empty: names have none. Agents must be told the same.
    public var dnsDomain = "openstacklocal"
    public var maximumDNSNameservers = 5
    public var maximumHostRoutes = 20
    public var maximumAddressPairs = 10
    public var maximumRoutes = 30
    /// External gateways of one router.
    public var maximumGateways = 16

    /// Where clients reach the server, such as `https://network.example.org`: where all links begin; nil: where each request came to.
    public var publicURL: String?

    /// The longest page of a list, also for clients that ask for none; nil: any length.
    public var maximumPageLength: Int?

    /// How many DHCP agents serve one network.
    public var dhcpAgentsPerNetwork = 1
    /// How many members a highly available router has at most; 0: one on every L3 agent.
    public var maximumL3AgentsPerRouter = 3
    /// Whether a router is highly available when the request does not say it.
    public var areRoutersHighlyAvailable = false
    /// The network in which the members of a project's routers speak VRRP.
    public var haNetworkPrefix = ServerSettings.defaultHANetworkPrefix
    /// The zones of routers and networks that ask for none; empty: any.
    public var defaultAvailabilityZones: [String] = []
    /// A member of a highly available router whose agent has been silent, or which has failed, for longer is replaced; 0: never.
    public var replaceLostMembersAfterSeconds = 600
    /// Whether standalone routers move away from agents that are dead.
    ///
    /// Neutron leaves them by default. Here they move: who makes a router forgets about it, and a host whose agent was silent for so long is more
    /// often dead than cut off. An agent that returns takes its copy down with the first thing that the server tells it.
    public var movesRoutersFromDeadAgents = true
    /// An agent that has been silent for longer counts as dead.
    public var agentDownSeconds = 75

    /// Limits of projects that have none of their own; -1: unlimited.
    public var defaultQuotas: [String: Int] = [
        "network": 100, "subnet": 100, "subnetpool": -1, "port": 500, "router": 10, "floatingip": 50, "security_group": 10,
        "security_group_rule": 100, "rbac_policy": 10,
    ]

    /// 169.254.192.0/18.
    private static let defaultHANetworkPrefix: IPPrefix = {
        guard let prefix = IPPrefix("169.254.192.0/18") else { preconditionFailure("the literal is a prefix") }
        return prefix
    }()

    public init() {}

    /// Sets one of the ``defaultQuotas`` as an operator writes it: `router=100`. False: the text names nothing that has a limit, or no limit.
    public mutating func setDefaultQuota(_ text: String) -> Bool {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, defaultQuotas[parts[0]] != nil, let limit = Int(parts[1]), Self.quotaLimits.contains(limit) else {
            return false
        }
        defaultQuotas[parts[0]] = limit
        return true
    }

    /// What a quota may be: -1 is no limit.
    static let quotaLimits = -1...Int(Int32.max)

    /// The largest MTU of a network of that type.
    public func maximumMTU(of type: String) -> Int {
        guard type == "vxlan" else { return physicalNetworkMTU }
        // Outer IP header, then UDP (8), VXLAN (8) and the inner Ethernet header (14): RFC 7348, figure 1.
        return physicalNetworkMTU - (areTunnelEndpointsIPv6 ? 40 : 20) - 30
    }
}
