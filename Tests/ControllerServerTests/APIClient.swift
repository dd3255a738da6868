import APISchema
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Testing

/// A client of a server's API over real HTTP.
struct APIClient: Sendable {
    let port: Int

    /// What a server answered.
    struct Answer: Sendable, CustomStringConvertible {
        var status: Int
        var headers: HTTPHeaders
        var text: String
        /// Null when there is no body.
        var body: JSONValue

        /// The member of the body, or of what it wraps: `{"network": {"id": …}}` has an `id`.
        subscript(name: String) -> JSONValue? {
            if let member = body[name] { return member }
            guard let members = body.objectValue, members.count == 1 else { return nil }
            return members.values.first?[name]
        }
        var id: String { self["id"]?.stringValue ?? "" }
        var errorType: String? { body["NeutronError"]?["type"]?.stringValue }
        var message: String? { body["NeutronError"]?["message"]?.stringValue }
        var description: String { "\(status) \(text)" }
    }

    private static let timeoutSeconds: Int64 = 60
    private static let maximumAnswerBytes = 64 << 20

    func send(_ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil, headers: [(String, String)] = []) async throws -> Answer {
        try await send(method, path, bytes: body.map { Array($0.text.utf8) }, headers: headers)
    }

    func send(_ method: HTTPMethod, _ path: String, bytes: [UInt8]?, headers: [(String, String)] = []) async throws -> Answer {
        // Links are whole addresses, the rest are paths.
        var request = HTTPClientRequest(url: path.hasPrefix("http") ? path : "http://127.0.0.1:\(port)\(path)")
        request.method = method
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let bytes { request.body = .bytes(ByteBuffer(bytes: bytes)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(Self.timeoutSeconds))
        let buffer = try await response.body.collect(upTo: Self.maximumAnswerBytes)
        let text = String(buffer: buffer)
        return Answer(
            status: Int(response.status.code), headers: response.headers, text: text,
            body: text.isEmpty ? .null : (try? JSONParser.parse(text)) ?? .string(text))
    }

    func get(_ path: String) async throws -> Answer { try await send(.GET, "/v2.0/\(path)") }
    func post(_ path: String, _ body: JSONValue) async throws -> Answer { try await send(.POST, "/v2.0/\(path)", body) }
    func put(_ path: String, _ body: JSONValue) async throws -> Answer { try await send(.PUT, "/v2.0/\(path)", body) }
    func delete(_ path: String) async throws -> Answer { try await send(.DELETE, "/v2.0/\(path)") }

    /// Creates a resource that must be created, and returns its id.
    func make(_ collection: String, _ members: [String: JSONValue] = [:], sourceLocation: SourceLocation = #_sourceLocation) async throws
        -> String
    {
        let answer = try await post(collection, .object([Self.singular(collection): .object(members)]))
        try #require(answer.status == 201, "\(answer)", sourceLocation: sourceLocation)
        return answer.id
    }

    static func singular(_ collection: String) -> String { String(collection.dropLast()).replacing("-", with: "_") }

    /// The resources of a list that must succeed.
    func list(_ collection: String, _ query: String = "", sourceLocation: SourceLocation = #_sourceLocation) async throws -> [JSONValue] {
        let answer = try await get("\(collection)\(query)")
        try #require(answer.status == 200, "\(answer)", sourceLocation: sourceLocation)
        return answer.body[collection.replacing("-", with: "_")]?.arrayValue ?? []
    }

    func names(_ collection: String, _ query: String = "", sourceLocation: SourceLocation = #_sourceLocation) async throws -> [String] {
        try await list(collection, query, sourceLocation: sourceLocation).compactMap { $0["name"]?.stringValue }
    }

    // MARK: Things to have

    func subnet(on network: String, _ cidr: String = "10.0.0.0/24", _ more: [String: JSONValue] = [:]) async throws -> String {
        try await make("subnets", ["network_id": .string(network), "cidr": .string(cidr), "ip_version": 4].merging(more) { $1 })
    }

    func port(on network: String, _ more: [String: JSONValue] = [:]) async throws -> String {
        try await make("ports", ["network_id": .string(network)].merging(more) { $1 })
    }

    func externalNetwork() async throws -> (network: String, subnet: String) {
        let network = try await make(
            "networks",
            ["name": "public", "router:external": true, "provider:network_type": "flat", "provider:physical_network": "physnet1"])
        return (network, try await subnet(on: network, "203.0.113.0/24", ["enable_dhcp": false]))
    }
}
