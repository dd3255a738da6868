import APISchema

/// What a request costs: one port, and a port's creation, against `GET /` by the same 8 connections in turns; the list of 1,000 ports; and
/// what the server's memory does over a million requests.
struct APIBenchmark {
    static let connections = 8
    static let rounds = 5
    static let roundMilliseconds = 2000
    static let portCount = 1000
    static let bulkCount = 500
    static let lists = 21
    static let requests = 1_000_000
    /// Requests before the memory is looked at first: until then caches and pools fill.
    static let warmUpRequests = 100_000

    let lab: Lab
    let narrator: Narrator

    func run() async throws -> [Measurement] {
        let network = try await BenchmarkCloud.makeLargeNetwork(lab)
        let port: JSONValue = ["network_id": .string(network)]
        let bulk: JSONValue = ["ports": .array(Array(repeating: port, count: Self.bulkCount))]
        for _ in 0..<Self.portCount / Self.bulkCount { try await lab.api.call("POST", "/v2.0/ports", bulk) }
        guard let id = try await lab.api.list("ports", "limit=1&fields=id").first?["id"]?.stringValue else {
            throw LabError("No port is listed.")
        }
        let list = try await listTimes()
        let memory = try await memoryGrowth(LoadConnection.request("GET", "/v2.0/ports/\(id)"))
        return try await shares(id, network) + [list, memory]
    }

    private func shares(_ id: String, _ network: String) async throws -> [Measurement] {
        let root = LoadConnection.request("GET", "/")
        let show = LoadConnection.request("GET", "/v2.0/ports/\(id)")
        let create = LoadConnection.request("POST", "/v2.0/ports", ["port": ["network_id": .string(network)]])
        var rates: (root: [Double], show: [Double], create: [Double]) = ([], [], [])
        // The first round warms up, and is not counted.
        for round in 0...Self.rounds {
            let rootRate = try await rate(root, expecting: 200)
            let showRate = try await rate(show, expecting: 200)
            let createRate = try await rate(create, expecting: 201)
            narrator.say(
                "api, round \(round) of \(Self.rounds): GET / \(number(rootRate))/s, GET of a port \(number(showRate))/s, "
                    + "POST of a port \(number(createRate))/s")
            guard round > 0 else { continue }
            rates.root.append(rootRate)
            rates.show.append(showRate)
            rates.create.append(createRate)
        }
        func share(_ part: [Double]) -> [Double] { zip(part, rates.root).map { $0 / max($1, 1) * 100 } }
        let remark = "medians: GET / \(number(rates.root.median))/s"
        return [
            Measurement(
                .api, "GET of a port against GET /, 8 connections", unit: "%", .atLeast(50), .median, share(rates.show),
                remark: "\(remark), GET of a port \(number(rates.show.median))/s"),
            Measurement(
                .api, "port create against GET /, 8 connections", unit: "%", .atLeast(15), .median, share(rates.create),
                remark: "\(remark), POST of a port \(number(rates.create.median))/s; SQLite in a file on disk with synchronous=FULL"),
        ]
    }

    private func rate(_ request: [UInt8], expecting status: Int) async throws -> Double {
        try await Load.rate(
            request, expecting: status, port: lab.state.apiPort ?? 0, connections: Self.connections, milliseconds: Self.roundMilliseconds)
    }

    private func listTimes() async throws -> Measurement {
        let port = lab.state.apiPort ?? 0
        let samples = try await BackgroundThread.run { () throws -> [Double] in
            var connection = try LoadConnection(port: port)
            let request = LoadConnection.request("GET", "/v2.0/ports?limit=\(Self.portCount)")
            return try (0..<Self.lists).map { _ in
                let start = MonotonicTime.nanoseconds
                guard try connection.exchange(request).status == 200 else { throw LabError("The list was refused.") }
                return Double(MonotonicTime.nanoseconds - start) / 1_000_000
            }
        }
        return Measurement(
            .api, "list of 1,000 ports", unit: "ms", .atMost(30), .median, samples, remark: "all attributes, until the last byte")
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
