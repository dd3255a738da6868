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
        let administrator = try await lab.token()
        let member = try await memberToken()
        let (samples, pairs, bytes) = try await BackgroundThread.run {
            try Self.times(apiPort: apiPort, tokens: administrator, member)
        }
        narrator.say("list: median \(number(samples.median)) ms")
        var measurements = [
            Measurement(
                .list, "list of 10,000 ports", unit: "ms", .atMost(300), .median, samples,
                remark: "all attributes, \(number(Double(bytes) / 1_000_000)) MB, until the last byte is received")
        ]
        if !pairs.isEmpty {
            let medians = "\(number(pairs.map(\.member).median)) ms, \(number(pairs.map(\.administrator).median)) ms"
            measurements.append(
                Measurement(
                    .list, "list of 10,000 ports: what authorisation adds for a member", unit: "%", .atMost(15), .median,
                    pairs.map { ($0.member / max($0.administrator, 0.001) - 1) * 100 },
                    remark:
                        "to the time of an administrator, for whom no condition is needed, in turns, the same attributes; medians: \(medians)"
                ))
        }
        return measurements
    }

    /// A token of a member of the administrator's project, which owns the ports; nil when nobody is authenticated.
    private func memberToken() async throws -> String? {
        guard lab.state.authenticates else { return nil }
        let (name, password) = ("list-member", "list-member")
        let login = try Lab.administratorLogin(lab.directory, lab.state)
        let api = lab.api
        let project = try await Self.id(api, "projects", login.projectName)
        let role = try await Self.id(api, "roles", "member")
        let user = try await api.call(
            "POST", "/identity/v3/users", ["user": ["name": .string(name), "password": .string(password)]])["user"]?["id"]?.stringValue
        try await api.call("PUT", "/identity/v3/projects/\(project)/users/\(user ?? "")/roles/\(role)")
        let session = APISession {
            APISession.Login(authURL: login.authURL, userName: name, password: password, projectName: login.projectName)
        }
        return try await session.token().text
    }

    private static func id(_ api: APIClient, _ collection: String, _ name: String) async throws -> String {
        let found = try await api.call("GET", "/identity/v3/\(collection)?name=\(name)")[collection]?.arrayValue?.first
        guard let id = found?["id"]?.stringValue else { throw LabError("The identity has no \(name) in \(collection).") }
        return id
    }

    /// What only administrators see is not asked for, so that both get the same.
    private static let commonFields = [
        "id", "name", "network_id", "mac_address", "fixed_ips", "status", "device_id", "device_owner", "security_groups", "project_id",
        "tags",
        "admin_state_up", "created_at", "updated_at", "revision_number", "binding:vnic_type",
    ]

    /// - Parameter tokens: the administrator's, and the member's.
    private static func times(
        apiPort: Int, tokens administrator: String?, _ member: String?
    ) throws -> (samples: [Double], pairs: [(administrator: Double, member: Double)], bytes: Int) {
        var connection = try LoadConnection(port: apiPort)
        let whole = LoadConnection.request("GET", "/v2.0/ports", token: administrator)
        var (samples, bytes) = ([Double](), 0)
        for _ in 0..<lists {
            let (milliseconds, size) = try time(whole, &connection)
            samples.append(milliseconds)
            bytes = size
        }
        guard let member else { return (samples, [], bytes) }
        let path = "/v2.0/ports?" + commonFields.map { "fields=\($0)" }.joined(separator: "&")
        var pairs: [(administrator: Double, member: Double)] = []
        for _ in 0..<lists {
            let own = try time(LoadConnection.request("GET", path, token: administrator), &connection).milliseconds
            pairs.append((own, try time(LoadConnection.request("GET", path, token: member), &connection).milliseconds))
        }
        return (samples, pairs, bytes)
    }

    private static func time(_ request: [UInt8], _ connection: inout LoadConnection) throws -> (milliseconds: Double, bytes: Int) {
        let start = MonotonicTime.nanoseconds
        let answer = try connection.exchange(request)
        let milliseconds = Double(MonotonicTime.nanoseconds - start) / 1_000_000
        guard answer.status == 200 else { throw LabError("The list was answered \(answer.status).") }
        return (milliseconds, answer.bodyBytes)
    }
}
