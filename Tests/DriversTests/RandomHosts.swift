import Addressing
import Drivers
import FakeKernel
import KernelInterface

/// Random hosts from a small world of names, so that two of them collide in every way: the same device with another VNI, the same
/// tap in another bridge, the same address on another link.
struct RandomWorld {
    var random: SeededGenerator
    static let taps = (0..<8).map { "tap\($0)" }

    init(seed: Int) { random = SeededGenerator(seed: seed) }

    mutating func host() -> HostConfiguration {
        var builder = HostBuilder()
        // A sysctl that is no longer named keeps its value: it is named in every host.
        builder.host.own.sysctls["net/bridge/bridge-nf-call-iptables"] = "1"
        let shift = Int.random(in: 0..<5, using: &random)
        let networks = (0..<5).filter { _ in random.chance(70) }
        for network in networks {
            builder.network(
                network, vni: 100 + (network + shift) % 5, local: ip(192, 0, 2, random.chance(90) ? 1 : 2), isLearning: random.chance(20))
            for remote in 10..<13 where random.chance(60) { builder.flood(network, to: ip(192, 0, 2, remote)) }
            for port in 100..<104 where random.chance(60) {
                builder.remotePort(port, network: network, at: ip(192, 0, 2, Int.random(in: 10..<13, using: &random)))
            }
            if random.chance(60) { builder.dhcp(network) }
        }
        if let network = networks.randomElement(using: &random) {
            for port in 0..<8 where random.chance(60) {
                let choice = networks.randomElement(using: &random) ?? network
                builder.port(port, network: choice, group: random.chance(50) ? "web" : "database")
            }
        }
        for router in 0..<3 where random.chance(60) { addRouter(router, networks, &builder) }
        return builder.host
    }

    private mutating func addRouter(_ router: Int, _ networks: [Int], _ builder: inout HostBuilder) {
        let attached = networks.filter { _ in random.chance(50) }
        builder.router(router, networks: attached, host: random.chance(50) ? 1 : 254)
        // The removal of an address takes others of its subnet along.
        builder.host.namespaces[NamespaceName("qrouter-\(router)")]?.sysctls["net/ipv4/conf/all/promote_secondaries"] = "0"
        guard let network = attached.first else { return }
        if random.chance(50) {
            let extra = InterfaceAddress(ip(10, network, 0, 253), prefixLength: 24)
            builder.address(extra, on: "qr-\(router)-\(network)", in: NamespaceName("qrouter-\(router)"))
        }
        if random.chance(60) { builder.defaultRoute(router, via: ip(10, network, 0, random.chance(50) ? 9 : 8), network: network) }
        for number: UInt32 in [1001, 1002] where random.chance(30) {
            builder.gatewayTable(router, number, via: ip(10, network, 0, random.chance(50) ? 9 : 8), network: network)
        }
        for floating in 0..<3 where random.chance(50) {
            builder.floatingIP(router, ip(203, 0, 113, floating), to: ip(10, network, 0, Int.random(in: 20..<23, using: &random)))
        }
    }

    /// What an operator, a crash or another program may do.
    mutating func damage(_ kernel: FakeKernel, times: Int) throws {
        let spaces: [NamespaceName?] = try [nil] + kernel.namespaces().filter { $0.description.hasPrefix("q") }.sorted().map(Optional.some)
        for _ in 0..<times {
            guard let place = spaces.randomElement(using: &random), let links = try? kernel.links(in: place),
                let link = links.filter({ $0.name != "lo" && !isForeign($0) }).randomElement(using: &random)
            else { continue }
            // Damage that the kernel refuses is no damage.
            try? kernel.somebodyElse(harm(link, place))
        }
    }

    private func isForeign(_ link: Link) -> Bool { Self.taps.contains(link.name) || ["virbr0", "vnet0"].contains(link.name) }

    private mutating func harm(_ link: Link, _ place: NamespaceName?) -> KernelOperation {
        var changed = link
        switch Int.random(in: 0..<9, using: &random) {
        case 0, 1: return .removeLink(name: link.name, place)
        case 2:
            changed.isUp.toggle()
            return .changeLink(changed, place)
        case 3:
            changed.bridge = nil
            return .changeLink(changed, place)
        case 4:
            changed.mtu = 1400
            return .changeLink(changed, place)
        case 5: return .applyFirewall(script: "flush ruleset\n", place)
        case 6: return .addForwarding(.tunnel(mac: mac(77), link: link.name, remote: ip(192, 0, 2, 77)), place)
        case 7 where link.name.hasPrefix("brq"):
            return .setNeighbour(Neighbour(address: ip(10, 9, 9, 9), mac: mac(9), link: link.name), place)
        default:
            let address = InterfaceAddress(ip(10, Int.random(in: 0..<5, using: &random), 0, 77), prefixLength: 24)
            return place == nil ? .removeLink(name: link.name, nil) : .addAddress(LinkAddress(link: link.name, address: address), place)
        }
    }
}

/// A host with things that are not ours: taps of instances, somebody's bridge, namespace and table.
func strangersHost() throws -> FakeKernel {
    let kernel = FakeKernel()
    for tap in RandomWorld.taps { try kernel.plug(Link(name: tap, kind: .foreign, isUp: false)) }
    try kernel.somebodyElse(.addLink(Link(name: "virbr0", kind: .bridge), nil))
    try kernel.plug(Link(name: "vnet0", kind: .foreign, bridge: "virbr0"))
    try kernel.somebodyElse(.addAddress(LinkAddress(link: "virbr0", address: InterfaceAddress(ip(172, 16, 0, 1), prefixLength: 24)), nil))
    try kernel.somebodyElse(.addNamespace(NamespaceName("someone")))
    try kernel.somebodyElse(.addNamespace(NamespaceName("qrouterish")))
    return kernel
}

/// The host as text, without the taps that nobody wants: an instance's device keeps what was set on it. That none of them is in a bridge of
/// ours is part of the text.
func comparable(_ kernel: FakeKernel, _ desired: HostConfiguration) throws -> String {
    let unwanted = RandomWorld.taps.filter { desired.own.links[$0] == nil }
    var lines = kernel.rendered.split(separator: "\n").filter { line in !unwanted.contains { line.hasPrefix("  link \($0),") } }
    for link in try kernel.links(in: nil) where unwanted.contains(link.name) {
        if let bridge = link.bridge { lines.append("unwanted \(link.name) in \(bridge)") }
    }
    return lines.joined(separator: "\n")
}

/// The oracle: the same configuration on a host where nothing of ours was before.
func fromNothing(_ desired: HostConfiguration) throws -> String {
    let bench = Bench(kernel: try strangersHost())
    let report = bench.reconciler.apply(desired, .full)
    precondition(report.isComplete, "\(report.failures)")
    return try comparable(bench.kernel, desired)
}

/// What the host has too much (+) and too little (-), compared with the oracle.
func difference(_ kernel: FakeKernel, _ desired: HostConfiguration) throws -> [String] {
    let found = try comparable(kernel, desired).split(separator: "\n").map(String.init)
    let expected = try fromNothing(desired).split(separator: "\n").map(String.init)
    return found.difference(from: expected).map { change in
        switch change {
        case .insert(_, let line, _): "+" + line
        case .remove(_, let line, _): "-" + line
        }
    }
}
