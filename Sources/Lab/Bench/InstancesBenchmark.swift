import APISchema
import Glibc
import Synchronization

/// 1,000 ports of ten networks on one host: how long until all are ACTIVE, how large the agent is with them, and what its restart costs.
///
/// Devices are prepared as a hypervisor has them: 1,000 veths whose outer ends wait on the host under temporary names. A port's is called after it as
/// soon as the API answered, many at once, and taken up. Clients of the API, the server and the agents of both hosts share the machine.
struct InstancesBenchmark {
    static let networkCount = 10
    static let portCount = 1000
    static let connections = 8
    static let runs = 3
    static let timeoutMilliseconds = 120_000
    static let idleSeconds = 10
    static let steadyReplies = 50
    static let settledReplies = 200
    /// What follows the waiting devices' numbers in their names.
    private static let waitingPrefix = "waiting"

    let lab: Lab
    let narrator: Narrator

    private struct Network: Sendable {
        var id: String
        var mtu: Int
    }

    func run() async throws -> [Measurement] {
        try await lab.waitForAgents()
        try await BenchmarkCloud.liftQuota(lab)
        guard let host = lab.hosts.first else { throw LabError("There is no host.") }
        var networks: [Network] = []
        for number in 0..<Self.networkCount {
            let network = try await lab.createNetwork("many\(number)", prefix: "10.\(10 + number).0.0/24").network
            networks.append(Network(id: try network.text("id"), mtu: network["mtu"]?.integerValue ?? 1450))
        }
        let probes = try await makeProbes(network: networks[0].id)
        try await prepareDevices(host.place, mtu: networks[0].mtu)
        var wired: [Double] = []
        var answered: [Double] = []
        var ports: [String] = []
        for run in 1...Self.runs {
            if !ports.isEmpty { try await unwire(ports, host.place) }
            let result = try await wire(networks, host)
            ports = result.ports
            wired.append(result.active)
            answered.append(result.answered)
            narrator.say(
                "instances, run \(run) of \(Self.runs): answered after \(number(result.answered)) s, ACTIVE after \(number(result.active)) s"
            )
        }
        try await Task.sleep(for: .seconds(Self.idleSeconds))
        guard let agent = host.agentProcessID else { throw LabError("The agent of \(host.name) is not running.") }
        let size = try MemoryBenchmark.residentMegabytes(agent)
        narrator.say("instances: agent \(number(size)) MB")
        var measurements = [
            Measurement(
                .instances, "1,000 ports of 10 networks wired on one host: first POST to last ACTIVE", unit: "s", .atMost(10), .worst,
                wired,
                remark: "median of the last answer to a POST: \(number(answered.median)) s after the first; \(Self.connections) connections"
            ),
            Measurement(
                .instances, "agent with 1,000 ports, resident", unit: "MB", .atMost(60), .worst, [size],
                remark: "\(BenchmarkReport.build) build"),
        ]
        measurements += try await restart(host, probes, network: networks[0])
        return measurements
    }

    /// Instances on both hosts, that ping each other while agents restart.
    private func makeProbes(network: String) async throws -> [Instance] {
        var instances: [Instance] = []
        for host in lab.hosts { instances.append(try await lab.createInstance("vm\(host.number)", host: host.name, network: network)) }
        guard instances.count > 1 else { throw LabError("It takes two hosts.") }
        try await lab.waitForReply(from: instances[0].place, to: instances[1].address)
        return instances
    }

    // MARK: Devices

    private func prepareDevices(_ host: Place, mtu: Int) async throws {
        narrator.say("instances: preparing \(Self.portCount) devices")
        let lines = (0..<Self.portCount).map { "link add \(Self.waitingPrefix)\($0) mtu \(mtu) type veth peer name inner\($0) mtu \(mtu)" }
        try await BackgroundThread.run {
            try host.batch(lines)
            try host.batch((0..<Self.portCount).map { "link set inner\($0) up" })
        }
    }

    /// Deletes the ports and gives the devices their temporary names back.
    private func unwire(_ ports: [String], _ host: Place) async throws {
        for port in ports { try await lab.api.delete("ports", port) }
        let names = ports.enumerated().map { "link set \(InstancePort.tapName(portID: $1)) down name \(Self.waitingPrefix)\($0)" }
        try await BackgroundThread.run { try host.batch(names) }
    }

    // MARK: Wiring

    private func wire(_ networks: [Network], _ host: LabHost) async throws -> (ports: [String], answered: Double, active: Double) {
        let start = MonotonicTime.nanoseconds
        let answered = AnsweredPorts()
        let api = lab.api
        async let plugged = plug(answered, host.place)
        let ports = try await withThrowingTaskGroup(of: [String].self) { group in
            for connection in 0..<Self.connections {
                group.addTask {
                    var made: [String] = []
                    for number in stride(from: connection, to: Self.portCount, by: Self.connections) {
                        let network = networks[number % networks.count].id
                        let id = try await api.create(
                            "ports",
                            [
                                "network_id": .string(network), "binding:host_id": .string(host.name), "device_owner": "compute:nova",
                                "device_id": .string(InstancePort.makeDeviceID()),
                            ]
                        ).text("id")
                        answered.add(id)
                        made.append(id)
                    }
                    return made
                }
            }
            var all: [String] = []
            for try await made in group { all += made }
            return all
        }
        let last = MonotonicTime.nanoseconds
        let order = try await plugged
        try await waitUntil("all ports to be ACTIVE", timeoutMilliseconds: Self.timeoutMilliseconds, intervalMilliseconds: 20) {
            try await api.list("ports", "status=DOWN&device_owner=compute:nova&fields=id&limit=1").isEmpty
        }
        let end = MonotonicTime.nanoseconds
        guard ports.count == Self.portCount else { throw LabError("\(ports.count) ports were made.") }
        return (order, Double(last - start) / 1e9, Double(end - start) / 1e9)
    }

    /// Calls waiting devices after the ports that were answered, as many at once as there are. Answers the ports in the order of their devices.
    private func plug(_ answered: AnsweredPorts, _ host: Place) async throws -> [String] {
        var done: [String] = []
        while done.count < Self.portCount {
            let new = answered.all.dropFirst(done.count)
            guard !new.isEmpty else {
                try await Task.sleep(for: .milliseconds(5))
                continue
            }
            let lines = new.enumerated().map { [first = done.count] index, port in
                "link set \(Self.waitingPrefix)\(first + index) name \(InstancePort.tapName(portID: port)) up"
            }
            try await BackgroundThread.run { try host.batch(lines) }
            done += new
        }
        return done
    }

    // MARK: Restart

    private func restart(_ host: LabHost, _ instances: [Instance], network: Network) async throws -> [Measurement] {
        var lost: [Double] = []
        var synced: [Double] = []
        for run in 1...Self.runs {
            let probes = [
                try Probe.start(from: instances[0].place, to: instances[1].address),
                try Probe.start(from: instances[1].place, to: instances[0].address),
            ]
            defer { for probe in probes { probe.cancel() } }
            for probe in probes { try await probe.waitUntilSteady(replies: Self.steadyReplies) }
            try await host.endAgent(signal: SIGKILL)
            // What came meanwhile is realised by who starts: when it is, the agent is in sync.
            let marker = try await makeMarker(host, network)
            let start = MonotonicTime.nanoseconds
            try await host.startAgent()
            try await waitUntil("the agent to be in sync", timeoutMilliseconds: Self.timeoutMilliseconds, intervalMilliseconds: 10) {
                try await lab.api.show("ports", marker)["status"]?.stringValue == "ACTIVE"
            }
            synced.append(Double(MonotonicTime.nanoseconds - start) / 1e9)
            for probe in probes { try await probe.waitUntilSteady(replies: Self.settledReplies) }
            var missing = 0
            for probe in probes { missing += try await probe.stop().lost }
            lost.append(Double(missing))
            narrator.say("instances, restart \(run) of \(Self.runs): in sync after \(number(synced.last ?? 0)) s, \(missing) pings lost")
            let place = host.place
            try await BackgroundThread.run { try place.batch(["link delete \(InstancePort.tapName(portID: marker))"]) }
            try await lab.api.delete("ports", marker)
        }
        return [
            Measurement(
                .instances, "agent killed and started with 1,000 ports: in sync", unit: "s", .atMost(2), .worst, synced,
                remark: "from the start of the process until a port that was made while it was away is ACTIVE"),
            Measurement(
                .instances, "the same, pings lost", unit: "pings", .atMost(0), .worst, lost,
                remark: "every 10 ms, both ways between two hosts"),
        ]
    }

    private func makeMarker(_ host: LabHost, _ network: Network) async throws -> String {
        let id = try await lab.api.create(
            "ports",
            [
                "network_id": .string(network.id), "binding:host_id": .string(host.name), "device_owner": "compute:nova",
                "device_id": .string(InstancePort.makeDeviceID()),
            ]
        ).text("id")
        let place = host.place
        try await BackgroundThread.run {
            try place.batch([
                "link add \(InstancePort.tapName(portID: id)) mtu \(network.mtu) up type veth peer name marker mtu \(network.mtu)"
            ])
        }
        return id
    }
}

/// Ids of ports in the order of the API's answers.
private final class AnsweredPorts: Sendable {
    private let ids = Mutex<[String]>([])

    var all: [String] { ids.withLock { $0 } }
    func add(_ id: String) { ids.withLock { $0.append(id) } }
}
