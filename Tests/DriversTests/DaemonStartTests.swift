import Dispatch
import Drivers
import FakeKernel
import Glibc
import KernelInterface
import Synchronization
import Testing

/// Daemons that are started beside the cycle.
@Suite struct DaemonStartTests {
    /// A host whose programs of some daemons do not end before they are told to.
    private final class SlowHost: Sendable {
        let kernel = FakeKernel()
        private let ends = DispatchSemaphore(value: 0)
        private let gate = DispatchSemaphore(value: 0)
        private let begun = DispatchSemaphore(value: 0)

        /// `isSlow`: of a daemon's command.
        init(isSlow: @escaping @Sendable ([String]) -> Bool) {
            let (gate, begun) = (gate, begun)
            kernel.beforeStart { command in
                guard isSlow(command) else { return }
                begun.signal()
                gate.wait()
            }
        }

        func agent(_ clock: ManualClock) -> Reconciler {
            let ends = ends
            return Reconciler(
                kernel: kernel, processes: kernel, stateDirectory: Bench.state, onStartEnd: { ends.signal() },
                clock: { clock.milliseconds })
        }

        /// Until a slow program runs: what was only ordered is not run at all when nobody wants it any more.
        func waitForBegin() { #expect(begun.wait(timeout: .now() + .seconds(20)) == .success) }
        func letGo() { gate.signal() }
        func waitForEnd() { #expect(ends.wait(timeout: .now() + .seconds(20)) == .success) }
    }

    private func daemon(_ number: Int, hosts: String = "hosts\n") -> DaemonConfiguration {
        let directory = Bench.state + "/dhcp/\(number)"
        return DaemonConfiguration(
            key: "dnsmasq/\(number)", namespace: NamespaceName("qdhcp-\(number)"),
            command: ["dnsmasq", "--conf-file=\(directory)/conf", "--pid-file=\(directory)/pid"],
            processIDFile: directory + "/pid", mark: directory + "/conf",
            files: [ConfigurationFile(path: directory + "/hosts", contents: hosts, onChange: .signal(SIGHUP))], directory: directory)
    }

    private func host(_ daemons: DaemonConfiguration...) -> HostConfiguration {
        var builder = HostBuilder()
        for daemon in daemons {
            if let number = daemon.key.last?.wholeNumberValue {
                builder.network(number)
                builder.dhcp(number)
            }
            builder.host.daemons[daemon.key] = daemon
        }
        return builder.host
    }

    private static func isFirst(_ command: [String]) -> Bool { command.contains { $0.contains("/dhcp/1/") } }

    @Test("While a daemon takes its time to start, cycles go on: others are started, changed and stopped")
    func slowStart() throws {
        let slow = SlowHost(isSlow: Self.isFirst)
        let agent = slow.agent(ManualClock())
        let report = agent.apply(host(daemon(1), daemon(2)), .full)
        #expect(!report.isComplete && report.failures.isEmpty)
        #expect(report.startingDaemons.contains("dnsmasq/1"))
        slow.waitForEnd()
        #expect(agent.apply(host(daemon(1), daemon(2)), .changed).daemonActions == [DaemonAction("dnsmasq/2", .started)])
        let changed = agent.apply(host(daemon(1), daemon(2, hosts: "more\n")), .changed)
        #expect(changed.daemonActions == [DaemonAction("dnsmasq/2", .signalled(SIGHUP))])
        #expect(agent.apply(host(daemon(1)), .changed).daemonActions == [DaemonAction("dnsmasq/2", .stopped)])

        slow.letGo()
        slow.waitForEnd()
        let last = agent.apply(host(daemon(1)), .changed)
        #expect(last.daemonActions == [DaemonAction("dnsmasq/1", .started)])
        #expect(last.isComplete && last.startingDaemons.isEmpty)
        #expect(slow.kernel.runningProcesses.count == 1)
    }

    @Test("What changed of a daemon while it started is told to it afterwards")
    func changedMeanwhile() throws {
        let slow = SlowHost(isSlow: Self.isFirst)
        let agent = slow.agent(ManualClock())
        _ = agent.apply(host(daemon(1)), .full)
        #expect(agent.apply(host(daemon(1, hosts: "more\n")), .changed).daemonActions.isEmpty)
        #expect(try slow.kernel.readFile(daemon(1).files[0].path) == "hosts\n")
        slow.letGo()
        slow.waitForEnd()
        let report = agent.apply(host(daemon(1, hosts: "more\n")), .changed)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", .started), DaemonAction("dnsmasq/1", .signalled(SIGHUP))])
        #expect(try slow.kernel.readFile(daemon(1).files[0].path) == "more\n")
        #expect(report.isComplete)
    }

    @Test("A daemon that nobody wants any more while it starts keeps its namespace until it has started, and ends then")
    func unwantedMeanwhile() throws {
        let slow = SlowHost(isSlow: Self.isFirst)
        let agent = slow.agent(ManualClock())
        _ = agent.apply(host(daemon(1)), .full)
        slow.waitForBegin()
        for mode in [Reconciler.Mode.changed, .full] {
            #expect(agent.apply(HostConfiguration(), mode).daemonActions.isEmpty)
            #expect(try slow.kernel.namespaces() == [NamespaceName("qdhcp-1")])
        }
        slow.letGo()
        slow.waitForEnd()
        #expect(agent.apply(HostConfiguration(), .changed).daemonActions == [DaemonAction("dnsmasq/1", .stopped)])
        #expect(slow.kernel.renderedProcesses == "")
        #expect(try slow.kernel.namespaces().isEmpty)
    }

    @Test("A start that failed is said in the cycle that it wakes, and tried again later")
    func failedStart() {
        let slow = SlowHost(isSlow: { _ in false })
        slow.kernel.onStart { _ in .fails("bad configuration") }
        let clock = ManualClock()
        let agent = slow.agent(clock)
        #expect(agent.apply(host(daemon(1)), .full).failures.isEmpty)
        slow.waitForEnd()
        var report = agent.apply(host(daemon(1)), .changed)
        #expect(report.failures == [Failure(.daemon("dnsmasq/1"), "bad configuration")])
        slow.kernel.onStart { _ in .runs }
        clock.milliseconds += report.retryAfterMilliseconds ?? 0
        // What the cycle after the failure ordered may have failed as well.
        for _ in 0..<4 where !report.isComplete {
            if !report.startingDaemons.isEmpty { slow.waitForEnd() }
            clock.milliseconds += report.retryAfterMilliseconds ?? 0
            report = agent.apply(host(daemon(1)), .changed)
        }
        #expect(report.isComplete)
        #expect(slow.kernel.runningProcesses.count == 1)
    }

    @Test("Daemons that fail again and again leave room for one that is new")
    func room() {
        let failing = (1...9).map { daemon($0) }
        let isReady = Atomic(false)
        let slow = SlowHost(isSlow: { command in isReady.load(ordering: .relaxed) && !command.contains { $0.contains("/new/") } })
        slow.kernel.onStart { command in command.contains { $0.contains("/new/") } ? .runs : .fails("bad") }
        let clock = ManualClock()
        let agent = slow.agent(clock)
        var desired = HostConfiguration()
        for var daemon in failing {
            daemon.namespace = nil
            desired.daemons[daemon.key] = daemon
        }
        _ = agent.apply(desired, .full)
        for _ in failing { slow.waitForEnd() }
        isReady.store(true, ordering: .relaxed)
        // All fail, and are ordered again at once: their second start hangs.
        let again = agent.apply(desired, .changed)
        clock.milliseconds += again.retryAfterMilliseconds ?? 0
        #expect(agent.apply(desired, .changed).startingDaemons.count == 9)
        let directory = Bench.state + "/new/1"
        desired.daemons["new"] = DaemonConfiguration(
            key: "new", namespace: nil, command: ["dnsmasq", "--conf-file=\(directory)/conf", "--pid-file=\(directory)/pid"],
            processIDFile: directory + "/pid", mark: directory + "/conf")
        _ = agent.apply(desired, .changed)
        slow.waitForEnd()
        #expect(agent.apply(desired, .changed).daemonActions == [DaemonAction("new", .started)])
        for _ in failing { slow.letGo() }
        for _ in failing { slow.waitForEnd() }
    }
}
