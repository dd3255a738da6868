import Addressing
import KernelInterface

/// What somebody else did to a namespace since it was left as it was wanted: a sentence each, for the log.
enum Findings {
    /// - Parameters:
    ///   - left: what our operations left there.
    ///   - found: what is there now.
    static func sentences(left: NamespaceObservation, found: NamespaceObservation) -> [String] {
        links(left, found) + entries(left, found) + additions(left, found) + settings(left, found) + firewall(left, found)
    }

    static func links(_ left: NamespaceObservation, _ found: NamespaceObservation) -> [String] {
        left.links.sorted { $0.key < $1.key }.compactMap { name, link in
            guard let now = found.links[name] else {
                // Whoever made a foreign device may take it away.
                return link.kind == .foreign ? nil : "device \(name) is gone"
            }
            if let bridge = link.bridge, now.bridge != bridge { return "device \(name) is not in bridge \(bridge)" }
            if !LinkComparison.isSameKind(link, now) { return "device \(name) is another one" }
            if link.isUp != now.isUp { return "device \(name) is " + (now.isUp ? "up" : "down") }
            if link.bridge != nil, let words = port(link.bridgePort, now.bridgePort) { return "bridge port \(name) has \(words)" }
            if link.kind == .bridge, !now.alterations.isEmpty { return "bridge \(name) has \(now.alterations.joined(separator: ", "))" }
            return LinkComparison.needsChange(from: now, to: link) ? "device \(name) has other properties" : nil
        }
    }

    /// The flags of a bridge's port that are not as they were left, as `bridge -d link` shows them; nil when there are none.
    private static func port(_ left: BridgePortOptions, _ found: BridgePortOptions) -> String? {
        var words = found.alterations.subtracting(left.alterations).sorted().map(\.rawValue)
        if left.learns != found.learns { words.append("learning " + (found.learns ? "on" : "off")) }
        if left.suppressesNeighbours != found.suppressesNeighbours {
            words.append("neigh_suppress " + (found.suppressesNeighbours ? "on" : "off"))
        }
        return words.isEmpty ? nil : words.joined(separator: ", ")
    }

    /// Entries of our tunnels and bridges that we did not set. What was set behind a port of a bridge is no finding: the kernel moves such an entry by itself, to the
    /// port that the MAC speaks from. Nor is one that takes the place of ours, which is gone then.
    private static func additions(_ left: NamespaceObservation, _ found: NamespaceObservation) -> [String] {
        let forwarding = found.forwarding.subtracting(left.forwarding).compactMap { entry -> String? in
            guard case .tunnel(let mac, let link, let remote) = entry, Ownership.ownsForwarding(on: link), left.links[link] != nil,
                mac == .zero || mac.isMulticast || !left.hasForwarding(for: mac, on: link)
            else { return nil }
            return "forwarding entry \(mac) to \(remote) of \(link) was added"
        }
        let neighbours = found.neighbours.subtracting(left.neighbours).compactMap { neighbour -> String? in
            guard Ownership.ownsForwarding(on: neighbour.link), left.links[neighbour.link] != nil,
                !left.hasNeighbour(at: neighbour.address, on: neighbour.link)
            else { return nil }
            return "neighbour \(neighbour.address) at \(neighbour.mac) on \(neighbour.link) was added"
        }
        return forwarding.sorted() + neighbours.sorted()
    }

    /// What hangs on a device that is gone is gone with it, and needs no words of its own.
    private static func entries(_ left: NamespaceObservation, _ found: NamespaceObservation) -> [String] {
        let forwarding = left.forwarding.subtracting(found.forwarding).filter { found.links[$0.link] != nil }.map { entry in
            switch entry {
            case .tunnel(let mac, let link, let remote): "forwarding entry \(mac) to \(remote) of \(link) is gone"
            case .bridgePort(let mac, let link): "forwarding entry \(mac) to port \(link) is gone"
            }
        }
        let neighbours = left.neighbours.subtracting(found.neighbours).filter { found.links[$0.link] != nil }.map {
            "neighbour \($0.address) at \($0.mac) on \($0.link) is gone"
        }
        let addresses = left.addresses.subtracting(found.addresses).filter { found.links[$0.link] != nil }.map {
            "address \($0.address) of \($0.link) is gone"
        }
        let routes = left.routes.subtracting(found.routes).filter { found.links[$0.link] != nil }.map {
            "route to \($0.destination) on \($0.link) is gone"
        }
        let rules = left.rules.subtracting(found.rules).sorted().map { "rule \($0.priority) of table \($0.table) is gone" }
        return forwarding.sorted() + neighbours.sorted() + addresses.sorted() + routes.sorted() + rules
    }

    private static func settings(_ left: NamespaceObservation, _ found: NamespaceObservation) -> [String] {
        left.sysctls.sorted { $0.key < $1.key }.compactMap { path, value in
            guard let now = found.sysctls[path], !Sysctl.isKept(path, as: now, value) else { return nil }
            return "sysctl \(path) is \(now)"
        }
    }

    static func firewall(_ left: NamespaceObservation, _ found: NamespaceObservation) -> [String] {
        let gone = left.firewallTables.subtracting(found.firewallTables)
        if !gone.isEmpty { return gone.sorted().map { "table \($0) is gone" } }
        guard let generation = left.firewallGeneration, found.firewallGeneration != generation else { return [] }
        return ["the ruleset was changed"]
    }
}

extension NamespaceObservation {
    /// Whether somebody else set the entry on a link that is there.
    func isForeign(_ entry: ForwardingEntry) -> Bool { links[entry.link] != nil && !forwarding.contains(entry) }

    func isForeign(_ neighbour: Neighbour) -> Bool { links[neighbour.link] != nil && !neighbours.contains(neighbour) }

    /// Whether a tunnel has an entry for the MAC.
    func hasForwarding(for mac: MACAddress, on link: String) -> Bool {
        forwarding.contains { if case .tunnel(mac, link, _) = $0 { true } else { false } }
    }

    func hasNeighbour(at address: IPAddress, on link: String) -> Bool {
        neighbours.contains { $0.link == link && $0.address == address }
    }
}

/// An entry that the kernel says somebody took away, or set in the place of what was there.
public enum LostEntry: Hashable, Sendable {
    case forwarding(ForwardingEntry)
    case neighbour(link: String, address: IPAddress)
    /// This one is there now, perhaps instead of one with another remote, perhaps a further one.
    case forwardingTo(ForwardingEntry)
    /// This one is there now, perhaps instead of one with another MAC, perhaps a further one.
    case neighbourTo(Neighbour)
    /// The kernel had more to tell than it could keep.
    case unknown
}
