import NetworkModel

/// Identifies one row of a router's membership: a router has at most one member per host.
public struct RouterMemberKey: Hashable, Sendable {
    public var routerID: ResourceID
    public var hostID: String

    public init(routerID: ResourceID, hostID: String) {
        self.routerID = routerID
        self.hostID = hostID
    }
}

/// Says that a host serves DHCP for a network.
public struct DHCPBinding: Hashable, Sendable {
    public var networkID: ResourceID
    public var hostID: String

    public init(networkID: ResourceID, hostID: String) {
        self.networkID = networkID
        self.hostID = hostID
    }
}

/// One stored row that came, changed or went. A put of a row that is there already replaces it; a drop of one that is not does nothing,
/// so that a change which is read twice is harmless.
public enum TopologyChange: Hashable, Sendable {
    /// A row as it is stored now.
    public enum Row: Hashable, Sendable {
        case network(Network)
        case subnet(Subnet)
        case port(Port)
        case router(Router)
        case routerMember(RouterMember)
        case floatingIP(FloatingIP)
        case qosPolicy(QoSPolicy)
        case securityGroup(SecurityGroup)
        case securityGroupRule(SecurityGroupRule)
        case addressGroup(AddressGroup)
        case host(Host)
        case dhcpBinding(DHCPBinding)
        case agent(Agent)
    }

    /// What identifies a row.
    public enum Key: Hashable, Sendable {
        case network(ResourceID)
        case subnet(ResourceID)
        case port(ResourceID)
        case router(ResourceID)
        case routerMember(RouterMemberKey)
        case floatingIP(ResourceID)
        case qosPolicy(ResourceID)
        case securityGroup(ResourceID)
        case securityGroupRule(ResourceID)
        case addressGroup(ResourceID)
        case host(String)
        case dhcpBinding(DHCPBinding)
        case agent(ResourceID)
    }

    case put(Row)
    case drop(Key)
}

extension TopologyChange.Row {
    public var key: TopologyChange.Key {
        switch self {
        case .network(let row): .network(row.id)
        case .subnet(let row): .subnet(row.id)
        case .port(let row): .port(row.id)
        case .router(let row): .router(row.id)
        case .routerMember(let row): .routerMember(RouterMemberKey(routerID: row.routerID, hostID: row.hostID))
        case .floatingIP(let row): .floatingIP(row.id)
        case .qosPolicy(let row): .qosPolicy(row.id)
        case .securityGroup(let row): .securityGroup(row.id)
        case .securityGroupRule(let row): .securityGroupRule(row.id)
        case .addressGroup(let row): .addressGroup(row.id)
        case .host(let row): .host(row.id)
        case .dhcpBinding(let row): .dhcpBinding(row)
        case .agent(let row): .agent(row.id)
        }
    }
}
