import APISchema

/// From the answer to the association of a floating IP to its effect: the address in the master's namespace, and the first reply.
struct FloatingIPBenchmark {
    static let intervalMilliseconds = 5

    let cloud: BenchmarkCloud
    var runs: Int

    func run() async throws -> [Measurement] {
        let host = try cloud.lab.host(await cloud.settledMaster())
        let namespace = RouterNamespace(of: cloud.router, on: host)
        // ARP would ask once a second: the router is measured, not the patience of ARP.
        try await WiringBenchmark.hastenARP(cloud.lab.outside)
        let port = try await cloud.lab.createInstance("floating", host: host.name, network: cloud.network).portID
        var present: [Double] = []
        var replied: [Double] = []
        for _ in 1...runs {
            let times = try await associate(port, namespace)
            present.append(times.present)
            replied.append(times.replied)
        }
        try await cloud.lab.deleteInstance("floating")
        cloud.narrator.say("floating: median \(number(replied.median)) ms to the first reply")
        return [
            Measurement(
                .floating, "floating IP associated: API's answer to its address in the namespace", unit: "ms", .atMost(100), .median,
                present,
                remark: "looked every 2 ms, beside pings"),
            Measurement(
                .floating, "floating IP associated: API's answer to the first reply outside", unit: "ms", .atMost(100), .median, replied,
                remark: "pings every \(Self.intervalMilliseconds) ms, ARP asks every 10 ms; 0 when the reply was there before the answer"),
        ]
    }

    private func associate(_ port: String, _ namespace: RouterNamespace) async throws -> (present: Double, replied: Double) {
        let api = cloud.lab.api
        let floating = try await api.create("floatingips", ["floating_network_id": .string(cloud.external)])
        let (id, address) = (try floating.text("id"), try floating.text("floating_ip_address"))
        let probe = try Probe.start(from: cloud.lab.outside, to: address, intervalMilliseconds: Self.intervalMilliseconds)
        defer { probe.cancel() }
        _ = try await api.update("floatingips", id, ["port_id": .string(port)])
        let answered = MonotonicTime.nanoseconds
        var present: Int64?
        let reply = try await waitFor("\(address) to answer", timeoutMilliseconds: 20_000, intervalMilliseconds: 2) {
            if present == nil, try await namespace.addresses().contains(address) { present = MonotonicTime.nanoseconds }
            return probe.firstReplyNanoseconds
        }
        try await api.delete("floatingips", id)
        try await waitUntil("\(address) to be gone", timeoutMilliseconds: 20_000) { try await !namespace.addresses().contains(address) }
        func since(_ time: Int64) -> Double { Double(max(time - answered, 0)) / 1_000_000 }
        return (since(present ?? reply), since(reply))
    }
}
