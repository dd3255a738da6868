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

    @Test("A new agent replaces each firewall once and changes nothing else")
    func restart() throws {
        var world = RandomWorld(seed: 3)
        var bench = Bench(kernel: try strangersHost())
        let desired = world.host()
        _ = bench.reconciler.apply(desired, .full)
        let before = bench.kernel.rendered
        bench.restartAgent()
        bench.kernel.clearLog()
        _ = bench.reconciler.apply(desired, .full)
        let withFirewall = ([desired.own] + desired.namespaces.values).count { !$0.firewall.isEmpty }
        #expect(withFirewall > 1)
        #expect(bench.kernel.performed.count == withFirewall)
        for operation in bench.kernel.performed {
            guard case .applyFirewall = operation else {
                Issue.record("\(operation) is not needed")
                continue
            }
        }
        #expect(bench.kernel.rendered == before)
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
