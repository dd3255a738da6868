import Addressing
import Drivers
import FakeKernel
import KernelInterface
import Testing

@Suite struct FindingsTests {
    private struct Damage {
        var operation: KernelOperation
        var finding: String
    }

    private func bench() throws -> (Bench, HostConfiguration) {
        let bench = Bench()
        try bench.plug(["tap1", "tap2"])
        var builder = HostBuilder()
        builder.network(1)
        for port in 1...2 { builder.port(port, network: 1) }
        builder.remotePort(5, network: 1, at: ip(192, 0, 2, 7))
        #expect(bench.reconciler.apply(builder.host, .full).findings.isEmpty)
        return (bench, builder.host)
    }

    @Test("What somebody else did is said in words when it is repaired, once")
    func words() throws {
        let (bench, host) = try bench()
        var free = Link(name: "tap1", kind: .foreign, mtu: 1450)
        free.bridge = nil
        let tunnel = ForwardingEntry.tunnel(mac: mac(5), link: "vxlan-1", remote: ip(192, 0, 2, 7))
        let damages = [
            Damage(operation: .changeLink(free, nil), finding: "device tap1 is not in bridge brq1"),
            Damage(
                operation: .removeForwarding(tunnel, nil), finding: "forwarding entry fa:16:3e:00:00:05 to 192.0.2.7 of vxlan-1 is gone"),
            Damage(
                operation: .removeForwarding(.bridgePort(mac: mac(5), link: "vxlan-1"), nil),
                finding: "forwarding entry fa:16:3e:00:00:05 to port vxlan-1 is gone"),
            Damage(
                operation: .removeNeighbour(Neighbour(address: ip(10, 1, 0, 8), mac: mac(5), link: "brq1"), nil),
                finding: "neighbour 10.1.0.8 at fa:16:3e:00:00:05 on brq1 is gone"),
            Damage(operation: .applyFirewall(script: "flush ruleset\n", nil), finding: "table bridge neutrino-security is gone"),
            Damage(
                operation: .applyFirewall(script: "flush chain bridge neutrino-security spoofing\n", nil),
                finding: "the ruleset was changed"),
            Damage(operation: .removeLink(name: "vxlan-1", nil), finding: "device vxlan-1 is gone"),
        ]
        let before = bench.kernel.rendered
        for damage in damages {
            try bench.kernel.somebodyElse(damage.operation)
            bench.reconciler.markDirty(nil)
            let report = bench.reconciler.apply(host, .changed)
            #expect(report.findings.contains(damage.finding), "\(damage.operation): \(report.findings)")
            bench.reconciler.markDirty(nil)
            #expect(bench.reconciler.apply(host, .changed).findings.isEmpty)
        }
        #expect(bench.kernel.rendered == before)
    }

    @Test("What fails for good hides nothing of what somebody does to the rest: it is noticed, said and repaired")
    func besideFailures() throws {
        let (bench, good) = try bench()
        var builder = HostBuilder(host: good)
        builder.network(2)
        let host = builder.host
        bench.kernel.failAlways(link: "vxlan-2")
        #expect(!bench.reconciler.apply(host, .changed).failures.isEmpty)
        let entry = ForwardingEntry.bridgePort(mac: mac(5), link: "vxlan-1")
        for _ in 1...2 {
            try bench.kernel.somebodyElse(.removeForwarding(entry, nil))
            #expect(bench.reconciler.noteLoss(of: .forwarding(entry)))
            let report = bench.reconciler.apply(host, .changed)
            #expect(report.findings == ["forwarding entry fa:16:3e:00:00:05 to port vxlan-1 is gone"])
            #expect(!report.failures.isEmpty)
        }
        #expect(!bench.reconciler.noteLoss(of: .forwarding(.bridgePort(mac: mac(5), link: "vxlan-2"))))
    }

    @Test("An instance's device that somebody takes down, or gives another MTU, is a finding")
    func foreignProperties() throws {
        let (bench, host) = try bench()
        var device = try #require(bench.kernel.links(in: nil).first { $0.name == "tap1" })
        device.isUp = false
        try bench.kernel.somebodyElse(.changeLink(device, nil))
        bench.reconciler.markLinksDirty(nil)
        #expect(bench.reconciler.apply(host, .changed).findings == ["device tap1 is down"])
    }

    @Test("A device that its maker takes away is no finding")
    func foreignDevice() throws {
        let (bench, host) = try bench()
        try bench.kernel.somebodyElse(.removeLink(name: "tap1", nil))
        bench.reconciler.markLinksDirty(nil)
        let report = bench.reconciler.apply(host, .changed)
        #expect(report.findings.isEmpty && report.missingLinks == ["tap1"])
    }

    @Test("The loss of an entry asks for a repair when it is ours, and we did not remove it ourselves")
    func losses() throws {
        let (bench, host) = try bench()
        let entry = ForwardingEntry.bridgePort(mac: mac(5), link: "vxlan-1")
        #expect(!bench.reconciler.noteLoss(of: .forwarding(.bridgePort(mac: mac(6), link: "vxlan-1"))))
        #expect(!bench.reconciler.noteLoss(of: .neighbour(link: "eth0", address: ip(10, 1, 0, 8))))
        try bench.kernel.somebodyElse(.removeForwarding(entry, nil))
        #expect(bench.reconciler.noteLoss(of: .forwarding(entry)))
        #expect(bench.reconciler.apply(host, .changed).performed == 1)
        var builder = HostBuilder()
        builder.network(1)
        for port in 1...2 { builder.port(port, network: 1) }
        _ = bench.reconciler.apply(builder.host, .changed)
        #expect(!bench.reconciler.noteLoss(of: .forwarding(entry)))
    }

    @Test("An entry that somebody set asks for a repair when it stands in the place of one of ours")
    func replacements() throws {
        let (bench, host) = try bench()
        let (here, there) = (ip(192, 0, 2, 7), ip(192, 0, 2, 99))
        let ours = Neighbour(address: ip(10, 1, 0, 8), mac: mac(5), link: "brq1")
        let harmless: [LostEntry] = [
            .forwardingTo(.tunnel(mac: mac(5), link: "vxlan-1", remote: here)), .neighbourTo(ours),
            .forwardingTo(.tunnel(mac: mac(5), link: "vxlan-9", remote: there)),
            .forwardingTo(.tunnel(mac: mac(5), link: "flannel.1", remote: there)),
            .neighbourTo(Neighbour(address: ip(10, 1, 0, 8), mac: mac(6), link: "eth0")),
        ]
        for entry in harmless { #expect(!bench.reconciler.noteLoss(of: entry), "\(entry)") }
        let forged = ForwardingEntry.tunnel(mac: mac(5), link: "vxlan-1", remote: there)
        try bench.kernel.somebodyElse(.removeForwarding(.tunnel(mac: mac(5), link: "vxlan-1", remote: here), nil))
        try bench.kernel.somebodyElse(.addForwarding(forged, nil))
        #expect(bench.reconciler.noteLoss(of: .forwardingTo(forged)))
        #expect(
            bench.reconciler.apply(host, .changed).findings == [
                "forwarding entry fa:16:3e:00:00:05 to 192.0.2.7 of vxlan-1 is gone"
            ])
        #expect(try bench.kernel.forwardingEntries(in: nil) == host.own.forwarding)
        var neighbour = ours
        neighbour.mac = mac(6)
        try bench.kernel.somebodyElse(.setNeighbour(neighbour, nil))
        #expect(bench.reconciler.noteLoss(of: .neighbourTo(neighbour)))
        #expect(bench.reconciler.apply(host, .changed).findings.count == 1)
        #expect(try bench.kernel.neighbours(in: nil) == host.own.neighbours)
    }

    @Test("A further entry that somebody sets on our tunnel or bridge is a finding, and goes")
    func additions() throws {
        let (bench, host) = try bench()
        let there = ip(192, 0, 2, 99)
        let flood = try #require(MACAddress("00:00:00:00:00:00"))
        for (address, words) in [(flood, "00:00:00:00:00:00"), (mac(6), "fa:16:3e:00:00:06")] {
            let entry = ForwardingEntry.tunnel(mac: address, link: "vxlan-1", remote: there)
            try bench.kernel.somebodyElse(.addForwarding(entry, nil))
            #expect(bench.reconciler.noteLoss(of: .forwardingTo(entry)))
            #expect(bench.reconciler.apply(host, .changed).findings == ["forwarding entry \(words) to 192.0.2.99 of vxlan-1 was added"])
            #expect(try bench.kernel.forwardingEntries(in: nil) == host.own.forwarding)
        }
        let neighbour = Neighbour(address: ip(10, 1, 0, 77), mac: mac(5), link: "brq1")
        try bench.kernel.somebodyElse(.setNeighbour(neighbour, nil))
        #expect(bench.reconciler.noteLoss(of: .neighbourTo(neighbour)))
        #expect(
            bench.reconciler.apply(host, .changed).findings == ["neighbour 10.1.0.77 at fa:16:3e:00:00:05 on brq1 was added"])
        #expect(try bench.kernel.neighbours(in: nil) == host.own.neighbours)
    }

    @Test("Flags of a bridge's port that somebody sets are a finding that names them, and are as they were after it")
    func portFlags() throws {
        let (bench, host) = try bench()
        for (name, words) in [
            ("tap1", "flood off, isolated on, learning off"), ("vxlan-1", "flood off, isolated on, learning on, neigh_suppress off"),
        ] {
            let before = try #require(bench.kernel.links(in: nil).first { $0.name == name })
            var altered = before
            altered.bridgePort.alterations = [.isolated, .flood]
            altered.bridgePort.learns.toggle()
            if name == "vxlan-1" { altered.bridgePort.suppressesNeighbours = false }
            try bench.kernel.somebodyElse(.changeLink(altered, nil))
            bench.reconciler.markLinksDirty(nil)
            #expect(bench.reconciler.apply(host, .changed).findings == ["bridge port \(name) has \(words)"])
            #expect(try bench.kernel.links(in: nil).first { $0.name == name } == before)
        }
    }

    @Test("What somebody sets of a bridge of ours is a finding that names it, and is as it was after it")
    func bridgeOptions() throws {
        let (bench, host) = try bench()
        let before = try #require(bench.kernel.links(in: nil).first { $0.name == "brq1" })
        var altered = before
        altered.alterations = ["ageing_time 100", "vlan_filtering 1"]
        try bench.kernel.somebodyElse(.changeLink(altered, nil))
        bench.reconciler.markLinksDirty(nil)
        #expect(bench.reconciler.apply(host, .changed).findings == ["bridge brq1 has ageing_time 100, vlan_filtering 1"])
        #expect(try bench.kernel.links(in: nil).first { $0.name == "brq1" } == before)
    }

    @Test("A setting that security groups need and somebody changed is found by reading it and nothing else")
    func settings() throws {
        let (bench, host) = try bench()
        bench.kernel.clearLog()
        #expect(!bench.reconciler.findChangedSettings())
        #expect(bench.kernel.reads.count == 1, "\(bench.kernel.reads)")
        try bench.kernel.somebodyElse(.setSysctl(path: "net/bridge/bridge-nf-call-iptables", value: "0", nil))
        #expect(bench.reconciler.findChangedSettings())
        #expect(bench.reconciler.apply(host, .changed).findings == ["sysctl net/bridge/bridge-nf-call-iptables is 0"])
        #expect(try bench.kernel.sysctl("net/bridge/bridge-nf-call-iptables", in: nil) == "1")
        #expect(!bench.reconciler.findChangedSettings())
    }

    @Test("A memory for fragments that somebody makes larger stays so, without a word; a smaller one, and another time, are set back")
    func fragmentMemory() throws {
        var bench = Bench()
        let (size, time) = ("net/netfilter/nf_conntrack_frag6_high_thresh", "net/netfilter/nf_conntrack_frag6_timeout")
        var builder = HostBuilder()
        builder.host.own.sysctls = [size: "134217728", time: "1"]
        let host = builder.host
        _ = bench.reconciler.apply(host, .full)
        #expect(try bench.kernel.sysctls([size, time], in: nil) == [size: "134217728", time: "1"])
        for (path, value, kept) in [(size, "268435456", "268435456"), (size, "4194304", "134217728"), (time, "60", "1")] {
            try bench.kernel.somebodyElse(.setSysctl(path: path, value: value, nil))
            #expect(bench.reconciler.apply(host, .full).findings == (value == kept ? [] : ["sysctl \(path) is \(value)"]))
            #expect(try bench.kernel.sysctl(path, in: nil) == kept)
        }
        // Also by an agent that just started.
        try bench.kernel.somebodyElse(.setSysctl(path: size, value: "268435456", nil))
        bench.restartAgent()
        _ = bench.reconciler.apply(host, .full)
        #expect(try bench.kernel.sysctl(size, in: nil) == "268435456")
    }

    @Test(
        "Room for neighbours that somebody makes larger stays so; less is made more", arguments: ["ipv4", "ipv6"],
        ["gc_thresh2", "gc_thresh3"])
    func neighbourMemory(_ version: String, _ name: String) throws {
        let bench = Bench()
        let path = "net/\(version)/neigh/default/\(name)"
        var builder = HostBuilder()
        builder.host.own.sysctls = [path: "65536"]
        for (value, kept) in [("1024", "65536"), ("262144", "262144")] {
            try bench.kernel.somebodyElse(.setSysctl(path: path, value: value, nil))
            _ = bench.reconciler.apply(builder.host, .full)
            #expect(try bench.kernel.sysctl(path, in: nil) == kept)
        }
    }

    @Test("A new group costs new chains and elements, and the table and its counters stay")
    func newGroup() throws {
        let (bench, host) = try bench()
        bench.kernel.clearLog()
        var changed = host
        changed.own.firewall[0].chains["from_db"] = .init(rules: ["accept"])
        changed.own.firewall[0].chains["from_web"] = .init(rules: ["goto from_db"])
        changed.own.firewall[0].chains["spoofing"] = nil
        changed.own.firewall[0].chains["prerouting"]?.rules = ["iifname @ports accept"]
        changed.own.firewall[0].sets["addresses"] = nil
        changed.own.firewall[0].sets["from_instance"]?.elements = ["tap1 : jump from_db"]
        #expect(bench.reconciler.apply(changed, .changed).failures.isEmpty)
        guard case .applyFirewall(let script, nil)? = bench.kernel.performed.first else {
            Issue.record("\(bench.kernel.performed)")
            return
        }
        #expect(
            script == """
                delete element bridge neutrino-security from_instance {
                \ttap1, tap2
                }
                flush chain bridge neutrino-security from_web
                flush chain bridge neutrino-security prerouting
                table bridge neutrino-security {
                \tchain from_db {
                \t\taccept
                \t}
                \tchain from_web {
                \t\tgoto from_db
                \t}
                \tchain prerouting {
                \t\tiifname @ports accept
                \t}
                }
                add element bridge neutrino-security from_instance {
                \ttap1 : jump from_db
                }
                flush chain bridge neutrino-security spoofing
                delete chain bridge neutrino-security spoofing
                delete set bridge neutrino-security addresses

                """)
        #expect(bench.kernel.firewallTable("bridge neutrino-security") == changed.own.firewall[0])
    }
}
