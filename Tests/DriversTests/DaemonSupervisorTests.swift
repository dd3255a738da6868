import Addressing
import Drivers
import FakeKernel
import Glibc
import KernelInterface
import Testing

@Suite struct DaemonSupervisorTests {
    private static let directory = Bench.state + "/dhcp/1"

    private func dnsmasq(
        hosts: String = "hosts 1\n", options: String = "options 1\n", argument: String = "--no-hosts", pipes: [String] = []
    ) -> DaemonConfiguration {
        DaemonConfiguration(
            key: "dnsmasq/1", namespace: NamespaceName("qdhcp-1"),
            command: ["dnsmasq", "--conf-file=\(Self.directory)/conf", "--pid-file=\(Self.directory)/pid", argument],
            processIDFile: Self.directory + "/pid", mark: Self.directory + "/conf",
            files: [
                ConfigurationFile(path: Self.directory + "/hosts", contents: hosts, onChange: .signal(SIGHUP)),
                ConfigurationFile(path: Self.directory + "/options", contents: options, onChange: .restart),
                ConfigurationFile(path: Self.directory + "/leases", contents: "", onChange: .none),
            ], namedPipes: pipes)
    }

    private func host(_ daemon: DaemonConfiguration?) -> HostConfiguration {
        var builder = HostBuilder()
        builder.network(1)
        builder.dhcp(1)
        if let daemon { builder.host.daemons[daemon.key] = daemon }
        return builder.host
    }

    @Test("A daemon is started once, after its files and pipes are there")
    func start() {
        let bench = Bench()
        let daemon = dnsmasq(pipes: [Self.directory + "/notify"])
        let report = bench.reconciler.apply(host(daemon), .full)
        #expect(report.failures.isEmpty)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", .started)])
        #expect(bench.kernel.runningProcesses.map(\.command) == [daemon.command])
        #expect(bench.kernel.namedPipes == [Self.directory + "/notify"])
        for mode in [Reconciler.Mode.full, .changed] {
            let again = bench.reconciler.apply(host(daemon), mode)
            #expect(again.daemonActions.isEmpty && again.isComplete)
        }
        #expect(bench.kernel.runningProcesses.count == 1)
    }

    @Test("A log that has become too large is moved aside with the next look at everything, and the daemon runs on")
    func growingLog() throws {
        let bench = Bench()
        let log = GrowingLog(path: Self.directory + "/log", limitBytes: 10)
        var daemon = dnsmasq()
        daemon.growingLog = log
        _ = bench.reconciler.apply(host(daemon), .full)
        let process = bench.kernel.runningProcesses
        for (contents, now, former) in [
            ("small\n", "small\n", nil), ("first of many\n", "", "first of many\n"), ("another day\n", "", "another day\n"),
        ] {
            try bench.kernel.writeFile(log.path, contents)
            let report = bench.reconciler.apply(host(daemon), .full)
            #expect(report.daemonActions.isEmpty && report.failures.isEmpty)
            #expect(try bench.kernel.readFile(log.path) == now)
            #expect(try bench.kernel.readFile(log.formerPath) == former)
        }
        #expect(bench.kernel.runningProcesses == process && bench.kernel.signals.isEmpty)
    }

    @Test("A file that the daemon goes on with is written before a start, and never again while it is there")
    func initialFile() throws {
        let bench = Bench()
        let path = Self.directory + "/database"
        func daemon(_ contents: String) -> HostConfiguration {
            var daemon = dnsmasq(argument: contents == "last\n" ? "--restarted" : "--no-hosts")
            daemon.files.append(ConfigurationFile(path: path, contents: contents, onChange: .none, isInitial: true))
            return host(daemon)
        }
        _ = bench.reconciler.apply(daemon("first\n"), .full)
        #expect(try bench.kernel.readFile(path) == "first\n")
        try bench.kernel.writeFile(path, "its own\n")
        for contents in ["second\n", "last\n"] {
            _ = bench.reconciler.apply(daemon(contents), .full)
            #expect(try bench.kernel.readFile(path) == "its own\n")
        }
        try bench.kernel.removeFile(path)
        #expect(bench.reconciler.apply(daemon("last\n"), .full).daemonActions.isEmpty)
        #expect(try bench.kernel.readFile(path) == nil, "it has the file open")
    }

    @Test("A new agent adopts what runs and signals nothing")
    func adoption() {
        var bench = Bench()
        _ = bench.reconciler.apply(host(dnsmasq()), .full)
        let before = bench.kernel.runningProcesses
        bench.restartAgent()
        let report = bench.reconciler.apply(host(dnsmasq()), .full)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", .adopted)])
        #expect(bench.kernel.runningProcesses == before)
        #expect(bench.kernel.signals.isEmpty)
    }

    @Test("A changed file asks for the strongest of its actions", arguments: [false, true])
    func reload(restarts: Bool) {
        let bench = Bench()
        _ = bench.reconciler.apply(host(dnsmasq()), .full)
        let before = bench.kernel.runningProcesses
        let changed = dnsmasq(hosts: "hosts 2\n", options: restarts ? "options 2\n" : "options 1\n")
        let report = bench.reconciler.apply(host(changed), .changed)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", restarts ? .restarted : .signalled(SIGHUP))])
        #expect((bench.kernel.runningProcesses == before) == !restarts)
        #expect(bench.kernel.runningProcesses.count == 1)
        #expect(bench.reconciler.apply(host(changed), .full).daemonActions.isEmpty)
    }

    @Test("A reload that an agent died before is done by the next one")
    func interruptedReload() throws {
        var bench = Bench()
        _ = bench.reconciler.apply(host(dnsmasq()), .full)
        try bench.kernel.writeFile(Self.directory + "/hosts", "hosts 2\n")
        bench.restartAgent()
        let report = bench.reconciler.apply(host(dnsmasq(hosts: "hosts 2\n")), .full)
        #expect(report.daemonActions.contains(DaemonAction("dnsmasq/1", .signalled(SIGHUP))))
    }

    @Test("A file that somebody edited is written again and read again")
    func editedFile() throws {
        let bench = Bench()
        _ = bench.reconciler.apply(host(dnsmasq()), .full)
        try bench.kernel.writeFile(Self.directory + "/hosts", "nonsense")
        let report = bench.reconciler.apply(host(dnsmasq()), .full)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", .signalled(SIGHUP))])
        #expect(try bench.kernel.readFile(Self.directory + "/hosts") == "hosts 1\n")
    }

    @Test("A changed command restarts the daemon, also when another agent started it", arguments: [false, true])
    func changedCommand(isNewAgent: Bool) {
        var bench = Bench()
        _ = bench.reconciler.apply(host(dnsmasq()), .full)
        if isNewAgent { bench.restartAgent() }
        let report = bench.reconciler.apply(host(dnsmasq(argument: "--hosts")), .changed)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", .restarted)])
        #expect(report.endedDaemons == [:])
        #expect(bench.kernel.runningProcesses.map(\.command.last) == ["--hosts"])
    }

    @Test("A daemon that nobody wants is stopped with its files, also one that an earlier agent started", arguments: [false, true])
    func stop(isNewAgent: Bool) throws {
        var bench = Bench()
        _ = bench.reconciler.apply(host(dnsmasq(pipes: [Self.directory + "/notify"])), .full)
        if isNewAgent { bench.restartAgent() }
        let report = bench.reconciler.apply(HostConfiguration(), .changed)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", .stopped)])
        #expect(bench.kernel.renderedProcesses == "")
        #expect(try bench.kernel.namespaces().isEmpty)
    }

    @Test("A process that ignores its stop signal is killed")
    func stubborn() throws {
        let bench = Bench()
        let daemon = dnsmasq()
        _ = bench.reconciler.apply(host(nil), .full)
        let id = bench.kernel.spawn(daemon.command, in: daemon.namespace, isStubborn: true)
        try bench.kernel.writeFile(daemon.processIDFile, "\(id)\n")
        for file in daemon.files { try bench.kernel.writeFile(file.path, file.contents) }
        #expect(bench.reconciler.apply(host(daemon), .changed).daemonActions == [DaemonAction("dnsmasq/1", .adopted)])
        let report = bench.reconciler.apply(HostConfiguration(), .changed)
        #expect(bench.kernel.signals.map(\.signal) == [SIGTERM])
        #expect(report.retryAfterMilliseconds != nil && report.failures.isEmpty)
        bench.clock.milliseconds += daemon.stopTimeoutMilliseconds
        #expect(bench.reconciler.apply(HostConfiguration(), .changed).daemonActions == [DaemonAction("dnsmasq/1", .stopped)])
        #expect(bench.kernel.runningProcesses.isEmpty)
        #expect(bench.kernel.signals.map(\.signal) == [SIGTERM, SIGKILL])
    }

    @Test("A process id that now belongs to somebody else is not touched")
    func reusedProcessID() throws {
        let bench = Bench()
        let stranger = bench.kernel.spawn(["sleep", "1000"])
        try bench.kernel.writeFile(Self.directory + "/pid", "\(stranger)\n")
        let report = bench.reconciler.apply(host(dnsmasq()), .full)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", .started)])
        #expect(bench.kernel.process(id: stranger) != nil)
        #expect(bench.kernel.signals.isEmpty)
    }

    @Test("Processes that hold the mark and are not the one in the process id file end before a start")
    func strays() throws {
        let bench = Bench()
        let daemon = dnsmasq()
        _ = bench.reconciler.apply(host(nil), .full)
        let stray = bench.kernel.spawn(daemon.command, in: daemon.namespace)
        try bench.kernel.writeFile(daemon.processIDFile, "4711\n")
        _ = bench.reconciler.apply(host(daemon), .full)
        #expect(bench.kernel.process(id: stray) == nil)
        #expect(bench.kernel.runningProcesses.count == 1)
    }

    @Test("A daemon that was killed is started at once, and one that keeps dying after growing delays")
    func backoff() {
        let bench = Bench()
        let desired = host(dnsmasq())
        _ = bench.reconciler.apply(desired, .full)
        let killed = bench.kernel.runningProcesses.map(\.id)
        for id in killed { bench.kernel.kill(process: id) }
        bench.reconciler.markDaemonDirty("dnsmasq/1")
        bench.clock.milliseconds += 60_000
        let first = bench.reconciler.apply(desired, .changed)
        #expect(first.daemonActions == [DaemonAction("dnsmasq/1", .started)])
        #expect(first.endedDaemons.values.sorted() == killed)

        var waits: [Int] = []
        for _ in 0..<10 {
            for id in bench.kernel.runningProcesses.map(\.id) { bench.kernel.kill(process: id) }
            bench.reconciler.markDaemonDirty("dnsmasq/1")
            let report = bench.reconciler.apply(desired, .changed)
            if let wait = report.retryAfterMilliseconds {
                #expect(report.failures.map(\.subject) == [.daemon("dnsmasq/1")])
                waits.append(wait)
                bench.clock.milliseconds += wait
                #expect(bench.reconciler.apply(desired, .changed).daemonActions == [DaemonAction("dnsmasq/1", .started)])
            }
        }
        #expect(waits.prefix(4) == [500, 1000, 2000, 4000])
        #expect(waits.last == 30_000)
    }

    @Test("A change of its configuration gives a dying daemon a new chance at once")
    func newChance() {
        let bench = Bench()
        bench.kernel.onStart { _ in .fails("dnsmasq: bad option at line 1") }
        var report = bench.reconciler.apply(host(dnsmasq()), .full)
        #expect(report.failures.map(\.sentence) == ["dnsmasq: bad option at line 1"])
        for _ in 0..<3 { report = bench.reconciler.apply(host(dnsmasq()), .changed) }
        #expect(report.retryAfterMilliseconds != nil)
        bench.kernel.onStart { _ in .runs }
        report = bench.reconciler.apply(host(dnsmasq(options: "options 2\n")), .changed)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", .started)])
    }

    @Test("A daemon that writes its process id late is waited for, not started twice")
    func lateProcessID() throws {
        let bench = Bench()
        bench.kernel.onStart { _ in .runsWithoutProcessID }
        let desired = host(dnsmasq())
        var report = bench.reconciler.apply(desired, .full)
        #expect(report.retryAfterMilliseconds == 100)
        report = bench.reconciler.apply(desired, .changed)
        #expect(report.daemonActions.isEmpty && report.retryAfterMilliseconds == 100)
        let id = try #require(bench.kernel.runningProcesses.first?.id)
        try bench.kernel.writeFile(Self.directory + "/pid", "\(id)\n")
        report = bench.reconciler.apply(desired, .changed)
        #expect(report.isComplete)
        #expect(bench.kernel.runningProcesses.count == 1)
    }

    @Test("A daemon is restarted when its namespace or a device in it had to be made anew", arguments: [false, true])
    func renewedNamespace(isNamespaceLost: Bool) throws {
        let bench = Bench()
        let desired = host(dnsmasq())
        _ = bench.reconciler.apply(desired, .full)
        let namespace = NamespaceName("qdhcp-1")
        try bench.kernel.somebodyElse(isNamespaceLost ? .removeNamespace(namespace) : .removeLink(name: "ns-1", namespace))
        let report = bench.reconciler.apply(desired, .full)
        #expect(report.daemonActions == [DaemonAction("dnsmasq/1", .restarted)])
        #expect(bench.kernel.runningProcesses.count == 1)
    }

    @Test("A daemon is not restarted when its namespace gets one more device")
    func newDevice() {
        let bench = Bench()
        var desired = host(dnsmasq())
        _ = bench.reconciler.apply(desired, .full)
        var builder = HostBuilder(host: desired)
        builder.pair("tapmore", "ns-more", in: NamespaceName("qdhcp-1"), network: 1, mac: mac(99))
        desired = builder.host
        let report = bench.reconciler.apply(desired, .changed)
        #expect(report.performed > 0)
        #expect(report.daemonActions.isEmpty)
    }

    @Test("A daemon is not started in a namespace whose devices could not be made")
    func unreadyNamespace() {
        let bench = Bench()
        bench.kernel.failAlways(link: "tapdhcp1")
        let desired = host(dnsmasq())
        #expect(bench.reconciler.apply(desired, .full).daemonActions.isEmpty)
        bench.kernel.stopFailing()
        #expect(bench.reconciler.apply(desired, .changed).daemonActions == [DaemonAction("dnsmasq/1", .started)])
    }
}
