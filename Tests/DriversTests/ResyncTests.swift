import Drivers
import FakeKernel
import KernelInterface
import Testing

@Suite struct ResyncTests {
    private func routers(_ count: Int) -> HostBuilder {
        var builder = HostBuilder()
        builder.network(1)
        for router in 0..<count { builder.router(router, networks: [1], host: router + 1) }
        return builder
    }

    @Test("A resync repairs everything, and no cycle of it looks at more than a slice")
    func slices() throws {
        let bench = Bench()
        let desired = routers(50).host
        _ = bench.reconciler.apply(desired, .full)
        let before = bench.kernel.rendered
        for router in 0..<50 where router % 7 == 0 {
            try bench.kernel.somebodyElse(.setSysctl(path: "net/ipv4/ip_forward", value: "0", NamespaceName("qrouter-\(router)")))
        }
        try bench.kernel.somebodyElse(.addNamespace(NamespaceName("qrouter-leftover")))
        #expect(bench.reconciler.apply(desired, .changed).performed == 0)
        bench.reconciler.requestResync()
        var cycles = 0
        var isResyncing = true
        while isResyncing, cycles < 10 {
            bench.kernel.clearLog()
            let report = bench.reconciler.apply(desired, .changed)
            #expect(report.failures.isEmpty)
            let lookedAt = Set(bench.kernel.reads.filter { $0.hasPrefix("links qrouter-") })
            #expect(lookedAt.count <= Reconciler.resyncSlice)
            isResyncing = report.isResyncing
            cycles += 1
        }
        #expect(cycles == 4)
        #expect(bench.kernel.rendered == before)
        bench.kernel.clearLog()
        #expect(!bench.reconciler.apply(desired, .changed).isResyncing)
        #expect(bench.kernel.reads.isEmpty)
    }

    @Test("A change goes before the next slice, and a resync ends under steady change")
    func changesFirst() {
        let bench = Bench()
        var builder = routers(50)
        _ = bench.reconciler.apply(builder.host, .full)
        bench.reconciler.requestResync()
        _ = bench.reconciler.apply(builder.host, .changed)
        bench.kernel.clearLog()
        builder.floatingIP(49, ip(203, 0, 113, 1), to: ip(10, 1, 0, 5))
        let report = bench.reconciler.apply(builder.host, .changed)
        #expect(report.performed == 1 && report.isResyncing)
        #expect(!bench.kernel.reads.contains { $0.hasPrefix("links") })
        var cycles = 0
        var isResyncing = true
        while isResyncing, cycles < 100 {
            cycles += 1
            builder.floatingIP(49, ip(203, 0, 113, cycles + 1), to: ip(10, 1, 0, 5))
            isResyncing = bench.reconciler.apply(builder.host, .changed).isResyncing
        }
        #expect(cycles < 100)
    }

    @Test("The order in which routers are worked on makes no difference", arguments: [1, 2, 8])
    func width(width: Int) {
        let kernel = FakeKernel()
        let reconciler = Reconciler(kernel: kernel, processes: kernel, stateDirectory: Bench.state, width: width, clock: { 0 })
        var builder = routers(40)
        for network in 1...40 { builder.network(network) }
        let report = reconciler.apply(builder.host, .full)
        #expect(report.failures.isEmpty)
        let bench = Bench()
        _ = bench.reconciler.apply(builder.host, .full)
        #expect(kernel.rendered == bench.kernel.rendered)
        #expect(reconciler.apply(builder.host, .full).performed == 0)
    }
}
