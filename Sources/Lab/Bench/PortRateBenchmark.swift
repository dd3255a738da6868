import APISchema

/// Ports created in one subnet by 8 connections, against `GET /` by the same client, in turns.
struct PortRateBenchmark {
    static let connections = 8
    static let rounds = 7
    static let roundMilliseconds = 2500

    let lab: Lab
    let narrator: Narrator

    func run() async throws -> [Measurement] {
        let network = try await BenchmarkCloud.makeLargeNetwork(lab)
        let root = LoadConnection.request("GET", "/")
        let create = LoadConnection.request("POST", "/v2.0/ports", ["port": ["network_id": .string(network)]])
        var rootRates: [Double] = []
        var createRates: [Double] = []
        // The first round warms up, and is not counted.
        for round in 0...Self.rounds {
            let rootRate = try await rate(root, expecting: 200)
            let createRate = try await rate(create, expecting: 201)
            narrator.say("ports, round \(round) of \(Self.rounds): GET / \(number(rootRate))/s, ports created \(number(createRate))/s")
            guard round > 0 else { continue }
            rootRates.append(rootRate)
            createRates.append(createRate)
        }
        let ratios = zip(createRates, rootRates).map { $0 / max($1, 1) * 100 }
        return [
            Measurement(
                .ports, "port create against GET /, 8 connections", unit: "%", .atLeast(15), .median, ratios,
                remark: """
                    medians: \(number(createRates.median)) ports/s, GET / \(number(rootRates.median))/s; one subnet, SQLite in a file on \
                    disk with synchronous=FULL, unlimited quota, client on the same processors
                    """)
        ]
    }

    private func rate(_ request: [UInt8], expecting status: Int) async throws -> Double {
        try await Load.rate(
            request, expecting: status, port: lab.state.apiPort ?? 0, connections: Self.connections, milliseconds: Self.roundMilliseconds)
    }
}
