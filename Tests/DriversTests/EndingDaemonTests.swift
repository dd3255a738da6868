import Drivers
import FakeKernel
import Glibc
import KernelInterface
import Testing

/// Daemons that take their time to end: nobody waits for them.
@Suite struct EndingDaemonTests {
    private func daemon(_ number: Int, argument: String = "--one") -> DaemonConfiguration {
        let directory = Bench.state + "/dhcp/\(number)"
        return DaemonConfiguration(
            key: "dnsmasq/\(number)", namespace: NamespaceName("qdhcp-\(number)"),
            command: ["dnsmasq", "--conf-file=\(directory)/conf", "--pid-file=\(directory)/pid", argument],
            processIDFile: directory + "/pid", mark: directory + "/conf",
            files: [ConfigurationFile(path: directory + "/hosts", contents: "hosts\n", onChange: .signal(SIGHUP))], directory: directory)
    }

    private func host(_ daemons: DaemonConfiguration...) -> HostConfiguration {
        var builder = HostBuilder()
        builder.network(1)
        for daemon in daemons {
            if let number = daemon.key.last?.wholeNumberValue {
                builder.network(number)
                builder.dhcp(number)
            }
            builder.host.daemons[daemon.key] = daemon
        }
        return builder.host
    }

    /// A host whose first daemon ends only when it is killed; answers its process.
    private func benchWithLingeringDaemon(_ desired: HostConfiguration) throws -> (Bench, Int32) {
        let bench = Bench()
        var bare = desired
        bare.daemons = [:]
        _ = bench.reconciler.apply(bare, .full)
        let lingering = daemon(1)
        let id = bench.kernel.spawn(lingering.command, in: lingering.namespace, isStubborn: true)
        try bench.kernel.writeFile(lingering.processIDFile, "\(id)\n")
        for file in lingering.files { try bench.kernel.writeFile(file.path, file.contents) }
        #expect(bench.reconciler.apply(desired, .changed).daemonActions.contains(DaemonAction("dnsmasq/1", .adopted)))
        return (bench, id)
    }

    @Test("A daemon that ends slowly keeps its files and its namespace, and holds up nothing else")
    func slowEnd() throws {
        let (bench, id) = try benchWithLingeringDaemon(host(daemon(1)))
        let report = bench.reconciler.apply(host(daemon(2)), .changed)
        #expect(report.failures.isEmpty)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/2", .started)])
        #expect(report.retryAfterMilliseconds == 20)
        #expect(try bench.kernel.namespaces().contains(NamespaceName("qdhcp-1")))
        #expect(try bench.kernel.readFile(daemon(1).files[0].path) != nil)

        bench.kernel.kill(process: id)
        let last = bench.reconciler.apply(host(daemon(2)), .changed)
        #expect(last.daemonActions == [DaemonAction("dnsmasq/1", .stopped)])
        #expect(last.isComplete)
        #expect(try bench.kernel.namespaces() == [NamespaceName("qdhcp-2")])
        #expect(try bench.kernel.readFile(daemon(1).files[0].path) == nil)
        #expect(bench.kernel.signals.map(\.signal) == [SIGTERM])
    }

    @Test("A daemon that is wanted again while it ends is started when it has ended", arguments: ["--one", "--two"])
    func wantedAgain(argument: String) throws {
        let (bench, id) = try benchWithLingeringDaemon(host(daemon(1)))
        _ = bench.reconciler.apply(host(), .changed)
        let desired = host(daemon(1, argument: argument))
        for _ in 0..<3 {
            let report = bench.reconciler.apply(desired, .changed)
            #expect(report.daemonActions.isEmpty && report.failures.isEmpty && report.retryAfterMilliseconds != nil)
        }
        bench.kernel.kill(process: id)
        let report = bench.reconciler.apply(desired, .changed)
        #expect(report.daemonActions.map(\.key) == ["dnsmasq/1"])
        #expect(report.isComplete)
        #expect(bench.kernel.runningProcesses.map(\.command.last) == [argument])
        #expect(try bench.kernel.namespaces() == [NamespaceName("qdhcp-1")])
    }

    @Test("A restart waits for the old process without holding up the cycle")
    func restart() throws {
        let (bench, id) = try benchWithLingeringDaemon(host(daemon(1)))
        let desired = host(daemon(1, argument: "--two"), daemon(2))
        let meanwhile = bench.reconciler.apply(desired, .changed)
        #expect(meanwhile.daemonActions == [DaemonAction("dnsmasq/2", .started)])
        #expect(meanwhile.unreadyDaemons == ["dnsmasq/1"])
        #expect(bench.reconciler.isEndingDaemon("dnsmasq/1") && !bench.reconciler.isEndingDaemon("dnsmasq/2"))
        bench.kernel.kill(process: id)
        let report = bench.reconciler.apply(desired, .changed)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", .restarted)])
        #expect(report.isComplete && report.unreadyDaemons.isEmpty)
        #expect(!bench.reconciler.isEndingDaemon("dnsmasq/1"))
    }

    @Test("A daemon whose start is held is started when the hold ends or is taken back", arguments: [false, true])
    func hold(isReleased: Bool) {
        let bench = Bench()
        let desired = host(daemon(1))
        _ = bench.reconciler.apply(desired, .full)
        bench.clock.milliseconds += 60_000
        bench.reconciler.holdDaemon("dnsmasq/1", forMilliseconds: 500)
        for id in bench.kernel.runningProcesses.map(\.id) { bench.kernel.kill(process: id) }
        bench.reconciler.markDaemonDirty("dnsmasq/1")
        let held = bench.reconciler.apply(desired, .changed)
        #expect(held.daemonActions.isEmpty && held.failures.isEmpty)
        #expect(held.retryAfterMilliseconds == 500)
        if isReleased { bench.reconciler.releaseDaemon("dnsmasq/1") } else { bench.clock.milliseconds += 500 }
        let report = bench.reconciler.apply(desired, .changed)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", .started)])
        #expect(report.isComplete)
    }

    @Test("A daemon that ends soon after its start is repeated with the end of its log, the same at each attempt")
    func lastWords() throws {
        let bench = Bench()
        var configuration = daemon(1)
        let log = Bench.state + "/dhcp/1/log"
        configuration.log = log
        let desired = host(configuration)
        _ = bench.reconciler.apply(desired, .full)
        var sentences: Set<String> = []
        // The first restart does not wait, and so has no failure.
        var said = 0
        for attempt in 1...3 {
            let lines = (0..<50).map { "line \($0)" } + ["Mon Nov  \(attempt) 00:43:3\(attempt) 2026: pid 31\(attempt) exited: bad VRID"]
            try bench.kernel.writeFile(log, lines.joined(separator: "\n") + "\n")
            for id in bench.kernel.runningProcesses.map(\.id) { bench.kernel.kill(process: id) }
            bench.reconciler.markDaemonDirty("dnsmasq/1")
            let report = bench.reconciler.apply(desired, .changed)
            said += report.failures.count
            sentences.formUnion(report.failures.map(\.description))
            bench.clock.milliseconds += report.retryAfterMilliseconds ?? 0
            _ = bench.reconciler.apply(desired, .changed)
        }
        #expect(said == 2)
        #expect(sentences.count == 1)
        #expect(sentences.first?.contains("; line 49; pid exited: bad") == true)
        #expect(sentences.first?.contains("line 40") == false)
    }

    @Test("A daemon that cannot be started costs the others nothing, and its failure has its name")
    func isolation() {
        let bench = Bench()
        bench.kernel.onStart { command in command.contains { $0.contains("/dhcp/2/") } ? .fails("bad configuration") : .runs }
        let desired = host(daemon(1), daemon(2), daemon(3))
        let report = bench.reconciler.apply(desired, .full)
        #expect(report.failures == [Failure(.daemon("dnsmasq/2"), "bad configuration")])
        #expect(report.retryAfterMilliseconds != nil)
        #expect(Set(report.daemonActions) == [DaemonAction("dnsmasq/1", .started), DaemonAction("dnsmasq/3", .started)])
        bench.kernel.clearLog()
        #expect(bench.reconciler.apply(desired, .changed).performed == 0)
    }
}
