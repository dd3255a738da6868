import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// Security groups as nftables: what instances may send and receive, enforced from the first frame.
///
///     prerouting   does the device send from its own MAC and addresses? (antispoof)
///         │        then connection tracking: new, known or invalid
///      forward ──▶ from_<groups>   may the device's groups send this?
///         │            │
///         └────────────┴──▶ deliver ──▶ to_<groups>   may the other device's groups receive it?
///
/// A port is only elements in sets and maps; a group is a pair of chains, and so is each combination of groups that some port has. A
/// port that joins a group changes elements, not chains. A `tap` device that has no elements passes nothing: whatever the agent
/// has not heard of, or not yet, is closed.
///
/// The bridge family sees frames of all bridges of the host; devices that are not named `tap…` are left alone there.
public enum SecurityGroupConverter {
    /// - Parameter links: The links of the host's own namespace: outer ends of services' veth pairs among them are trusted, and connection
    ///   tracking zones go by bridge.
    public static func convert(_ view: HostView, links: [String: Link], _ settings: AgentSettings) -> [FirewallTable] {
        var tables = SecurityGroupTables(settings)
        return tables.update(view, links: links)
    }

    static func isService(_ link: Link) -> Bool {
        if case .veth = link.kind { link.name.hasPrefix("tap") } else { false }
    }
}

/// The table that brings connection state to the bridge rules on a kernel without bridge conntrack: br_netfilter shows bridged packets to
/// the inet family (as if the bridge had received them), which marks them.
enum ConnectionStateTable {
    /// Before the tracking of connections puts fragments together (NF_IP_PRI_CONNTRACK_DEFRAG, -400): it does so in the zone that the packet has by then.
    /// Behind, all networks' fragments would be in one zone, and those of two with the same addresses would become one packet.
    static let zonePriority = -450

    static func table(_ bridgeZones: [String: Int]) -> FirewallTable {
        let elements = bridgeZones.map { "\"\($0)\" : \($1)" }
        return FirewallTable(
            family: .inet, name: "neutrino_state",
            sets: ["zones": .init(form: .map, type: "typeof iifname : ct zone", elements: Set(elements))],
            chains: [
                "zone": .init(
                    hook: "type filter hook prerouting priority \(zonePriority); policy accept;",
                    rules: ["iifname \"brq*\" ct zone set iifname map @zones"]),
                "state": .init(
                    hook: "type filter hook prerouting priority filter; policy accept;",
                    rules: [
                        // Packets of the host itself keep their marks.
                        "iifname != \"brq*\" accept",
                        "ct state established,related goto known",
                        "ct state invalid goto invalid",
                        "goto fresh",
                    ]),
                "known": .init(rules: ["meta mark set \(Mark.known)"]),
                "invalid": .init(rules: ["meta mark set \(Mark.invalid)"]),
                "fresh": .init(rules: ["meta mark set \(Mark.fresh)"]),
            ])
    }

    /// The packet marks of bridged packets.
    enum Mark {
        static let fresh = 0
        static let known = 1
        static let invalid = 2
    }
}
