import Addressing
import Converters
import HostModel
import NetworkModel
import Testing

func forwarding(
    _ number: Int, _ transport: Int, _ address: String, _ external: ClosedRange<Int>, to internalAddress: String,
    _ internalPorts: ClosedRange<Int>
) -> HostRouter.PortForwarding {
    HostRouter.PortForwarding(
        id: id(number), protocolNumber: transport, externalAddress: ip(address), externalPorts: external,
        internalAddress: ip(internalAddress),
        internalPorts: internalPorts)
}

/// Who answers behind an address and a port: instances a (10.0.0.5) and b (10.0.0.6) on network 1, and the outside (203.0.113.1).
@Suite("Port forwarding with real packets", .enabled(if: isRoot, needsRoot), .serialized)
struct RouterForwardingPacketTests {
    private struct Scene {
        let host: TestHost
        let router: RealRouter
        let a, b, outside: String

        init(_ forwardings: [HostRouter.PortForwarding], floatingIPs: [HostRouter.Floating] = []) throws {
            host = try TestHost()
            let network = try RealSwitch(host)
            var router = standaloneRouter(floatingIPs: floatingIPs)
            router.portForwardings = forwardings
            self.router = try RealRouter(router, "router", on: network)
            a = try network.instance("a", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
            b = try network.instance("b", network: 1, address: "10.0.0.6/24", gateway: "10.0.0.1")
            outside = try network.instance("outside", network: 3, address: "203.0.113.1/24", gateway: nil)
        }

        /// Sends one line to a server that tells the port that it was reached on and the address that it saw.
        func ask(_ address: String, _ port: Int, from namespace: String, transport: String = "TCP") throws -> String {
            let output = try host.run("echo ? | socat -t 2 -T 2 - \(transport)4:\(address):\(port),connect-timeout=1", in: namespace)
            return output.status == 0 ? String(output.text.prefix { $0 != "\n" }) : "no answer"
        }

        /// Serves ports in an instance; each answers `<name> <port> saw <address>`.
        func serve(_ namespace: String, _ name: String, _ ports: [Int], transport: String = "TCP") throws {
            for port in ports {
                let answer = "echo \(name) \(port) saw $SOCAT_PEERADDR"
                let script = try host.write("\(name)-\(transport)-\(port).sh", "#!/bin/sh\nread line\n\(answer)\n")
                try host.expect("chmod 755 \(script)")
                try host.launch(
                    "socat \(transport)4-LISTEN:\(port),fork,reuseaddr EXEC:\(script) >/dev/null 2>&1 </dev/null &", in: namespace)
            }
            let table = transport == "TCP" ? "ss -Hltn" : "ss -Hlun"
            #expect(try eventually { try host.run(table, in: namespace).text.split(separator: "\n").count >= ports.count })
        }
    }

    @Test("A port, a range to one port, a range to itself and a range to another one lead where they should")
    func shapes() throws {
        let scene = try Scene([
            forwarding(60, 6, "203.0.113.50", 80...80, to: "10.0.0.5", 8080...8080),
            forwarding(61, 6, "203.0.113.50", 1000...1999, to: "10.0.0.5", 22...22),
            forwarding(62, 6, "203.0.113.50", 3000...3009, to: "10.0.0.6", 3000...3009),
            forwarding(63, 6, "203.0.113.50", 5000...5009, to: "10.0.0.6", 6000...6009),
            forwarding(64, 17, "203.0.113.50", 80...80, to: "10.0.0.6", 53...53),
        ])
        defer { scene.host.remove() }
        try scene.serve(scene.a, "a", [8080, 22])
        try scene.serve(scene.b, "b", [3007, 6007])
        try scene.serve(scene.b, "b", [53], transport: "UDP")
        #expect(try scene.ask("203.0.113.50", 80, from: scene.outside) == "a 8080 saw 203.0.113.1")
        #expect(try scene.ask("203.0.113.50", 1000, from: scene.outside) == "a 22 saw 203.0.113.1")
        #expect(try scene.ask("203.0.113.50", 1999, from: scene.outside) == "a 22 saw 203.0.113.1")
        #expect(try scene.ask("203.0.113.50", 2000, from: scene.outside) == "no answer")
        #expect(try scene.ask("203.0.113.50", 3007, from: scene.outside) == "b 3007 saw 203.0.113.1")
        #expect(try scene.ask("203.0.113.50", 5007, from: scene.outside) == "b 6007 saw 203.0.113.1")
        #expect(try scene.ask("203.0.113.50", 80, from: scene.outside, transport: "UDP") == "b 53 saw 203.0.113.1")
    }

    @Test("A forwarding is reached from its own network, its neighbours are the gateway's address, and its address is its own outside")
    func hairpin() throws {
        let scene = try Scene([forwarding(60, 6, "203.0.113.50", 80...80, to: "10.0.0.5", 8080...8080)])
        defer { scene.host.remove() }
        try scene.serve(scene.a, "a", [8080])
        try scene.serve(scene.outside, "outside", [99])
        #expect(try scene.ask("203.0.113.50", 80, from: scene.b) == "a 8080 saw 203.0.113.10")
        #expect(try scene.ask("203.0.113.50", 80, from: scene.a) == "a 8080 saw 203.0.113.10")
        #expect(try scene.ask("203.0.113.1", 99, from: scene.a) == "outside 99 saw 203.0.113.10")
        // The address itself answers, on the external link.
        try scene.host.expect("ping -c 1 -W 2 203.0.113.50", in: scene.outside)
    }

    @Test("Forwardings come and go while a ping through the router, a floating IP and another forwarding go on")
    func update() throws {
        let kept = forwarding(60, 6, "203.0.113.50", 80...80, to: "10.0.0.5", 8080...8080)
        let scene = try Scene([kept], floatingIPs: [floating(51, "203.0.113.51", to: "10.0.0.6")])
        defer { scene.host.remove() }
        try scene.serve(scene.a, "a", [8080])
        try scene.host.expect("ping -c 1 -W 2 203.0.113.1", in: scene.a)
        let log = "\(scene.host.directory)/ping"
        for (name, target, namespace) in [("out", "203.0.113.1", scene.a), ("in", "203.0.113.51", scene.outside)] {
            try scene.host.launch("ping -i 0.01 -c 300 -W 2 \(target) >\(log)-\(name) 2>&1 </dev/null &", in: namespace)
        }
        for round in 0..<4 {
            try scene.router.realise { router in
                router.portForwardings.append(forwarding(70 + round, 6, "203.0.113.60", 1000...1100, to: "10.0.0.6", 2000...2100))
                router.floatingIPs.append(floating(80 + round, "203.0.113.\(80 + round)", to: "10.0.2.\(80 + round)"))
                router.routes = [
                    StaticRoute(destination: prefix("172.16.0.0/16"), nextHop: ip("10.0.0.5")),
                    StaticRoute(destination: prefix("172.16.0.0/16"), nextHop: ip("10.0.2.9")),
                ]
                router.gatewayLimits = .init(egress: .init(kilobitsPerSecond: 100_000 + round, burstKilobits: 0))
                router.connectionHelpers = [.init(id: id(90), helper: "ftp", protocolNumber: 6, port: 21 + round)]
                router.interfaces[1].scope4 = id(700)
            }
            #expect(try scene.ask("203.0.113.50", 80, from: scene.outside) == "a 8080 saw 203.0.113.1")
            try scene.router.realise { router in
                router.portForwardings = [kept]
                router.floatingIPs.removeLast()
                router.routes = []
                router.gatewayLimits = nil
                router.connectionHelpers = []
                router.interfaces[1].scope4 = nil
            }
        }
        for name in ["out", "in"] {
            #expect(try eventually { try scene.host.run("cat \(log)-\(name)").text.contains("packets transmitted") })
            let text = try scene.host.run("cat \(log)-\(name)").text
            #expect(text.contains("300 packets transmitted, 300 received"), "\(text.suffix(300))")
        }
    }
}
