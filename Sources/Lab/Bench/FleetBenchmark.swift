import Glibc

/// The parts about many HA routers.
struct FleetBenchmark {
    static let idleSeconds = 30
    /// After its start a host has work left for some time: masters adopt connections, the first full check of all namespaces. All hosts of the lab share
    /// the machine's processors, so this would delay what another host does.
    static let restSeconds = 60
    static let fleetIntervalMilliseconds = 20
    /// A reply that comes later than this after the death of its host was sent by another.
    static let inFlightMilliseconds = 50
    /// What runs for HA routers on a host.
    static let daemons = ["keepalived", "conntrackd", "neutrino"]

    let fleet: RouterFleet

    private var count: Int { fleet.members.count }
    private var narrator: Narrator { fleet.narrator }

    func measure(_ part: Benchmark.Part) async throws -> [Measurement] {
        switch part {
        case .footprint: try await footprint()
        case .idle: try await idle()
        case .saturation: try await saturation()
        case .sync: try await sync()
        case .fleet: try await fleetDies()
        default: []
        }
    }

    // MARK: Memory and processes

    private func footprint() async throws -> [Measurement] {
        let hosts = fleet.lab.hosts
        let after = try await HostUsage.of(hosts)
        let kernel = Double(try KernelMemory.now().kilobytes - fleet.kernelBefore.kilobytes) / Double(count * hosts.count)
        var samples: [Double] = []
        var processes: [Double] = []
        for (before, after) in zip(fleet.before, after) {
            let grown = after.programs.reduce(0) { $0 + $1.value.kilobytes - (before.programs[$1.key]?.kilobytes ?? 0) }
            samples.append((Double(grown) / Double(count) + kernel) / 1024)
            processes += after.processesByNamespace.values.map(Double.init)
        }
        let hasReplication = after.contains { ($0.programs["conntrackd"]?.processes ?? 0) > 0 }
        let programs = Set(after.flatMap(\.programs.keys)).sorted().joined(separator: ", ")
        let remark = """
            a sample for each host; PSS of all processes of the host (\(programs)) beyond what they had without routers, by router; \
            and \(number(kernel)) kB of the kernel's memory, the machine's growth shared by \(count * hosts.count) members
            """
        narrator.say("footprint: \(number(samples.max() ?? 0)) MB a router, at most \(number(processes.max() ?? 0)) processes")
        let kind = hasReplication ? "with connection replication" : "without connection replication (--no-replicate-connections)"
        return [
            Measurement(
                .footprint, "memory of an HA router on a host, \(kind)", unit: "MB", .atMost(hasReplication ? 6 : 2.5), .worst, samples,
                remark: remark),
            Measurement(
                .footprint, "processes in the namespace of an HA router", unit: "processes", .atMost(3), .worst,
                processes.isEmpty ? [0] : processes),
        ]
    }

    // MARK: Processor time

    private func idle() async throws -> [Measurement] {
        let hosts = fleet.lab.hosts
        narrator.say("idle: letting \(count) routers on \(hosts.count) hosts come to rest for \(Self.restSeconds) s")
        try await Task.sleep(for: .seconds(Self.restSeconds))
        narrator.say("idle: letting them idle for \(Self.idleSeconds) s")
        let before = try await HostUsage.of(hosts, hasMemory: false)
        let start = MonotonicTime.nanoseconds
        let softirq = try await KernelLoad.softirqPercent(seconds: Self.idleSeconds)
        let after = try await HostUsage.of(hosts, hasMemory: false)
        let seconds = Double(MonotonicTime.nanoseconds - start) / 1_000_000_000
        func percent(_ host: Int, _ names: [String]) -> Double {
            Double(after[host].ticks(of: names) - before[host].ticks(of: names)) * 100 / Double(HostUsage.ticksPerSecond) / seconds
        }
        let kernelShare = max(softirq - fleet.softirqPercentBefore, 0) / Double(hosts.count)
        let samples = hosts.indices.map { percent($0, Self.daemons) + kernelShare }
        let withoutReplication = hosts.indices.map { percent($0, Self.daemons.filter { $0 != "conntrackd" }) + kernelShare }
        let parts = Self.daemons.map { name in
            "\(name) \(hosts.indices.map { number(percent($0, [name])) }.joined(separator: "/"))"
        }
        narrator.say("idle: \(samples.map(number).joined(separator: ", ")) % of one processor")
        return [
            Measurement(
                .idle, "\(count) idle HA routers on a host: keepalived, agent and kernel", unit: "% of one", .atMost(10), .worst,
                withoutReplication,
                remark: "the next row without conntrackd"),
            Measurement(
                .idle, "\(count) idle HA routers on a host: the same and conntrackd", unit: "% of one", .atMost(10), .worst, samples,
                remark: """
                    a sample for each host, over \(number(seconds)) s; user and kernel time of the host's processes (\(parts.joined(separator: ", "))) \
                    and \(number(kernelShare)) for the host's third of the machine's interrupts and soft interrupts beyond those without \
                    routers (\(number(fleet.softirqPercentBefore)))
                    """),
        ]
    }

    // MARK: Saturation

    private func saturation() async throws -> [Measurement] {
        let processors = max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1)
        let seconds = fleet.saturationSeconds
        narrator.say("saturation: \(2 * processors) busy processes for \(seconds) s")
        let watch = try await MastershipWatch(fleet.namespaces(on: fleet.lab.hosts))
        // They end by themselves when this process does not end them.
        let words = ["timeout", "\(seconds + 60)", "sh", "-c", "while :; do :; done"]
        var burners: [LabProcess] = []
        defer { LabProcess.end(Self.withChildren(burners)) }
        for _ in 0..<2 * processors { burners.append(try LabProcess.start(words, lab: fleet.lab.name, role: "burner")) }
        try await Task.sleep(for: .seconds(seconds))
        let changed = watch.changedRouters()
        LabProcess.end(Self.withChildren(burners))
        burners = []
        try await fleet.waitUntilSettled()
        narrator.say("saturation: \(changed.count) of \(count) routers changed their master")
        return [
            Measurement(
                .saturation, "false failovers with all processors busy", unit: "routers", .atMost(0), .worst, [Double(changed.count)],
                remark: """
                    in \(seconds) s (--saturation-seconds), of \(count) routers on 3 hosts of one machine; \(2 * processors) processes of normal \
                    priority that do nothing but run, on \(processors) processors; counted by the kernel's messages on addresses
                    """)
        ]
    }

    /// `timeout` and what it runs: those have the mark of the burners, too.
    private static func withChildren(_ processes: [LabProcess]) -> [LabProcess] {
        guard let lab = processes.first?.environment(LabProcess.mark) else { return processes }
        return processes + LabProcess.all(ofLab: lab).filter { $0.environment(LabProcess.roleMark) == "burner" }
    }

    // MARK: Sync

    private func sync() async throws -> [Measurement] {
        guard let host = fleet.lab.hosts.last else { return [] }
        narrator.say("sync: \(host.name) loses its power and boots")
        let withConntrackd = HostUsage.routers(on: host).withConntrackd
        try await host.fault(.power)
        try await host.heal(startsAgent: false)
        var start = MonotonicTime.nanoseconds
        try await host.startAgent()
        try await fleet.waitUntilSynchronized(host, withConntrackd: withConntrackd)
        let absent = Double(MonotonicTime.nanoseconds - start) / 1_000_000_000
        try await fleet.waitUntilSettled()
        narrator.say("sync: \(number(absent)) s with namespaces absent")

        let master = try await mostMasters()
        let probe = try await startProbe()
        defer { probe.cancel() }
        try await master.endAgent()
        start = MonotonicTime.nanoseconds
        try await master.startAgent()
        try await fleet.waitUntilSynchronized(master, withConntrackd: HostUsage.routers(on: master).withConntrackd)
        let present = Double(MonotonicTime.nanoseconds - start) / 1_000_000_000
        try await Task.sleep(for: .seconds(2))
        let report = try await probe.stop()
        narrator.say("sync: \(number(present)) s with namespaces present, \(report.lost) of \(report.sent) pings lost")
        let remark = "from the agent's start until every router has the daemons that it had and a new port is ACTIVE"
        return [
            Measurement(
                .sync, "full sync of an agent with \(count) HA routers, namespaces absent", unit: "s", .atMost(20), .worst, [absent],
                remark: remark),
            Measurement(
                .sync, "full sync of an agent with \(count) HA routers, namespaces present", unit: "s", .atMost(2), .worst, [present],
                remark: remark),
            Measurement(
                .sync, "pings lost while an agent with \(count) HA routers restarts", unit: "pings", .atMost(0), .worst,
                [Double(report.lost)],
                remark: "of \(report.sent), to all gateway addresses, each every \(Self.fleetIntervalMilliseconds) ms"),
        ]
    }

    /// The host that is master of most routers.
    private func mostMasters() async throws -> LabHost {
        let masters = try await fleet.masters().values.flatMap { $0 }
        let counts = Dictionary(masters.map { ($0, 1) }, uniquingKeysWith: +)
        guard let name = counts.max(by: { $0.value < $1.value })?.key else { throw LabError("No router has a master.") }
        return try fleet.lab.host(name)
    }

    // MARK: The host of all masters dies

    private func startProbe() async throws -> FleetProbe {
        let probe = try FleetProbe.start(
            from: fleet.lab.outside, to: fleet.members.map(\.gatewayAddress), intervalMilliseconds: Self.fleetIntervalMilliseconds)
        do {
            try await waitUntil("all gateway addresses to answer", timeoutMilliseconds: 60_000) { probe.answering() == count }
        } catch {
            probe.cancel()
            throw error
        }
        probe.reset()
        return probe
    }

    private func fleetDies() async throws -> [Measurement] {
        guard let host = fleet.lab.hosts.first else { return [] }
        try await fleet.gather(on: host)
        narrator.say("fleet: letting the hosts that booted come to rest for \(Self.restSeconds) s")
        try await Task.sleep(for: .seconds(Self.restSeconds))
        let mastered = try await fleet.masters().filter { $0.value == [host.name] }
        let probe = try await startProbe()
        defer { probe.cancel() }
        try await host.fault(.power)
        // Only the probe is asked, which costs nothing: a look into every namespace would compete with the takeover. What is on its way back from
        // the dead host arrives within a moment.
        let cut = MonotonicTime.nanoseconds + Int64(Self.inFlightMilliseconds) * 1_000_000
        try await waitUntil("all gateway addresses to answer again", timeoutMilliseconds: 120_000, intervalMilliseconds: 100) {
            probe.answering(since: cut) == count
        }
        let report = try await probe.stop()
        try await host.heal()
        let gaps = zip(fleet.members, report.longestGapsMilliseconds).filter { mastered[$0.0] != nil }.map(\.1)
        narrator.say("fleet: median gap \(number(gaps.median)) ms, p99 \(number(gaps.percentile(99))) ms")
        guard !gaps.isEmpty else { throw LabError("No router had its master on \(host.name).") }
        return [
            Measurement(
                .fleet, "\(gaps.count) HA routers whose master's host loses power: gap of a router", unit: "ms",
                [.init(.atMost(200), .median), .init(.atMost(500), .ninetyNinth)], gaps,
                remark: """
                    a sample for each router; one prober outside pings each gateway address every \(Self.fleetIntervalMilliseconds) ms; all \
                    hosts share the machine's processors
                    """)
        ]
    }
}
