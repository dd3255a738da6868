import APISchema
import Glibc

/// Something that happens to an HA router, and what undoes it, as far as pings and connections see both.
struct RouterEvent: Sendable {
    /// What users may see of it.
    enum Tolerance: Sendable {
        /// No reply for so long, as the median and the worst of the runs.
        case gap(medianMilliseconds: Double?, worstMilliseconds: Double)
        /// No ping is lost.
        case nothingLost
        /// Anything; it is only shown.
        case anything
    }

    struct Half: Sendable {
        var name: String
        var tolerance: Tolerance
        /// Makes it happen on the master's host, and returns when it is settled.
        var happen: @Sendable (BenchmarkCloud, LabHost) async throws -> Void
        /// How many replies in a row show that nothing more happens: one each 10 ms.
        var settledReplies = 100

        init(
            _ name: String, _ tolerance: Tolerance, settledReplies: Int = 100,
            _ happen: @escaping @Sendable (BenchmarkCloud, LabHost) async throws -> Void
        ) {
            self.name = name
            self.tolerance = tolerance
            self.settledReplies = settledReplies
            self.happen = happen
        }
    }

    var event: Half
    /// Nil when nothing is left to undo.
    var undo: Half?

    /// VRRP's own timers would have acted after so many pings: three advertisements of a second each, and the skew.
    static let repliesBeyondVRRP = 400

    private static let failover = Tolerance.gap(medianMilliseconds: 150, worstMilliseconds: 300)
    private static let rejoin = Tolerance.gap(medianMilliseconds: nil, worstMilliseconds: 50)

    /// The events of a part; none for parts that are measured otherwise.
    static func events(of part: Benchmark.Part) -> [RouterEvent] {
        switch part {
        case .power: [hostFault(.power, "power of the master's host")]
        case .uplink: [hostFault(.uplink, "all uplinks of the master's host")]
        case .keepalived: [keepalivedKilled]
        case .drain: [drain]
        case .agent: [agentStopped, agentKilled, agentUpgraded]
        case .server: [serverStopped]
        case .reload: [floatingIPsAdded]
        case .partition: [partition]
        default: []
        }
    }

    private static func hostFault(_ fault: Fault, _ name: String) -> RouterEvent {
        RouterEvent(
            event: Half(name, failover) { cloud, host in
                try await host.fault(fault)
                try await cloud.successor(of: host.name)
            },
            undo: Half("its return", rejoin, settledReplies: repliesBeyondVRRP) { cloud, host in
                try await host.heal()
                try await cloud.settledMaster()
            })
    }

    private static let keepalivedKilled = RouterEvent(
        event: Half(
            "keepalived killed (-9) on the master", .gap(medianMilliseconds: nil, worstMilliseconds: 100), settledReplies: repliesBeyondVRRP
        ) {
            cloud, host in
            try await host.fault(.keepalived)
            try await waitUntil("keepalived to run again on \(host.name)", timeoutMilliseconds: 60_000) { host.isRunning("keepalived") }
            try await cloud.settledMaster()
        })

    private static let drain = RouterEvent(
        event: Half("drain of the master's host", .nothingLost) { cloud, host in
            try await cloud.lab.setL3Agent(of: host.name, isEnabled: false)
            try await cloud.successor(of: host.name)
        },
        undo: Half("end of the drain", .nothingLost) { cloud, host in
            try await cloud.lab.setL3Agent(of: host.name, isEnabled: true)
            try await cloud.settledMaster()
        })

    private static let agentStopped = RouterEvent(
        event: Half("agent stop on the master", .nothingLost, settledReplies: repliesBeyondVRRP) { _, host in try await host.endAgent() },
        undo: Half("agent start", .nothingLost) { cloud, host in
            try await host.startAgent()
            try await cloud.realiseSomething(on: host)
        })

    private static let agentKilled = RouterEvent(
        event: Half("agent killed (-9) on the master", .nothingLost, settledReplies: repliesBeyondVRRP) { _, host in
            try await host.fault(.agent)
        },
        undo: Half("agent start after a kill", .nothingLost) { cloud, host in
            try await host.startAgent()
            try await cloud.realiseSomething(on: host)
        })

    private static let agentUpgraded = RouterEvent(
        event: Half("agent upgrade on the master", .nothingLost, settledReplies: repliesBeyondVRRP) { cloud, host in
            try await host.endAgent()
            try await host.startAgent()
            try await cloud.realiseSomething(on: host)
        })

    private static let serverStopped = RouterEvent(
        event: Half("server stop", .nothingLost, settledReplies: repliesBeyondVRRP) { cloud, _ in try await cloud.lab.stopServer() },
        undo: Half("server start", .nothingLost) { cloud, host in
            try await cloud.lab.startServer()
            try await cloud.realiseSomething(on: host)
        })

    private static let floatingIPsAdded = RouterEvent(
        event: Half("50 floating IPs added in 5 s", .nothingLost) { cloud, _ in try await FloatingIPBurst(cloud: cloud).add() },
        undo: Half("50 floating IPs removed", .nothingLost) { cloud, _ in try await FloatingIPBurst(cloud: cloud).remove() })

    private static let partition = RouterEvent(
        event: Half("partition of the HA network", .anything) { cloud, host in
            try await host.fault(.ha)
            // As long as VRRP needs to notice; then one owner or two.
            try await Task.sleep(for: .seconds(5))
            _ = try await waitFor("an owner of the addresses", timeoutMilliseconds: 60_000) {
                let holders = try await cloud.holders()
                return holders.isEmpty ? nil : holders
            }
        },
        undo: Half("its heal", rejoin, settledReplies: repliesBeyondVRRP) { cloud, host in
            try await host.heal()
            try await cloud.settledMaster()
        })

    /// The first rows of the table with all agents and the server gone.
    static let unattended: [RouterEvent] = [
        (Fault.power, "power of the master's host"), (.uplink, "all uplinks of the master's host"),
        (.keepalived, "keepalived killed (-9) on the master"),
    ].map { fault, name in
        RouterEvent(
            event: Half(
                "no agents, no server: \(name)", .gap(medianMilliseconds: nil, worstMilliseconds: 3500), settledReplies: repliesBeyondVRRP
            ) {
                cloud, host in
                try await host.fault(fault)
                guard fault != .keepalived else { return }
                try await cloud.successor(of: host.name, asksServer: false)
            })
    }
}

extension LabHost {
    /// Whether a program of this name runs on the host.
    func isRunning(_ program: String) -> Bool { LabProcess.all(besides: place.process).contains { $0.programName == program } }
}

/// Fifty floating IPs for fifty ports of the private network.
struct FloatingIPBurst: Sendable {
    static let count = 50
    static let milliseconds = 5000
    private static let mark = "bench-burst"

    let cloud: BenchmarkCloud

    /// Adds them evenly spread over five seconds, and waits until the master has the last one.
    func add() async throws {
        let ports = try await ports()
        var last = ""
        let start = MonotonicTime.milliseconds
        for (index, port) in ports.enumerated() {
            let due = start + index * Self.milliseconds / Self.count
            if due > MonotonicTime.milliseconds { try await Task.sleep(for: .milliseconds(due - MonotonicTime.milliseconds)) }
            last = try await cloud.lab.createFloatingIP(externalNetwork: cloud.external, portID: port).address
        }
        let address = last
        try await waitUntil("\(address) on the master", timeoutMilliseconds: 60_000) {
            try await !cloud.lab.hosts(withAddress: address, router: cloud.router).isEmpty
        }
    }

    func remove() async throws {
        let ports = Set(try await ports())
        var last = ""
        for floating in try await cloud.lab.api.list("floatingips") where ports.contains(floating["port_id"]?.stringValue ?? "") {
            last = try floating.text("floating_ip_address")
            try await cloud.lab.api.delete("floatingips", floating.text("id"))
        }
        let address = last
        try await waitUntil("no master to have \(address)", timeoutMilliseconds: 60_000) {
            try await cloud.lab.hosts(withAddress: address, router: cloud.router).isEmpty
        }
    }

    /// Ports that are on no host; made when there are none yet.
    private func ports() async throws -> [String] {
        let known = try await cloud.lab.api.list("ports", "name=\(Self.mark)").compactMap { $0["id"]?.stringValue }
        guard known.isEmpty else { return known }
        let port: JSONValue = ["network_id": .string(cloud.network), "name": .string(Self.mark)]
        let made = try await cloud.lab.api.call("POST", "/v2.0/ports", ["ports": .array(Array(repeating: port, count: Self.count))])
        return made["ports"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
    }
}
