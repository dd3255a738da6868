/// Pings every 10 ms, from an instance to the outside host and from there to its floating IP, while the master's host loses both uplinks,
/// and again while it returns. The instance is on a host that is not the master.
struct FailoverBenchmark {
    static let steadyReplies = 50
    static let settledReplies = 100

    let cloud: BenchmarkCloud
    var runs: Int

    private struct Gaps {
        var outbound: [Double] = []
        var inbound: [Double] = []
    }

    func run() async throws -> [Measurement] {
        var cut = Gaps()
        var heal = Gaps()
        for run in 1...runs {
            let master = try await cloud.settledMaster()
            guard let instance = cloud.instances.first(where: { $0.host != master }) else {
                throw LabError("No instance is off the master's host.")
            }
            let host = try cloud.lab.host(master)
            let whileCut = try await gaps(instance) {
                try await host.fault(.uplink)
                _ = try await cloud.successor(of: master)
            }
            let whileHealing = try await gaps(instance) {
                try await host.heal()
                _ = try await cloud.settledMaster()
            }
            cloud.narrator.say(
                """
                failover, run \(run) of \(runs): \(master) cut off: \(number(whileCut.outbound)) ms out, \(number(whileCut.inbound)) ms in; \
                returned: \(number(whileHealing.outbound)) ms out, \(number(whileHealing.inbound)) ms in
                """)
            cut.outbound.append(whileCut.outbound)
            cut.inbound.append(whileCut.inbound)
            heal.outbound.append(whileHealing.outbound)
            heal.inbound.append(whileHealing.inbound)
        }
        return [
            Measurement(.failover, "cut-off of the master's host: gap outbound (SNAT)", unit: "ms", .atMost(500), .worst, cut.outbound),
            Measurement(
                .failover, "cut-off of the master's host: gap inbound (floating IP)", unit: "ms", .atMost(500), .worst, cut.inbound),
            Measurement(.failover, "its return: gap outbound (SNAT)", unit: "ms", .atMost(100), .worst, heal.outbound),
            Measurement(.failover, "its return: gap inbound (floating IP)", unit: "ms", .atMost(100), .worst, heal.inbound),
        ]
    }

    /// The longest times without a reply around what happens.
    private func gaps(_ instance: Instance, _ event: () async throws -> Void) async throws -> (outbound: Double, inbound: Double) {
        let outbound = try Probe.start(from: instance.place, to: Underlay.outsideAddress)
        defer { outbound.cancel() }
        let inbound = try Probe.start(from: cloud.lab.outside, to: cloud.floating[instance.name] ?? "")
        defer { inbound.cancel() }
        try await outbound.waitUntilSteady(replies: Self.steadyReplies)
        try await inbound.waitUntilSteady(replies: Self.steadyReplies)
        try await event()
        try await outbound.waitUntilSteady(replies: Self.settledReplies)
        try await inbound.waitUntilSteady(replies: Self.settledReplies)
        return (try await outbound.stop().longestGapMilliseconds, try await inbound.stop().longestGapMilliseconds)
    }
}
