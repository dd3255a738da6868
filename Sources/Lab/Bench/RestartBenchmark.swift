import APISchema
import Glibc

/// Pings every 10 ms while the agent of the master's host, which holds 20 routers, is ended and started again.
struct RestartBenchmark {
    static let routerCount = 20
    static let highlyAvailableRouters = 14
    static let runs = 3
    static let buildTimeoutMilliseconds = 120_000
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
                let (count, longestGap) = try await lostPings(host, signal: signal)
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

    private func lostPings(_ host: LabHost, signal: Int32) async throws -> (lost: Double, longestGap: Double) {
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
        try await host.endAgent(signal: signal)
        try await host.startAgent()
        try await cloud.realiseSomething(on: host)
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

    // MARK: The routers

    /// HA routers have a member on each host, others are spread over them: together 20 on each.
    private func addRouters() async throws {
        let others = (Self.routerCount - Self.highlyAvailableRouters) * cloud.lab.hosts.count
        cloud.narrator.say("restart: adding \(Self.highlyAvailableRouters - 1) HA routers and \(others) others")
        for number in 1..<Self.highlyAvailableRouters + others {
            let isHighlyAvailable = number < Self.highlyAvailableRouters
            let (_, subnet) = try await cloud.lab.createNetwork("n\(number)", prefix: "10.2.\(number).0/24", hasDHCP: false)
            _ = try await cloud.lab.createRouter(
                "router-\(number)", isHighlyAvailable: isHighlyAvailable, externalNetwork: cloud.external, subnets: [subnet])
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
