import Drivers
import FakeKernel
import Glibc
import KernelInterface
import Testing

/// Namespaces whose ruleset the kernel does not take.
@Suite struct UnguardedNamespaceTests {
    private let namespace = NamespaceName("qrouter-1")

    private func host(_ change: String = "") -> HostConfiguration {
        var builder = HostBuilder()
        builder.network(1)
        builder.router(1, networks: [1])
        if !change.isEmpty { builder.host.namespaces[namespace]?.firewall[0].chains["extra"] = .init(rules: [change]) }
        let directory = Bench.state + "/ha/1"
        builder.host.daemons["keepalived/1"] = DaemonConfiguration(
            key: "keepalived/1", namespace: namespace,
            command: ["keepalived", "--conf-file=\(directory)/conf", "--pid-file=\(directory)/pid"],
            processIDFile: directory + "/pid", mark: directory + "/conf", files: [], directory: directory)
        return builder.host
    }

    private func refuseRules(_ bench: Bench) {
        bench.kernel.failAlways(code: EOPNOTSUPP) { [namespace] operation in
            if case .applyFirewall(_, namespace) = operation { true } else { false }
        }
    }

    @Test("A router whose rules cannot be loaded gets neither devices nor daemons, in no cycle, until they can")
    func withoutRules() throws {
        let bench = Bench()
        refuseRules(bench)
        for mode in [Reconciler.Mode.full, .changed, .full] {
            let report = bench.reconciler.apply(host(), mode)
            #expect(report.failures.contains { $0.subject == .firewall(namespace) })
            #expect(report.daemonActions.isEmpty)
            #expect(try bench.kernel.links(in: namespace).map(\.name) == ["lo"])
        }
        bench.kernel.stopFailing()
        let report = bench.reconciler.apply(host(), .changed)
        #expect(report.failures.isEmpty)
        #expect(report.daemonActions == [DaemonAction("keepalived/1", .started)])
        #expect(try bench.kernel.links(in: namespace).count == 2)
    }

    @Test("A router whose new rules cannot be loaded goes on with what it has")
    func withOldRules() throws {
        let bench = Bench()
        #expect(bench.reconciler.apply(host(), .full).failures.isEmpty)
        let links = try bench.kernel.links(in: namespace)
        refuseRules(bench)
        let report = bench.reconciler.apply(host("drop"), .changed)
        #expect(report.failures.map(\.subject) == [.firewall(namespace)])
        #expect(report.daemonActions.isEmpty)
        #expect(try bench.kernel.links(in: namespace) == links)
    }
}
