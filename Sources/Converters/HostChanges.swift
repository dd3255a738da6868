import HostModel
import NetworkModel

/// What became different in a view since it was converted: which parts of a host must be converted again.
public struct HostChanges: Hashable, Sendable {
    /// Nothing is known of before.
    public var isEverything = false
    /// Bridges, tunnels, instances' devices, entries about ports on other hosts.
    var hasLayer2 = false
    /// What ports may send and receive, beside the members of groups.
    var hasFilters = false
    /// Groups whose members changed.
    var memberGroups: Set<ResourceID> = []
    /// Networks whose DHCP changed.
    var dhcpNetworks: Set<ResourceID> = []
    var routers: Set<ResourceID> = []

    public static var everything: HostChanges {
        var changes = HostChanges()
        changes.isEverything = true
        return changes
    }

    public init() {}

    public var isEmpty: Bool { self == HostChanges() }

    /// Notes what a message of the feed changes, and applies it to the view. One that says what the view holds already changes nothing.
    public mutating func apply(_ message: FeedMessage, to view: inout HostView) {
        switch message {
        case .reset: isEverything = true
        case .put(let item):
            if view.contains(item) { return }
            note(item.key, in: view)
            view.apply(message)
            note(item.key, in: view)
            return
        case .drop(let key): note(key, in: view)
        case .bookmark: return
        }
        view.apply(message)
    }

    public mutating func formUnion(_ other: HostChanges) {
        isEverything = isEverything || other.isEverything
        hasLayer2 = hasLayer2 || other.hasLayer2
        hasFilters = hasFilters || other.hasFilters
        memberGroups.formUnion(other.memberGroups)
        dhcpNetworks.formUnion(other.dhcpNetworks)
        routers.formUnion(other.routers)
    }

    /// As the view has the item before or after the change: both count.
    private mutating func note(_ key: HostItemKey, in view: HostView) {
        switch key.kind {
        case .network, .port: (hasLayer2, hasFilters) = (true, true)
        case .remotePort: hasLayer2 = true
        case .securityGroup, .addressGroup: hasFilters = true
        case .groupMember: key.owner.map { _ = memberGroups.insert($0) }
        case .dhcp:
            dhcpNetworks.insert(key.id)
            hasFilters = true
        case .reservation:
            guard !isEverything, let network = view.reservations[key.id]?.networkID else { return }
            dhcpNetworks.insert(network)
            // The first instance of a network is the first that may ask its router for metadata.
            for router in view.routers.values where router.answersMetadata(on: network) { routers.insert(router.id) }
        case .router:
            // In which networks somebody announces addresses is layer 2's business.
            routers.insert(key.id)
            (hasLayer2, hasFilters) = (true, true)
        }
    }
}

extension HostRouter {
    fileprivate func answersMetadata(on network: ResourceID) -> Bool {
        interfaces.contains { $0.networkID == network && $0.metadata?.answers == true }
    }
}

extension HostView {
    /// Whether the view holds the item just so.
    public func contains(_ item: HostItem) -> Bool {
        switch item {
        case .network(let item): networks[item.id] == item
        case .remotePort(let item): remotePorts[item.portID] == item
        case .port(let item): ports[item.id] == item
        case .securityGroup(let item): securityGroups[item.id] == item
        case .groupMember(let item): groupMembers[item.groupID]?[item.portID] == item
        case .addressGroup(let item): addressGroups[item.id] == item
        case .dhcp(let item): dhcp[item.networkID] == item
        case .reservation(let item): reservations[item.portID] == item
        case .router(let item): routers[item.id] == item
        }
    }
}
