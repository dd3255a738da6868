/// What carries a network between hosts (`provider:network_type`).
public enum NetworkType: String, Sendable, Hashable, Codable {
    case local, flat, vlan, vxlan
}

/// The state of a network, port, router… that the API shows as `status`.
public enum ResourceStatus: String, Sendable, Hashable, Codable {
    case active = "ACTIVE"
    case build = "BUILD"
    case down = "DOWN"
    case error = "ERROR"
    case notApplicable = "N/A"
    case allocating = "ALLOCATING"
}

/// What every resource of the API carries.
public struct StandardAttributes: Sendable, Hashable {
    public var description: String = ""
    public var tags: [String] = []
    /// Rises with every change of the resource and of what hangs on it.
    public var revisionNumber: Int = 0
    public var createdAt = Timestamp(secondsSince1970: 0)
    public var updatedAt = Timestamp(secondsSince1970: 0)

    public init() {}
}

/// A layer-2 broadcast domain.
public struct Network: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var name: String = ""
    public var isAdminStateUp: Bool = true
    public var status: ResourceStatus = .active
    public var isShared: Bool = false
    /// Whether routers may have their gateway here (`router:external`).
    public var isExternal: Bool = false
    /// Whether the routers of topologies that the server makes have their gateway here: one external network.
    public var isDefault: Bool = false
    public var mtu: Int = 1500
    public var isPortSecurityEnabled: Bool = true
    /// The zones that the network's DHCP agents shall be in; empty: any.
    public var availabilityZoneHints: [String] = []
    /// The zones that they are in; not kept: whoever reads the row computes it.
    public var availabilityZones: [String] = []
    public var type: NetworkType = .vxlan
    public var physicalNetwork: String?
    /// The VNI of a VXLAN network or the VLAN id; nil for local and flat networks.
    public var segmentationID: Int?
    /// What carries the segments behind the first one, in their order.
    public var furtherCarriers: [NetworkCarrier] = []
    /// What clients call the network's domain, with a full stop at the end (`dns_domain`); empty: none. Names of its ports are answered in it
    /// too.
    public var dnsDomain: String = ""
    /// Whether all of it is one broadcast domain (`l2_adjacency`), which a network whose subnets belong to segments is not; not kept: whoever shows
    /// the row computes it.
    public var isAdjacent: Bool = true
    /// Subnets in the order of their creation.
    public var subnetIDs: [ResourceID] = []
    /// The address scopes of its subnets: those of one family are all in the same. Nil: in none.
    public var ipv4AddressScopeID: ResourceID?
    public var ipv6AddressScopeID: ResourceID?
    /// Rules for the traffic of its ports that have none of their own.
    public var qosPolicyID: ResourceID?
    /// Set on the hidden network that carries the VRRP of a project's HA routers: that project.
    public var haProjectID: String?
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String) {
        self.id = id
        self.projectID = projectID
    }
}
