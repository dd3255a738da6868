import Addressing
import Converters
import HostModel
import NetworkModel
import Testing

/// Instances a (10.0.0.5) on network 1 and c (10.0.2.7) on network 2, and the outside (203.0.113.1), which has a route to the internal
/// networks, so that only the router decides what passes.
private struct Scene {
    let host: TestHost
    let router: RealRouter
    let a, c, outside: String

    init(_ change: (inout HostRouter) -> Void) throws {
        host = try TestHost()
        let network = try RealSwitch(host)
        var router = standaloneRouter()
        change(&router)
        self.router = try RealRouter(router, "router", on: network)
        a = try network.instance("a", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
        c = try network.instance("c", network: 2, address: "10.0.2.7/24", gateway: "10.0.2.1")
        outside = try network.instance("outside", network: 3, address: "203.0.113.1/24", gateway: "203.0.113.10")
    }

    func reaches(_ target: String, from namespace: String) throws -> Bool {
        try host.run("ping -c 1 -W 1 \(target)", in: namespace).status == 0
    }

    /// The source that the outside sees of a ping.
    func source(from namespace: String) throws -> String {
        try host.run("conntrack -F", in: router.namespace)
        guard try reaches("203.0.113.1", from: namespace) else { return "no answer" }
        let words = try host.run("conntrack -L -p icmp 2>/dev/null", in: router.namespace).text.split(separator: " ")
        return words.filter { $0.hasPrefix("dst=") }.dropFirst().first.map { String($0.dropFirst(4)) } ?? "no connection"
    }
}

@Suite("Address scopes with real packets", .enabled(if: isRoot, needsRoot), .serialized)
struct RouterScopePacketTests {
    @Test("Between scopes nothing passes that is not translated; inside one everything does, and leaves as it is")
    func scopes() throws {
        // Network 1 and the external network are in one scope, network 2 in another.
        let scene = try Scene { router in
            router.interfaces[0].scope4 = id(700)
            router.interfaces[1].scope4 = id(701)
            router.gateway?.scope4 = id(700)
            router.floatingIPs = [floating(51, "203.0.113.51", to: "10.0.2.8")]
        }
        defer { scene.host.remove() }
        #expect(try !scene.reaches("10.0.2.7", from: scene.a))
        #expect(try !scene.reaches("10.0.0.5", from: scene.c))
        #expect(try scene.reaches("10.0.0.5", from: scene.outside))
        #expect(try !scene.reaches("10.0.2.7", from: scene.outside))
        #expect(try scene.source(from: scene.a) == "10.0.0.5")
        #expect(try scene.source(from: scene.c) == "203.0.113.10")
        // Floating IPs work across.
        try scene.host.expect("ip addr add 10.0.2.8/24 dev eth0", in: scene.c)
        #expect(try scene.reaches("203.0.113.51", from: scene.outside))
        #expect(try scene.reaches("203.0.113.51", from: scene.a))
        // One scope for all lets all pass.
        try scene.router.realise { $0.interfaces[1].scope4 = id(700) }
        #expect(try scene.reaches("10.0.2.7", from: scene.a))
        #expect(try scene.source(from: scene.c) == "10.0.2.7")
    }

    @Test("Without source translation only the external network's scope gets out, and floating IPs")
    func noSourceTranslation() throws {
        let scene = try Scene { router in
            router.interfaces[0].scope4 = id(700)
            router.interfaces[1].scope4 = id(701)
            router.gateway?.scope4 = id(700)
            router.isSNATEnabled = false
        }
        defer { scene.host.remove() }
        #expect(try scene.source(from: scene.a) == "10.0.0.5")
        #expect(try scene.source(from: scene.c) == "no answer")
        try scene.router.realise { $0.floatingIPs = [floating(51, "203.0.113.51", to: "10.0.2.7")] }
        #expect(try scene.source(from: scene.c) == "203.0.113.51")
    }
}

@Suite("Limits of bandwidth with real packets", .enabled(if: isRoot, needsRoot), .serialized)
struct RouterLimitPacketTests {
    /// Octets that arrive of a flood of about 4 MB of UDP in at most a few seconds.
    private func flood(_ scene: Scene, from source: String, to target: String, in receiver: String) throws -> Int {
        let file = "\(scene.host.directory)/received"
        try scene.host.launch(
            "rm -f \(file); socat -u UDP4-RECV:9999,rcvbuf=8000000 CREATE:\(file) >/dev/null 2>&1 </dev/null &", in: receiver)
        #expect(try eventually { try scene.host.run("ss -Hlun sport = 9999", in: receiver).text.contains("9999") })
        try scene.host.expect("head -c 4000000 /dev/zero | socat -b 1000 -u - UDP4-SENDTO:\(target):9999", in: source)
        var last = -1
        #expect(
            try eventually {
                let size = Int(try scene.host.run("sleep 0.2; stat -c %s \(file)").text.split(separator: "\n").first ?? "") ?? 0
                defer { last = size }
                return size == last
            })
        try scene.host.run("kill $(ss -Hlunp sport = 9999 | sed 's/.*pid=//; s/,.*//')", in: receiver)
        return last
    }

    @Test("A floating IP has its own limit in each direction, and the gateway's is for what has no floating IP")
    func limits() throws {
        let limit = HostRouter.RateLimits.Limit(kilobitsPerSecond: 2000, burstKilobits: 1000)
        let scene = try Scene { router in
            var limited = floating(50, "203.0.113.50", to: "10.0.0.5")
            limited.limits = .init(ingress: limit)
            router.floatingIPs = [limited, floating(51, "203.0.113.51", to: "10.0.2.7")]
        }
        defer { scene.host.remove() }
        // The bucket: a second of 250 kB. The flood itself takes a part of a second, here generously taken for five.
        let most = 250_000 + 5 * 250_000
        #expect(try flood(scene, from: scene.outside, to: "203.0.113.50", in: scene.a) < most)
        #expect(try flood(scene, from: scene.outside, to: "203.0.113.51", in: scene.c) > most)
        #expect(try flood(scene, from: scene.a, to: "203.0.113.1", in: scene.outside) > most)
        try scene.router.realise { router in
            router.floatingIPs[0].limits = .init(egress: limit)
            router.gatewayLimits = .init(ingress: limit)
        }
        #expect(try flood(scene, from: scene.a, to: "203.0.113.1", in: scene.outside) < most)
        #expect(try flood(scene, from: scene.c, to: "203.0.113.1", in: scene.outside) > most)
        #expect(try flood(scene, from: scene.outside, to: "203.0.113.51", in: scene.c) > most, "not the gateway's")
        #expect(try flood(scene, from: scene.outside, to: "10.0.0.5", in: scene.a) < most, "by its own address")
        // Between internal networks no limit counts.
        #expect(try flood(scene, from: scene.a, to: "10.0.2.7", in: scene.c) > most)
    }
}

@Suite("Routes and helpers with real packets", .enabled(if: isRoot, needsRoot), .serialized)
struct RouterRoutePacketTests {
    @Test("Several next hops of one destination share its connections, and a subnet on the link needs no next hop")
    func multiPath() throws {
        let scene = try Scene { router in
            router.routes = [
                StaticRoute(destination: prefix("172.16.0.0/16"), nextHop: ip("10.0.0.5")),
                StaticRoute(destination: prefix("172.16.0.0/16"), nextHop: ip("10.0.2.7")),
            ]
            router.gateway?.onLinkPrefixes = [prefix("198.51.100.0/24")]
        }
        defer { scene.host.remove() }
        for namespace in [scene.a, scene.c] { try scene.host.expect("ip addr add 172.16.0.1/32 dev lo", in: namespace) }
        // Ports draw the way: of 40 connections some go each way.
        for port in 7000..<7040 {
            try scene.host.run("echo x | socat -u - UDP4-SENDTO:172.16.0.1:\(port)", in: scene.outside)
        }
        func received(_ namespace: String) throws -> Int {
            Int(try scene.host.run("awk '/^Udp:/ && $3 ~ /^[0-9]+$/ {print $3}' /proc/net/snmp", in: namespace).text.prefix { $0.isNumber })
                ?? 0
        }
        #expect(try eventually { try received(scene.a) + received(scene.c) == 40 })
        #expect(try received(scene.a) > 0)
        #expect(try received(scene.c) > 0)
        try scene.host.expect(
            "ip addr add 198.51.100.9/24 dev eth0 && ip route add 203.0.113.10 dev eth0 src 198.51.100.9", in: scene.outside)
        #expect(try scene.reaches("198.51.100.9", from: scene.a))
    }

    @Test("A helper is given to the connections of its protocol and port, and to no others")
    func helpers() throws {
        let scene = try Scene { router in
            router.connectionHelpers = [
                .init(id: id(90), helper: "ftp", protocolNumber: 6, port: 2121),
                .init(id: id(91), helper: "h323", protocolNumber: 6, port: 1720),
            ]
        }
        defer { scene.host.remove() }
        try scene.host.launch(
            "for port in 2121 2122; do socat -u TCP4-LISTEN:$port,fork,reuseaddr OPEN:/dev/null >/dev/null 2>&1 </dev/null & done",
            in: scene.outside)
        #expect(try eventually { try scene.host.run("ss -Hltn", in: scene.outside).text.split(separator: "\n").count == 2 })
        for port in [2121, 2122] { try scene.host.expect("echo x | socat -u - TCP4:203.0.113.1:\(port)", in: scene.a) }
        let lines = try scene.host.run("conntrack -L -p tcp 2>/dev/null", in: scene.router.namespace).text.split(separator: "\n")
        #expect(lines.filter { $0.contains("helper=ftp") && $0.contains("dport=2121") }.count == 1, "\(lines)")
        #expect(lines.filter { $0.contains("helper=") }.count == 1)
    }
}
