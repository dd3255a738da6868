import Addressing
import Converters
import Glibc
import HostModel
import NetworkModel
import Testing

/// A router between network 1 (2001:db8:1::/64, advertised) and the external network (2001:db8:ff::/64) with a real radvd.
@Suite("IPv6 of a router with a real radvd", .enabled(if: isRoot, needsRoot), .serialized)
struct RouterIPv6PacketTests {
    private struct Scene {
        let host: TestHost
        let router: RealRouter
        let instance, outside: String

        init() throws {
            host = try TestHost()
            let network = try RealSwitch(host)
            var router = standaloneRouter()
            router.interfaces[0].addresses.append(interfaceAddress("2001:db8:1::1/64"))
            router.interfaces[0].advertisement = .init(
                prefixes: [.init(prefix: prefix("2001:db8:1::/64"), isAutonomous: true)], isManaged: false, hasOtherConfiguration: true,
                dnsNameservers: [ip("2001:db8::53")])
            router.gateway?.addresses.append(interfaceAddress("2001:db8:ff::10/64"))
            router.gateway?.gateways.append(ip("2001:db8:ff::1"))
            self.router = try RealRouter(router, "router", on: network)
            instance = try network.instance("instance", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
            outside = try network.instance("outside", network: 3, address: "203.0.113.1/24", gateway: nil)
            try host.expect(
                """
                ip addr add 2001:db8:ff::1/64 dev eth0 nodad
                ip addr add 2001:db8:77::7/128 dev lo
                ip route add 2001:db8:1::/64 via 2001:db8:ff::10
                """, in: outside)
        }

        func startRadvd() throws {
            let daemon = try #require(router.pieces.daemons.first { $0.key.hasPrefix("radvd/") })
            for file in daemon.files { _ = try host.write(file.path, file.contents) }
            #expect(try runDetaching(["ip", "netns", "exec", router.namespace] + daemon.command) == 0)
        }

        /// What the agent does when the configuration of a running radvd changed.
        func reload() throws {
            let daemon = try #require(router.pieces.daemons.first { $0.key.hasPrefix("radvd/") })
            for file in daemon.files {
                _ = try host.write(file.path, file.contents)
                guard case .signal(let signal) = file.onChange else { continue }
                try host.expect("kill -\(signal) $(cat \(daemon.processIDFile))")
            }
        }

        func global(_ text: String) throws -> Bool {
            try host.run("ip -6 -o addr show dev eth0 scope global -tentative", in: instance).text.contains(text)
        }
    }

    @Test("An instance makes its address from the advertised prefix, finds its router and reaches the outside")
    func autonomous() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        try scene.startRadvd()
        #expect(try eventually { try scene.global(" 2001:db8:1:") })
        let routes = try scene.host.run("ip -6 route show default", in: scene.instance).text
        // The router's link-local address is made from its port's MAC.
        #expect(routes.contains("via fe80::f816:3eff:fe00:b"), "\(routes)")
        let mtu = try scene.host.run("cat /proc/sys/net/ipv6/conf/eth0/mtu", in: scene.instance).text
        #expect(mtu == "1450\n", "announced by the router")
        #expect(try eventually { try scene.host.run("ping -6 -c 1 -W 1 2001:db8:77::7", in: scene.instance).status == 0 })
        // A subnet that is added to the network is advertised at once.
        try scene.router.realise { router in
            router.interfaces[0].addresses.append(interfaceAddress("2001:db8:2::1/64"))
            router.interfaces[0].advertisement?.prefixes.append(.init(prefix: prefix("2001:db8:2::/64"), isAutonomous: true))
        }
        try scene.reload()
        #expect(try eventually { try scene.global(" 2001:db8:2:") })
        #expect(try scene.global(" 2001:db8:1:"))
    }

    @Test("Without an IPv6 gateway on its external network a router takes its default route from an advertisement there, and nothing else")
    func advertisedGateway() throws {
        for hasGateway in [false, true] {
            let host = try TestHost()
            defer { host.remove() }
            let network = try RealSwitch(host)
            var description = standaloneRouter()
            description.interfaces[0].addresses.append(interfaceAddress("2001:db8:1::1/64"))
            description.gateway?.addresses.append(interfaceAddress("2001:db8:ff::10/64"))
            if hasGateway { description.gateway?.gateways.append(ip("2001:db8:ff::1")) }
            let router = try RealRouter(description, "router", on: network)
            let outside = try network.instance("outside", network: 3, address: "203.0.113.1/24", gateway: nil)
            let instance = try network.instance("instance", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
            try host.expect(
                """
                ip addr add 2001:db8:ff::1/64 dev eth0 nodad && ip addr add 2001:db8:77::7/128 dev lo
                ip route add 2001:db8:1::/64 via 2001:db8:ff::10 && echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
                """, in: outside)
            try host.expect(
                "ip addr add 2001:db8:1::5/64 dev eth0 nodad && ip -6 route add default via 2001:db8:1::1", in: instance)
            let configuration = try host.write(
                "outside.conf",
                """
                interface eth0 {
                  AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 60;
                  prefix 2001:db8:ee::/64 { AdvOnLink on; AdvAutonomous on; };
                };

                """)
            let radvd = ["radvd", "-C", configuration, "-p", "\(host.directory)/outside.pid", "-m", "none"]
            #expect(try runDetaching(["ip", "netns", "exec", outside] + radvd) == 0)
            func advertised() throws -> String { try host.run("ip -6 route show proto ra", in: router.namespace).text }
            #expect(try eventually { try host.run("ping -6 -c 1 -W 1 2001:db8:77::7", in: instance).status == 0 })
            #expect(try advertised().contains("default via fe80::") != hasGateway)
            let addresses = try host.run("ip -6 addr show; ip -6 route show", in: router.namespace).text
            #expect(!addresses.contains("2001:db8:ee:"), "\(addresses)")
        }
    }

    @Test(
        "A gateway that the external network gets takes the place of the advertised one at once, and an advertised MTU changes nothing",
        arguments: [false, true])
    func gatewayComes(isRedundant: Bool) throws {
        let host = try TestHost()
        defer { host.remove() }
        let network = try RealSwitch(host)
        var description = isRedundant ? redundantRouter(member: 1, of: 1) : standaloneRouter()
        description.interfaces[0].addresses.append(interfaceAddress("2001:db8:1::1/64"))
        description.gateway?.addresses.append(interfaceAddress("2001:db8:ff::10/64"))
        let router = try RealRouter(description, "router", on: network)
        let outside = try network.instance("outside", network: 3, address: "203.0.113.1/24", gateway: nil)
        try host.expect(
            "ip addr add 2001:db8:ff::1/64 dev eth0 nodad && echo 1 > /proc/sys/net/ipv6/conf/all/forwarding", in: outside)
        if isRedundant { try router.startKeepalived() }
        let configuration = try host.write(
            "outside.conf",
            "interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 1800; AdvLinkMTU 1300; };\n")
        let radvd = ["radvd", "-C", configuration, "-p", "\(host.directory)/outside.pid", "-m", "none"]
        #expect(try runDetaching(["ip", "netns", "exec", outside] + radvd) == 0)
        func defaultRoutes() throws -> String { try host.run("ip -6 route show default", in: router.namespace).text }
        #expect(try eventually { try defaultRoutes().contains("default via fe80::") })
        #expect(try host.run("cat /proc/sys/net/ipv6/conf/\(device("qg-", 13))/mtu", in: router.namespace).text == "1500\n")
        let hasCome: (inout HostRouter) -> Void = { $0.gateway?.gateways.append(ip("2001:db8:ff::1")) }
        if isRedundant { try router.change(hasCome) } else { try router.realise(hasCome) }
        #expect(try eventually { try defaultRoutes().contains("via 2001:db8:ff::1 ") })
        let routes = try defaultRoutes()
        #expect(!routes.contains("proto ra"), "\(routes)")
    }

    @Test("radvd of a backup, which has no link-local address, runs and is silent until it gets one")
    func backup() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let link = device("qr-", 11)
        try scene.host.expect("ip -6 addr flush dev \(link)", in: scene.router.namespace)
        try scene.startRadvd()
        try scene.host.launch(
            "tcpdump -l -n -i eth0 'icmp6 and ip6[40] == 134' >\(scene.host.directory)/heard 2>/dev/null </dev/null &", in: scene.instance)
        // A solicitation would be answered at once.
        try scene.host.expect("ip link set eth0 down && ip link set eth0 up", in: scene.instance)
        #expect(try !scene.global(" 2001:db8:1:"))
        try scene.host.expect("ip addr add fe80::f816:3eff:fe00:b/64 dev \(link) nodad", in: scene.router.namespace)
        #expect(try eventually { try scene.global(" 2001:db8:1:") })
    }
}
