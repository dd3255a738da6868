import Addressing
import HostModel
import KernelInterface

/// Address translation of a router with gateways: floating IPs, port forwardings, and source translation to the gateway's address.
///
/// Floating IPs are elements of two maps, so that adding one costs one element of each and touches no connection; forwardings are elements
/// of the maps of ``RouterForwardings``. The order in postrouting, which sees the first packet of each connection:
///
/// | leaves by | came | becomes |
/// |---|---|---|
/// | not qg- | in by qg- | untouched: the outside's address reaches the instance |
/// | qg- | from a fixed address with a floating IP | the floating IP |
/// | qg- | from a network of the external network's address scope | untouched: inside a scope, addresses are routable |
/// | qg- | from any other | the gateway's address, if source translation is enabled |
/// | not qg- | to a floating IP of this router (hairpin) | the sender's floating IP, else the gateway's address, so that the answer comes back here |
/// | not qg- | from another internal network | untouched |
///
/// Of several gateways, each has its own floating IPs, its own scope and its own address: qg- above is the one that the packet leaves by. The
/// floating IP of a hairpin is the sender's on the first gateway where it has one.
///
/// As in Neutron, nothing filters what comes in by qg- for an internal address: who routes to it may reach it.
enum RouterTranslation {
    static let tableName = "neutrino_nat"

    /// Nil for a router without a gateway that carries IPv4: it translates nothing.
    static func table(for router: HostRouter) -> FirewallTable? {
        let all = RouterGateways(router)
        let gateways = all.all.filter(\.carriesIPv4)
        guard !gateways.isEmpty else { return nil }
        var table = FirewallTable(family: .ip, name: tableName)
        table.sets = RouterForwardings(of: router).sets
        table.sets["floating_to_fixed"] = toFixed(gateways.flatMap(\.floatingIPs))
        for gateway in gateways {
            table.sets[fixedToFloating(gateway)] = toFloating(gateway.floatingIPs)
            table.sets[RouterScopes.routedSet(gateway)] = RouterScopes.routedInterfaces(of: router, by: gateway)
        }
        let destinations = RouterForwardings.rules + ["dnat to ip daddr map @floating_to_fixed"]
        table.chains["prerouting"] = .init(
            hook: "type nat hook prerouting priority dstnat; policy accept;", rules: destinations)
        // For what the router itself sends, such as a probe from inside the namespace.
        table.chains["output"] = .init(
            hook: "type nat hook output priority -100; policy accept;", rules: destinations)
        var rules = ["iifname \(all.devices) oifname != \(all.devices) accept"]
        for gateway in gateways { rules += departures(by: gateway, portChoice(router)) }
        rules.append("oifname \(all.devices) accept")
        rules += gateways.map { "ct status dnat snat to ip saddr map @\(fixedToFloating($0))" }
        if let source = gateways.lazy.compactMap(\.source).first {
            rules.append("ct status dnat snat to \(source)\(portChoice(router))")
        }
        table.chains["postrouting"] = .init(hook: "type nat hook postrouting priority srcnat; policy accept;", rules: rules)
        return table
    }

    /// What leaves by the gateway.
    private static func departures(by gateway: RouterGateways.Gateway, _ portChoice: String) -> [String] {
        let device = "\"\(gateway.device)\""
        var rules = [
            "oifname \(device) snat to ip saddr map @\(fixedToFloating(gateway))",
            "iifname @\(RouterScopes.routedSet(gateway)) oifname \(device) accept",
        ]
        if gateway.isSNATEnabled, let source = gateway.source { rules.append("oifname \(device) snat to \(source)\(portChoice)") }
        return rules
    }

    private static func fixedToFloating(_ gateway: RouterGateways.Gateway) -> String { "fixed_to_floating\(gateway.suffix)" }

    /// A standalone router draws source ports at random, which keeps processors from drawing the same one at the same time (the loser's
    /// first packet is dropped). An HA router keeps the port where it can: then a new master, which knows no connection, translates the
    /// next packet of one as the old master did, and the connection lives on.
    private static func portChoice(_ router: HostRouter) -> String { router.redundancy == nil ? " fully-random" : "" }

    private static func toFixed(_ floatingIPs: [HostRouter.Floating]) -> FirewallTable.ElementSet {
        map(floatingIPs, \.address, \.fixedAddress)
    }

    /// Of two floating IPs of one gateway for one fixed address, which the API refuses, the one with the lower id speaks for it.
    private static func toFloating(_ floatingIPs: [HostRouter.Floating]) -> FirewallTable.ElementSet {
        map(floatingIPs, \.fixedAddress, \.address)
    }

    /// A map has one value per key: the floating IP with the lowest id gives it.
    private static func map(
        _ floatingIPs: [HostRouter.Floating], _ key: KeyPath<HostRouter.Floating, IPAddress>,
        _ value: KeyPath<HostRouter.Floating, IPAddress>
    ) -> FirewallTable.ElementSet {
        var pairs: [IPAddress: IPAddress] = [:]
        for floating in floatingIPs.sorted(by: { $0.id < $1.id }) where floating.address.version == .v4 {
            if pairs[floating[keyPath: key]] == nil { pairs[floating[keyPath: key]] = floating[keyPath: value] }
        }
        return .init(form: .map, type: "type ipv4_addr : ipv4_addr", elements: Set(pairs.map { "\($0.key) : \($0.value)" }))
    }
}
