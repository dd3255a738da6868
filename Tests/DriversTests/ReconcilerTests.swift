import Addressing
import Drivers
import FakeKernel
import Glibc
import KernelInterface
import Testing

@Suite struct ReconcilerTests {
    @Test("One more port among 1,000 costs two operations, and nothing is listed")
    func minimality() throws {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        try bench.plug((0...1000).map { "tap\($0)" })
        for port in 0..<1000 { builder.port(port, network: 1) }
        for remote in 2000..<3000 { builder.remotePort(remote, network: 1, at: ip(192, 0, 2, 9)) }
        let first = bench.reconciler.apply(builder.host, .full)
        #expect(first.failures.isEmpty)
        bench.kernel.clearLog()
        builder.port(1000, network: 1)
        let report = bench.reconciler.apply(builder.host, .changed)
        #expect(report.performed == 2)
        guard bench.kernel.performed.count == 2, case .applyFirewall(let script, nil) = bench.kernel.performed[0],
            case .changeLink(let tap, nil) = bench.kernel.performed[1]
        else {
            Issue.record("\(bench.kernel.performed)")
            return
        }
        #expect(
            script == """
                add element bridge neutrino-security addresses {
                \ttap1000 . fa:16:3e:00:03:e8 . 10.1.4.3
                }
                add element bridge neutrino-security from_instance {
                \ttap1000 : jump from_web
                }
                add element bridge neutrino-security ports {
                \ttap1000
                }

                """)
        #expect(tap.name == "tap1000")
        #expect(bench.kernel.reads.allSatisfy { $0 == "generation host" })
    }

    @Test("A remote port that moves to another host costs one operation")
    func movedRemotePort() {
        let bench = Bench()
        var before = HostBuilder()
        before.network(1)
        var after = before
        before.remotePort(5, network: 1, at: ip(192, 0, 2, 7))
        after.remotePort(5, network: 1, at: ip(192, 0, 2, 8))
        _ = bench.reconciler.apply(before.host, .full)
        bench.kernel.clearLog()
        let report = bench.reconciler.apply(after.host, .changed)
        #expect(report.failures.isEmpty)
        #expect(
            bench.kernel.performed == [
                .addForwarding(.tunnel(mac: mac(5), link: "vxlan-1", remote: ip(192, 0, 2, 8)), nil)
            ])
    }

    @Test("An instance's tap enters its bridge after the rules that name it, and leaves before they go")
    func order() throws {
        let bench = Bench()
        try bench.plug(["tap1", "tap2"])
        var one = HostBuilder()
        one.network(1)
        var two = one
        one.port(1, network: 1)
        two.port(2, network: 1)
        _ = bench.reconciler.apply(one.host, .full)
        expectOrder(bench.kernel.performed, ["add brq1", "add vxlan-1", "firewall", "change tap1 into brq1"])
        bench.kernel.clearLog()
        _ = bench.reconciler.apply(two.host, .changed)
        expectOrder(bench.kernel.performed, ["change tap1 out", "firewall", "change tap2 into brq1"])
    }

    @Test("Removals come last, and what goes with a namespace is not removed one by one")
    func removalsLast() throws {
        let bench = Bench()
        var before = HostBuilder()
        before.network(1)
        before.network(2)
        before.dhcp(1)
        before.router(1, networks: [1, 2])
        var after = HostBuilder()
        after.network(2)
        after.network(3)
        _ = bench.reconciler.apply(before.host, .full)
        bench.kernel.clearLog()
        let report = bench.reconciler.apply(after.host, .changed)
        #expect(report.failures.isEmpty)
        expectOrder(
            bench.kernel.performed,
            ["add brq3", "add vxlan-3", "remove vxlan-1", "remove brq1", "remove namespace qdhcp-1", "remove namespace qrouter-1"])
        #expect(bench.kernel.performed.count == 6)
        #expect(try bench.kernel.links(in: nil).map(\.name) == ["brq2", "brq3", "lo", "vxlan-2", "vxlan-3"])
    }

    @Test("A tap stays outside its bridge as long as the firewall cannot be loaded")
    func failsClosed() throws {
        let bench = Bench()
        try bench.plug(["tap1"])
        bench.kernel.failAlways { if case .applyFirewall = $0 { true } else { false } }
        var builder = HostBuilder()
        builder.network(1)
        builder.port(1, network: 1)
        for _ in 0..<2 {
            let report = bench.reconciler.apply(builder.host, .changed)
            #expect(report.failures.map(\.subject) == [.firewall(nil), .link("tap1", nil)])
            #expect(try bench.kernel.links(in: nil).first { $0.name == "tap1" }?.bridge == nil)
        }
        bench.kernel.stopFailing()
        #expect(bench.reconciler.apply(builder.host, .changed).failures.isEmpty)
        #expect(try bench.kernel.links(in: nil).first { $0.name == "tap1" }?.bridge == "brq1")
    }

    @Test("A device that does not exist yet is reported as missing and wired when it appears")
    func missingLink() throws {
        let bench = Bench()
        try bench.plug(["tap1"])
        var builder = HostBuilder()
        builder.network(1)
        builder.port(1, network: 1)
        _ = bench.reconciler.apply(builder.host, .full)
        builder.port(2, network: 1)
        builder.host.own.forwarding.insert(.bridgePort(mac: mac(2), link: "tap2"))
        for _ in 0..<3 {
            let report = bench.reconciler.apply(builder.host, .changed)
            #expect(report.missingLinks == ["tap2"])
            #expect(report.failures.isEmpty)
        }
        try bench.plug(["tap2"])
        bench.kernel.clearLog()
        bench.reconciler.markLinksDirty(nil)
        let report = bench.reconciler.apply(builder.host, .changed)
        #expect(report.missingLinks.isEmpty)
        #expect(report.performed == 2)
        #expect(bench.kernel.reads == ["links host"])
        #expect(try bench.kernel.links(in: nil).first { $0.name == "tap2" }?.bridge == "brq1")
    }

    @Test("A tap that was deleted and made again is wired again after a link event")
    func recreatedTap() throws {
        let bench = Bench()
        try bench.plug(["tap1"])
        var builder = HostBuilder()
        builder.network(1)
        builder.port(1, network: 1)
        _ = bench.reconciler.apply(builder.host, .full)
        try bench.kernel.somebodyElse(.removeLink(name: "tap1", nil))
        bench.reconciler.markLinksDirty(nil)
        #expect(bench.reconciler.apply(builder.host, .changed).missingLinks == ["tap1"])
        try bench.plug(["tap1"])
        bench.reconciler.markLinksDirty(nil)
        #expect(bench.reconciler.apply(builder.host, .changed).performed == 1)
        #expect(try bench.kernel.links(in: nil).first { $0.name == "tap1" }?.bridge == "brq1")
    }

    @Test("A router that cannot be made holds up neither the others nor its own repair")
    func isolation() throws {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        for router in 1...3 {
            builder.router(router, networks: [1], host: router)
            builder.defaultRoute(router, via: ip(10, 1, 0, 9), network: 1)
        }
        bench.kernel.failAlways(link: "tapr2-1")
        let report = bench.reconciler.apply(builder.host, .full)
        #expect(Set(report.failures.map(\.subject)) == [.link("tapr2-1", nil), .link("qr-2-1", NamespaceName("qrouter-2"))])
        for router in [1, 3] { #expect(try bench.kernel.routes(in: NamespaceName("qrouter-\(router)")).count == 1) }
        bench.kernel.stopFailing()
        bench.kernel.clearLog()
        #expect(bench.reconciler.apply(builder.host, .changed).failures.isEmpty)
        #expect(try bench.kernel.routes(in: NamespaceName("qrouter-2")).count == 1)
        #expect(bench.reconciler.apply(builder.host, .full).performed == 0)
    }

    @Test("A namespace that cannot be made is one failure, and all else is done")
    func namespaceFailure() throws {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        builder.dhcp(1)
        builder.router(1, networks: [1])
        bench.kernel.failNext(code: EMFILE) { $0 == .addNamespace(NamespaceName("qrouter-1")) }
        let report = bench.reconciler.apply(builder.host, .full)
        #expect(report.failures.first?.subject == .namespace(NamespaceName("qrouter-1")))
        #expect(try bench.kernel.namespaces() == [NamespaceName("qdhcp-1")])
        #expect(bench.reconciler.apply(builder.host, .changed).failures.isEmpty)
        #expect(try bench.kernel.namespaces() == [NamespaceName("qdhcp-1"), NamespaceName("qrouter-1")])
    }

    @Test("A namespace that cannot be read is reported and left alone until it can")
    func unreadable() throws {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        builder.dhcp(1)
        _ = bench.reconciler.apply(builder.host, .full)
        bench.kernel.clearLog()
        bench.kernel.failReading(NamespaceName("qdhcp-1"), code: EMFILE)
        let report = bench.reconciler.apply(builder.host, .full)
        #expect(report.failures.map(\.subject) == [.namespace(NamespaceName("qdhcp-1"))])
        #expect(report.performed == 0)
        bench.kernel.stopFailing()
        #expect(bench.reconciler.apply(builder.host, .changed).failures.isEmpty)
    }

    @Test("A name in /run/netns with nothing behind it is made a namespace again")
    func brokenNamespace() throws {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        builder.dhcp(1)
        let namespace = NamespaceName("qdhcp-1")
        bench.kernel.breakNamespace(namespace)
        let report = bench.reconciler.apply(builder.host, .full)
        #expect(report.failures.isEmpty)
        #expect(try bench.kernel.links(in: namespace).map(\.name) == ["lo", "ns-1"])
    }

    @Test("A deleted namespace is made again after its event")
    func deletedNamespace() throws {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        builder.dhcp(1)
        _ = bench.reconciler.apply(builder.host, .full)
        let before = bench.kernel.rendered
        try bench.kernel.somebodyElse(.removeNamespace(NamespaceName("qdhcp-1")))
        bench.reconciler.markDirty(NamespaceName("qdhcp-1"))
        #expect(bench.reconciler.apply(builder.host, .changed).failures.isEmpty)
        #expect(bench.kernel.rendered == before)
    }

    @Test("A device that somebody deleted comes back, with what hung on it, after the event of its namespace")
    func deletedDevice() throws {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        builder.remotePort(5, network: 1, at: ip(192, 0, 2, 7))
        builder.router(1, networks: [1])
        builder.defaultRoute(1, via: ip(10, 1, 0, 9), network: 1)
        _ = bench.reconciler.apply(builder.host, .full)
        let before = bench.kernel.rendered
        for (link, place) in [("vxlan-1", nil), ("brq1", nil), ("tapr1-1", nil), ("qr-1-1", NamespaceName("qrouter-1"))] {
            try bench.kernel.somebodyElse(.removeLink(name: link, place))
            bench.reconciler.markLinksDirty(place)
            #expect(bench.reconciler.apply(builder.host, .changed).failures.isEmpty)
            #expect(bench.kernel.rendered == before, "after the loss of \(link)")
        }
    }

    @Test("A flushed ruleset is loaded again by a full cycle, and by the next change of an element")
    func flushedRuleset() throws {
        let bench = Bench()
        try bench.plug(["tap1", "tap2"])
        var builder = HostBuilder()
        builder.network(1)
        builder.port(1, network: 1)
        _ = bench.reconciler.apply(builder.host, .full)
        let before = bench.kernel.rendered
        try bench.kernel.somebodyElse(.applyFirewall(script: "flush ruleset\n", nil))
        #expect(bench.reconciler.apply(builder.host, .full).performed == 1)
        #expect(bench.kernel.rendered == before)

        try bench.kernel.somebodyElse(.applyFirewall(script: "flush ruleset\n", nil))
        builder.port(2, network: 1)
        #expect(bench.reconciler.apply(builder.host, .changed).failures.isEmpty)
        #expect(bench.kernel.firewallTable("bridge neutrino-security")?.chains.count == 4)
    }

    @Test("A flushed ruleset is noticed without a full cycle, once")
    func noticedFlush() throws {
        let bench = Bench()
        try bench.plug(["tap1"])
        var builder = HostBuilder()
        builder.network(1)
        builder.port(1, network: 1)
        _ = bench.reconciler.apply(builder.host, .full)
        let before = bench.kernel.rendered
        #expect(!bench.reconciler.findChangedFirewalls())
        try bench.kernel.somebodyElse(.applyFirewall(script: "flush ruleset\n", nil))
        #expect(bench.reconciler.findChangedFirewalls())
        _ = bench.reconciler.apply(builder.host, .changed)
        #expect(bench.kernel.rendered == before)
        #expect(!bench.reconciler.findChangedFirewalls())
    }

    @Test("A ruleset that is flushed right after it was loaded, in the same cycle, is noticed")
    func flushWithinCycle() throws {
        let bench = Bench()
        try bench.plug(["tap1"])
        var builder = HostBuilder()
        builder.network(1)
        builder.port(1, network: 1)
        bench.kernel.somebodyElse(.applyFirewall(script: "flush ruleset\n", nil)) {
            if case .applyFirewall(_, nil) = $0 { true } else { false }
        }
        _ = bench.reconciler.apply(builder.host, .full)
        #expect(bench.kernel.firewallTable("bridge neutrino-security") == nil)
        #expect(bench.reconciler.findChangedFirewalls())
        _ = bench.reconciler.apply(builder.host, .changed)
        #expect(bench.kernel.firewallTable("bridge neutrino-security") != nil)
        #expect(!bench.reconciler.findChangedFirewalls())
    }

    @Test("An update of elements that the kernel refuses becomes a replacement in the same cycle")
    func firewallFallback() throws {
        let bench = Bench()
        try bench.plug(["tap1", "tap2"])
        var builder = HostBuilder()
        builder.network(1)
        builder.port(1, network: 1)
        _ = bench.reconciler.apply(builder.host, .full)
        bench.kernel.failNext { operation in
            if case .applyFirewall(let script, _) = operation { script.hasPrefix("add element") } else { false }
        }
        builder.port(2, network: 1)
        #expect(bench.reconciler.apply(builder.host, .changed).failures.isEmpty)
        #expect(bench.kernel.firewallTable("bridge neutrino-security")?.sets["ports"]?.elements == ["tap1", "tap2"])
    }

    @Test("A device with sysctls of its own comes up only after they are set")
    func silentDevice() {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        builder.router(1, networks: [1])
        _ = bench.reconciler.apply(builder.host, .full)
        let namespace = NamespaceName("qrouter-1")
        let quiet = bench.kernel.performed.firstIndex(
            of: .setSysctl(path: "net/ipv6/conf/qr-1-1/disable_ipv6", value: "1", namespace))
        let up = bench.kernel.performed.firstIndex {
            if case .changeLink(let link, namespace) = $0 { link.name == "qr-1-1" } else { false }
        }
        #expect(quiet != nil && up != nil)
        if let quiet, let up { #expect(quiet < up) }
    }

    @Test("A router's address is announced when it is added, and only then")
    func announcement() {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        builder.router(1, networks: [1])
        _ = bench.reconciler.apply(builder.host, .full)
        #expect(bench.kernel.announcements.map(\.link) == ["qr-1-1"])
        _ = bench.reconciler.apply(builder.host, .full)
        #expect(bench.kernel.announcements.count == 1)
    }

    @Test("Addresses and routes that keepalived put on a device are left alone")
    func unmanagedAddresses() throws {
        let bench = Bench()
        var builder = HostBuilder()
        builder.network(1)
        builder.router(1, networks: [1])
        let namespace = NamespaceName("qrouter-1")
        builder.host.namespaces[namespace]?.managesAddresses = []
        builder.host.namespaces[namespace]?.addresses = []
        _ = bench.reconciler.apply(builder.host, .full)
        let virtual = LinkAddress(link: "qr-1-1", address: InterfaceAddress(ip(10, 1, 0, 1), prefixLength: 24))
        try bench.kernel.somebodyElse(.addAddress(virtual, namespace))
        #expect(bench.reconciler.apply(builder.host, .full).performed == 0)
        #expect(try bench.kernel.addresses(in: namespace) == [virtual])
    }
}

/// Checks that the operations happened in this order; what is not named is ignored.
private func expectOrder(_ operations: [KernelOperation], _ expected: [String], _ location: SourceLocation = #_sourceLocation) {
    let words = operations.compactMap { operation -> String? in
        switch operation {
        case .addLink(let link, _): "add \(link.name)"
        case .changeLink(let link, _): "change \(link.name)" + (link.bridge.map { " into \($0)" } ?? " out")
        case .removeLink(let name, _): "remove \(name)"
        case .removeNamespace(let name): "remove namespace \(name)"
        case .applyFirewall: "firewall"
        default: nil
        }
    }
    #expect(words.filter(expected.contains) == expected, sourceLocation: location)
}
