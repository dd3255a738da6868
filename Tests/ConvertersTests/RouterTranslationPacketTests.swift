import Addressing
import Converters
import HostModel
import Testing

/// Who a connection seems to come from, and where it really goes: read from the router's connection table after a ping was answered.
@Suite("Address translation with real packets", .enabled(if: isRoot, needsRoot), .serialized)
struct RouterTranslationPacketTests {
    /// Instances a (10.0.0.5, floating 203.0.113.50) and b (10.0.0.6) on network 1, c (10.0.2.7, floating 203.0.113.51) on network 2, and
    /// the outside (203.0.113.1), which has a route to the internal networks, so that only translation decides what it sees.
    private struct Scene {
        let host: TestHost
        let router: RealRouter
        let a, b, c, outside: String

        init(isSNATEnabled: Bool = true) throws {
            host = try TestHost()
            let network = try RealSwitch(host)
            router = try RealRouter(
                standaloneRouter(
                    floatingIPs: [floating(50, "203.0.113.50", to: "10.0.0.5"), floating(51, "203.0.113.51", to: "10.0.2.7")],
                    isSNATEnabled: isSNATEnabled), "router", on: network)
            a = try network.instance("a", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
            b = try network.instance("b", network: 1, address: "10.0.0.6/24", gateway: "10.0.0.1")
            c = try network.instance("c", network: 2, address: "10.0.2.7/24", gateway: "10.0.2.1")
            outside = try network.instance("outside", network: 3, address: "203.0.113.1/24", gateway: "203.0.113.10")
        }

        /// Pings from a namespace; answers the source that the pinged one saw and the destination that was really reached.
        func ping(_ target: String, from namespace: String) throws -> String {
            try host.run("conntrack -F", in: router.namespace)
            let output = try host.run("ping -c 1 -W 2 \(target)", in: namespace)
            guard output.status == 0 else { return "no answer" }
            // icmp 1 29 src=A dst=B type=8 … src=C dst=D type=0 …: C answers, to D.
            let words = try host.run("conntrack -L -p icmp 2>/dev/null", in: router.namespace).text.split(separator: " ")
            let sources = words.filter { $0.hasPrefix("src=") }.map { $0.dropFirst(4) }
            let destinations = words.filter { $0.hasPrefix("dst=") }.map { $0.dropFirst(4) }
            guard sources.count == 2, destinations.count == 2 else { return "\(sources.count / 2) connections" }
            return "\(destinations[1]) to \(sources[1])"
        }
    }

    @Test("To the outside, an instance is its floating IP or else the gateway's address")
    func outbound() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        #expect(try scene.ping("203.0.113.1", from: scene.a) == "203.0.113.50 to 203.0.113.1")
        #expect(try scene.ping("203.0.113.1", from: scene.b) == "203.0.113.10 to 203.0.113.1")
    }

    @Test("From the outside, a floating IP leads to its instance, which sees who it is")
    func inbound() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        #expect(try scene.ping("203.0.113.50", from: scene.outside) == "203.0.113.1 to 10.0.0.5")
        #expect(try scene.ping("203.0.113.52", from: scene.outside) == "no answer")
    }

    @Test("Floating IPs lead in and out by a gateway that has an address of IPv6 only")
    func gatewayOfIPv6() throws {
        let host = try TestHost()
        defer { host.remove() }
        let network = try RealSwitch(host)
        var router = standaloneRouter(floatingIPs: [floating(50, "203.0.113.50", to: "10.0.0.5")])
        router.gateway = routerPort(13, network: 3, "2001:db8::10/64", gateways: ["2001:db8::1", "203.0.113.1"])
        router.gateway?.onLinkPrefixes = [try #require(IPPrefix("203.0.113.0/24"))]
        let real = try RealRouter(router, "router", on: network)
        let instance = try network.instance("a", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
        let outside = try network.instance("outside", network: 3, address: "203.0.113.1/24", gateway: nil)
        try host.expect("ip -n \(outside) addr add 192.0.2.1/32 dev lo\n")
        for target in ["203.0.113.1", "192.0.2.1"] {
            #expect(try host.run("ping -c 1 -W 2 \(target)", in: instance).status == 0, "\(target) by \(real.namespace)")
            #expect(try host.run("ping -c 1 -W 2 -I \(target) 203.0.113.50", in: outside).status == 0, "from \(target)")
        }
    }

    @Test("Between internal networks nothing is translated")
    func internalTraffic() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        #expect(try scene.ping("10.0.2.7", from: scene.a) == "10.0.0.5 to 10.0.2.7")
        #expect(try scene.ping("10.0.0.6", from: scene.c) == "10.0.2.7 to 10.0.0.6")
    }

    @Test("An instance reaches a floating IP of its own router: its neighbour's, another network's, and its own")
    func hairpin() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        #expect(try scene.ping("203.0.113.50", from: scene.b) == "203.0.113.10 to 10.0.0.5")
        #expect(try scene.ping("203.0.113.51", from: scene.b) == "203.0.113.10 to 10.0.2.7")
        #expect(try scene.ping("203.0.113.51", from: scene.a) == "203.0.113.50 to 10.0.2.7")
        #expect(try scene.ping("203.0.113.50", from: scene.a) == "203.0.113.50 to 10.0.0.5")
        #expect(try scene.ping("203.0.113.50", from: scene.router.namespace) == "203.0.113.10 to 10.0.0.5")
    }

    @Test("Without source translation the outside sees fixed addresses, and floating IPs stay what they are")
    func noSourceTranslation() throws {
        let scene = try Scene(isSNATEnabled: false)
        defer { scene.host.remove() }
        #expect(try scene.ping("203.0.113.1", from: scene.b) == "10.0.0.6 to 203.0.113.1")
        #expect(try scene.ping("203.0.113.1", from: scene.a) == "203.0.113.50 to 203.0.113.1")
        #expect(try scene.ping("10.0.0.6", from: scene.outside) == "203.0.113.1 to 10.0.0.6")
    }

    @Test("The flush ends the connections of a floating IP and no others")
    func flush() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        func connections() throws -> Int {
            try scene.host.run("conntrack -L -p icmp 2>/dev/null | grep -c src=", in: scene.router.namespace).text
                .split(separator: "\n").first.flatMap { Int($0) } ?? 0
        }
        try scene.host.run("conntrack -F", in: scene.router.namespace)
        for (target, namespace) in [("203.0.113.50", scene.outside), ("203.0.113.1", scene.a), ("203.0.113.1", scene.b)] {
            try scene.host.expect("ping -c 1 -W 2 \(target)", in: namespace)
        }
        #expect(try connections() == 3)
        var changed = scene.router.router
        changed.floatingIPs.removeFirst()
        for command in ConntrackFlush(from: scene.router.router, to: changed).commands {
            try scene.host.expect(command.joined(separator: " "), in: scene.router.namespace)
        }
        #expect(try connections() == 1)
    }
}
