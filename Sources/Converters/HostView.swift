import HostModel
import NetworkModel

/// Everything that one host must realise: what the feed has put and not dropped, with the indexes that conversions need.
///
/// A put or a drop costs a few dictionary accesses, but for the first one after the view was copied: it also copies the table of its kind.
public struct HostView: Hashable, Sendable {
    public private(set) var networks: [ResourceID: HostNetwork] = [:]
    public private(set) var remotePorts = OwnedItems<HostRemotePort>()
    public private(set) var ports = OwnedItems<HostPort>()
    public private(set) var securityGroups: [ResourceID: HostSecurityGroup] = [:]
    /// Group → port → member.
    public private(set) var groupMembers: [ResourceID: [ResourceID: HostGroupMember]] = [:]
    public private(set) var addressGroups: [ResourceID: HostAddressGroup] = [:]
    /// By network.
    public private(set) var dhcp: [ResourceID: HostDHCP] = [:]
    public private(set) var reservations = OwnedItems<HostReservation>()
    public private(set) var routers: [ResourceID: HostRouter] = [:]

    public init() {}

    /// Adds the item, or replaces the one with the same key.
    public mutating func put(_ item: HostItem) {
        switch item {
        case .network(let item): networks[item.id] = item
        case .remotePort(let item): remotePorts.put(item, id: item.portID, owner: item.networkID)
        case .port(let item): ports.put(item, id: item.id, owner: item.networkID)
        case .securityGroup(let item): securityGroups[item.id] = item
        case .groupMember(let item): groupMembers[item.groupID, default: [:]][item.portID] = item
        case .addressGroup(let item): addressGroups[item.id] = item
        case .dhcp(let item): dhcp[item.networkID] = item
        case .reservation(let item): reservations.put(item, id: item.portID, owner: item.networkID)
        case .router(let item): routers[item.id] = item
        }
    }

    /// Removes the item with the key; fine when there is none.
    public mutating func drop(_ key: HostItemKey) {
        switch key.kind {
        case .network: networks[key.id] = nil
        case .remotePort: remotePorts.drop(key.id)
        case .port: ports.drop(key.id)
        case .securityGroup: securityGroups[key.id] = nil
        case .groupMember: dropMember(key)
        case .addressGroup: addressGroups[key.id] = nil
        case .dhcp: dhcp[key.id] = nil
        case .reservation: reservations.drop(key.id)
        case .router: routers[key.id] = nil
        }
    }

    /// Does what a message of the feed says; a bookmark changes nothing.
    public mutating func apply(_ message: FeedMessage) {
        switch message {
        case .reset: reset()
        case .put(let item): put(item)
        case .drop(let key): drop(key)
        case .bookmark: return
        }
    }

    /// Forgets everything: the feed sends a full list next.
    public mutating func reset() { self = HostView() }

    public var isEmpty: Bool { self == HostView() }

    private mutating func dropMember(_ key: HostItemKey) {
        guard let group = key.owner else { return }
        groupMembers[group]?[key.id] = nil
        if groupMembers[group]?.isEmpty == true { groupMembers[group] = nil }
    }
}

/// Items by id, found by their owner (a network) as well.
public struct OwnedItems<Item: Hashable & Sendable>: Hashable, Sendable {
    public private(set) var byID: [ResourceID: Item] = [:]
    private var owners: [ResourceID: ResourceID] = [:]
    private var idsByOwner: [ResourceID: Set<ResourceID>] = [:]

    public init() {}

    public subscript(id: ResourceID) -> Item? { byID[id] }
    public var count: Int { byID.count }
    public var all: some Collection<Item> { byID.values }

    /// The owner's items, in the order of their ids.
    public func items(of owner: ResourceID) -> [Item] {
        idsByOwner[owner, default: []].sorted().compactMap { byID[$0] }
    }

    /// Whether the owner has such an item.
    public func contains(of owner: ResourceID, where condition: (Item) -> Bool) -> Bool {
        idsByOwner[owner]?.contains { byID[$0].map(condition) ?? false } ?? false
    }

    mutating func put(_ item: Item, id: ResourceID, owner: ResourceID) {
        if let old = owners[id], old != owner { drop(id) }
        byID[id] = item
        owners[id] = owner
        idsByOwner[owner, default: []].insert(id)
    }

    mutating func drop(_ id: ResourceID) {
        guard let owner = owners.removeValue(forKey: id) else { return }
        byID[id] = nil
        idsByOwner[owner]?.remove(id)
        if idsByOwner[owner]?.isEmpty == true { idsByOwner[owner] = nil }
    }
}
