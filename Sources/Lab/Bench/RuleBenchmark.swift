/// How long after the request for a security group rule the first ping that it allows is answered.
struct RuleBenchmark {
    static let runs = 12
    static let intervalMilliseconds = 5
    static let refusedPings = 40
    static let refusalTries = 20

    let cloud: BenchmarkCloud

    func run() async throws -> [Measurement] {
        guard let instance = cloud.instances.first, let address = cloud.floating[instance.name] else {
            throw LabError("There is no instance.")
        }
        var samples: [Double] = []
        for _ in 1...Self.runs {
            try await forbidPings(to: address)
            let probe = try Probe.start(from: cloud.lab.outside, to: address, intervalMilliseconds: Self.intervalMilliseconds)
            defer { probe.cancel() }
            let start = MonotonicTime.nanoseconds
            try await cloud.allowPings()
            let reply = try await waitFor("\(address) to answer", timeoutMilliseconds: 20_000, intervalMilliseconds: 5) {
                probe.firstReplyNanoseconds
            }
            samples.append(Double(reply - start) / 1_000_000)
        }
        cloud.narrator.say("rule: median \(number(samples.median)) ms")
        return [
            Measurement(
                .rule, "security group rule: POST to first reply through a floating IP", unit: "ms", .atMost(250), .median, samples,
                remark: "pings from outside every \(Self.intervalMilliseconds) ms")
        ]
    }

    /// Removes every rule that lets pings in from anywhere, and waits until none is answered.
    private func forbidPings(to address: String) async throws {
        let rules = try await cloud.lab.api.list(
            "security-group-rules", "security_group_id=\(try await cloud.securityGroup())&protocol=icmp")
        for rule in rules { try await cloud.lab.api.delete("security-group-rules", rule.text("id")) }
        for _ in 1...Self.refusalTries {
            let seconds = Double(Self.refusedPings * Self.intervalMilliseconds) / 1000
            let report = try await cloud.lab.probe(
                from: cloud.lab.outside, to: address, intervalMilliseconds: Self.intervalMilliseconds, seconds: seconds)
            if report.received == 0 { return }
        }
        throw LabError("\(address) goes on answering after the rule was deleted.")
    }
}
