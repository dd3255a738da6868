import APISchema
import Glibc

/// The project's numbers, measured: each part in a lab of its own kind, with the time bounded and nothing left behind.
public struct Benchmark: Sendable {
    /// What can be measured.
    public enum Part: String, CaseIterable, Sendable {
        /// Rates of port creation and of showing one against the rate of `GET /`.
        case ports
        /// Time of lists of 1,000 and 10,000 ports, and what authorisation adds.
        case list
        /// Memory over a million requests.
        case api
        /// Resident memory of server and agent.
        case memory
        /// From the request for a port to its first reply to a ping.
        case wire
        /// 1,000 ports on one host: wired, the agent's memory, its restart.
        case instances
        /// TCP between instances on two hosts against bare VXLAN.
        case tenant
        /// A port moves between hosts.
        case move
        /// From the request for a security group rule to the first reply that it allows.
        case rule
        /// From a new member of a large group until ports on every host let it in.
        case groups
        /// What security groups cost the packets of a host with many ports.
        case packets
        /// From the association of a floating IP to its first reply.
        case floating
        /// The master's host loses its uplinks, and returns.
        case uplink
        /// It loses its power, and returns.
        case power
        /// Its keepalived is killed.
        case keepalived
        /// Its L3 agent is disabled, and enabled.
        case drain
        /// Its agent is stopped, killed, replaced.
        case agent
        /// The server is stopped, and started.
        case server
        /// 50 floating IPs come in 5 s, and go.
        case reload
        /// The master's host hears nothing on the HA network, and then does.
        case partition
        /// Power, uplinks and keepalived with no agent and no server.
        case unattended
        /// Lost pings while an agent of a host with 20 routers restarts.
        case restart
        /// Memory and processes of HA routers.
        case footprint
        /// Processor time of HA routers while nothing happens.
        case idle
        /// False failovers while both processors are busy.
        case saturation
        /// Full sync of an agent.
        case sync
        /// The host that is master of all routers loses its power.
        case fleet

        /// In a lab with a server and no agents.
        static let ofServer: [Part] = [.ports, .list, .api]
        /// In a lab of two hosts with nothing in it.
        static let ofHosts: [Part] = [.instances]
        /// In a cloud with one HA router. In this order: what is idle first, what leaves most behind last.
        static let inCloud: [Part] = [
            .memory, .tenant, .wire, .move, .rule, .floating, .uplink, .power, .keepalived, .drain, .agent, .server, .reload, .partition,
            .unattended,
            .restart,
        ]
        /// Each in a lab of its own, with thousands of ports.
        static let ofGroups: [Part] = [.groups, .packets]
        /// In a cloud with hundreds of HA routers.
        static let inFleet: [Part] = [.footprint, .idle, .saturation, .sync, .fleet]

        /// What is measured unless something else is asked for: minutes, not hours.
        public static let usual: Set<Part> = [
            .ports, .list, .instances, .memory, .tenant, .wire, .move, .rule, .floating, .uplink, .restart,
        ]
        /// Everything about routers.
        public static let ofRouters: Set<Part> = Set(allCases).subtracting([
            .ports, .list, .api, .instances, .memory, .tenant, .wire, .move, .rule, .groups, .packets, .restart,
        ])
    }

    public let name: String
    public var parts = Part.usual
    /// How many times each event happens.
    public var runs = 20
    /// How many times each event happens without agents and server: each takes long.
    public var unattendedRuns = 5
    public var fleetRouters = 200
    public var saturationSeconds = 60
    /// Whether the members of the many HA routers replicate connections, as they do by default.
    public var replicatesConnections = true

    let narrator: Narrator

    public init(name: String = "bench") {
        self.name = name
        narrator = Narrator(isToStandardError: true)
    }

    /// The names of the labs that it uses.
    private var labs: (api: String, hosts: String, groups: String, cloud: String, fleet: String) {
        ("\(name)-api", "\(name)-hosts", "\(name)-groups", "\(name)-cloud", "\(name)-fleet")
    }

    /// Measures all parts; one that fails does not keep the others from being measured.
    public func run() async -> BenchmarkReport {
        var report = BenchmarkReport()
        for part in Part.ofServer where parts.contains(part) {
            await measure(part, &report) { part in
                try await withLab(labs.api, hosts: 1, startsAgents: false) { lab in
                    switch part {
                    case .ports: try await PortRateBenchmark(lab: lab, narrator: narrator).run()
                    case .list: try await PortListBenchmark(lab: lab, narrator: narrator).run()
                    default: try await APIBenchmark(lab: lab, narrator: narrator).run()
                    }
                }
            }
        }
        for part in Part.ofHosts where parts.contains(part) {
            await measure(part, &report) { _ in
                try await withLab(labs.hosts, hosts: 2, startsAgents: true) {
                    try await InstancesBenchmark(lab: $0, narrator: narrator).run()
                }
            }
        }
        for part in Part.ofGroups where parts.contains(part) {
            await measure(part, &report) { part in
                try await withLab(labs.groups, hosts: 3, startsAgents: true) { lab in
                    try await GroupBenchmark(lab: lab, narrator: narrator).run(part)
                }
            }
        }
        await measureAll(Part.inCloud.filter(parts.contains), in: labs.cloud, &report, BenchmarkCloud.build, measureInCloud)
        let options = replicatesConnections ? [] : ["--no-replicate-connections"]
        await measureAll(Part.inFleet.filter(parts.contains), in: labs.fleet, serverArguments: options, &report, buildFleet) {
            try await FleetBenchmark(fleet: $1).measure($0)
        }
        return report
    }

    /// Measures several parts in one lab.
    private func measureAll<Cloud>(
        _ parts: [Part], in lab: String, serverArguments: [String] = [], _ report: inout BenchmarkReport,
        _ build: (Lab, Narrator) async throws -> Cloud,
        _ body: (Part, Cloud) async throws -> [Measurement]
    ) async {
        guard !parts.isEmpty else { return }
        do {
            try await withLab(lab, hosts: 3, startsAgents: true, serverArguments: serverArguments) { lab in
                let cloud = try await build(lab, narrator)
                for part in parts { await measure(part, &report) { try await body($0, cloud) } }
            }
        } catch {
            let missing = parts.filter { part in
                !report.measurements.contains { $0.part == part } && !report.failures.contains { $0.part == part }
            }
            report.failures += missing.map { (part: $0, reason: "\(error)") }
        }
    }

    private func measure(_ part: Part, _ report: inout BenchmarkReport, _ body: (Part) async throws -> [Measurement]) async {
        do { report.measurements += try await body(part) } catch {
            narrator.say("\(part.rawValue) could not be measured: \(error)")
            report.failures.append((part: part, reason: "\(error)"))
        }
    }

    private func buildFleet(_ lab: Lab, _ narrator: Narrator) async throws -> RouterFleet {
        try await RouterFleet.build(lab, narrator: narrator, routers: fleetRouters, saturationSeconds: saturationSeconds)
    }

    private func measureInCloud(_ part: Part, _ cloud: BenchmarkCloud) async throws -> [Measurement] {
        switch part {
        case .memory: return try await MemoryBenchmark(cloud: cloud).run()
        case .tenant: return try await TenantBenchmark(cloud: cloud).run()
        case .move: return try await MoveBenchmark(cloud: cloud).run()
        case .wire: return try await WiringBenchmark(cloud: cloud).run()
        case .rule: return try await RuleBenchmark(cloud: cloud).run()
        case .floating: return try await FloatingIPBenchmark(cloud: cloud, runs: runs).run()
        case .restart: return try await RestartBenchmark(cloud: cloud).run()
        case .unattended:
            var measurements: [Measurement] = []
            for event in RouterEvent.unattended {
                measurements += try await RouterEventBenchmark(cloud: cloud, part: part, event: event, runs: unattendedRuns).runUnattended()
            }
            return measurements
        default:
            var measurements: [Measurement] = []
            for event in RouterEvent.events(of: part) {
                do {
                    measurements += try await RouterEventBenchmark(cloud: cloud, part: part, event: event, runs: runs).run()
                } catch {
                    // What the event left must not spoil the parts after it.
                    await restore(cloud)
                    throw error
                }
            }
            return measurements
        }
    }

    private func restore(_ cloud: BenchmarkCloud) async {
        let lab = cloud.lab
        if !lab.isServerRunning { try? await lab.startServer() }
        for host in lab.hosts {
            try? await host.heal()
            try? await lab.setL3Agent(of: host.name, isEnabled: true)
        }
        _ = try? await cloud.settledMaster()
    }

    /// Ends every lab of this benchmark, whoever started it.
    public func cleanUp() async {
        for lab in [labs.api, labs.hosts, labs.groups, labs.cloud, labs.fleet] { try? await Lab.down(name: lab) }
    }

    /// Starts a lab whose database is a file on a disk, and ends it whatever happens.
    private func withLab<Value>(
        _ name: String, hosts: Int, startsAgents: Bool, serverArguments: [String] = [], _ body: (Lab) async throws -> Value
    ) async throws -> Value {
        // What a killed run of the same name left.
        try await Lab.down(name: name)
        var configuration = Lab.Configuration(name: name, hosts: hosts)
        configuration.stateDirectory = try Self.makeDirectoryOnDisk()
        configuration.startsServices = startsAgents
        configuration.serverArguments = serverArguments
        narrator.say(
            "starting a lab with \(startsAgents ? "\(hosts) hosts" : "a server and no agents"), state in \(configuration.stateDirectory ?? "")"
        )
        let lab: Lab
        do { lab = try await Lab.up(configuration) } catch {
            // A lab that never was has no directory that its end would remove.
            if let directory = configuration.stateDirectory { Files.remove(directory) }
            throw error
        }
        do {
            if !startsAgents { try await lab.startServer() }
            let value = try await body(lab)
            try await lab.down()
            return value
        } catch {
            let failure = error
            if let logs = await lab.saveEvidence() { narrator.say("logs and the state of every host: \(logs)") }
            try? await lab.down()
            throw failure
        }
    }

    /// /run, where labs are otherwise, is memory: a commit there costs no fsync.
    private static func makeDirectoryOnDisk() throws(LabError) -> String {
        var template = Array("/var/tmp/neutrino-bench-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Files.failure("make a directory in /var/tmp") }
        let path = String(cString: made)
        // dnsmasq reads its files as another user.
        chmod(path, 0o755)
        return path
    }
}
