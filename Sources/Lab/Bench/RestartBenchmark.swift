import APISchema
import Glibc

/// Pings every 10 ms while the agent of the master's host, which holds 20 routers, is ended and started again.
struct RestartBenchmark {
    static let routerCount = 20
    static let highlyAvailableRouters = 14
    static let runs = 3
    static let buildTimeoutMilliseconds = 120_000
    static let stopTimeoutMilliseconds = 20_000
    static let steadyReplies = 50
    /// Replies after the agent has realised its first new port: two seconds.
    static let settledReplies = 200

    let cloud: BenchmarkCloud

    func run() async throws -> [Measurement] {
        try await addRouters()
        let master = try await cloud.settledMaster()
        let host = try cloud.lab.host(master)
        let routers = try await waitForRouters(on: host)
        var measurements: [Measurement] = []
        for (signal, name) in [(SIGKILL, "SIGKILL"), (SIGTERM, "SIGTERM")] {
            var lost: [Double] = []
            for run in 1...Self.runs {
                let (count, longestGap) = try await lostPings(host, signal: signal, run: run)
                cloud.narrator.say(
                    "restart, \(name), run \(run) of \(Self.runs): \(number(count)) lost, longest gap \(number(longestGap)) ms")
                lost.append(count)
            }
            measurements.append(
                Measurement(
                    .restart, "agent restart after \(name), pings lost", unit: "pings", .atMost(0), .worst, lost,
                    remark:
                        "\(routers) routers on the master's host; pings through SNAT, through a floating IP and to another host, together"))
        }
        return measurements
    }

    private func lostPings(_ host: LabHost, signal: Int32, run: Int) async throws -> (lost: Double, longestGap: Double) {
        guard let here = cloud.instances.first(where: { $0.host == host.name }),
            let there = cloud.instances.first(where: { $0.host != host.name })
        else { throw LabError("There are no two instances.") }
        let probes = [
            try Probe.start(from: here.place, to: Underlay.outsideAddress),
            try Probe.start(from: there.place, to: Underlay.outsideAddress),
            try Probe.start(from: cloud.lab.outside, to: cloud.floating[there.name] ?? ""),
            try Probe.start(from: here.place, to: there.address),
        ]
        defer { for probe in probes { probe.cancel() } }
        for probe in probes { try await probe.waitUntilSteady(replies: Self.steadyReplies) }
        let before = probes.map(\.report)
        try await end(host, signal)
        try await host.startAgent()
        try await realiseSomething(on: host, run: run)
        for probe in probes { try await probe.waitUntilSteady(replies: Self.settledReplies) }
        var lost = 0
        var longestGap = 0.0
        for (probe, before) in zip(probes, before) {
            let after = try await probe.stop()
            // What was not answered yet at the first look may have been on its way.
            lost += after.lost - min(before.lost, after.lost)
            longestGap = max(longestGap, after.longestGapMilliseconds)
        }
        return (Double(lost), longestGap)
    }

    private func end(_ host: LabHost, _ signal: Int32) async throws {
        guard let agent = host.agentProcessID, kill(agent, signal) == 0 else { throw LabError("The agent of \(host.name) is not running.") }
        try await waitUntil("the agent of \(host.name) to end", timeoutMilliseconds: Self.stopTimeoutMilliseconds, intervalMilliseconds: 20)
        {
            !host.isAgentRunning
        }
    }

    /// A new port that becomes ACTIVE shows that the agent holds the whole view again and has gone through a cycle.
    private func realiseSomething(on host: LabHost, run: Int) async throws {
        let name = "marker-\(run)"
        let instance = try await cloud.lab.createInstance(name, host: host.name, network: cloud.network, configuration: .fixed)
        try await waitUntil("port \(instance.portID) to become ACTIVE", timeoutMilliseconds: Self.buildTimeoutMilliseconds) {
            try await cloud.lab.api.show("ports", instance.portID)["status"]?.stringValue == "ACTIVE"
        }
        try await cloud.lab.deleteInstance(name)
    }

    // MARK: The routers

    /// HA routers have a member on each host, others are spread over them: together 20 on each.
    private func addRouters() async throws {
        let others = (Self.routerCount - Self.highlyAvailableRouters) * cloud.lab.hosts.count
        cloud.narrator.say("restart: adding \(Self.highlyAvailableRouters - 1) HA routers and \(others) others")
        for number in 1..<Self.highlyAvailableRouters + others {
            let isHighlyAvailable = number < Self.highlyAvailableRouters
            let network = try await cloud.lab.api.create("networks", ["name": .string("n\(number)")]).text("id")
            let subnet = try await BenchmarkCloud.makeSubnet(cloud.lab, network: network, prefix: "10.2.\(number).0/24", hasDHCP: false)
            let router = try await cloud.lab.api.create(
                "routers",
                [
                    "name": .string("router-\(number)"), "ha": .bool(isHighlyAvailable),
                    "external_gateway_info": ["network_id": .string(cloud.external)],
                ]
            ).text("id")
            try await cloud.lab.api.call("PUT", "/v2.0/routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)])
        }
    }

    /// Waits until the host holds 20 routers, and answers how many it holds.
    private func waitForRouters(on host: LabHost) async throws -> Int {
        try await waitFor(
            "\(Self.routerCount) routers on \(host.name)", timeoutMilliseconds: Self.buildTimeoutMilliseconds, intervalMilliseconds: 500
        ) {
            let namespaces = try await host.place.output(["ls", "/run/netns"]).split(separator: "\n").filter { $0.hasPrefix("qrouter-") }
            return namespaces.count >= Self.routerCount ? namespaces.count : nil
        }
    }
}
