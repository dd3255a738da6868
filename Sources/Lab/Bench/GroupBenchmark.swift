import APISchema
import Glibc

/// Security groups of hosts with many ports: how soon a new member is let in everywhere, and what the rules cost each packet.
///
/// Three hosts: two with few or with 1,000 ports of one group, a third with its other members. Ports without an instance are as much work for the
/// rules as others.
struct GroupBenchmark {
    static let localPorts = 1000
    static let remoteMembers = 5000
    /// Ports of a host in the first measurement, with which the cost of many is compared.
    static let fewPorts = 10
    static let runs = 10
    static let intervalMilliseconds = 2
    static let quietReplies = 100
    static let timeoutMilliseconds = 60_000
    static let bulkCount = 250
    static let datagramBytes = 64
    static let trafficSeconds = 3
    static let trafficRuns = 5

    let lab: Lab
    let narrator: Narrator

    /// The witnesses are members on the first two hosts; the newcomer, on the third, is none at first.
    private struct Scene {
        var network: String
        var members: String
        var outsiders: String
        var witnesses: [Instance]
        var newcomer: Instance
    }

    func run(_ part: Benchmark.Part) async throws -> [Measurement] {
        try await lab.waitForAgents()
        let network = try await BenchmarkCloud.makeLargeNetwork(lab)
        let members = try await lab.find("security-groups", "default")
        let outsiders = try await lab.api.create("security-groups", ["name": "outsiders"]).text("id")
        var witnesses: [Instance] = []
        for host in lab.hosts.prefix(2) {
            witnesses.append(
                try await lab.createInstance("witness-\(host.name)", host: host.name, network: network, configuration: .fixed))
        }
        let newcomer = try await lab.createInstance(
            "newcomer", host: "h3", network: network, securityGroups: [outsiders], configuration: .fixed)
        for instance in witnesses + [newcomer] { try await WiringBenchmark.hastenARP(instance.place) }
        let scene = Scene(network: network, members: members, outsiders: outsiders, witnesses: witnesses, newcomer: newcomer)
        return part == .groups ? try await membership(scene) : try await packets(scene)
    }

    // MARK: A new member

    private func membership(_ scene: Scene) async throws -> [Measurement] {
        for host in ["h1", "h2"] { try await addPorts(Self.fewPorts, host, scene) }
        try await addPorts(Self.remoteMembers - Self.fewPorts, "h3", scene)
        let few = try await times(scene)
        for host in ["h1", "h2"] { try await addPorts(Self.localPorts - Self.fewPorts, host, scene) }
        let many = try await times(scene)
        let what = "a member added to a group with 5,000 remote members, until it reaches a port on every host"
        return [
            Measurement(
                .groups, "\(what), 1,000 local ports", unit: "ms", .atMost(50), .worst, many.milliseconds,
                remark: "after the API's answer, pings every \(Self.intervalMilliseconds) ms; the slower of two hosts"),
            Measurement(.groups, "the same, 10 local ports", unit: "ms", [], few.milliseconds),
            Measurement(.groups, "processor time of a host's agent for it, 1,000 local ports", unit: "ms", [], [many.agent]),
            Measurement(.groups, "the same, 10 local ports", unit: "ms", [], [few.agent]),
        ]
    }

    private func times(_ scene: Scene) async throws -> (milliseconds: [Double], agent: Double) {
        var samples: [Double] = []
        try await settle(scene)
        let before = try await processorMilliseconds()
        for run in 1...Self.runs {
            let probes = try scene.witnesses.map {
                try Probe.start(from: scene.newcomer.place, to: $0.address, intervalMilliseconds: Self.intervalMilliseconds)
            }
            defer { for probe in probes { probe.cancel() } }
            // What has no rule must have no answer.
            try await waitUntil("some pings to be sent", timeoutMilliseconds: Self.timeoutMilliseconds, intervalMilliseconds: 5) {
                probes.allSatisfy { $0.report.sent >= Self.quietReplies }
            }
            guard probes.allSatisfy({ $0.report.received == 0 }) else { throw LabError("The newcomer is let in before it is a member.") }
            try await setGroups(scene, [scene.members])
            let answered = MonotonicTime.nanoseconds
            let replies = try await waitFor("replies from both", timeoutMilliseconds: Self.timeoutMilliseconds, intervalMilliseconds: 2) {
                let times = probes.compactMap(\.firstReplyNanoseconds)
                return times.count == probes.count ? times : nil
            }
            samples.append(max(Double((replies.max() ?? answered) - answered) / 1_000_000, 0))
            try await setGroups(scene, [scene.outsiders])
            try await settle(scene)
            narrator.say("groups: run \(run) of \(Self.runs): \(number(samples.last ?? 0)) ms")
        }
        // A member comes and goes in each run.
        return (samples, (try await processorMilliseconds() - before) / Double(2 * Self.runs))
    }

    private func setGroups(_ scene: Scene, _ groups: [String]) async throws {
        _ = try await lab.api.update("ports", scene.newcomer.portID, ["security_groups": .array(groups.map { .string($0) })])
    }

    /// Waits until the newcomer is refused everywhere.
    private func settle(_ scene: Scene) async throws {
        for witness in scene.witnesses {
            try await waitUntil("\(witness.name) to refuse the newcomer", timeoutMilliseconds: Self.timeoutMilliseconds) {
                try await lab.probe(from: scene.newcomer.place, to: witness.address, seconds: 0.2).received == 0
            }
        }
    }

    /// Of the first host's agent.
    private func processorMilliseconds() async throws -> Double {
        let usage = try await HostUsage.of([lab.host("h1")], hasMemory: false)
        return Double(usage.reduce(0) { $0 + $1.ticks(of: ["neutrino"]) } * 1000 / HostUsage.ticksPerSecond)
    }

    private func addPorts(_ count: Int, _ host: String, _ scene: Scene) async throws {
        narrator.say("groups: creating \(count) ports on \(host)")
        let port: JSONValue = [
            "network_id": .string(scene.network), "binding:host_id": .string(host), "device_owner": "compute:nova",
        ]
        var rest = count
        while rest > 0 {
            let part = min(rest, Self.bulkCount)
            try await lab.api.call("POST", "/v2.0/ports", ["ports": .array(Array(repeating: port, count: part))])
            rest -= part
        }
    }

    // MARK: What the rules cost

    private func packets(_ scene: Scene) async throws -> [Measurement] {
        guard let server = scene.witnesses.first else { throw LabError("There is no instance.") }
        try await addPorts(Self.localPorts - 2, "h1", scene)
        let client = try await lab.createInstance("client", host: "h1", network: scene.network, configuration: .fixed)
        try await lab.waitForReply(from: client.place, to: server.address, timeoutMilliseconds: Self.timeoutMilliseconds)
        try await server.place.start(["iperf3", "--server"], log: lab.logPath("iperf3"))
        var (guarded, free, shares): ([Double], [Double], [Double]) = ([], [], [])
        for run in 1...Self.trafficRuns {
            let filtered = try await packetsPerSecond(client, server)
            try await setPortSecurity([client, server], isEnabled: false)
            let unfiltered = try await packetsPerSecond(client, server)
            try await setPortSecurity([client, server], isEnabled: true)
            guarded.append(filtered)
            free.append(unfiltered)
            shares.append((1 - filtered / unfiltered) * 100)
            narrator.say("packets: run \(run) of \(Self.trafficRuns): \(number(filtered))/s, without port security \(number(unfiltered))/s")
        }
        return [
            Measurement(
                .packets, "what security groups take of the packet rate, 1,000 ports on the host", unit: "%", .atMost(15), .median, shares,
                remark: "iperf3, UDP, \(Self.datagramBytes) bytes, between two instances of one host, \(Self.trafficSeconds) s each"),
            Measurement(.packets, "packets received with security groups", unit: "1/s", [], guarded),
            Measurement(.packets, "packets received without port security", unit: "1/s", [], free),
        ]
    }

    private func setPortSecurity(_ instances: [Instance], isEnabled: Bool) async throws {
        for instance in instances {
            let groups: JSONValue = isEnabled ? [.string(try await lab.find("security-groups", "default"))] : []
            _ = try await lab.api.update("ports", instance.portID, ["port_security_enabled": .bool(isEnabled), "security_groups": groups])
            let set = isEnabled ? "guarded" : "trusted"
            try await waitUntil("\(instance.tapName) to be \(set)", timeoutMilliseconds: Self.timeoutMilliseconds) {
                let element = "{ \"\(instance.tapName)\" }"
                let words = ["nft", "get", "element", "bridge", "neutrino", set, element]
                return try await lab.host(instance.host).place.run(words).exitCode == 0
            }
        }
    }

    private func packetsPerSecond(_ client: Instance, _ server: Instance) async throws -> Double {
        let words = [
            "iperf3", "--client", server.address, "--udp", "--bitrate", "0", "--length", "\(Self.datagramBytes)", "--time",
            "\(Self.trafficSeconds)", "--json",
        ]
        // Its server may not listen yet, and says so in an answer without figures.
        let (packets, lost) = try await waitFor("iperf3 to count packets", timeoutMilliseconds: 60_000) { () -> (Int, Int)? in
            let sum = try JSONParser.parse(try await client.place.run(words).standardOutput)["end"]?["sum"]
            guard let packets = sum?["packets"]?.integerValue, let lost = sum?["lost_packets"]?.integerValue, packets > lost else {
                return nil
            }
            return (packets, lost)
        }
        return Double(packets - lost) / Double(Self.trafficSeconds)
    }
}
