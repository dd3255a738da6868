/// The rows that operators expect of one agent process.
public enum AgentType: String, Sendable, Hashable, CaseIterable {
    case dhcp = "DHCP agent"
    case l3 = "L3 agent"
    case linuxBridge = "Linux bridge agent"

    /// The name that Neutron gives the program (`binary`).
    public var binary: String {
        switch self {
        case .dhcp: "neutron-dhcp-agent"
        case .l3: "neutron-l3-agent"
        case .linuxBridge: "neutron-linuxbridge-agent"
        }
    }

    /// What the agents of a type give availability to (`resource` of an availability zone); nil: nothing that is placed by zones.
    public var zoneResource: String? {
        switch self {
        case .dhcp: "network"
        case .l3: "router"
        case .linuxBridge: nil
        }
    }

    /// The message topic that Neutron would use; clients show it.
    public var topic: String {
        switch self {
        case .dhcp: "dhcp_agent"
        case .l3: "l3_agent"
        case .linuxBridge: "N/A"
        }
    }
}

/// One row of `openstack network agent list`.
public struct Agent: Sendable, Hashable {
    public var id: ResourceID
    public var type: AgentType
    public var hostID: String
    public var isAdminStateUp: Bool = true
    public var description: String = ""
    /// Where the agent's host is, as operators divide their cloud; nil for agents that no zone concerns.
    public var availabilityZone: String?
    public var createdAt = Timestamp(secondsSince1970: 0)
    public var startedAt = Timestamp(secondsSince1970: 0)
    public var heartbeatAt = Timestamp(secondsSince1970: 0)
    /// Whether the last heartbeat is young enough; not kept: whoever reads the row computes it.
    public var isAlive = false
    /// The `configurations` object as JSON text.
    public var configurations: String = "{}"

    public init(id: ResourceID, type: AgentType, hostID: String) {
        self.id = id
        self.type = type
        self.hostID = hostID
    }
}

extension Agent {
    /// The zone of agents that name none.
    public static let defaultAvailabilityZone = "nova"
    /// The member of a DHCP agent's `configurations` that says whether instances can ask its host for metadata.
    public static let servesMetadataKey = "serves_metadata"
}

/// What the server knows of a host beside its agents: where its tunnels end, and which physical networks it reaches.
public struct Host: Sendable, Hashable {
    public var id: String
    /// The address of the VXLAN tunnel endpoint, as text.
    public var tunnelAddress: String?
    /// Physical networks by name → the interface on that host.
    public var physicalNetworks: [String: String] = [:]

    public init(id: String) { self.id = id }
}
