import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// Address scopes: addresses are unique and routable only inside their scope. Interfaces without a scope are one scope of their own.
///
/// Between scopes only translated traffic passes: what belongs to a floating IP or a port forwarding, and what leaves by the gateway when
/// its source is translated. A packet is given the number of the scope that it came in from as its mark (which the kernel forgets when it
/// leaves the namespace), so that the rules and elements are as many as the interfaces, not as their pairs.
enum RouterScopes {
    static let tableName = "neutrino_scopes"
    /// A set of the translation's table: interfaces whose networks leave by the gateway as they are.
    static func routedSet(_ gateway: RouterGateways.Gateway) -> String { "routed\(gateway.suffix)" }

    /// Nil when all of the router's interfaces are in one scope.
    static func table(for router: HostRouter) -> FirewallTable? {
        let devices = devices(of: router)
        guard Set(devices.map(\.port.scope4)).count > 1 || Set(devices.map(\.port.scope6)).count > 1 else { return nil }
        var table = FirewallTable(family: .inet, name: tableName)
        let scopes = Set(devices.flatMap { [$0.port.scope4, $0.port.scope6] }.compactMap { $0 }).sorted()
        for (family, scope) in [("4", \HostRouter.RouterPort.scope4), ("6", \.scope6)] {
            let numbered = devices.map { device in
                (device.name, device.port[keyPath: scope].flatMap(scopes.firstIndex).map { $0 + 2 } ?? 1)
            }
            table.sets["scope\(family)"] = .init(
                form: .map, type: "type ifname : mark", elements: Set(numbered.map { "\"\($0.0)\" : \($0.1)" }))
            table.sets["inside\(family)"] = .init(type: "type ifname . mark", elements: Set(numbered.map { "\"\($0.0)\" . \($0.1)" }))
            table.chains["forward\(family)"] = .init(rules: rules(family))
        }
        // The first one's set is there without a gateway too.
        table.sets["translated"] = .init(type: "type ipv4_addr")
        for gateway in RouterGateways(router).all {
            let floating = gateway.floatingIPs.filter { $0.fixedAddress.version == .v4 }.map { "\($0.fixedAddress)" }
            table.sets[translatedSet(gateway)] = .init(type: "type ipv4_addr", elements: Set(floating))
        }
        table.chains["forward4"]?.rules += exits(of: router) + ["drop"]
        table.chains["forward6"]?.rules.append("drop")
        table.chains["forward"] = .init(
            hook: "type filter hook forward priority filter; policy accept;",
            rules: [
                // Where the first packet of a connection may go, its answers may come back.
                "ct direction reply accept",
                "ct status dnat accept",
                "meta nfproto ipv4 jump forward4",
                "meta nfproto ipv6 jump forward6",
            ])
        return table
    }

    private static func rules(_ family: String) -> [String] {
        ["meta mark set iifname map @scope\(family)", "oifname . meta mark @inside\(family) accept"]
    }

    /// What leaves by the gateway and is translated there, which happens after this hook.
    private static func exits(of router: HostRouter) -> [String] {
        RouterGateways(router).all.map { gateway in
            let device = "oifname \"\(gateway.device)\""
            return gateway.isSNATEnabled ? "\(device) accept" : "\(device) ip saddr @\(translatedSet(gateway)) accept"
        }
    }

    private static func translatedSet(_ gateway: RouterGateways.Gateway) -> String { "translated\(gateway.suffix)" }

    static func routedInterfaces(of router: HostRouter, by gateway: RouterGateways.Gateway) -> FirewallTable.ElementSet {
        let names = router.interfaces.filter { $0.scope4 != nil && $0.scope4 == gateway.port.scope4 }
            .map { "\"\(ServiceLink.innerName(.routerInterface, $0.id))\"" }
        return .init(type: "type ifname", elements: Set(names))
    }

    /// Where two addresses are, as far as scopes decide whether a packet may pass between them: one for each network that the router leads to; what it
    /// does not know is outside. Longer prefixes first.
    struct Areas {
        private let areas: [(prefix: IPPrefix, port: HostRouter.RouterPort)]
        private let gateways: [HostRouter.RouterPort]
        private let own: Set<IPAddress>

        init(_ router: HostRouter) {
            let networks = router.interfaces.flatMap { port in port.addresses.map { (prefix: $0.prefix, port: port) } }
            let routes = router.routes.compactMap { route in
                networks.first { $0.prefix.contains(route.nextHop) }.map { (prefix: route.destination, port: $0.port) }
            }
            areas = (networks + routes).sorted { $0.prefix.length > $1.prefix.length }
            gateways = router.gatewayPorts
            own = Set((router.interfaces + gateways).flatMap { $0.addresses.map(\.address) })
        }

        /// Whether packets between two IPv4 addresses may pass as they are.
        func areOne(_ first: IPAddress, _ second: IPAddress) -> Bool {
            own.contains(first) || own.contains(second) || !scopes(of: first).isDisjoint(with: scopes(of: second))
        }

        /// Whether what an address sends to the outside goes as it is by the gateway with another address: see ``RouterScopes/routedInterfaces(of:by:)``.
        func isRouted(_ address: IPAddress, by gatewayAddress: IPAddress) -> Bool {
            guard let scope = port(of: address)?.scope4 else { return false }
            let gateway = gateways.first { port in port.addresses.contains { $0.address == gatewayAddress } }
            return scope == gateway?.scope4
        }

        /// Outside is what any gateway leads to.
        private func scopes(of address: IPAddress) -> Set<ResourceID?> {
            if let port = port(of: address) { return [port.scope4] }
            return gateways.isEmpty ? [nil] : Set(gateways.map(\.scope4))
        }

        private func port(of address: IPAddress) -> HostRouter.RouterPort? { areas.first { $0.prefix.contains(address) }?.port }
    }

    /// Whether any network of the router is in a scope.
    static func areUsed(by router: HostRouter) -> Bool {
        (router.gatewayPorts + router.interfaces).contains { $0.scope4 != nil }
    }

    private static func devices(of router: HostRouter) -> [RouterLayout.Device] {
        router.interfaces.map { .init(prefix: .routerInterface, port: $0) }
            + router.gatewayPorts.map { .init(prefix: .routerGateway, port: $0) }
    }
}
