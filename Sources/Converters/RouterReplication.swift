import Addressing
import HostModel
import KernelInterface
import ServiceProcesses

/// What members of an HA router say to each other over the HA network: VRRP and conntrackd.
///
/// conntrackd's reliable mode knows one receiver, so it is the mode of groups of two. The members of larger groups tell each change once. They
/// do not share a multicast group for it: a bridge gives multicast to all of its ports, each conntrackd says each second that it lives, and so 200
/// routers on three hosts would have made 360,000 packets in a second for nothing. Each conntrackd speaks to its first peer, and the kernel sends a
/// copy to each other one. A copy is a datagram to that member's own address; it traverses the same chain again, in which nothing matches it.
/// Copies are routed, not bound to the device: the table is there before the device is.
enum RouterReplication {
    static let tableName = "neutrino_replication"
    /// What instances and external hosts sent to members' addresses of the HA network.
    static let counter = "strangers"
    /// 169.254.0.VRID is the master's.
    private static let masterPrefix = "169.254.0.0/24"

    /// Nil for a standalone router. Nothing on the HA network is worth an entry in the connection table: an event of the kernel per datagram,
    /// and a message about it to the others, which is a datagram.
    static func table(for router: HostRouter) -> FirewallTable? {
        guard let redundancy = router.redundancy else { return nil }
        let device = "\"\(RouterLayout.redundancyDevice(redundancy))\""
        var table = FirewallTable(family: .ip, name: tableName)
        table.objects[counter] = .init(kind: "counter", lines: [])
        // An address of the namespace is answered on each of its devices. What conntrackd is told it believes, and puts into the kernel: whoever is behind
        // the router, or on the external network, must not be able to tell it.
        let prefixes =
            Set(redundancy.port.addresses.filter { $0.address.version == .v4 }.map(\.prefix.description)).sorted() + [masterPrefix]
        table.chains["prerouting"] = .init(
            hook: "type filter hook prerouting priority raw; policy accept;",
            rules: [
                "iifname \(device) notrack",
                "iifname != { \(device), \"lo\" } ip daddr { \(prefixes.joined(separator: ", ")) } counter name \(counter) drop",
            ])
        table.chains["output"] = .init(
            hook: "type filter hook output priority raw; policy accept;",
            rules: copies(redundancy, device) + ["oifname \(device) notrack"])
        return table
    }

    private static func copies(_ redundancy: HostRouter.Redundancy, _ device: String) -> [String] {
        let peers = RouterConverter.peers(of: redundancy)
        guard let first = peers.first, peers.count > 1 else { return [] }
        let copies = peers.dropFirst().map { "ip daddr set \($0) dup to \($0)" }
        return [
            "oifname \(device) ip daddr \(first) udp dport \(ConntrackdConfiguration.defaultPort) \(copies.joined(separator: " ")) "
                + "ip daddr set \(first)"
        ]
    }
}
