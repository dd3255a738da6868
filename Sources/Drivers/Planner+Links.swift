import Addressing
import KernelInterface

/// A link of a host.
struct LinkKey: Hashable, Comparable {
    var place: NamespaceName?
    var name: String

    init(_ name: String, _ place: NamespaceName?) {
        self.name = name
        self.place = place
    }

    /// The agent's own namespace sorts first.
    static func < (left: Self, right: Self) -> Bool {
        if left.place == right.place { return left.name < right.name }
        guard let first = left.place else { return true }
        guard let second = right.place else { return false }
        return first < second
    }
}

/// What becomes of links: needed to plan what hangs on them.
struct LinkPlan {
    /// Links that the plan makes: nothing hangs on them yet.
    var fresh: Set<LinkKey> = []
    /// Found links that the plan removes, or that vanish with a removed peer.
    var gone: Set<LinkKey> = []
    /// Links that leave the bridge that they were found in: the bridge forgets its entries for them.
    var moved: Set<LinkKey> = []

    /// Whether everything that was found on links is still there.
    var isUntouched: Bool { fresh.isEmpty && gone.isEmpty && moved.isEmpty }

    func isFresh(_ name: String, _ place: NamespaceName?) -> Bool { fresh.contains(LinkKey(name, place)) }

    /// Whether what was found on the link is still there after the links were planned.
    func keeps(_ name: String, _ place: NamespaceName?) -> Bool {
        let key = LinkKey(name, place)
        return !fresh.contains(key) && !gone.contains(key)
    }
}

extension Planner {
    mutating func planLinks() {
        let unequal = places.filter { configuration($0).links != observation($0).links }
        for place in unequal { sortOut(place) }
        clearTheWay()
        for key in links.fresh.sorted() { make(key) }
        for place in unequal {
            changeFoundLinks(place)
            detachStrangers(place)
        }
        removeLinks(unequal)
    }

    private func wanted(_ key: LinkKey) -> Link? { configuration(key.place).links[key.name] }

    private func found(_ key: LinkKey) -> Link? { observation(key.place).links[key.name] }

    private func peer(of link: Link) -> LinkKey? {
        guard case .veth(let peer, let namespace) = link.kind, !peer.isEmpty else { return nil }
        return LinkKey(peer, namespace)
    }

    /// Finds the links that must be made, and the foreign ones that are missing. Both ends of a veth pair are made together.
    private mutating func sortOut(_ place: NamespaceName?) {
        let observation = observation(place)
        for (name, link) in configuration(place).links {
            let current = observation.links[name]
            if link.kind == .foreign {
                if current == nil { plan.missingLinks[place, default: []].insert(name) }
                continue
            }
            if let current, LinkComparison.isSameKind(link, current) { continue }
            links.fresh.insert(LinkKey(name, place))
            if let peer = peer(of: link) { links.fresh.insert(peer) }
            if let place, !isMade(place) { plan.madeLinks[place, default: []].insert(name) }
        }
    }

    /// Removes what has the name of a link that must be made, and tunnels of ours that hold its VNI: the kernel allows one per port.
    private mutating func clearTheWay() {
        for key in links.fresh.sorted() {
            if let obstacle = found(key), !links.gone.contains(key) { clear(key, obstacle) }
            guard let link = wanted(key), case .vxlan(let vni, _, let port, _) = link.kind else { continue }
            for (name, other) in observation(key.place).links.sorted(by: { $0.key < $1.key }) {
                let otherKey = LinkKey(name, key.place)
                guard case .vxlan(vni, _, port, _) = other.kind, wanted(otherKey) == nil, Ownership.owns(other, in: key.place),
                    !links.gone.contains(otherKey)
                else { continue }
                clear(otherKey, other)
            }
        }
    }

    private mutating func clear(_ key: LinkKey, _ link: Link) {
        phases.clear.append(
            PlannedOperation(.removeLink(name: key.name, key.place), for: .link(key.name, key.place), role: .remove))
        markGone(key, link)
    }

    private mutating func markGone(_ key: LinkKey, _ link: Link) {
        links.gone.insert(key)
        if let peer = peer(of: link) { links.gone.insert(peer) }
    }

    /// Makes a link, or a veth pair from its smaller end. The kernel gives the other end no properties: it gets them by a change.
    private mutating func make(_ key: LinkKey) {
        guard let link = wanted(key) else { return }
        let other = peer(of: link)
        if let other, other < key, wanted(other) != nil { return }
        create(key, link)
        guard let other, let otherEnd = wanted(other) else { return }
        phases.changes.append(PlannedOperation(.changeLink(otherEnd, other.place), for: .link(other.name, other.place), role: .make))
        if !places.contains(other.place) { plan.lookAgain.insert(other.place) }
    }

    /// A link that has sysctls of its own comes up only after they are set (a device that must be silent has no chance to speak).
    private mutating func create(_ key: LinkKey, _ link: Link) {
        let subject = Subject.link(key.name, key.place)
        let waits = link.isUp && configuration(key.place).sysctls.keys.contains { Sysctl.link(of: $0) == key.name }
        var first = link
        first.isUp = link.isUp && !waits
        let operation = PlannedOperation(.addLink(first, key.place), for: subject, role: .make)
        switch link.kind {
        case .bridge: phases.bridges.append(operation)
        case .vxlan, .vlan: phases.tunnels.append(operation)
        case .veth, .foreign: phases.pairs.append(operation)
        }
        if waits { phases.changes.append(PlannedOperation(.changeLink(link, key.place), for: subject, role: .make)) }
    }

    private mutating func changeFoundLinks(_ place: NamespaceName?) {
        let observation = observation(place)
        let managed = configuration(place).managesAddresses
        for (name, link) in configuration(place).links.sorted(by: { $0.key < $1.key }) where links.keeps(name, place) {
            guard let current = observation.links[name] else { continue }
            let change = LinkComparison.change(from: current, to: link)
            guard LinkComparison.needsChange(from: current, to: change) else { continue }
            if current.bridge != change.bridge { links.moved.insert(LinkKey(name, place)) }
            // A link that goes down loses its routes and its IPv6 addresses.
            if current.isUp != change.isUp, managed.contains(name) { plan.lookAgain.insert(place) }
            append(change, place)
        }
    }

    private mutating func append(_ change: Link, _ place: NamespaceName?) {
        let subject = Subject.link(change.name, place)
        if change.kind != .foreign {
            phases.changes.append(PlannedOperation(.changeLink(change, place), for: subject, role: .make))
        } else if change.bridge == nil {
            phases.detachments.append(PlannedOperation(.changeLink(change, place), for: subject, role: .attach))
        } else {
            phases.attachments.append(PlannedOperation(.changeLink(change, place), for: subject, role: .attach))
        }
    }

    /// Foreign links that nobody wants any more leave our bridges: their rules go with their port. Devices of instances go down as well: outside of a
    /// bridge the host would listen to them. A physical interface is its owner's.
    private mutating func detachStrangers(_ place: NamespaceName?) {
        let configuration = configuration(place)
        for (name, link) in observation(place).links.sorted(by: { $0.key < $1.key }) {
            guard let bridge = link.bridge, Ownership.isBridge(bridge), configuration.links[name] == nil, !Ownership.owns(link, in: place),
                links.keeps(name, place), !isPeerOfWanted(LinkKey(name, place))
            else { continue }
            var change = Link(name: name, kind: .foreign, isUp: link.isUp && !Ownership.isInstanceDevice(name))
            change.bridge = nil
            links.moved.insert(LinkKey(name, place))
            phases.detachments.append(PlannedOperation(.changeLink(change, place), for: .link(name, place), role: .remove))
        }
    }

    private func isPeerOfWanted(_ key: LinkKey) -> Bool {
        guard let link = found(key), let other = peer(of: link), let wanted = wanted(other) else { return false }
        return peer(of: wanted) == key
    }

    /// Links of ours that nobody wants: bridges last. One end of a veth pair is enough, and none where the namespace of the other goes.
    private mutating func removeLinks(_ places: [NamespaceName?]) {
        let removed = removedNamespaces
        for place in places {
            let configuration = configuration(place)
            for (name, link) in observation(place).links.sorted(by: { $0.key < $1.key }) {
                let key = LinkKey(name, place)
                guard Ownership.owns(link, in: place), configuration.links[name] == nil, links.keeps(name, place), !isPeerOfWanted(key)
                else {
                    continue
                }
                if case .veth(_, .some(let namespace)) = link.kind, removed.contains(namespace) {
                    links.gone.insert(key)
                    continue
                }
                markGone(key, link)
                let operation = PlannedOperation(.removeLink(name: name, place), for: .link(name, place), role: .remove)
                switch link.kind {
                case .bridge: phases.removedBridges.append(operation)
                case .vxlan, .vlan: phases.removedTunnels.append(operation)
                case .veth, .foreign: phases.removedPairs.append(operation)
                }
            }
        }
    }
}
