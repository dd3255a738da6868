import APISchema

/// Lists of 1,000 and of 10,000 ports, to their last byte, and what it costs that policy decides on each port of a project's member.
struct PortListBenchmark {
    static let portCounts = [1_000, 10_000]
    static let bulkCount = 500
    static let lists = 9

    let lab: Lab
    let narrator: Narrator

    func run() async throws -> [Measurement] {
        let network = try await BenchmarkCloud.makeLargeNetwork(lab)
        var measurements: [Measurement] = []
        var created = 0
        for (count, limit) in zip(Self.portCounts, [30.0, 300.0]) {
            narrator.say("list: creating ports, up to \(count)")
            try await createPorts(count - created, on: network)
            created = count
            let (samples, bytes) = try await times(tokens: [try await lab.token()])
            narrator.say("list: \(count) ports, median \(number(samples[0].median)) ms")
            measurements.append(
                Measurement(
                    .list, "list of \(count) ports", unit: "ms", .atMost(limit), .median, samples[0],
                    remark: "all attributes, \(number(Double(bytes) / 1_000_000)) MB, until the last byte is received"))
        }
        return measurements + [try await authorisation()]
    }

    private func createPorts(_ count: Int, on network: String) async throws {
        let port: JSONValue = ["network_id": .string(network)]
        let bulk: JSONValue = ["ports": .array(Array(repeating: port, count: Self.bulkCount))]
        for _ in 0..<count / Self.bulkCount { try await lab.api.call("POST", "/v2.0/ports", bulk) }
    }

    /// What only administrators see is not asked for, so that both get the same.
    private static let commonFields = [
        "id", "name", "network_id", "mac_address", "fixed_ips", "status", "device_id", "device_owner", "security_groups", "project_id",
        "tags",
        "admin_state_up", "created_at", "updated_at", "revision_number", "binding:vnic_type",
    ]

    /// A member's list against the administrator's, who is asked for nothing but being one; in turns.
    private func authorisation() async throws -> Measurement {
        let (samples, _) = try await times(
            tokens: [try await lab.token(), try await memberToken()],
            query: "?" + Self.commonFields.map { "fields=\($0)" }.joined(separator: "&"))
        narrator.say("list: the administrator's \(number(samples[0].median)) ms, a member's \(number(samples[1].median)) ms")
        let administrators = max(samples[0].median, 0.001)
        return Measurement(
            .list, "what authorisation adds to a list of 10,000 ports", unit: "%", .atMost(15), .median,
            samples[1].map { ($0 / administrators - 1) * 100 },
            remark: """
                each of a member's lists against the median of the administrator's (\(number(administrators)) ms), of the same ports and \
                attributes, in turns
                """)
    }

    /// A token of a user who is nothing but a member of the administrator's project.
    private func memberToken() async throws -> String {
        let (name, password) = ("bench-member", "bench-member")
        let api = lab.api
        let user = try await api.call("POST", "/identity/v3/users", ["user": ["name": .string(name), "password": .string(password)]])
        let roles = try await api.call("GET", "/identity/v3/roles?name=member")
        guard let userID = user["user"]?["id"]?.stringValue, let roleID = roles["roles"]?.arrayValue?.first?["id"]?.stringValue else {
            throw LabError("The identity gave no member.")
        }
        try await api.call("PUT", "/identity/v3/projects/\(try await lab.projectID())/users/\(userID)/roles/\(roleID)")
        let authURL = "\(lab.endpoint)/identity/v3"
        return try await APISession { .init(authURL: authURL, userName: name, password: password, projectName: "admin") }.token().text
    }

    /// How long the list takes with each of the tokens, in turns, by one connection.
    ///
    /// - Returns: milliseconds by token, and the bytes of the last body.
    private func times(tokens: [String?], query: String = "") async throws -> (samples: [[Double]], bytes: Int) {
        let port = lab.state.apiPort ?? 0
        return try await BackgroundThread.run {
            var connection = try LoadConnection(port: port)
            var samples = [[Double]](repeating: [], count: tokens.count)
            var bytes = 0
            for _ in 0..<Self.lists {
                for (position, token) in tokens.enumerated() {
                    let request = LoadConnection.request("GET", "/v2.0/ports" + query, token: token)
                    let start = MonotonicTime.nanoseconds
                    let answer = try connection.exchange(request)
                    samples[position].append(Double(MonotonicTime.nanoseconds - start) / 1_000_000)
                    guard answer.status == 200 else { throw LabError("The list was answered \(answer.status).") }
                    bytes = answer.bodyBytes
                }
            }
            return (samples, bytes)
        }
    }
}
