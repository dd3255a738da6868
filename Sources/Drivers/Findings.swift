import Addressing
import KernelInterface

/// What somebody else did to a namespace since it was left as it was wanted: a sentence each, for the log.
enum Findings {
    /// - Parameters:
    ///   - left: what our operations left there.
    ///   - found: what is there now.
    static func sentences(left: NamespaceObservation, found: NamespaceObservation) -> [String] {
        links(left, found) + entries(left, found) + settings(left, found) + firewall(left, found)
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
            return LinkComparison.needsChange(from: now, to: link) ? "device \(name) has other properties" : nil
        }
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
            guard let now = found.sysctls[path], !Sysctl.same(now, value) else { return nil }
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

/// An entry that the kernel says somebody took away, or set in the place of what was there.
public enum LostEntry: Hashable, Sendable {
    case forwarding(ForwardingEntry)
    case neighbour(link: String, address: IPAddress)
    /// This one is there now, perhaps instead of one with another remote.
    case forwardingTo(ForwardingEntry)
    /// This one is there now, perhaps instead of one with another MAC.
    case neighbourTo(Neighbour)
    /// The kernel had more to tell than it could keep.
    case unknown
}
