import Addressing
import Converters
import HostModel
import KernelInterface
import Testing

@Suite("Tunnels take packets of the cloud's hosts only")
struct UnderlayFilterTests {
    private func table(_ items: HostItem..., settings: AgentSettings = settings) -> FirewallTable? {
        HostConverter.convert(view(items), settings).configuration.own.firewall.first { $0.name == "neutrino_underlay" }
    }

    @Test("A host with tunnels knows the endpoints of all its networks, and drops and counts what comes from others to its port")
    func content() throws {
        var own = settings
        own.vxlanPort = 8472
        let found = try #require(
            table(
                network(remotes: [ip("192.0.2.2"), ip("192.0.2.1")]),
                network(.vxlan(vni: 78), id: id(2), remotes: [ip("192.0.2.3"), ip("2001:db8::3")]), settings: own))
        #expect(found.family == .inet)
        #expect(found.sets["endpoints_ipv4"]?.elements == ["192.0.2.2", "192.0.2.3"], "its own address is nobody else's")
        #expect(found.sets["endpoints_ipv6"]?.elements == ["2001:db8::3"])
        #expect(found.chains["input"]?.rules == ["udp dport 8472 goto tunnels"])
        let local = try #require(own.tunnelAddress)
        #expect(found.chains["raw_in"]?.rules == ["ip daddr \(local) udp dport 8472 notrack"])
        #expect(found.chains["raw_out"]?.rules == ["ip saddr \(local) udp dport 8472 notrack"])
        #expect(
            found.chains["tunnels"]?.rules
                == [
                    "iifname \"tap*\" counter name foreign_vxlan drop", "ip saddr @endpoints_ipv4 accept",
                    "ip6 saddr @endpoints_ipv6 accept", "counter name foreign_vxlan drop",
                ])
        #expect(found.objects.keys.sorted() == ["foreign_vxlan"])
    }

    @Test("A host that shares its tunnelled networks with nobody takes nothing, and one without any leaves the port alone")
    func nobody() throws {
        let alone = try #require(table(network()))
        #expect(alone.sets.values.allSatisfy { $0.elements.isEmpty })
        #expect(table(network(.local)) == nil && table(network(.flat(physicalNetwork: "physnet1"))) == nil && table() == nil)
        var without = settings
        without.tunnelAddress = nil
        #expect(table(network(), settings: without) == nil)
    }

    @Test("Hosts that come, go and change their endpoints are elements; chains and counter stay")
    func changes() throws {
        var (view, changes) = (view(network(remotes: [ip("192.0.2.2")])), HostChanges())
        var converter = HostConverter(settings: settings)
        func found() throws -> FirewallTable {
            let tables = converter.convert(view, changes).configuration.own.firewall
            changes = HostChanges()
            return try #require(tables.first { $0.name == "neutrino_underlay" })
        }
        changes = .everything
        var before = try found()
        for remotes in [["192.0.2.2", "192.0.2.3"], ["192.0.2.33"], []] {
            changes.apply(.put(network(remotes: Set(remotes.map(ip)))), to: &view)
            let after = try found()
            #expect(after.sets["endpoints_ipv4"]?.elements == Set(remotes))
            before.sets = after.sets
            #expect(after == before)
        }
    }

    @Test("Packets of endpoints arrive, and those of strangers are counted, in both versions of IP", .enabled(if: isRoot, needsRoot))
    func packets() throws {
        let host = try TestHost()
        defer { host.remove() }
        let (own, other) = (try host.namespace("own"), try host.namespace("other"))
        try host.expect(
            """
            ip link add eth0 type veth peer name eth0 netns \(other)
            ip address add 192.0.2.1/24 dev eth0 && ip address add fd00::1/64 dev eth0 nodad && ip link set eth0 up
            """, in: own)
        try host.expect(
            """
            for last in 2 3; do ip address add 192.0.2.$last/24 dev eth0 && ip address add fd00::$last/64 dev eth0 nodad; done
            ip link set eth0 up
            """, in: other)
        let filter = try #require(table(network(remotes: [ip("192.0.2.2"), ip("fd00::2")])))
        let script = try host.write("filter.nft", firewallScript([filter]))
        try host.expect("nft -f \(script)", in: own)
        // What comes through, whoever listens.
        let probe = try host.write(
            "probe.nft",
            """
            table inet probe {
             counter arrived { }
             chain input {
              type filter hook input priority 10;
              udp dport 4789 counter name arrived
             }
            }

            """)
        try host.expect("nft -f \(probe)", in: own)
        for (sources, target) in [("192.0.2.", "192.0.2.1"), ("fd00::", "fd00::1")] {
            // Afterwards both ends know each other.
            try host.expect("for last in 2 3; do ping -c 1 -W 2 -I \(sources)$last \(target); done", in: other)
            for (last, name) in [(2, "arrived"), (3, "foreign_vxlan")] {
                let isIPv6 = sources.contains(":")
                let source = isIPv6 ? "[\(sources)\(last)]" : "\(sources)\(last)"
                let to = isIPv6 ? "UDP6-SENDTO:[\(target)]" : "UDP4-SENDTO:\(target)"
                try host.expect("nft reset counters", in: own)
                try host.expect("echo x | socat -u - \(to):4789,bind=\(source):5000", in: other)
                let words = try host.run("nft list counters", in: own).text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                let others = ["arrived", "foreign_vxlan"].filter { $0 != name }
                #expect(words.contains("counter \(name) { packets 1 "), "from \(source): \(words)")
                #expect(others.allSatisfy { words.contains("counter \($0) { packets 0 ") }, "from \(source): \(words)")
            }
        }
    }
}
