import Addressing
import KernelInterface

extension Planner {
    /// Whether an entry on the link can be set now: the link is there, or will be when the entry's turn comes.
    private func exists(_ link: String, _ place: NamespaceName?, _ observation: NamespaceObservation) -> Bool {
        if links.isFresh(link, place) { return true }
        return observation.links[link] != nil && !links.gone.contains(LinkKey(link, place))
    }

    // MARK: Addresses

    mutating func planAddresses(_ place: NamespaceName?) {
        let configuration = configuration(place)
        let observation = observation(place)
        let found = observation.addresses.filter { links.keeps($0.link, place) }
        var added = configuration.addresses.subtracting(found).filter { exists($0.link, place, observation) }
        let removed = found.subtracting(configuration.addresses).filter { configuration.managesAddresses.contains($0.link) }
        for address in removed.sorted(by: order) {
            let operation = PlannedOperation(.removeAddress(address, place), for: .link(address.link, place), role: .remove)
            let companions = configuration.addresses.filter { goes($0, with: address) }
            if companions.isEmpty {
                phases.removedAddresses.append(operation)
            } else {
                phases.addresses.append(operation)
                added.formUnion(companions)
                plan.lookAgain.insert(place)
            }
        }
        for address in added.sorted(by: order) {
            let subject = Subject.link(address.link, place)
            phases.addresses.append(PlannedOperation(.addAddress(address, place), for: subject, role: .make))
            if isRouterPort(address.link) {
                phases.announcements.append(PlannedOperation(.announce(address, place), for: subject, role: .announce))
            }
        }
    }

    /// Removing the first IPv4 address of a subnet on a link removes the others of that subnet too (unless `promote_secondaries` is on), so that
    /// it goes before they come, and those that were there come again. Which one is the first cannot be told from a set.
    private func goes(_ other: LinkAddress, with address: LinkAddress) -> Bool {
        address.address.address.version == .v4 && other.link == address.link && other.address.prefix == address.address.prefix
    }

    /// Hosts and upstream routers remember a router's address: on a host that just got it, it is announced.
    private func isRouterPort(_ link: String) -> Bool { link.hasPrefix("qr-") || link.hasPrefix("qg-") }

    private func order(_ left: LinkAddress, _ right: LinkAddress) -> Bool {
        left.link == right.link ? left.address < right.address : left.link < right.link
    }

    // MARK: Forwarding entries

    mutating func planForwarding(_ place: NamespaceName?) {
        let observation = observation(place)
        let wanted = configuration(place).forwarding
        if links.isUntouched, wanted == observation.forwarding { return }
        let found = observation.forwarding.filter { entry in
            guard links.keeps(entry.link, place) else { return false }
            if case .bridgePort = entry, links.moved.contains(LinkKey(entry.link, place)) { return false }
            return true
        }
        let added = wanted.subtracting(found).filter { exists($0.link, place, observation) }
        let removed = found.subtracting(wanted).filter { owns($0, place, observation) }
        var bridges: [String: String] = [:]
        for entry in added.union(removed) { bridges[entry.link] = bridge(of: entry.link, place, observation) }
        let moves = ForwardingMoves(added, bridges: bridges)
        for entry in removed.sorted(by: order) where !moves.replaces(entry) {
            phases.removedForwarding.append(
                PlannedOperation(.removeForwarding(entry, place), for: .link(entry.link, place), role: .remove))
        }
        for entry in added.sorted(by: order) {
            phases.forwarding.append(PlannedOperation(.addForwarding(entry, place), for: .link(entry.link, place), role: .make))
        }
    }

    /// Entries of our tunnels and of the ports of our bridges; on other devices they are somebody else's.
    private func owns(_ entry: ForwardingEntry, _ place: NamespaceName?, _ observation: NamespaceObservation) -> Bool {
        if Ownership.ownsForwarding(on: entry.link) { return true }
        guard case .bridgePort(_, let link) = entry else { return false }
        return bridge(of: link, place, observation).map(Ownership.isBridge) == true
    }

    private func bridge(of link: String, _ place: NamespaceName?, _ observation: NamespaceObservation) -> String? {
        configuration(place).links[link]?.bridge ?? observation.links[link]?.bridge
    }

    private func order(_ left: ForwardingEntry, _ right: ForwardingEntry) -> Bool {
        switch (left, right) {
        case (.tunnel, .bridgePort): true
        case (.bridgePort, .tunnel): false
        case (.tunnel(let mac, let link, let remote), .tunnel(let otherMAC, let otherLink, let otherRemote)):
            link == otherLink ? (mac == otherMAC ? remote < otherRemote : mac < otherMAC) : link < otherLink
        case (.bridgePort(let mac, let link), .bridgePort(let otherMAC, let otherLink)):
            link == otherLink ? mac < otherMAC : link < otherLink
        }
    }

    // MARK: Neighbours

    mutating func planNeighbours(_ place: NamespaceName?) {
        let observation = observation(place)
        let wanted = configuration(place).neighbours
        if links.isUntouched, wanted == observation.neighbours { return }
        let found = observation.neighbours.filter { links.keeps($0.link, place) }
        let added = wanted.subtracting(found).filter { exists($0.link, place, observation) }
        var replaced: Set<NeighbourKey> = []
        for neighbour in added.sorted(by: order) {
            replaced.insert(NeighbourKey(neighbour))
            phases.neighbours.append(PlannedOperation(.setNeighbour(neighbour, place), for: .link(neighbour.link, place), role: .make))
        }
        for neighbour in found.subtracting(wanted).sorted(by: order) where Ownership.ownsNeighbours(on: neighbour.link, in: place) {
            if replaced.contains(NeighbourKey(neighbour)) { continue }
            phases.removedNeighbours.append(
                PlannedOperation(.removeNeighbour(neighbour, place), for: .link(neighbour.link, place), role: .remove))
        }
    }

    private func order(_ left: Neighbour, _ right: Neighbour) -> Bool {
        left.link == right.link
            ? (left.address == right.address ? left.mac < right.mac : left.address < right.address) : left.link < right.link
    }

    // MARK: Routes

    mutating func planRoutes(_ place: NamespaceName?) {
        let configuration = configuration(place)
        let observation = observation(place)
        let found = observation.routes.filter { $0.nextHops.allSatisfy { links.keeps($0.link, place) } }
        let added = configuration.routes.subtracting(found).filter { $0.nextHops.allSatisfy { exists($0.link, place, observation) } }
        let destinations = Set(configuration.routes.map(RouteKey.init))
        for route in added.sorted(by: order) {
            phases.routes.append(PlannedOperation(.setRoute(route, place), for: .link(route.link, place), role: .make))
        }
        for route in found.subtracting(configuration.routes).sorted(by: order) {
            // Setting a route replaces the one to the same destination.
            guard route.nextHops.allSatisfy({ configuration.managesAddresses.contains($0.link) }),
                !destinations.contains(RouteKey(route))
            else { continue }
            phases.removedRoutes.append(PlannedOperation(.removeRoute(route, place), for: .link(route.link, place), role: .remove))
        }
    }

    /// Routes to a link come first: a gateway may be behind one.
    private func order(_ left: Route, _ right: Route) -> Bool {
        if (left.gateway == nil) != (right.gateway == nil) { return left.gateway == nil }
        guard left.table == right.table else { return left.table < right.table }
        return left.destination == right.destination ? left.link < right.link : left.destination < right.destination
    }

    // MARK: Rules

    /// A new rule comes after the routes of its table, and goes before them.
    mutating func planRules(_ place: NamespaceName?) {
        guard Ownership.ownsRules(in: place) else { return }
        let wanted = configuration(place).rules
        let found = observation(place).rules
        if wanted == found { return }
        for rule in wanted.subtracting(found).sorted() {
            phases.rules.append(PlannedOperation(.addRule(rule, place), for: .namespace(place), role: .make))
        }
        for rule in found.subtracting(wanted).sorted() {
            phases.removedRules.append(PlannedOperation(.removeRule(rule, place), for: .namespace(place), role: .remove))
        }
    }
}

/// What the kernel finds a route by.
private struct RouteKey: Hashable {
    var table: UInt32
    var destination: IPPrefix

    init(_ route: Route) {
        table = route.table
        destination = route.destination
    }
}

/// The link and address that the kernel finds a neighbour by.
private struct NeighbourKey: Hashable {
    var link: String
    var address: IPAddress

    init(_ neighbour: Neighbour) {
        link = neighbour.link
        address = neighbour.address
    }
}

/// What adding forwarding entries does to entries that shall go.
private struct ForwardingMoves {
    private struct Tunnel: Hashable {
        var mac: MACAddress
        var link: String
    }
    private var tunnels: Set<Tunnel> = []
    /// MAC → the bridges that get an entry for it.
    private var ports: [MACAddress: Set<String>] = [:]
    /// Port → its bridge.
    private let bridges: [String: String]

    init(_ added: Set<ForwardingEntry>, bridges: [String: String]) {
        self.bridges = bridges
        for entry in added {
            switch entry {
            case .tunnel(let mac, let link, _): tunnels.insert(Tunnel(mac: mac, link: link))
            case .bridgePort(let mac, let link): bridges[link].map { _ = ports[mac, default: []].insert($0) }
            }
        }
    }

    /// Whether adding the entries takes this one away.
    func replaces(_ entry: ForwardingEntry) -> Bool {
        switch entry {
        case .tunnel(let mac, let link, _):
            // Only the flooding list has many remotes: for any other MAC the new one takes the place of the old one.
            return mac != .zero && tunnels.contains(Tunnel(mac: mac, link: link))
        case .bridgePort(let mac, let link):
            // A bridge has one port for a MAC: the new entry takes the place of the old one.
            guard let bridge = bridges[link] else { return false }
            return ports[mac]?.contains(bridge) == true
        }
    }
}
