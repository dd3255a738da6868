import APISchema

/// Bytes that two instances on two hosts send each other by TCP, against the same between the same two namespaces over a VXLAN device that the kernel
/// has put right into them: without bridge, filters and connection tracking.
struct TenantBenchmark {
    static let rounds = 7
    static let secondsPerRun = 3
    private static let bareNetwork = 9_999_999
    /// Not the agents' port, so that the two share nothing.
    private static let barePort = 8472
    private static let bareAddresses = ["172.31.255.1", "172.31.255.2"]

    let cloud: BenchmarkCloud

    func run() async throws -> [Measurement] {
        let instances = Array(cloud.instances.prefix(2))
        guard instances.count == 2, instances[0].host != instances[1].host else {
            throw LabError("There are no two instances on two hosts.")
        }
        let mtu = try await cloud.lab.api.show("networks", cloud.network)["mtu"]?.integerValue ?? 1450
        try await connectBare(instances, mtu: mtu)
        var shares: [Double] = []
        var rates: [(bare: Double, tenant: Double)] = []
        // The first round warms up, and is not counted. Each way goes first in turn.
        for round in 0...Self.rounds {
            var bare = 0.0
            var tenant = 0.0
            for isBare in round.isMultiple(of: 2) ? [true, false] : [false, true] {
                let rate = try await rate(
                    from: instances[0], to: instances[1], address: isBare ? Self.bareAddresses[1] : instances[1].address)
                if isBare { bare = rate } else { tenant = rate }
            }
            cloud.narrator.say(
                "tenant, round \(round) of \(Self.rounds): bare \(number(bare)) Gbit/s, tenant network \(number(tenant)) Gbit/s")
            guard round > 0 else { continue }
            rates.append((bare, tenant))
            shares.append(tenant / max(bare, 0.001) * 100)
        }
        for instance in instances { _ = try? await instance.place.run(["ip", "link", "delete", "bare"]) }
        return [
            Measurement(
                .tenant, "TCP between instances on two hosts against bare VXLAN between the same namespaces", unit: "%", .atLeast(95),
                .median, shares,
                remark: """
                    medians: bare \(number(rates.map(\.bare).median)) Gbit/s, tenant network \(number(rates.map(\.tenant).median)) Gbit/s; iperf3, one \
                    connection, \(Self.secondsPerRun) s in turns; stateful security groups
                    """)
        ]
    }

    /// A VXLAN device is made on each host, where its packets start, and lives in the instance.
    private func connectBare(_ instances: [Instance], mtu: Int) async throws {
        let hosts = try instances.map { try cloud.lab.host($0.host) }
        for index in [0, 1] {
            let (own, other) = (Underlay.hostAddress(hosts[index].number), Underlay.hostAddress(hosts[1 - index].number))
            let host = hosts[index].place
            let place = instances[index].place
            let address = Self.bareAddresses[index]
            try await BackgroundThread.run {
                try host.batch([
                    "link add bare mtu \(mtu) type vxlan id \(Self.bareNetwork) local \(own) remote \(other) dstport \(Self.barePort)",
                    "link set bare netns \(place.processID)",
                ])
                try place.batch(["address add \(address)/30 dev bare", "link set bare up"])
            }
        }
        try await cloud.lab.waitForReply(from: instances[0].place, to: Self.bareAddresses[1])
    }

    /// In Gbit/s.
    private func rate(from client: Instance, to server: Instance, address: String) async throws -> Double {
        try await server.place.start(["iperf3", "--server", "--one-off", "--bind", address], log: "/dev/null")
        let command = ["iperf3", "--client", address, "--time", "\(Self.secondsPerRun)", "--json", "--connect-timeout", "1000"]
        let answer = try await waitFor("iperf3 to measure", timeoutMilliseconds: 30_000) { () -> JSONValue? in
            let result = try await client.place.run(command)
            guard result.exitCode == 0 else { return nil }
            // With --json iperf3 ends well also when nobody listens yet, and without a rate when the server was not ready for it.
            let answer = try JSONParser.parse(Array(result.standardOutput.utf8))
            // Not by `? :` with nil, which would be JSON's null, and an answer.
            guard answer["error"] == nil, answer["end"]?["sum_received"] != nil else { return nil }
            return answer
        }
        guard let rate = answer["end"]?["sum_received"]?["bits_per_second"] else { throw LabError("iperf3 said no rate: \(answer.text)") }
        switch rate {
        case .number(let bits): return bits / 1e9
        case .integer(let bits): return Double(bits) / 1e9
        default: throw LabError("iperf3 said no rate.")
        }
    }
}
