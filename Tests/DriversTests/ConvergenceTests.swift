import Addressing
import Drivers
import FakeKernel
import KernelInterface
import Synchronization
import Testing

@Suite struct ConvergenceTests {
    @Test("An empty host becomes what its configuration says, and a second cycle has nothing to do", arguments: 1...40)
    func empty(seed: Int) throws {
        var world = RandomWorld(seed: seed)
        let desired = world.host()
        let bench = Bench(kernel: try strangersHost())
        let first = bench.reconciler.apply(desired, .full)
        #expect(first.failures.isEmpty)
        #expect(first.missingLinks.isEmpty)
        let before = bench.kernel.rendered
        for mode in [Reconciler.Mode.full, .changed] {
            let again = bench.reconciler.apply(desired, mode)
            #expect(again.performed == 0)
            #expect(again.failures.isEmpty)
        }
        #expect(bench.kernel.rendered == before)
    }

    @Test("What was found before makes no difference to the outcome, and strangers are left alone", arguments: 1...60)
    func garbage(seed: Int) throws {
        var world = RandomWorld(seed: seed)
        var bench = Bench(kernel: try strangersHost())
        _ = bench.reconciler.apply(world.host(), .full)
        try world.damage(bench.kernel, times: 12)
        bench.restartAgent()
        let desired = world.host()
        let report = bench.reconciler.apply(desired, .full)
        #expect(report.failures.isEmpty)
        let wrong = try difference(bench.kernel, desired)
        #expect(wrong == [])
        #expect(bench.reconciler.apply(desired, .full).performed == 0)
    }

    @Test("A sequence of changes ends where the last configuration alone leads", arguments: 1...40)
    func incremental(seed: Int) throws {
        var world = RandomWorld(seed: seed)
        let bench = Bench(kernel: try strangersHost())
        for _ in 0..<8 {
            let desired = world.host()
            let report = bench.reconciler.apply(desired, .changed)
            #expect(report.failures.isEmpty)
            let wrong = try difference(bench.kernel, desired)
            #expect(wrong == [])
        }
    }

    @Test("Operations that fail at random are repaired by the cycles that follow", arguments: 1...60)
    func randomFailures(seed: Int) throws {
        var world = RandomWorld(seed: seed)
        let bench = Bench(kernel: try strangersHost())
        for _ in 0..<4 {
            let desired = world.host()
            var dice = SeededGenerator(seed: seed)
            for _ in 0..<4 {
                let skipped = Int.random(in: 0..<20, using: &dice)
                let counter = Countdown(skipped)
                bench.kernel.failNext { _ in counter.isOver() }
            }
            _ = bench.reconciler.apply(desired, .changed)
            bench.kernel.stopFailing()
            var report = bench.reconciler.apply(desired, .changed)
            if !report.failures.isEmpty { report = bench.reconciler.apply(desired, .changed) }
            #expect(report.failures.isEmpty)
            let wrong = try difference(bench.kernel, desired)
            #expect(wrong == [])
        }
    }

    @Test("Damage between two cycles is repaired by a full one", arguments: 1...60)
    func repair(seed: Int) throws {
        var world = RandomWorld(seed: seed)
        let bench = Bench(kernel: try strangersHost())
        let desired = world.host()
        _ = bench.reconciler.apply(desired, .full)
        for _ in 0..<3 {
            try world.damage(bench.kernel, times: 6)
            let report = bench.reconciler.apply(desired, .full)
            #expect(report.failures.isEmpty)
            let wrong = try difference(bench.kernel, desired)
            #expect(wrong == [])
        }
    }

    @Test("A configuration of nothing removes everything of ours and nothing else")
    func removal() throws {
        var world = RandomWorld(seed: 7)
        let untouched = try strangersHost().rendered
        let bench = Bench(kernel: try strangersHost())
        var desired = world.host()
        desired.own.sysctls = [:]
        for tap in RandomWorld.taps { desired.own.links[tap] = nil }
        desired.own.firewall = desired.own.firewall.filter { _ in false }
        _ = bench.reconciler.apply(desired, .full)
        #expect(bench.kernel.rendered != untouched)
        let report = bench.reconciler.apply(HostConfiguration(), .changed)
        #expect(report.failures.isEmpty)
        #expect(bench.kernel.rendered == untouched)
    }

    @Test("A new agent replaces the host's own firewall once and changes nothing else", arguments: 1...10)
    func restart(seed: Int) throws {
        var world = RandomWorld(seed: seed)
        var bench = Bench(kernel: try strangersHost())
        let desired = world.host()
        _ = bench.reconciler.apply(desired, .full)
        let before = bench.kernel.rendered
        bench.restartAgent()
        bench.kernel.clearLog()
        _ = bench.reconciler.apply(desired, .full)
        #expect(bench.kernel.performed.count == (desired.own.firewall.isEmpty ? 0 : 1))
        for operation in bench.kernel.performed {
            guard case .applyFirewall(_, nil) = operation else {
                Issue.record("\(operation) is not needed")
                continue
            }
        }
        #expect(bench.kernel.rendered == before)
    }

    @Test("A new agent replaces a router's firewall that somebody else touched, or that shall be another one", arguments: [false, true])
    func restartAfterTouch(isTouched: Bool) throws {
        var builder = HostBuilder()
        builder.network(1)
        builder.router(1, networks: [1])
        builder.router(2, networks: [1], host: 2)
        var bench = Bench()
        _ = bench.reconciler.apply(builder.host, .full)
        builder.floatingIP(1, ip(203, 0, 113, 1), to: ip(10, 1, 0, 5))
        _ = bench.reconciler.apply(builder.host, .changed)
        let namespace = NamespaceName("qrouter-1")
        #expect(bench.kernel.firewallTable("ip neutrino-nat", in: namespace)?.sets["floating"]?.elements.count == 1)
        if isTouched {
            try bench.kernel.somebodyElse(
                .applyFirewall(script: "delete element ip neutrino-nat floating {\n\t203.0.113.1\n}\n", namespace))
        } else {
            builder.floatingIP(1, ip(203, 0, 113, 2), to: ip(10, 1, 0, 6))
        }
        bench.restartAgent()
        for expected in [1, 0] {
            bench.kernel.clearLog()
            #expect(bench.reconciler.apply(builder.host, .full).failures.isEmpty)
            #expect(bench.kernel.performed.count == expected)
            bench.restartAgent()
        }
        #expect(bench.kernel.firewallTable("ip neutrino-nat", in: namespace)?.sets["floating"]?.elements.count == (isTouched ? 1 : 2))
        #expect(try bench.kernel.firewallTables(in: namespace).count == 2)
    }
}

/// Is over after a number of questions.
final class Countdown: Sendable {
    private let left: Mutex<Int>

    init(_ count: Int) { left = Mutex(count) }

    func isOver() -> Bool {
        left.withLock { left in
            left -= 1
            return left < 0
        }
    }
}
