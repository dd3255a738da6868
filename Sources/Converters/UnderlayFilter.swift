import Addressing
import HostModel
import KernelInterface

/// Takes VXLAN packets from hosts of the cloud only.
///
///     udp dport 4789 ── from an endpoint that shares a network with this host ──▶ the tunnel with the packet's VNI
///                    └─ else ──▶ counted as `foreign_vxlan`, dropped
///
/// They are not tracked (`raw_in`, `raw_out`): the tunnel's own packet says nothing that its inner connection does not, and would take a second entry for each.
///
/// A tunnel takes packets that anybody sends to any address of the host, whatever address it was made with: who knows or guesses a VNI and reaches the
/// host, such as an instance behind a router's translation, could put frames into any network.
enum UnderlayFilter {
    static let tableName = "neutrino_underlay"
    static let counter = "foreign_vxlan"
    private static let tunnels = "tunnels"

    /// Nil on a host without tunnels: there the port may be somebody else's.
    static func table(for view: HostView, _ settings: AgentSettings) -> FirewallTable? {
        guard let local = settings.tunnelAddress else { return nil }
        var endpoints: Set<IPAddress> = []
        var hasTunnels = false
        for network in view.networks.values {
            guard case .vxlan = network.carrier else { continue }
            hasTunnels = true
            endpoints.formUnion(network.remoteEndpoints)
        }
        guard hasTunnels else { return nil }
        endpoints.remove(local)
        var table = FirewallTable(family: .inet, name: tableName)
        table.objects[counter] = .init(kind: "counter", lines: [])
        var rules: [String] = []
        for (version, word) in [(IPVersion.v4, "ip"), (.v6, "ip6")] {
            let set = "endpoints_ip\(version == .v4 ? "v4" : "v6")"
            let elements = Set(endpoints.lazy.filter { $0.version == version }.map(\.description))
            table.sets[set] = .init(type: version == .v4 ? "type ipv4_addr" : "type ipv6_addr", elements: elements)
            rules.append("\(word) saddr @\(set) accept")
        }
        // All else costs one comparison.
        table.chains["input"] = .init(
            hook: "type filter hook input priority filter; policy accept;", rules: ["udp dport \(settings.vxlanPort) goto \(tunnels)"])
        // By this host's address: br_netfilter shows these hooks instances' packets as well, who may have tunnels of their own.
        let family = local.version == .v4 ? "ip" : "ip6"
        let port = "udp dport \(settings.vxlanPort) notrack"
        table.chains["raw_in"] = .init(
            hook: "type filter hook prerouting priority raw; policy accept;", rules: ["\(family) daddr \(local) \(port)"])
        table.chains["raw_out"] = .init(
            hook: "type filter hook output priority raw; policy accept;", rules: ["\(family) saddr \(local) \(port)"])
        // What gets to the host past a bridge (which none shall) says that it is from a host.
        table.chains[tunnels] = .init(rules: ["iifname \"tap*\" counter name \(counter) drop"] + rules + ["counter name \(counter) drop"])
        return table
    }
}
