import APISchema

/// The list of 10,000 ports, to its last byte.
struct PortListBenchmark {
    static let portCount = 10_000
    static let bulkCount = 500
    static let lists = 9

    let lab: Lab
    let narrator: Narrator

    func run() async throws -> [Measurement] {
        let network = try await BenchmarkCloud.makeLargeNetwork(lab)
        narrator.say("list: creating \(Self.portCount) ports")
        let port: JSONValue = ["network_id": .string(network)]
        let bulk: JSONValue = ["ports": .array(Array(repeating: port, count: Self.bulkCount))]
        let api = lab.api
        for _ in 0..<Self.portCount / Self.bulkCount { try await api.call("POST", "/v2.0/ports", bulk) }
        let listed = try await api.list("ports", "fields=id").count
        guard listed == Self.portCount else { throw LabError("\(listed) ports are listed instead of \(Self.portCount).") }
        let apiPort = lab.state.apiPort ?? 0
        let token = try await lab.token()
        let (samples, bytes) = try await BackgroundThread.run { try Self.times(apiPort: apiPort, token: token) }
        narrator.say("list: median \(number(samples.median)) ms")
        return [
            Measurement(
                .list, "list of 10,000 ports", unit: "ms", .atMost(300), .median, samples,
                remark: "all attributes, \(number(Double(bytes) / 1_000_000)) MB, until the last byte is received")
        ]
    }

    private static func times(apiPort: Int, token: String?) throws -> (samples: [Double], bytes: Int) {
        var connection = try LoadConnection(port: apiPort)
        let request = LoadConnection.request("GET", "/v2.0/ports", token: token)
        var samples: [Double] = []
        var bytes = 0
        for _ in 0..<lists {
            let start = MonotonicTime.nanoseconds
            let answer = try connection.exchange(request)
            samples.append(Double(MonotonicTime.nanoseconds - start) / 1_000_000)
            guard answer.status == 200 else { throw LabError("The list was answered \(answer.status).") }
            bytes = answer.bodyBytes
        }
        return (samples, bytes)
    }
}
