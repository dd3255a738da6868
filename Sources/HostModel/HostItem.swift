import NetworkModel

/// One thing that a host must realise. The feed puts and drops whole items by key; the host view is a dictionary of them.
public enum HostItem: Hashable, Sendable, Codable {
    case network(HostNetwork)
    case remotePort(HostRemotePort)
    case port(HostPort)
    case securityGroup(HostSecurityGroup)
    case groupMember(HostGroupMember)
    case addressGroup(HostAddressGroup)
    case dhcp(HostDHCP)
    case reservation(HostReservation)
    case router(HostRouter)

    public var key: HostItemKey {
        switch self {
        case .network(let item): HostItemKey(.network, item.id)
        case .remotePort(let item): HostItemKey(.remotePort, item.portID)
        case .port(let item): HostItemKey(.port, item.id)
        case .securityGroup(let item): HostItemKey(.securityGroup, item.id)
        case .groupMember(let item): HostItemKey(.groupMember, item.portID, of: item.groupID)
        case .addressGroup(let item): HostItemKey(.addressGroup, item.id)
        case .dhcp(let item): HostItemKey(.dhcp, item.networkID)
        case .reservation(let item): HostItemKey(.reservation, item.portID)
        case .router(let item): HostItemKey(.router, item.id)
        }
    }
}

/// The identity of an item within one host's view.
public struct HostItemKey: Hashable, Sendable, Codable {
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case network, remotePort, port, securityGroup, groupMember, addressGroup, dhcp, reservation, router
    }

    public var kind: Kind
    public var id: ResourceID
    /// The group of a group member, else nil.
    public var owner: ResourceID?

    public init(_ kind: Kind, _ id: ResourceID, of owner: ResourceID? = nil) {
        self.kind = kind
        self.id = id
        self.owner = owner
    }
}
