import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// The gateways of a router that are up, in the order of its owner, each with what belongs to it.
struct RouterGateways {
    struct Gateway {
        var port: HostRouter.RouterPort
        var isSNATEnabled: Bool
        var limits: HostRouter.RateLimits?
        /// By id.
        var floatingIPs: [HostRouter.Floating]
        var portForwardings: [HostRouter.PortForwarding]
        /// Its routing table, and the mark of what leaves by it, where there are several.
        var number: UInt32

        var device: String { ServiceLink.innerName(.routerGateway, port.id) }
        /// The IPv4 address that it translates to; nil where it has none.
        var source: IPAddress? { port.addresses.lazy.map(\.address).first { $0.version == .v4 } }
        /// Whether it carries IPv4: it has an address of its own, or of floating IPs, which may be of other subnets (service types) than its own.
        var carriesIPv4: Bool { source != nil || !externalAddresses.isEmpty }
        /// Whether a subnet of its network names a gateway of IPv6.
        var hasIPv6Gateway: Bool { port.gateways.contains { $0.version == .v6 } }
        /// What belongs to this gateway alone is called so: nothing for the only one, so that a second one changes no map of the first.
        var suffix: String
        /// IPv4 addresses that the gateway answers for beside its own: floating IPs, those that only forward ports included.
        var externalAddresses: [IPAddress] {
            (floatingIPs.map(\.address) + portForwardings.map(\.externalAddress)).filter { $0.version == .v4 }
        }
    }

    let all: [Gateway]

    /// Whether a subnet of any external network names a gateway of IPv6, and with it the default route.
    var haveIPv6Gateway: Bool { all.contains(where: \.hasIPv6Gateway) }

    init(_ router: HostRouter) {
        var all: [Gateway] = []
        if let gateway = router.gateway, gateway.isAdminStateUp {
            all.append(
                Gateway(
                    port: gateway, isSNATEnabled: router.isSNATEnabled, limits: router.gatewayLimits,
                    floatingIPs: router.floatingIPs.filter { $0.gatewayID == nil },
                    portForwardings: router.portForwardings.filter { $0.gatewayID == nil }, number: 0, suffix: ""))
        }
        for further in router.furtherGateways ?? [] where further.port.isAdminStateUp {
            let id = further.port.id
            all.append(
                Gateway(
                    port: further.port, isSNATEnabled: further.isSNATEnabled, limits: further.limits,
                    floatingIPs: router.floatingIPs.filter { $0.gatewayID == id },
                    portForwardings: router.portForwardings.filter { $0.gatewayID == id }, number: 0,
                    suffix: "_" + id.devicePart.filter { $0 != "-" }))
        }
        let numbers = Self.numbers(of: all.map(\.port.id))
        for index in all.indices { all[index].number = numbers[all[index].port.id] ?? 0 }
        self.all = all
    }

    var isMultiple: Bool { all.count > 1 }

    /// All devices as a right-hand side of nft: one name, or a set.
    var devices: String {
        let names = all.map { "\"\($0.device)\"" }
        return names.count == 1 ? names[0] : "{ \(names.joined(separator: ", ")) }"
    }

    // MARK: Numbers

    /// The kernel's own tables are 253 to 255, and every number from here on fits in the words of whoever lists the rules.
    private static let firstNumber: UInt32 = 1000
    private static let lastNumber: UInt32 = 65_535

    /// A number for each gateway. It depends on its port's id, so that other gateways that come and go leave it, and the marks of the
    /// connections that use it, alone; only of two whose numbers collide, the one with the higher id moves to the next free number.
    private static func numbers(of ports: [ResourceID]) -> [ResourceID: UInt32] {
        var numbers: [ResourceID: UInt32] = [:]
        var taken: Set<UInt32> = []
        for id in ports.sorted() {
            var number = firstNumber + UInt32(StableHash.hash64(id) % UInt64(lastNumber - firstNumber + 1))
            while !taken.insert(number).inserted { number = number == lastNumber ? firstNumber : number + 1 }
            numbers[id] = number
        }
        return numbers
    }
}

/// By which of several gateways a packet leaves.
///
///     from inside ──▶ main table without default routes ──found──▶ there: internal networks, extra routes, what is on a gateway's link
///                              │ not found
///                              ▼
///          the mark's table: the gateway of the connection, or of the sender's floating IP
///                              │ no mark
///                              ▼
///          main table: the first gateway, or all of them in turns (ECMP)
///
/// A connection that came in by a gateway, or whose first packet left by one, stays with it: its mark is the gateway's number. So answers
/// leave by the gateway that they are expected from, and nobody's translated connection moves when the order of the gateways changes.
/// conntrackd tells the other members of an HA router the marks along with the connections. A router with one gateway has none of this.
enum RouterPaths {
    static let tableName = "neutrino_gateways"

    /// Nil for a router that has one way out, or none.
    static func table(for gateways: RouterGateways) -> FirewallTable? {
        guard gateways.isMultiple else { return nil }
        var table = FirewallTable(family: .inet, name: tableName)
        let numbers = gateways.all.map { "\"\($0.device)\" : \($0.number)" }
        table.sets["numbers"] = .init(form: .map, type: "type ifname : mark", elements: Set(numbers))
        table.sets["floating"] = .init(form: .map, type: "type ipv4_addr : mark", elements: floatingNumbers(gateways))
        table.chains["prerouting"] = .init(
            // After connection tracking (-200) and before the destination is translated (-100).
            hook: "type filter hook prerouting priority mangle; policy accept;",
            rules: [
                "ct state new ct mark set iifname map @numbers",
                "iifname \(gateways.devices) accept",
                "ct mark != 0 meta mark set ct mark accept",
                "ct direction original meta mark set ip saddr map @floating",
            ])
        // What the router itself answers. The type makes the kernel look for the route again.
        table.chains["output"] = .init(
            hook: "type route hook output priority mangle; policy accept;", rules: ["ct mark != 0 meta mark set ct mark"])
        table.chains["postrouting"] = .init(
            hook: "type filter hook postrouting priority mangle; policy accept;", rules: ["ct mark 0 ct mark set oifname map @numbers"])
        return table
    }

    /// Fixed address → gateway of its floating IP: of several, on one gateway each, the first gateway's.
    private static func floatingNumbers(_ gateways: RouterGateways) -> Set<String> {
        var numbers: [IPAddress: UInt32] = [:]
        for gateway in gateways.all {
            for floating in gateway.floatingIPs where floating.fixedAddress.version == .v4 && floating.address.version == .v4 {
                if numbers[floating.fixedAddress] == nil { numbers[floating.fixedAddress] = gateway.number }
            }
        }
        return Set(numbers.map { "\($0.key) : \($0.value)" })
    }

    /// Before the kernel's own rule of the main table (32766).
    private static let specificPriority: UInt32 = 30_000
    private static let markPriority: UInt32 = 30_001

    /// They depend on no address, so that every member of an HA router has them all the time, and keepalived need not know them.
    static func rules(for gateways: RouterGateways, carriesIPv6: Bool) -> Set<RoutingRule> {
        guard gateways.isMultiple else { return [] }
        var rules: Set<RoutingRule> = []
        for version in carriesIPv6 ? [IPVersion.v4, .v6] : [.v4] {
            rules.insert(
                RoutingRule(version: version, priority: specificPriority, table: Route.mainTable, ignoresDefaultRoutes: true))
            for gateway in gateways.all {
                rules.insert(RoutingRule(version: version, priority: markPriority, mark: gateway.number, table: gateway.number))
            }
        }
        return rules
    }
}
