import Addressing
import Drivers
import FakeKernel
import KernelInterface

func mac(_ number: Int) -> MACAddress { MACAddress(rawValue: 0xfa16_3e00_0000 | UInt64(number)) }

func ip(_ a: Int, _ b: Int, _ c: Int, _ d: Int) -> IPAddress {
    .v4(IPv4Address(UInt8(a), UInt8(b), UInt8(c), UInt8(d)))
}

func prefix(_ address: IPAddress, _ length: Int) -> IPPrefix {
    guard let prefix = IPPrefix(masking: address, length: length) else { preconditionFailure("the length fits the family") }
    return prefix
}

/// A clock that only moves when told to.
final class ManualClock {
    var milliseconds = 1_000_000
}

/// A simulated host with a reconciler.
struct Bench {
    let kernel: FakeKernel
    var reconciler: Reconciler
    let clock = ManualClock()
    static let state = "/var/lib/neutrino"

    init(kernel: FakeKernel = FakeKernel()) {
        self.kernel = kernel
        reconciler = Bench.agent(kernel, clock)
    }

    /// The agent ends and another one starts: nothing in memory survives.
    mutating func restartAgent() { reconciler = Bench.agent(kernel, clock) }

    private static func agent(_ kernel: FakeKernel, _ clock: ManualClock) -> Reconciler {
        Reconciler(kernel: kernel, processes: kernel, stateDirectory: state, rulesets: kernel, clock: { clock.milliseconds })
    }

    func plug(_ names: [String]) throws {
        for name in names { try kernel.plug(Link(name: name, kind: .foreign, isUp: false)) }
    }
}

/// Builds the configuration of a host piece by piece.
struct HostBuilder {
    var host = HostConfiguration()
    var rules = FirewallTable(
        family: .bridge, name: "neutrino-security",
        sets: [
            "ports": .init(type: "type ifname"),
            "addresses": .init(type: "type ifname . ether_addr . ipv4_addr"),
            "from_instance": .init(form: .map, type: "type ifname : verdict"),
        ],
        chains: [
            "prerouting": .init(
                hook: "type filter hook prerouting priority -300; policy accept;", rules: ["iifname @ports goto spoofing"]),
            "spoofing": .init(rules: ["iifname . ether saddr . ip saddr @addresses accept", "drop"]),
            "forward": .init(hook: "type filter hook forward priority filter; policy accept;", rules: ["iifname vmap @from_instance"]),
        ])

    mutating func network(_ number: Int, vni: Int? = nil, local: IPAddress = ip(192, 0, 2, 1), isLearning: Bool = false) {
        let mac = MACAddress(rawValue: 0x029c_05b3_4846 + UInt64(number))
        let bridge = Link(name: "brq\(number)", kind: .bridge, mac: mac, mtu: 1450)
        host.own.links[bridge.name] = bridge
        let tunnel = Link(
            name: "vxlan-\(number)", kind: .vxlan(vni: vni ?? 100 + number, local: local, port: 4789, isLearning: isLearning), mtu: 1450,
            bridge: bridge.name, bridgePort: BridgePortOptions(suppressesNeighbours: true, learns: isLearning))
        host.own.links[tunnel.name] = tunnel
        host.own.sysctls["net/bridge/bridge-nf-call-iptables"] = "1"
    }

    mutating func flood(_ network: Int, to remote: IPAddress) {
        host.own.forwarding.insert(.tunnel(mac: .zero, link: "vxlan-\(network)", remote: remote))
    }

    mutating func remotePort(_ port: Int, network: Int, at remote: IPAddress) {
        host.own.forwarding.insert(.tunnel(mac: mac(port), link: "vxlan-\(network)", remote: remote))
        host.own.forwarding.insert(.bridgePort(mac: mac(port), link: "vxlan-\(network)"))
        host.own.neighbours.insert(Neighbour(address: ip(10, network, port / 250, port % 250 + 3), mac: mac(port), link: "brq\(network)"))
    }

    mutating func port(_ port: Int, network: Int, group: String = "web") {
        let tap = "tap\(port)"
        host.own.links[tap] = Link(name: tap, kind: .foreign, mtu: 1450, bridge: "brq\(network)")
        rules.sets["ports"]?.elements.insert(tap)
        rules.sets["addresses"]?.elements.insert("\(tap) . \(mac(port)) . 10.\(network).\(port / 250).\(port % 250 + 3)")
        rules.sets["from_instance"]?.elements.insert("\(tap) : jump from_\(group)")
        rules.chains["from_\(group)"] = .init(rules: ["accept"])
        host.own.firewall = [rules]
    }

    /// The two ends of a veth pair: one in our bridge, one in a namespace.
    mutating func pair(_ outside: String, _ inside: String, in namespace: NamespaceName, network: Int, mac: MACAddress) {
        host.own.links[outside] = Link(
            name: outside, kind: .veth(peer: inside, peerNamespace: namespace), mtu: 1450, bridge: "brq\(network)",
            alias: "neutrino:\(inside)")
        var space = host.namespaces[namespace] ?? NamespaceConfiguration()
        space.links["lo"] = Link(name: "lo", kind: .foreign)
        space.links[inside] = Link(name: inside, kind: .veth(peer: outside, peerNamespace: nil), mac: mac, mtu: 1450)
        host.namespaces[namespace] = space
    }

    mutating func address(_ text: InterfaceAddress, on link: String, in namespace: NamespaceName) {
        host.namespaces[namespace]?.managesAddresses.insert(link)
        host.namespaces[namespace]?.addresses.insert(LinkAddress(link: link, address: text))
    }

    mutating func dhcp(_ network: Int) {
        let namespace = NamespaceName("qdhcp-\(network)")
        pair("tapdhcp\(network)", "ns-\(network)", in: namespace, network: network, mac: mac(0x10000 + network))
        address(InterfaceAddress(ip(10, network, 0, 2), prefixLength: 24), on: "ns-\(network)", in: namespace)
    }

    mutating func router(_ number: Int, networks: [Int], host octet: Int = 1) {
        let namespace = NamespaceName("qrouter-\(number)")
        host.namespaces[namespace] = NamespaceConfiguration()
        host.namespaces[namespace]?.links["lo"] = Link(name: "lo", kind: .foreign)
        host.namespaces[namespace]?.sysctls["net/ipv4/ip_forward"] = "1"
        for network in networks {
            let inside = "qr-\(number)-\(network)"
            pair("tapr\(number)-\(network)", inside, in: namespace, network: network, mac: mac(0x20000 + number * 256 + network))
            address(InterfaceAddress(ip(10, network, 0, octet), prefixLength: 24), on: inside, in: namespace)
            host.namespaces[namespace]?.sysctls["net/ipv6/conf/\(inside)/disable_ipv6"] = "1"
        }
        host.namespaces[namespace]?.firewall = [
            FirewallTable(
                family: .ip, name: "neutrino-nat", sets: ["floating": .init(form: .map, type: "type ipv4_addr : ipv4_addr")],
                chains: [
                    "prerouting": .init(
                        hook: "type nat hook prerouting priority dstnat; policy accept;", rules: ["dnat to ip daddr map @floating"])
                ])
        ]
    }

    mutating func defaultRoute(_ router: Int, via gateway: IPAddress, network: Int) {
        host.namespaces[NamespaceName("qrouter-\(router)")]?.routes.insert(
            Route(destination: prefix(ip(0, 0, 0, 0), 0), gateway: gateway, link: "qr-\(router)-\(network)"))
    }

    /// A table of its own for packets with a mark.
    mutating func gatewayTable(_ router: Int, _ number: UInt32, via gateway: IPAddress, network: Int) {
        let namespace = NamespaceName("qrouter-\(router)")
        var route = Route(destination: prefix(ip(0, 0, 0, 0), 0), gateway: gateway, link: "qr-\(router)-\(network)")
        route.table = number
        host.namespaces[namespace]?.routes.insert(route)
        host.namespaces[namespace]?.rules.insert(RoutingRule(version: .v4, priority: 30_001, mark: number, table: number))
    }

    mutating func floatingIP(_ router: Int, _ outside: IPAddress, to inside: IPAddress) {
        host.namespaces[NamespaceName("qrouter-\(router)")]?.firewall[0].sets["floating"]?.elements.insert("\(outside) : \(inside)")
    }
}

/// SplitMix64: the same seed gives the same numbers everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x9e37_79b9_7f4a_7c15 }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}
