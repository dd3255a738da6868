import Addressing
import Converters
import HostModel
import Testing

/// What a change of a standalone router does to what runs through it: instances a (10.0.0.5) and b (10.0.0.6) on network 1, c (10.0.2.7) on
/// network 2, and the outside (203.0.113.1).
@Suite("Changes of a router with real packets", .enabled(if: isRoot, needsRoot), .serialized)
struct RouterChangePacketTests {
    private struct Scene {
        let host: TestHost
        let router: RealRouter
        let a, b, c, outside: String

        init(_ change: (inout HostRouter) -> Void = { _ in }) throws {
            host = try TestHost()
            let network = try RealSwitch(host)
            var router = standaloneRouter()
            change(&router)
            self.router = try RealRouter(router, "router", on: network)
            a = try network.instance("a", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
            b = try network.instance("b", network: 1, address: "10.0.0.6/24", gateway: "10.0.0.1")
            c = try network.instance("c", network: 2, address: "10.0.2.7/24", gateway: "10.0.2.1")
            outside = try network.instance("outside", network: 3, address: "203.0.113.1/24", gateway: nil)
        }

        /// What the agent does with a change: it realises it, and then ends the connections that must not outlive it.
        func realise(_ change: (inout HostRouter) -> Void) throws {
            let before = router.router
            try router.realise(change)
            for command in ConntrackFlush(from: before, to: router.router).commands {
                // There may be nothing to end.
                try host.run(command.joined(separator: " "), in: router.namespace)
            }
        }

        func pings(_ target: String, from namespace: String) throws -> Bool {
            try host.run("ping -c 1 -W 2 \(target)", in: namespace).status == 0
        }

        /// The address that the outside sees of an instance.
        func source(of namespace: String) throws -> String? {
            try host.run("conntrack -D -p icmp", in: router.namespace)
            try host.expect("ping -c 1 -W 2 203.0.113.1", in: namespace)
            let words = try host.run("conntrack -L -p icmp 2>/dev/null", in: router.namespace).text.split(separator: " ")
            return words.last { $0.hasPrefix("dst=") }.map { String($0.dropFirst(4)) }
        }

        func talk(_ name: String, from client: String, to server: String, at address: String, port: Int) throws -> Conversation {
            let conversation = try Conversation(host, name, from: client, to: server, at: address, port: port)
            #expect(try conversation.say("before"))
            return conversation
        }
    }

    @Test("Of two addresses of a gateway both answer and the first speaks; when it goes, its connections end and the other one speaks")
    func twoAddresses() throws {
        func gateway(_ addresses: [String]) -> HostRouter.RouterPort {
            var port = routerPort(13, network: 3, gateways: ["203.0.113.1"])
            port.addresses = addresses.map(interfaceAddress)
            return port
        }
        let scene = try Scene { $0.gateway = gateway(["203.0.113.10/24", "203.0.113.11/24"]) }
        defer { scene.host.remove() }
        for address in ["203.0.113.10", "203.0.113.11"] { #expect(try scene.pings(address, from: scene.outside)) }
        #expect(try scene.source(of: scene.a) == "203.0.113.10")
        let outbound = try scene.talk("outbound", from: scene.a, to: scene.outside, at: "203.0.113.1", port: 9000)
        let inside = try scene.talk("inside", from: scene.a, to: scene.c, at: "10.0.2.7", port: 9001)
        try scene.realise { $0.gateway = gateway(["203.0.113.11/24"]) }
        #expect(try outbound.isCut())
        #expect(try inside.say("after"))
        #expect(try scene.source(of: scene.a) == "203.0.113.11")
        #expect(try !scene.pings("203.0.113.10", from: scene.outside))
    }

    @Test("A floating IP that moves to another instance leads to that one, and what was connected to the first is cut")
    func movedFloatingIP() throws {
        let scene = try Scene {
            $0.floatingIPs = [floating(50, "203.0.113.50", to: "10.0.0.5"), floating(51, "203.0.113.51", to: "10.0.2.7")]
        }
        defer { scene.host.remove() }
        let moved = try scene.talk("moved", from: scene.outside, to: scene.a, at: "203.0.113.50", port: 9000)
        let kept = try scene.talk("kept", from: scene.outside, to: scene.c, at: "203.0.113.51", port: 9001)
        let own = try scene.talk("own", from: scene.b, to: scene.outside, at: "203.0.113.1", port: 9002)
        #expect(try scene.source(of: scene.a) == "203.0.113.50")
        try scene.realise { $0.floatingIPs[0].fixedAddress = ip("10.0.0.6") }
        #expect(try moved.isCut())
        #expect(try kept.say("after"))
        // What the instance had through the gateway's address before it got one of its own.
        #expect(try own.say("after"))
        #expect(try scene.source(of: scene.b) == "203.0.113.50")
        #expect(try scene.source(of: scene.a) == "203.0.113.10")
        _ = try scene.talk("new", from: scene.outside, to: scene.b, at: "203.0.113.50", port: 9003)
    }

    @Test("A gateway that is removed takes its connections with it and leaves the others")
    func removedGateway() throws {
        let scene = try Scene { $0.floatingIPs = [floating(50, "203.0.113.50", to: "10.0.0.5")] }
        defer { scene.host.remove() }
        _ = try scene.talk("outbound", from: scene.b, to: scene.outside, at: "203.0.113.1", port: 9000)
        _ = try scene.talk("floating", from: scene.outside, to: scene.a, at: "203.0.113.50", port: 9001)
        let inside = try scene.talk("inside", from: scene.a, to: scene.c, at: "10.0.2.7", port: 9002)
        try scene.realise {
            $0.gateway = nil
            $0.floatingIPs = []
        }
        let connections = try scene.host.run("conntrack -L -p tcp 2>/dev/null", in: scene.router.namespace).text
        #expect(!connections.contains("203.0.113."), "\(connections)")
        #expect(connections.contains("dport=9002"))
        #expect(try inside.say("after"))
        #expect(try !scene.pings("203.0.113.10", from: scene.outside))
    }
}
