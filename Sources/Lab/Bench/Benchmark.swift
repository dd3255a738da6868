import APISchema
import Glibc

/// The project's numbers, measured: each part in a lab of its own kind, with the time bounded and nothing left behind.
public struct Benchmark: Sendable {
    /// What can be measured.
    public enum Part: String, CaseIterable, Sendable {
        /// Rate of port creation against the rate of `GET /`.
        case ports
        /// Time of a list of 10,000 ports.
        case list
        /// Resident memory of server and agent.
        case memory
        /// From the request for a port to its first reply to a ping.
        case wire
        /// From the request for a security group rule to the first reply that it allows.
        case rule
        /// Gaps while the master's host is cut off, and while it returns.
        case failover
        /// Lost pings while an agent restarts.
        case restart
    }

    public let name: String
    public var parts = Set(Part.allCases)
    /// How many times the master's host is cut off.
    public var failoverRuns = 10

    let narrator: Narrator

    public init(name: String = "bench") {
        self.name = name
        narrator = Narrator(isToStandardError: true)
    }

    /// The names of the labs that it uses.
    private var labs: (api: String, cloud: String) { ("\(name)-api", "\(name)-cloud") }

    /// Measures all parts; one that fails does not keep the others from being measured.
    public func run() async -> BenchmarkReport {
        var report = BenchmarkReport()
        for part in [Part.ports, .list] where parts.contains(part) {
            await measure([part], &report) { part in
                try await withLab(labs.api, hosts: 1, startsAgents: false) { lab in
                    try await part == .ports
                        ? PortRateBenchmark(lab: lab, narrator: narrator).run() : PortListBenchmark(lab: lab, narrator: narrator).run()
                }
            }
        }
        // In this order: what is idle first, what leaves most behind last.
        let inCloud = [Part.memory, .wire, .rule, .failover, .restart].filter(parts.contains)
        guard !inCloud.isEmpty else { return report }
        do {
            try await withLab(labs.cloud, hosts: 3, startsAgents: true) { lab in
                let cloud = try await BenchmarkCloud.build(lab, narrator: narrator)
                await measure(inCloud, &report) { try await measureInCloud($0, cloud) }
            }
        } catch {
            let missing = inCloud.filter { part in
                !report.measurements.contains { $0.part == part } && !report.failures.contains { $0.part == part }
            }
            report.failures += missing.map { (part: $0, reason: "\(error)") }
        }
        return report
    }

    private func measure(
        _ parts: [Part], _ report: inout BenchmarkReport, _ body: (Part) async throws -> [Measurement]
    ) async {
        for part in parts {
            do { report.measurements += try await body(part) } catch {
                narrator.say("\(part.rawValue) could not be measured: \(error)")
                report.failures.append((part: part, reason: "\(error)"))
            }
        }
    }

    private func measureInCloud(_ part: Part, _ cloud: BenchmarkCloud) async throws -> [Measurement] {
        switch part {
        case .memory: try await MemoryBenchmark(cloud: cloud).run()
        case .wire: try await WiringBenchmark(cloud: cloud).run()
        case .rule: try await RuleBenchmark(cloud: cloud).run()
        case .failover: try await FailoverBenchmark(cloud: cloud, runs: failoverRuns).run()
        case .restart: try await RestartBenchmark(cloud: cloud).run()
        case .ports, .list: []
        }
    }

    /// Ends every lab of this benchmark, whoever started it.
    public func cleanUp() async {
        for lab in [labs.api, labs.cloud] { try? await Lab.down(name: lab) }
    }

    /// Starts a lab whose database is a file on a disk, and ends it whatever happens.
    private func withLab<Value>(
        _ name: String, hosts: Int, startsAgents: Bool, _ body: (Lab) async throws -> Value
    ) async throws -> Value {
        // What a killed run of the same name left.
        try await Lab.down(name: name)
        var configuration = Lab.Configuration(name: name, hosts: hosts)
        configuration.stateDirectory = try Self.makeDirectoryOnDisk()
        configuration.startsServices = startsAgents
        narrator.say(
            "starting a lab with \(startsAgents ? "\(hosts) hosts" : "a server and no agents"), state in \(configuration.stateDirectory ?? "")"
        )
        let lab = try await Lab.up(configuration)
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
