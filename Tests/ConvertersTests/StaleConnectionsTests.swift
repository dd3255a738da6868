import Addressing
import Converters
import HostModel
import NetworkModel
import Testing

@Suite("Connections whose translation is no longer given")
struct StaleConnectionsTests {
    private let router: HostRouter = {
        var router = standaloneRouter(floatingIPs: [floating(50, "203.0.113.50", to: "10.0.0.5")])
        router.portForwardings = [
            forwarding(60, 6, "203.0.113.60", 80...80, to: "10.0.0.6", 8080...8080),
            forwarding(61, 6, "203.0.113.60", 1000...1009, to: "10.0.0.6", 2000...2009),
        ]
        return router
    }()

    /// A line of `conntrack -L`: who asked whom, and who answers whom.
    private func line(_ source: String, _ destination: String, _ answering: String, _ answered: String) -> String {
        func parts(_ text: String) -> (Substring, Substring) {
            let parts = text.split(separator: ":")
            return (parts[0], parts[1])
        }
        let (a, b, c, d) = (parts(source), parts(destination), parts(answering), parts(answered))
        return "tcp      6 431999 ESTABLISHED src=\(a.0) dst=\(b.0) sport=\(a.1) dport=\(b.1) "
            + "src=\(c.0) dst=\(d.0) sport=\(c.1) dport=\(d.1) [ASSURED] mark=0 use=1\n"
    }

    private func isStale(_ line: String, _ router: HostRouter? = nil) -> Bool {
        !StaleConnections.deletions(line, for: router ?? self.router).isEmpty
    }

    @Test("What floating IPs, forwardings, the gateway and hairpins give stays")
    func kept() {
        #expect(!isStale(line("198.51.100.1:999", "203.0.113.50:22", "10.0.0.5:22", "198.51.100.1:999")))
        #expect(!isStale(line("10.0.0.5:999", "198.51.100.1:80", "198.51.100.1:80", "203.0.113.50:999")))
        #expect(!isStale(line("10.0.0.7:999", "198.51.100.1:80", "198.51.100.1:80", "203.0.113.10:4321")))
        #expect(!isStale(line("198.51.100.1:999", "203.0.113.60:80", "10.0.0.6:8080", "198.51.100.1:999")))
        #expect(!isStale(line("198.51.100.1:999", "203.0.113.60:1003", "10.0.0.6:2003", "198.51.100.1:999")))
        #expect(!isStale(line("10.0.0.6:999", "203.0.113.50:22", "10.0.0.5:22", "203.0.113.10:4321")))
        #expect(!isStale(line("10.0.0.7:999", "10.0.2.7:80", "10.0.2.7:80", "10.0.0.7:999")))
    }

    @Test("Of a list that was cut inside a line, the line does not count")
    func cutList() {
        let whole = line("10.0.0.5:999", "198.51.100.1:80", "198.51.100.1:80", "203.0.113.50:999")
        for count in 0..<whole.count { #expect(!isStale(String(whole.prefix(count)))) }
        let stale = line("198.51.100.1:999", "203.0.113.50:22", "10.0.0.9:22", "198.51.100.1:999")
        #expect(StaleConnections.deletions(stale + whole.dropLast(40), for: router).count == 1)
    }

    @Test("What leads elsewhere, or comes from an address that is gone, is ended, and named by what the client sent")
    func ended() {
        #expect(isStale(line("198.51.100.1:999", "203.0.113.50:22", "10.0.0.9:22", "198.51.100.1:999")))
        #expect(isStale(line("198.51.100.1:999", "203.0.113.51:22", "10.0.0.5:22", "198.51.100.1:999")))
        #expect(isStale(line("10.0.0.7:999", "198.51.100.1:80", "198.51.100.1:80", "203.0.113.50:999")))
        #expect(isStale(line("10.0.0.7:999", "198.51.100.1:80", "198.51.100.1:80", "203.0.113.11:999")))
        #expect(isStale(line("198.51.100.1:999", "203.0.113.60:80", "10.0.0.6:8081", "198.51.100.1:999")))
        #expect(isStale(line("198.51.100.1:999", "203.0.113.60:1003", "10.0.0.6:2004", "198.51.100.1:999")))
        #expect(isStale(line("198.51.100.1:999", "203.0.113.60:1010", "10.0.0.6:2010", "198.51.100.1:999")))
        #expect(
            StaleConnections.deletions(line("10.0.0.7:999", "198.51.100.1:80", "198.51.100.1:80", "203.0.113.11:7"), for: router)
                == ["-D -f ipv4 -p 6 -s 10.0.0.7 -d 198.51.100.1 --sport 999 --dport 80"])
        #expect(
            isStale("icmp 1 29 src=10.0.0.7 dst=198.51.100.1 type=8 code=0 id=5 src=198.51.100.1 dst=203.0.113.11 type=0 code=0 id=5\n"))
    }

    @Test("Without source translation the gateway's address is only a hairpin's; without gateway nothing is translated")
    func noSourceTranslation() {
        var router = router
        router.isSNATEnabled = false
        #expect(isStale(line("10.0.0.7:999", "198.51.100.1:80", "198.51.100.1:80", "203.0.113.10:4321"), router))
        #expect(!isStale(line("10.0.0.6:999", "203.0.113.50:22", "10.0.0.5:22", "203.0.113.10:4321"), router))
        router.gateway = nil
        #expect(isStale(line("10.0.0.6:999", "203.0.113.50:22", "10.0.0.5:22", "203.0.113.10:4321"), router))
    }

    @Test("Forwardings that go or lead elsewhere ask for a look at the connections; new ones do not")
    func forwardings() {
        var fewer = router
        fewer.portForwardings.removeLast()
        #expect(ConntrackFlush(from: router, to: fewer).changesForwardings)
        #expect(!ConntrackFlush(from: fewer, to: router).changesForwardings)
        #expect(!ConntrackFlush(from: router, to: router).changesForwardings)
        #expect(ConntrackFlush(from: router, to: fewer).addresses.isEmpty)
    }

    // MARK: Address scopes

    /// Network 1 in a scope, networks 2 and the external one in others, or in none.
    private func scoped(_ first: Int?, _ second: Int?, outside: Int?) -> HostRouter {
        var router = router
        router.interfaces[0].scope4 = first.map(id)
        router.interfaces[1].scope4 = second.map(id)
        router.gateway?.scope4 = outside.map(id)
        router.routes = [StaticRoute(destination: prefix("10.9.0.0/16"), nextHop: ip("10.0.2.9"))]
        return router
    }

    @Test("What leaves as it is, or translated, must do so by the scopes of today")
    func scopesToTheOutside() {
        let plain = line("10.0.0.7:999", "198.51.100.1:80", "198.51.100.1:80", "10.0.0.7:999")
        let translated = line("10.0.0.7:999", "198.51.100.1:80", "198.51.100.1:80", "203.0.113.10:999")
        let floating = line("10.0.0.5:999", "198.51.100.1:80", "198.51.100.1:80", "203.0.113.50:999")
        let incoming = line("198.51.100.1:999", "10.0.0.7:80", "10.0.0.7:80", "198.51.100.1:999")
        let (routed, apart) = (scoped(100, nil, outside: 100), scoped(101, nil, outside: 100))
        for connection in [plain, incoming] { #expect(!isStale(connection, routed) && isStale(connection, apart)) }
        #expect(isStale(translated, routed) && !isStale(translated, apart))
        for router in [routed, apart] {
            #expect(!isStale(floating, router))
            #expect(!isStale(line("10.0.0.7:999", "203.0.113.50:22", "10.0.0.5:22", "203.0.113.10:4321"), router))
        }
    }

    @Test("Between two networks, and what is behind them, nothing passes when their scopes differ, but for the router's own addresses")
    func scopesInside() {
        let direct = line("10.0.0.7:999", "10.0.2.7:80", "10.0.2.7:80", "10.0.0.7:999")
        let behind = line("10.0.0.7:999", "10.9.0.7:80", "10.9.0.7:80", "10.0.0.7:999")
        let own = line("10.0.0.7:999", "10.0.2.1:80", "10.0.2.1:80", "10.0.0.7:999")
        let forwarded = line("10.0.2.7:999", "203.0.113.50:80", "10.0.0.5:80", "10.0.2.7:999")
        let (same, apart) = (scoped(100, 100, outside: nil), scoped(100, nil, outside: nil))
        for connection in [direct, behind] { #expect(!isStale(connection, same) && isStale(connection, apart)) }
        for router in [same, apart] { #expect(!isStale(own, router) && !isStale(forwarded, router)) }
    }

    @Test("A network that changes its scope asks for a look at all connections, in both directions")
    func scopeChange() {
        let (none, routed, apart) = (scoped(nil, nil, outside: nil), scoped(100, nil, outside: 100), scoped(101, nil, outside: 100))
        for (old, new) in [(routed, apart), (apart, routed), (none, routed), (routed, none), (none, scoped(100, nil, outside: nil))] {
            let flush = ConntrackFlush(from: old, to: new)
            #expect(flush.changesForwardings && flush.changesScopes && flush.addresses.isEmpty)
        }
        #expect(!ConntrackFlush(from: routed, to: routed).changesScopes)
        #expect(!StaleConnections.listing(for: routed, changesScopes: false).contains("-j"))
        #expect(!StaleConnections.listing(for: none, changesScopes: true).contains("-j"))
        #expect(StaleConnections.listing(for: none, changesScopes: false).contains("-j"))
    }
}

@Suite("Ending connections of forwardings with real packets", .enabled(if: isRoot, needsRoot), .serialized)
struct StaleConnectionsPacketTests {
    @Test("Only the connections of what was taken away end, also when nobody knows what was there before")
    func real() throws {
        let host = try TestHost()
        defer { host.remove() }
        let network = try RealSwitch(host)
        var router = standaloneRouter(floatingIPs: [
            floating(50, "203.0.113.50", to: "10.0.0.5"), floating(51, "203.0.113.51", to: "10.0.0.6"),
        ])
        router.portForwardings = [
            forwarding(60, 17, "203.0.113.60", 80...80, to: "10.0.0.5", 8080...8080),
            forwarding(61, 17, "203.0.113.60", 81...81, to: "10.0.0.5", 8081...8081),
        ]
        let real = try RealRouter(router, "router", on: network)
        let a = try network.instance("a", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
        let outside = try network.instance("outside", network: 3, address: "203.0.113.1/24", gateway: nil)
        try host.expect("ip addr add 10.0.0.6/24 dev eth0", in: a)
        try host.run("conntrack -F", in: real.namespace)
        for target in ["203.0.113.60:80", "203.0.113.60:81", "203.0.113.50:9", "203.0.113.51:9"] {
            try host.expect("echo x | socat -u - UDP4-SENDTO:\(target)", in: outside)
        }
        let listing = StaleConnections.listing(for: router, changesScopes: false).joined(separator: " ")
        func destinations() throws -> Set<String> {
            let lines = try host.run("\(listing) 2>/dev/null", in: real.namespace).text.split(separator: "\n")
            return Set(
                lines.compactMap { line in
                    let words = line.split(separator: " ")
                    guard let address = words.first(where: { $0.hasPrefix("dst=") }),
                        let port = words.first(where: { $0.hasPrefix("dport=") })
                    else { return nil }
                    return "\(address.dropFirst(4)):\(port.dropFirst(6))"
                })
        }
        #expect(try destinations() == ["203.0.113.60:80", "203.0.113.60:81", "203.0.113.50:9", "203.0.113.51:9"])
        try real.realise { router in
            router.portForwardings.removeLast()
            router.floatingIPs.removeLast()
        }
        let list = try host.run("\(listing) 2>/dev/null", in: real.namespace).text
        let deletions = StaleConnections.deletions(list, for: real.router)
        #expect(deletions.count == 2)
        let path = try host.write("deletions", (["-D -f ipv4 -p 6 -s 192.0.2.1 -d 192.0.2.2"] + deletions).map { $0 + "\n" }.joined())
        try host.run("conntrack -R \(path)", in: real.namespace)
        #expect(try destinations() == ["203.0.113.60:80", "203.0.113.50:9"])
    }
}
