import Addressing
import HostModel
import KernelInterface

/// Address translation of a router with a gateway: floating IPs, port forwardings, and source translation to the gateway's address.
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
/// As in Neutron, nothing filters what comes in by qg- for an internal address: who routes to it may reach it.
enum RouterTranslation {
    static let tableName = "neutrino_nat"

    /// Nil for a router without a gateway that has an IPv4 address: it translates nothing.
    static func table(for router: HostRouter) -> FirewallTable? {
        guard let gateway = router.gateway, gateway.isAdminStateUp,
            let source = gateway.addresses.map(\.address).first(where: { $0.version == .v4 })
        else { return nil }
        let device = "\"\(ServiceLink.innerName(.routerGateway, gateway.id))\""
        var table = FirewallTable(family: .ip, name: tableName)
        table.sets = maps(of: router.floatingIPs).merging(RouterForwardings(of: router).sets) { _, new in new }
        table.sets[RouterScopes.routedSet] = RouterScopes.routedInterfaces(of: router)
        let destinations = RouterForwardings.rules + ["dnat to ip daddr map @floating_to_fixed"]
        table.chains["prerouting"] = .init(
            hook: "type nat hook prerouting priority dstnat; policy accept;", rules: destinations)
        // For what the router itself sends, such as a probe from inside the namespace.
        table.chains["output"] = .init(
            hook: "type nat hook output priority -100; policy accept;", rules: destinations)
        var rules = [
            "iifname \(device) oifname != \(device) accept",
            "oifname \(device) snat to ip saddr map @fixed_to_floating",
            "iifname @\(RouterScopes.routedSet) oifname \(device) accept",
        ]
        if router.isSNATEnabled { rules.append("oifname \(device) snat to \(source)\(portChoice(router))") }
        rules += [
            "oifname \(device) accept",
            "ct status dnat snat to ip saddr map @fixed_to_floating",
            "ct status dnat snat to \(source)\(portChoice(router))",
        ]
        table.chains["postrouting"] = .init(hook: "type nat hook postrouting priority srcnat; policy accept;", rules: rules)
        return table
    }

    /// A standalone router draws source ports at random, which keeps processors from drawing the same one at the same time (the loser's
    /// first packet is dropped). An HA router keeps the port where it can: then a new master, which knows no connection, translates the
    /// next packet of one as the old master did, and the connection lives on.
    private static func portChoice(_ router: HostRouter) -> String { router.redundancy == nil ? " fully-random" : "" }

    /// Of two floating IPs for one fixed address, which the API refuses, the one with the lower id speaks for it: a map has one value per key.
    private static func maps(of floatingIPs: [HostRouter.Floating]) -> [String: FirewallTable.ElementSet] {
        var toFixed: [IPAddress: IPAddress] = [:]
        var toFloating: [IPAddress: IPAddress] = [:]
        for floating in floatingIPs.sorted(by: { $0.id < $1.id }) where floating.address.version == .v4 {
            if toFixed[floating.address] == nil { toFixed[floating.address] = floating.fixedAddress }
            if toFloating[floating.fixedAddress] == nil { toFloating[floating.fixedAddress] = floating.address }
        }
        return ["floating_to_fixed": map(toFixed), "fixed_to_floating": map(toFloating)]
    }

    private static func map(_ pairs: [IPAddress: IPAddress]) -> FirewallTable.ElementSet {
        .init(form: .map, type: "type ipv4_addr : ipv4_addr", elements: Set(pairs.map { "\($0.key) : \($0.value)" }))
    }
}
