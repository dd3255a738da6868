import Drivers
import FakeKernel
import Glibc
import KernelInterface
import Synchronization
import Testing

/// Daemons whose program says beforehand what it thinks of a configuration.
@Suite struct ConfigurationCheckTests {
    private func daemon(_ number: Int, _ lines: [String]) -> DaemonConfiguration {
        let directory = Bench.state + "/ha/\(number)"
        let path = directory + "/conf"
        return DaemonConfiguration(
            key: "keepalived/\(number)", namespace: NamespaceName("qdhcp-\(number)"),
            command: ["sh", "-c", "start", path, directory + ".pid"], processIDFile: directory + ".pid", mark: path,
            files: [ConfigurationFile(path: path, contents: lines.map { $0 + "\n" }.joined(), onChange: .signal(SIGHUP))],
            directory: directory, check: ConfigurationCheck(path: path, command: ["keepalived", "-t", "-f"]))
    }

    private func host(_ daemons: DaemonConfiguration...) -> HostConfiguration {
        var builder = HostBuilder()
        for (index, daemon) in daemons.enumerated() {
            builder.network(index + 1)
            builder.dhcp(index + 1)
            builder.host.daemons[daemon.key] = daemon
        }
        return builder.host
    }

    /// The program refuses the configurations of some paths.
    private static func refuse(_ isRefused: @escaping @Sendable (String) -> Bool, on kernel: FakeKernel) {
        kernel.onStart { command in
            guard command.contains("-t"), let path = command.last else { return .runs }
            return isRefused(path) ? .fails("(\(path): Line 2) Unknown keyword 'new'") : .runs
        }
    }

    @Test("A change that the program refuses leaves the daemon its file, is said in every cycle, and hinders no other daemon")
    func refusedChange() throws {
        let bench = Bench()
        let before = ["instance 1", "  address 10.0.0.1"]
        _ = bench.reconciler.apply(host(daemon(1, before), daemon(2, before)), .full)
        Self.refuse({ $0.contains("/ha/1/") }, on: bench.kernel)
        // Of another shape: what the program takes of one daemon it takes of all, whichever is asked about first.
        let after = before + ["  other 5"]
        let desired = host(daemon(1, before + ["  new 5"]), daemon(2, after))
        for _ in 0..<3 {
            let report = bench.reconciler.apply(desired, .changed)
            let sentence =
                "its new configuration is refused, it keeps the one before: (conf.candidate: Line 2) Unknown keyword 'new'"
            #expect(report.failures == [Failure(.daemon("keepalived/1"), sentence)])
            #expect(report.retryAfterMilliseconds == 60_000)
        }
        #expect(try bench.kernel.readFile(Bench.state + "/ha/1/conf") == before.map { $0 + "\n" }.joined())
        #expect(try bench.kernel.readFile(Bench.state + "/ha/2/conf") == after.map { $0 + "\n" }.joined())
        #expect(bench.kernel.signals.map(\.signal) == [SIGHUP])
        #expect(bench.reconciler.apply(host(daemon(1, before), daemon(2, after)), .changed).isComplete)
    }

    @Test("A refused change is asked about again after a minute, and taken when the program has changed its mind")
    func again() throws {
        let bench = Bench()
        _ = bench.reconciler.apply(host(daemon(1, ["instance 1"])), .full)
        Self.refuse({ _ in true }, on: bench.kernel)
        let desired = host(daemon(1, ["instance 1", "new 5"]))
        #expect(bench.reconciler.apply(desired, .changed).failureCount == 1)
        Self.refuse({ _ in false }, on: bench.kernel)
        #expect(bench.reconciler.apply(desired, .changed).failureCount == 1)
        bench.clock.milliseconds += 60_000
        let report = bench.reconciler.apply(desired, .changed)
        #expect(report.isComplete)
        #expect(report.daemonActions == [DaemonAction("keepalived/1", .signalled(SIGHUP))])
    }

    @Test(
        "A daemon that died while its change is refused is started with the file that it took before, also by a new agent",
        arguments: [false, true])
    func restart(isNewAgent: Bool) throws {
        var bench = Bench()
        _ = bench.reconciler.apply(host(daemon(1, ["instance 1"])), .full)
        Self.refuse({ _ in true }, on: bench.kernel)
        let desired = host(daemon(1, ["instance 1", "new 5"]))
        _ = bench.reconciler.apply(desired, .changed)
        if isNewAgent { bench.restartAgent() }
        for process in bench.kernel.runningProcesses { bench.kernel.kill(process: process.id) }
        bench.reconciler.markDaemonDirty("keepalived/1")
        let report = bench.reconciler.apply(desired, .changed)
        #expect(report.daemonActions == [DaemonAction("keepalived/1", .started)])
        #expect(report.failureCount == 1)
        #expect(try bench.kernel.readFile(Bench.state + "/ha/1/conf") == "instance 1\n")
    }

    @Test("A daemon without an older file is started with what is refused, which is better than nothing, and said")
    func firstStart() throws {
        let bench = Bench()
        Self.refuse({ _ in true }, on: bench.kernel)
        let desired = host(daemon(1, ["new 5"]))
        for mode in [Reconciler.Mode.full, .changed] {
            let report = bench.reconciler.apply(desired, mode)
            let sentence = "its configuration is refused, it runs with a part of it: (conf.candidate: Line 2) Unknown keyword 'new'"
            #expect(report.failures.map(\.sentence) == [sentence])
        }
        #expect(bench.kernel.runningProcesses.count == 1)
    }

    @Test("A hundred daemons whose configurations have the same words cost one check, and a new word three refusals")
    func shapes() {
        let bench = Bench()
        let asked = Atomic(0)
        bench.kernel.onStart { command in
            guard command.contains("-t") else { return .runs }
            return asked.add(1, ordering: .relaxed).newValue == 1 ? .runs : .fails("no")
        }
        var (first, second) = (HostConfiguration(), HostConfiguration())
        for number in 1...100 {
            var daemon = daemon(number, ["instance \(number)", "address 10.0.0.\(number)", "address 10.0.1.\(number)"])
            daemon.namespace = nil
            first.daemons[daemon.key] = daemon
            daemon.files[0].contents += "new \(number)\n"
            second.daemons[daemon.key] = daemon
        }
        #expect(bench.reconciler.apply(first, .full).failureCount == 0)
        #expect(asked.load(ordering: .relaxed) == 1)
        #expect(bench.reconciler.apply(second, .changed).failureCount == 100)
        #expect(asked.load(ordering: .relaxed) == 4)
    }

    @Test("A check leaves no file behind")
    func noTrace() throws {
        let bench = Bench()
        #expect(bench.reconciler.apply(host(daemon(1, ["instance 1"])), .full).isComplete)
        #expect(try bench.kernel.listDirectory(Bench.state + "/ha/1") == ["conf"])
        #expect(bench.kernel.runningProcesses.count == 1)
    }
}
