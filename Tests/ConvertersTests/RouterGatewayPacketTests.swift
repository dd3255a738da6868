import Addressing
import Converters
import HostModel
import NetworkModel
import Testing

@Suite("Several gateways with real packets", .enabled(if: isRoot, needsRoot), .serialized)
struct RouterGatewayPacketTests {
    /// Instances a (10.0.0.5) and b (10.0.0.6) on network 1, c (10.0.2.7) on network 2, and two providers, each the next hop of one gateway, that
    /// let nobody out but with an address of theirs. Both lead to the far host, which sends answers to the provider whose the address is.
    ///
    ///     a, b, c ── router ─┬─ 203.0.113.10 ── 203.0.113.1  provider 1 ─┬─ far 192.0.2.9
    ///                        └─ 198.51.100.10 ── 198.51.100.1 provider 2 ─┘
    private struct Scene {
        let host: TestHost
        let router: RealRouter
        let a, b, c, far: String

        init(_ router: HostRouter) throws {
            host = try TestHost()
            let network = try RealSwitch(host)
            self.router = try RealRouter(router, "router", on: network)
            a = try network.instance("a", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
            b = try network.instance("b", network: 1, address: "10.0.0.6/24", gateway: "10.0.0.1")
            c = try network.instance("c", network: 2, address: "10.0.2.7/24", gateway: "10.0.2.1")
            far = try network.instance("far", network: 6, address: "192.0.2.9/24", gateway: nil)
            try Self.provider(1, network: 3, prefix: "203.0.113", far, network, host)
            try Self.provider(2, network: 5, prefix: "198.51.100", far, network, host)
        }

        private static func provider(
            _ number: Int, network: Int, prefix: String, _ far: String, _ realSwitch: RealSwitch, _ host: TestHost
        ) throws {
            let name = try realSwitch.instance("provider\(number)", network: network, address: "\(prefix).1/24", gateway: nil)
            try host.expect(
                realSwitch.script(plugging: "eth1", of: name, into: id(6), outer: "far-\(number)")
                    + """
                    ip -n \(name) addr add 192.0.2.\(number)/24 dev eth1 && ip -n \(name) link set eth1 up
                    ip -n \(far) route add \(prefix).0/24 via 192.0.2.\(number)
                    """)
            let rules = """
                table ip provider {
                    chain forward {
                        type filter hook forward priority filter; policy accept;
                        iifname "eth0" ip saddr != \(prefix).0/24 drop
                    }
                }

                """
            let path = try host.write("provider\(number).nft", rules)
            try host.expect("nft -f \(path) && echo 1 > /proc/sys/net/ipv4/ip_forward", in: name)
        }

        func reaches(_ target: String, from namespace: String) throws -> Bool {
            try host.run("ping -c 1 -W 2 \(target)", in: namespace).status == 0
        }

        /// The source that the pinged one sees.
        func source(_ target: String, from namespace: String) throws -> String {
            try host.run("conntrack -F", in: router.namespace)
            guard try reaches(target, from: namespace) else { return "no answer" }
            let words = try host.run("conntrack -L -p icmp 2>/dev/null", in: router.namespace).text.split(separator: " ")
            return words.filter { $0.hasPrefix("dst=") }.dropFirst().first.map { String($0.dropFirst(4)) } ?? "no connection"
        }
    }

    @Test("Instances leave by the first gateway or by their floating IP's, and whoever comes in by one is answered by it")
    func gateways() throws {
        var router = routerWithTwoGateways()
        router.floatingIPs = [secondFloating(50, "198.51.100.50", to: "10.0.0.5")]
        let scene = try Scene(router)
        defer { scene.host.remove() }
        #expect(try scene.source("192.0.2.9", from: scene.b) == "203.0.113.10")
        #expect(try scene.source("192.0.2.9", from: scene.a) == "198.51.100.50")
        for address in ["198.51.100.50", "198.51.100.10", "203.0.113.10"] {
            #expect(try scene.reaches(address, from: scene.far), "\(address)")
        }
        // What is on a gateway's link is reached over it.
        #expect(try scene.source("198.51.100.1", from: scene.b) == "198.51.100.10")
        #expect(try scene.source("203.0.113.1", from: scene.a) == "203.0.113.10")
        // Inside nothing changes, and a floating IP of the second gateway is reached from inside.
        #expect(try scene.source("10.0.2.7", from: scene.a) == "10.0.0.5")
        #expect(try scene.source("198.51.100.50", from: scene.b) == "203.0.113.10")
        // One floating IP on each network, for one instance: both lead in, and the first gateway's leads out.
        try scene.router.realise { $0.floatingIPs.append(floating(51, "203.0.113.51", to: "10.0.0.5")) }
        for address in ["198.51.100.50", "203.0.113.51"] { #expect(try scene.reaches(address, from: scene.far), "\(address)") }
        #expect(try scene.source("192.0.2.9", from: scene.a) == "203.0.113.51")
        // A forwarded port of the second gateway: its answers leave by it.
        try scene.router.realise { router in
            router.portForwardings = [
                .init(
                    id: id(60), protocolNumber: 6, externalAddress: ip("198.51.100.60"), externalPorts: 80...80,
                    internalAddress: ip("10.0.2.7"), internalPorts: 8080...8080, gatewayID: id(14))
            ]
        }
        try scene.host.launch("socat TCP4-LISTEN:8080,reuseaddr SYSTEM:'echo served' >/dev/null 2>&1 </dev/null &", in: scene.c)
        #expect(try eventually { try scene.host.run("ss -Hltn sport = 8080", in: scene.c).text.contains("8080") })
        #expect(try scene.host.run("socat -T 3 - TCP4:198.51.100.60:80,connect-timeout=3 </dev/null", in: scene.far).text == "served\n")
    }

    @Test("In another order the other gateway has the default route, and without the second one the first has everything")
    func changes() throws {
        let two = routerWithTwoGateways()
        let scene = try Scene(two)
        defer { scene.host.remove() }
        try scene.router.realise { router in
            router.gateway = two.furtherGateways?.first?.port
            router.furtherGateways = two.gateway.map { [.init(port: $0)] }
        }
        #expect(try scene.source("192.0.2.9", from: scene.b) == "198.51.100.10")
        #expect(try scene.reaches("203.0.113.10", from: scene.far))
        try scene.router.realise { $0.furtherGateways = nil }
        #expect(try scene.source("192.0.2.9", from: scene.b) == "198.51.100.10")
        let rules = try scene.host.run("ip rule", in: scene.router.namespace).text
        #expect(!rules.contains("fwmark") && !rules.contains("suppress"), "\(rules)")
    }

    @Test("A shared default route takes connections out by both gateways, each with the address of its own, and all are answered")
    func sharedDefaultRoute() throws {
        var router = routerWithTwoGateways()
        router.sharesDefaultRoute = true
        let scene = try Scene(router)
        defer { scene.host.remove() }
        try scene.host.expect("for host in $(seq 101 120); do ip addr add 192.0.2.$host/24 dev eth0; done", in: scene.far)
        // Twenty pairs of addresses: that all take one way is one chance in half a million.
        let answers = try scene.host.run(
            "for host in $(seq 101 120); do ping -c 1 -W 3 192.0.2.$host >/dev/null && echo $host & done; wait", in: scene.b)
        #expect(answers.text.split(separator: "\n").count == 20, "\(answers.text)")
        let connections = try scene.host.run("conntrack -L -p icmp 2>/dev/null", in: scene.router.namespace).text
        for source in ["203.0.113.10", "198.51.100.10"] { #expect(connections.contains("dst=\(source)"), "\(connections)") }
    }

    @Test("The master of an HA router has the routes of all gateways from keepalived, and keeps its place when a gateway comes and goes")
    func redundancy() throws {
        var router = redundantRouter(member: 1, of: 1)
        router.floatingIPs = [secondFloating(50, "198.51.100.50", to: "10.0.0.5")]
        router.furtherGateways = routerWithTwoGateways().furtherGateways
        let scene = try Scene(router)
        defer { scene.host.remove() }
        try scene.router.startKeepalived()
        #expect(try eventually { try scene.router.state() == .active })
        #expect(try eventually { try scene.reaches("198.51.100.50", from: scene.far) })
        #expect(try scene.source("192.0.2.9", from: scene.a) == "198.51.100.50")
        #expect(try scene.source("192.0.2.9", from: scene.b) == "203.0.113.10")
        try scene.router.change { router in
            router.floatingIPs = []
            router.furtherGateways = nil
        }
        let tables = "ip route show table all | grep -c 'default.*table' || true"
        #expect(try eventually { try scene.host.run(tables, in: scene.router.namespace).text == "0\n" })
        #expect(try scene.router.state() == .active)
        try scene.router.change { $0.furtherGateways = routerWithTwoGateways().furtherGateways }
        #expect(try eventually { try scene.reaches("198.51.100.10", from: scene.far) })
        #expect(try scene.router.state() == .active)
        let log = try scene.host.run("cat \(scene.router.paths.log)").text
        #expect(log.occurrences(of: "Entering MASTER STATE") == 1, "\(log)")
    }
}

extension String {
    /// How often a text is in it.
    fileprivate func occurrences(of text: String) -> Int {
        var (count, rest) = (0, self[...])
        while let range = rest.firstRange(of: text) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
