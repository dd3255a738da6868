import Addressing

/// The gateway of a router (`external_gateway_info`).
public struct ExternalGateway: Sendable, Hashable {
    public var networkID: ResourceID
    public var portID: ResourceID
    public var isSNATEnabled: Bool
    public var fixedIPs: [FixedIP]
    /// What limits everything that passes the gateway and belongs to no floating IP with a policy of its own.
    public var qosPolicyID: ResourceID?

    public init(
        networkID: ResourceID, portID: ResourceID, isSNATEnabled: Bool = true, fixedIPs: [FixedIP] = [], qosPolicyID: ResourceID? = nil
    ) {
        self.networkID = networkID
        self.portID = portID
        self.isSNATEnabled = isSNATEnabled
        self.fixedIPs = fixedIPs
        self.qosPolicyID = qosPolicyID
    }
}

/// A router: interfaces on internal networks, gateways on external ones, and NAT between them.
public struct Router: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var name: String = ""
    public var isAdminStateUp: Bool = true
    public var status: ResourceStatus = .active
    public var isHighlyAvailable: Bool = false
    public var gateway: ExternalGateway?
    /// Those beside ``gateway``, in the order in which they came.
    public var furtherGateways: [ExternalGateway] = []
    /// Whether all gateways share what has no more specific route (`enable_default_route_ecmp`); else the first one has all of it.
    public var sharesDefaultRoute: Bool = false
    public var flavorID: ResourceID?
    public var routes: [StaticRoute] = []
    /// The zones that the router's agents shall be in; empty: any.
    public var availabilityZoneHints: [String] = []
    /// The zones that its agents are in; not kept: whoever reads the row computes it.
    public var availabilityZones: [String] = []
    /// The VRRP group on the project's HA network, 1...254; nil for standalone routers. Groups may repeat: members speak to each other only.
    public var virtualRouterID: Int?
    /// In the order of their creation.
    public var helpers: [Helper] = []
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String) {
        self.id = id
        self.projectID = projectID
    }
}

extension Router {
    /// All gateways; the first one has the default route.
    public var gateways: [ExternalGateway] {
        get { (gateway.map { [$0] } ?? []) + furtherGateways }
        set {
            gateway = newValue.first
            furtherGateways = Array(newValue.dropFirst())
        }
    }
}

/// What a member of an HA router is, as keepalived has it; the API says active, standby, unknown.
public enum HAState: String, Sendable, Hashable, Codable {
    case active, standby, unknown
}

/// One agent that realises a router.
public struct RouterMember: Sendable, Hashable {
    public var routerID: ResourceID
    public var agentID: ResourceID
    public var hostID: String
    /// The member's port on the HA network; nil for standalone routers.
    public var haPortID: ResourceID?
    public var state: HAState = .standby
    /// The VRRP priority, 1...254.
    public var priority: Int = 200

    public init(routerID: ResourceID, agentID: ResourceID, hostID: String, haPortID: ResourceID? = nil) {
        self.routerID = routerID
        self.agentID = agentID
        self.hostID = hostID
        self.haPortID = haPortID
    }
}

/// An external address that leads to a fixed address of a port.
public struct FloatingIP: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var floatingNetworkID: ResourceID
    public var address: IPAddress
    /// The port on the external network that keeps the address; belongs to no project.
    public var floatingPortID: ResourceID
    public var portID: ResourceID?
    public var fixedAddress: IPAddress?
    public var routerID: ResourceID?
    public var status: ResourceStatus = .down
    /// In the order of their creation. A floating IP with any leads to no port as a whole, and its router is theirs.
    public var portForwardings: [Forwarding] = []
    /// Of the port that it leads to; not kept: whoever shows the row reads it.
    public var portDetails: PortDetails?
    /// Nil: the policy of the external network.
    public var qosPolicyID: ResourceID?
    /// That one; not kept: whoever shows the row reads it.
    public var networkQoSPolicyID: ResourceID?
    /// What clients want of an external DNS service, with ``dnsDomain``: kept for them.
    public var dnsName: String = ""
    public var dnsDomain: String = ""
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String, floatingNetworkID: ResourceID, address: IPAddress, floatingPortID: ResourceID) {
        self.id = id
        self.projectID = projectID
        self.floatingNetworkID = floatingNetworkID
        self.address = address
        self.floatingPortID = floatingPortID
    }
}
