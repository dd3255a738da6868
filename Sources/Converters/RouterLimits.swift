import Addressing
import HostModel
import KernelInterface

/// Limits of bandwidth on the external network: what is over a limit is dropped (policed), which needs no queue and no further device.
///
/// Every floating IP with a limit is an element that holds its own token bucket, so the rules do not grow with the addresses and a changed
/// limit touches nobody else's bucket and no connection. Packets are counted with the addresses that they have on the external network:
/// those that come in before they are translated back, those that leave after translation. A gateway's limit is for what has no floating IP: one
/// without a limit of its own has none, as in Neutron.
enum RouterLimits {
    static let tableName = "neutrino_limits"

    /// Nil for a router without gateways or limits.
    static func table(for router: HostRouter) -> FirewallTable? {
        let gateways = RouterGateways(router)
        guard !gateways.all.isEmpty else { return nil }
        // A floating IP that only forwards ports is limited as well.
        let addresses =
            (router.floatingIPs.map { ($0.address, $0.limits) } + router.portForwardings.map { ($0.externalAddress, $0.limits) })
            .filter { $0.0.version == .v4 }
        guard addresses.contains(where: { $0.1 != nil }) || gateways.all.contains(where: { $0.limits != nil }) else { return nil }
        var table = FirewallTable(family: .inet, name: tableName)
        table.sets["floating"] = .init(type: "type ipv4_addr", elements: Set(addresses.map { "\($0.0)" }))
        for direction in [Direction.ingress, .egress] {
            var buckets: [IPAddress: String] = [:]
            for (address, limits) in addresses {
                guard let text = limits?[keyPath: direction.limit].flatMap({ TokenBucket.text($0) }) else { continue }
                buckets[address] = text
            }
            // The set's own limit is only the pattern of its elements'.
            table.sets["\(direction.rawValue)_buckets"] = .init(
                type: "type ipv4_addr; limit rate over 1 bytes/second", elements: Set(buckets.map { "\($0.key) \($0.value)" }))
            table.chains[direction.rawValue] = .init(hook: direction.hook, rules: rules(direction, gateways))
        }
        return table
    }

    private enum Direction: String {
        case ingress, egress

        var limit: KeyPath<HostRouter.RateLimits, HostRouter.RateLimits.Limit?> { self == .ingress ? \.ingress : \.egress }
        /// Before connection tracking (-200), so that what is dropped costs nothing; and after source translation (100).
        var hook: String {
            self == .ingress
                ? "type filter hook prerouting priority -310; policy accept;" : "type filter hook postrouting priority 110; policy accept;"
        }
        var device: String { self == .ingress ? "iifname" : "oifname" }
        var address: String { self == .ingress ? "ip daddr" : "ip saddr" }
    }

    /// A lookup in the buckets matches what is over the address's limit.
    private static func rules(_ direction: Direction, _ gateways: RouterGateways) -> [String] {
        let rules = [
            "\(direction.device) != \(gateways.devices) accept",
            "\(direction.address) @\(direction.rawValue)_buckets drop",
            "\(direction.address) @floating accept",
        ]
        let limits = gateways.all.compactMap { gateway -> String? in
            guard let text = gateway.limits?[keyPath: direction.limit].flatMap({ TokenBucket.text($0) }) else { return nil }
            return gateways.isMultiple ? "\(direction.device) \"\(gateway.device)\" \(text) drop" : "\(text) drop"
        }
        // Without its neighbours a router passes nothing at all.
        let neighbours = "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept"
        return limits.isEmpty ? rules : rules + [neighbours] + limits
    }
}
