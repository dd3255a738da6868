import APISchema

/// Ports created in one subnet and one port shown, by 8 connections with a token, against `GET /` by the same client, in turns.
struct PortRateBenchmark {
    static let connections = 8
    static let rounds = 7
    /// A machine that shares its processors with others is twice as fast in one second as in the next: a round takes many short turns.
    static let turnsPerRound = 10
    static let turnMilliseconds = 250

    let lab: Lab
    let narrator: Narrator

    func run() async throws -> [Measurement] {
        let network = try await BenchmarkCloud.makeLargeNetwork(lab)
        let token = try await lab.token()
        let shown = try await lab.api.create("ports", ["network_id": .string(network)]).text("id")
        let root = LoadConnection.request("GET", "/", token: nil)
        let show = LoadConnection.request("GET", "/v2.0/ports/\(shown)", token: token)
        let create = LoadConnection.request("POST", "/v2.0/ports", ["port": ["network_id": .string(network)]], token: token)
        var rates: [(root: Double, show: Double, create: Double)] = []
        // The first round warms up, and is not counted.
        for round in 0...Self.rounds {
            var measured = (root: 0.0, show: 0.0, create: 0.0)
            for _ in 0..<Self.turnsPerRound {
                measured.root += try await rate(root, expecting: 200) / Double(Self.turnsPerRound)
                measured.show += try await rate(show, expecting: 200) / Double(Self.turnsPerRound)
                measured.create += try await rate(create, expecting: 201) / Double(Self.turnsPerRound)
            }
            narrator.say(
                """
                ports, round \(round) of \(Self.rounds): GET / \(number(measured.root))/s, a port shown \(number(measured.show))/s, \
                ports created \(number(measured.create))/s
                """)
            if round > 0 { rates.append(measured) }
        }
        let rootRate = number(rates.map(\.root).median)
        return [
            Measurement(
                .ports, "GET of one port against GET /, 8 connections", unit: "%", .atLeast(50), .median,
                rates.map { $0.show / max($0.root, 1) * 100 },
                remark: "medians: \(number(rates.map(\.show).median))/s, GET / \(rootRate)/s; with a token of the built-in identity"),
            Measurement(
                .ports, "port create against GET /, 8 connections", unit: "%", .atLeast(15), .median,
                rates.map { $0.create / max($0.root, 1) * 100 },
                remark: """
                    medians: \(number(rates.map(\.create).median)) ports/s, GET / \(rootRate)/s; one subnet, SQLite in a file on \
                    disk with synchronous=FULL, unlimited quota, a token of the built-in identity, client on the same processors
                    """),
        ]
    }

    private func rate(_ request: [UInt8], expecting status: Int) async throws -> Double {
        try await Load.rate(
            request, expecting: status, port: lab.state.apiPort ?? 0, connections: Self.connections, milliseconds: Self.turnMilliseconds)
    }
}
