import APISchema

/// What the server's memory does over a million requests. What a request costs is measured by ``PortRateBenchmark`` and ``PortListBenchmark``.
struct APIBenchmark {
    static let connections = 8
    static let requests = 1_000_000
    /// Requests before the memory is looked at first: until then caches and pools fill.
    static let warmUpRequests = 100_000

    let lab: Lab
    let narrator: Narrator

    func run() async throws -> [Measurement] {
        let network = try await BenchmarkCloud.makeLargeNetwork(lab)
        let port = try await lab.api.create("ports", ["network_id": .string(network)]).text("id")
        return [try await memoryGrowth(LoadConnection.request("GET", "/v2.0/ports/\(port)", token: try await lab.token()))]
    }

    /// Resident memory after a million requests less that after the first hundred thousand.
    private func memoryGrowth(_ request: [UInt8]) async throws -> Measurement {
        guard let server = lab.serverProcessID else { throw LabError("The server is not running.") }
        try await repeated(request, Self.warmUpRequests)
        let before = try MemoryBenchmark.residentMegabytes(server)
        try await repeated(request, Self.requests)
        let after = try MemoryBenchmark.residentMegabytes(server)
        narrator.say("api: server \(number(before)) MB, after \(Self.requests) more requests \(number(after)) MB")
        return Measurement(
            .api, "growth of the server over a million requests", unit: "MB", .atMost(8), .worst, [after - before],
            remark: "from \(number(before)) MB")
    }

    private func repeated(_ request: [UInt8], _ count: Int) async throws {
        let port = lab.state.apiPort ?? 0
        try await withThrowingTaskGroup { group in
            for _ in 0..<Self.connections {
                group.addTask {
                    try await BackgroundThread.run {
                        var connection = try LoadConnection(port: port)
                        for _ in 0..<count / Self.connections {
                            guard try connection.exchange(request).status == 200 else { throw LabError("A request was refused.") }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
