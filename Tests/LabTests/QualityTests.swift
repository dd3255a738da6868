import APISchema
import Lab
import Testing

/// QoS rules as instances see them.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct QualityTests {
    /// What iperf3 says that arrived.
    private struct Load {
        var kilobitsPerSecond: Double
        var packetsPerSecond: Double
    }

    @Test("Ports keep to their network's or their own policy while it changes, and connections go on")
    func policies() async throws {
        try await withLab { lab in
            let (network, _) = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let networkID = try network.text("id")
            let first = try await lab.createInstance("vm1", host: "h1", network: "private")
            let second = try await lab.createInstance("vm2", host: "h2", network: "private")
            try await lab.waitForReply(from: first.place, to: second.address)

            // One connection sees it all: some 6 Mbit/s from vm1 to vm2.
            let transfer = try await Transfer.start(.upload, from: first.place, to: second.place, at: second.address)
            defer { transfer.stop() }
            try await waitUntil("the connection to run freely", timeoutMilliseconds: 60_000) { try await rate(of: transfer) > 2000 }
            let slow = try await lab.api.create("qos/policies", ["name": "slow"]).text("id")
            let rules = "/v2.0/qos/policies/\(slow)/bandwidth_limit_rules"
            let rule = try await lab.api.call("POST", rules, ["bandwidth_limit_rule": ["max_kbps": 800]])["bandwidth_limit_rule"]
            let ruleID = try #require(rule).text("id")
            _ = try await lab.api.update("networks", networkID, ["qos_policy_id": .string(slow)])
            try await waitUntil("the network's policy to hold", timeoutMilliseconds: 60_000) { try await rate(of: transfer) < 1000 }

            // A faster rule and a mark: they arrive while the connection runs.
            _ = try await lab.api.call("PUT", "\(rules)/\(ruleID)", ["bandwidth_limit_rule": ["max_kbps": 50_000]])
            let marks = "/v2.0/qos/policies/\(slow)/dscp_marking_rules"
            _ = try await lab.api.call("POST", marks, ["dscp_marking_rule": ["dscp_mark": 46]])
            try await waitUntil("the faster rule to hold", timeoutMilliseconds: 60_000) { try await rate(of: transfer) > 2000 }
            let marked = "tcp and src \(first.address) and ip[1] & 0xfc == 0xb8"
            try await second.place.output(["tcpdump", "-c", "1", "-n", "-i", "eth0", marked])

            // The port's own policy, both directions, instead of its network's.
            let own = try await lab.api.create("qos/policies", ["name": "own"]).text("id")
            for (direction, limit) in [("ingress", 8000), ("egress", 4000)] as [(JSONValue, JSONValue)] {
                _ = try await lab.api.call(
                    "POST", "/v2.0/qos/policies/\(own)/bandwidth_limit_rules",
                    ["bandwidth_limit_rule": ["max_kbps": limit, "direction": direction]])
            }
            _ = try await lab.api.update("ports", second.portID, ["qos_policy_id": .string(own)])
            #expect(try await lab.api.show("ports", second.portID)["qos_network_policy_id"] == .string(slow))
            try await waitForElement("limit rate over 1000000 bytes/second", lab)
            let toPort = try await load(from: first, to: second).kilobitsPerSecond
            let fromPort = try await load(from: first, to: second, ["-R"]).kilobitsPerSecond
            // The connection that sees it all has its share.
            #expect(toPort < 8000 * 1.6 && fromPort < 4000 * 1.6, "\(toPort), \(fromPort)")

            // A limit of packets. Small ones: some 20,000 a second are asked for.
            let packets = try await lab.api.create("qos/policies", ["name": "packets"]).text("id")
            _ = try await lab.api.call(
                "POST", "/v2.0/qos/policies/\(packets)/packet_rate_limit_rules",
                ["packet_rate_limit_rule": ["max_kpps": 1, "direction": "ingress"]])
            _ = try await lab.api.update("ports", second.portID, ["qos_policy_id": .string(packets)])
            try await waitForElement("limit rate over 1000/second", lab)
            let arrived = try await load(from: first, to: second, ["-u", "-b", "8M", "-l", "50"]).packetsPerSecond
            #expect(arrived < 2000 && arrived > 100, "\(arrived)")
            #expect(try await transfer.goesOn() && transfer.failure == nil)
        }
    }

    /// kbit/s of what arrives next.
    private func rate(of transfer: Transfer) async throws -> Int {
        let before = (bytes: transfer.receivedBytes, time: MonotonicTime.milliseconds)
        guard try await transfer.goesOn(bytes: 128 * 1024) else { throw LabError("The connection ended: \(transfer.failure ?? "silence")") }
        return (transfer.receivedBytes - before.bytes) * 8 / max(MonotonicTime.milliseconds - before.time, 1)
    }

    /// Until the host of vm2 has the element.
    private func waitForElement(_ text: String, _ lab: Lab) async throws {
        let place = try lab.host("h2").place
        try await waitUntil("'\(text)' on h2", timeoutMilliseconds: 60_000) {
            try await place.run(["nft", "list", "table", "bridge", "neutrino_qos"]).standardOutput.contains(text)
        }
    }

    /// Four seconds of traffic; of TCP a first one more does not count, which empties the bucket. Of datagrams iperf3 counts wrongly what it omits.
    private func load(from client: Instance, to server: Instance, _ options: [String] = []) async throws -> Load {
        let command = ["iperf3", "-c", server.address, "-t", "4", "-J"] + (options.contains("-u") ? [] : ["-O", "1"]) + options
        // It may not listen yet, and a policed connection may be silent for so long when the machine is busy.
        let sums = try await waitFor("iperf3 to measure something", timeoutMilliseconds: 60_000) { () -> JSONValue? in
            // One that still waits for its client keeps the next from starting.
            _ = try await server.place.run(["iperf3", "-s", "-1", "-D"])
            let result = try await client.place.run(command)
            guard result.exitCode == 0 else { return nil }
            let end = try JSONParser.parse(result.standardOutput)["end"]
            guard let sums = end?["sum_received"] ?? end?["sum"], sums["bytes"]?.integerValue ?? 0 > 0 else { return nil }
            return sums
        }
        let packets = (sums["packets"]?.integerValue ?? 0) - (sums["lost_packets"]?.integerValue ?? 0)
        return Load(
            kilobitsPerSecond: Double(sums["bytes"]?.integerValue ?? 0) * 8 / 1000 / 4,
            packetsPerSecond: Double(packets) / 4)
    }
}
