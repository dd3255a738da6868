import Addressing
import Drivers
import FakeKernel
import KernelInterface
import Testing

@Suite struct GoldenHostTests {
    @Test("A host with a network, an instance, DHCP and a router looks like this")
    func smallHost() throws {
        let bench = Bench()
        try bench.plug(["tap7"])
        var builder = HostBuilder()
        builder.network(1)
        builder.flood(1, to: ip(192, 0, 2, 2))
        builder.remotePort(8, network: 1, at: ip(192, 0, 2, 2))
        builder.port(7, network: 1)
        builder.dhcp(1)
        builder.router(1, networks: [1])
        builder.defaultRoute(1, via: ip(10, 1, 0, 9), network: 1)
        builder.floatingIP(1, ip(203, 0, 113, 5), to: ip(10, 1, 0, 10))
        let report = bench.reconciler.apply(builder.host, .full)
        #expect(report.isComplete)
        #expect(bench.kernel.rendered == Self.golden)
    }

    private static let golden = """
        host
          link brq1, bridge, mac 02:9c:05:b3:48:47, mtu 1450, up
          link tap7, foreign, mtu 1450, up, port of brq1
          link tapdhcp1, veth ns-1 in qdhcp-1, mtu 1450, up, port of brq1, alias neutrino:ns-1
          link tapr1-1, veth qr-1-1 in qrouter-1, mtu 1450, up, port of brq1, alias neutrino:qr-1-1
          link vxlan-1, vxlan 101 local 192.0.2.1 port 4789, mtu 1450, up, port of brq1, suppressing, not learning
          forward vxlan-1 00:00:00:00:00:00 to 192.0.2.2
          forward vxlan-1 fa:16:3e:00:00:08
          forward vxlan-1 fa:16:3e:00:00:08 to 192.0.2.2
          neighbour brq1 10.1.0.11 fa:16:3e:00:00:08
          sysctl net/bridge/bridge-nf-call-iptables = 1
          table bridge neutrino-security
            set addresses (type ifname . ether_addr . ipv4_addr)
              tap7 . fa:16:3e:00:00:07 . 10.1.0.10
            map from_instance (type ifname : verdict)
              tap7 : jump from_web
            set ports (type ifname)
              tap7
            chain forward (type filter hook forward priority filter; policy accept;)
              iifname vmap @from_instance
            chain from_web
              accept
            chain prerouting (type filter hook prerouting priority -300; policy accept;)
              iifname @ports goto spoofing
            chain spoofing
              iifname . ether saddr . ip saddr @addresses accept
              drop
        qdhcp-1
          link ns-1, veth tapdhcp1, mac fa:16:3e:01:00:01, mtu 1450, up
          address ns-1 10.1.0.2/24
        qrouter-1
          link qr-1-1, veth tapr1-1, mac fa:16:3e:02:01:01, mtu 1450, up
          address qr-1-1 10.1.0.1/24
          route 0.0.0.0/0 via 10.1.0.9 dev qr-1-1
          sysctl net/ipv4/ip_forward = 1
          sysctl net/ipv6/conf/qr-1-1/disable_ipv6 = 1
          table ip neutrino-nat
            map floating (type ipv4_addr : ipv4_addr)
              203.0.113.5 : 10.1.0.10
            chain prerouting (type nat hook prerouting priority dstnat; policy accept;)
              dnat to ip daddr map @floating

        """

    @Test("The firewall of a port is this script, and a table's first script replaces the whole table")
    func firewallScript() throws {
        let bench = Bench()
        try bench.plug(["tap7"])
        var builder = HostBuilder()
        builder.network(1)
        builder.port(7, network: 1)
        _ = bench.reconciler.apply(builder.host, .full)
        let scripts = bench.kernel.performed.compactMap { operation in
            if case .applyFirewall(let script, nil) = operation { script } else { nil }
        }
        #expect(
            scripts == [
                """
                add table bridge neutrino-security
                delete table bridge neutrino-security
                table bridge neutrino-security {
                \tset addresses {
                \t\ttype ifname . ether_addr . ipv4_addr
                \t\telements = {
                \t\t\ttap7 . fa:16:3e:00:00:07 . 10.1.0.10
                \t\t}
                \t}
                \tmap from_instance {
                \t\ttype ifname : verdict
                \t\telements = {
                \t\t\ttap7 : jump from_web
                \t\t}
                \t}
                \tset ports {
                \t\ttype ifname
                \t\telements = {
                \t\t\ttap7
                \t\t}
                \t}
                \tchain forward {
                \t\ttype filter hook forward priority filter; policy accept;
                \t\tiifname vmap @from_instance
                \t}
                \tchain from_web {
                \t\taccept
                \t}
                \tchain prerouting {
                \t\ttype filter hook prerouting priority -300; policy accept;
                \t\tiifname @ports goto spoofing
                \t}
                \tchain spoofing {
                \t\tiifname . ether saddr . ip saddr @addresses accept
                \t\tdrop
                \t}
                }

                """
            ])
    }

    @Test("An element of a map that gets another value is deleted by its key and added again in one script")
    func changedMapElement() throws {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        builder.router(1, networks: [1])
        var changed = builder
        builder.floatingIP(1, ip(203, 0, 113, 5), to: ip(10, 1, 0, 10))
        changed.floatingIP(1, ip(203, 0, 113, 5), to: ip(10, 1, 0, 11))
        _ = bench.reconciler.apply(builder.host, .full)
        bench.kernel.clearLog()
        #expect(bench.reconciler.apply(changed.host, .changed).failures.isEmpty)
        guard case .applyFirewall(let script, NamespaceName("qrouter-1")) = bench.kernel.performed.first else {
            Issue.record("\(bench.kernel.performed)")
            return
        }
        #expect(bench.kernel.performed.count == 1)
        #expect(
            script.hasPrefix(
                """
                delete element ip neutrino-nat floating {
                \t203.0.113.5
                }
                add element ip neutrino-nat floating {
                \t203.0.113.5 : 10.1.0.11
                }
                add table ip neutrino_mark_
                """))
    }

    @Test("Elements of a big set are written over many lines")
    func longLists() throws {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        builder.router(1, networks: [1])
        for last in 0..<200 { builder.floatingIP(1, ip(203, 0, 113, last), to: ip(10, 1, 0, last)) }
        #expect(bench.reconciler.apply(builder.host, .full).failures.isEmpty)
        guard
            case .applyFirewall(let script, _) = bench.kernel.performed.last(where: { if case .applyFirewall = $0 { true } else { false } })
        else {
            Issue.record("no firewall was applied")
            return
        }
        #expect(script.split(separator: "\n").allSatisfy { $0.utf8.count < 400 })
        #expect(
            bench.kernel.firewallTable("ip neutrino-nat", in: NamespaceName("qrouter-1"))?.sets["floating"]?.elements.count == 200)
    }
}
