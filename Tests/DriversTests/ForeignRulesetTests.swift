import Drivers
import FakeKernel
import KernelInterface
import Testing

/// Docker, libvirt, fail2ban and others have tables of their own beside ours.
@Suite struct ForeignRulesetTests {
    private static let comes = KernelOperation.applyFirewall(script: "add table ip other\n", nil)
    private static let goes = KernelOperation.applyFirewall(script: "delete table ip other\n", nil)

    private func bench() throws -> (Bench, HostBuilder) {
        let bench = Bench()
        try bench.plug(["tap1", "tap2"])
        var builder = HostBuilder()
        builder.network(1)
        builder.port(1, network: 1)
        #expect(bench.reconciler.apply(builder.host, .full).findings.isEmpty)
        bench.kernel.clearLog()
        return (bench, builder)
    }

    private func scripts(_ bench: Bench) -> [String] {
        bench.kernel.performed.compactMap { if case .applyFirewall(let script, _) = $0 { script } else { nil } }
    }

    @Test("A table of somebody else that comes, changes and goes is nothing to repair, in no kind of cycle")
    func foreignTable() throws {
        let (bench, builder) = try bench()
        for operation in [Self.comes, Self.goes, Self.comes] {
            try bench.kernel.somebodyElse(operation)
            #expect(!bench.reconciler.findChangedFirewall(in: nil))
            #expect(!bench.reconciler.findChangedFirewalls())
        }
        try bench.kernel.somebodyElse(Self.goes)
        for mode in [Reconciler.Mode.changed, .full] {
            bench.reconciler.markDirty(nil)
            #expect(bench.reconciler.apply(builder.host, mode).findings.isEmpty)
        }
        #expect(scripts(bench).isEmpty)
    }

    @Test("A change of ours after one of somebody else costs the elements that differ, and the table and its counters stay")
    func changeAfterwards() throws {
        let (bench, start) = try bench()
        var builder = start
        try bench.kernel.somebodyElse(Self.comes)
        builder.port(2, network: 1)
        let report = bench.reconciler.apply(builder.host, .changed)
        #expect(report.findings.isEmpty && report.failures.isEmpty)
        let loaded = scripts(bench)
        #expect(loaded.count == 1 && loaded.allSatisfy { !$0.contains("table bridge neutrino-security") }, "\(loaded)")
        #expect(!bench.reconciler.findChangedFirewall(in: nil))
    }

    @Test("A change of somebody else between our look and the end of our cycle is told from ours", arguments: [false, true])
    func sameTime(isBefore: Bool) throws {
        let (bench, start) = try bench()
        var builder = start
        builder.port(2, network: 1)
        builder.network(2)
        // Links are made before rules are loaded.
        bench.kernel.somebodyElse(Self.comes) { operation in
            switch operation {
            case .addLink: isBefore
            case .applyFirewall: !isBefore
            default: false
            }
        }
        #expect(bench.reconciler.apply(builder.host, .changed).findings.isEmpty)
        #expect(!bench.reconciler.findChangedFirewall(in: nil))
        let count = scripts(bench).count
        bench.reconciler.markDirty(nil)
        #expect(bench.reconciler.apply(builder.host, .changed).findings.isEmpty)
        #expect(scripts(bench).count == count)
    }

    @Test("Somebody who changes a table of ours among changes of others, or right after one of ours, is found")
    func tampering() throws {
        let (bench, start) = try bench()
        var builder = start
        let before = bench.kernel.rendered
        let damage = KernelOperation.applyFirewall(script: "flush chain bridge neutrino-security spoofing\n", nil)
        for operation in [Self.comes, damage, Self.goes] { try bench.kernel.somebodyElse(operation) }
        #expect(bench.reconciler.findChangedFirewall(in: nil))
        #expect(bench.reconciler.apply(builder.host, .changed).findings == ["the ruleset was changed"])
        #expect(bench.kernel.rendered == before)

        bench.kernel.somebodyElse(damage) { if case .applyFirewall = $0 { true } else { false } }
        builder.port(2, network: 1)
        #expect(bench.reconciler.apply(builder.host, .changed).findings.isEmpty)
        try bench.kernel.somebodyElse(Self.comes)
        #expect(bench.reconciler.findChangedFirewall(in: nil))
        _ = bench.reconciler.apply(builder.host, .changed)
        #expect(
            bench.kernel.firewallTable("bridge neutrino-security")?.chains["spoofing"] == builder.host.own.firewall[0].chains["spoofing"])
        #expect(!bench.reconciler.findChangedFirewall(in: nil))
    }

    @Test("When nobody knows what a change was about, our tables are replaced")
    func unknown() throws {
        let kernel = FakeKernel()
        let reconciler = Reconciler(kernel: kernel, processes: kernel, stateDirectory: Bench.state, clock: { 0 })
        try kernel.plug(Link(name: "tap1", kind: .foreign, isUp: false))
        var builder = HostBuilder()
        builder.network(1)
        builder.port(1, network: 1)
        _ = reconciler.apply(builder.host, .full)
        try kernel.somebodyElse(Self.comes)
        #expect(reconciler.findChangedFirewall(in: nil))
        #expect(reconciler.apply(builder.host, .changed).findings == ["the ruleset was changed"])
    }
}
