import APISchema
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// An answer of the API that was not a success.
public struct APIFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public var request: String
    public var status: Int
    public var body: JSONValue

    public var description: String { "\(request) was answered \(status): \(body.text)" }
}

/// A small client of the Networking API, for labs, tests and measurements.
public struct APIClient: Sendable {
    /// Such as `http://127.0.0.1:9696`.
    public let endpoint: String
    /// Whose token is sent with every request; nil: none is.
    public var session: APISession?

    static let timeoutSeconds: Int64 = 60
    static let bodyLimitBytes = 256 * 1024 * 1024

    public init(endpoint: String, session: APISession? = nil) {
        self.endpoint = endpoint
        self.session = session
    }

    /// Any request; the body of the answer is `.null` when there is none, a string when it is not JSON. A token that is not valid any more is
    /// replaced once.
    public func send(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> (status: Int, body: JSONValue) {
        guard let session else {
            let answer = try await exchange(method, path, body)
            return (answer.status, answer.body)
        }
        let token = try await session.token()
        var answer = try await exchange(method, path, body, token: token.text)
        if answer.status == 401 {
            session.forget(token)
            answer = try await exchange(method, path, body, token: try await session.token().text)
        }
        return (answer.status, answer.body)
    }

    func exchange(
        _ method: String, _ path: String, _ body: JSONValue?, token: String? = nil
    ) async throws -> (status: Int, headers: HTTPHeaders, body: JSONValue) {
        var request = HTTPClientRequest(url: endpoint + path)
        request.method = .RAW(value: method)
        if let token { request.headers.add(name: "X-Auth-Token", value: token) }
        if let body {
            request.headers.replaceOrAdd(name: "Content-Type", value: "application/json")
            request.body = .bytes(Array(body.text.utf8))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(Self.timeoutSeconds))
        let bytes = Array((try await response.body.collect(upTo: Self.bodyLimitBytes)).readableBytesView)
        if bytes.isEmpty { return (Int(response.status.code), response.headers, .null) }
        let answer = (try? JSONParser.parse(bytes)) ?? .string(String(decoding: bytes, as: UTF8.self))
        return (Int(response.status.code), response.headers, answer)
    }

    /// A request that must succeed.
    @discardableResult
    public func call(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        let (status, answer) = try await send(method, path, body)
        guard (200..<300).contains(status) else { throw APIFailure(request: "\(method) \(path)", status: status, body: answer) }
        return answer
    }

    /// Creates one resource of a collection (as the URL names it: `networks`, `security-group-rules`) and answers it.
    public func create(_ collection: String, _ attributes: JSONValue) async throws -> JSONValue {
        let name = Self.singular(collection)
        return try Self.member(name, of: await call("POST", "/v2.0/\(collection)", .object([name: attributes])))
    }

    public func show(_ collection: String, _ id: String) async throws -> JSONValue {
        try Self.member(Self.singular(collection), of: await call("GET", "/v2.0/\(collection)/\(id)"))
    }

    public func update(_ collection: String, _ id: String, _ attributes: JSONValue) async throws -> JSONValue {
        let name = Self.singular(collection)
        return try Self.member(name, of: await call("PUT", "/v2.0/\(collection)/\(id)", .object([name: attributes])))
    }

    public func delete(_ collection: String, _ id: String) async throws { try await call("DELETE", "/v2.0/\(collection)/\(id)") }

    /// Lists a collection; the query has no question mark: `name=a&fields=id`.
    public func list(_ collection: String, _ query: String = "") async throws -> [JSONValue] {
        let path = "/v2.0/\(collection)\(query.isEmpty ? "" : "?\(query)")"
        // `qos/policies`: the path says more than the body.
        let name = String((collection.split(separator: "/").last ?? "").map { $0 == "-" ? "_" : $0 })
        let answer = try await call("GET", path)
        guard let elements = answer[name]?.arrayValue else { throw LabError("GET \(path) answered no list of \(name): \(answer.text)") }
        return elements
    }

    /// The agents that host a router, with `ha_state` and `host`.
    public func agents(ofRouter id: String) async throws -> [JSONValue] {
        try await call("GET", "/v2.0/routers/\(id)/l3-agents")["agents"]?.arrayValue ?? []
    }

    /// `security-groups` is `security_group` in bodies.
    static func singular(_ collection: String) -> String {
        // `qos/policies`: the path says more than the body.
        let name = String((collection.split(separator: "/").last ?? "").map { $0 == "-" ? "_" : $0 })
        if name.hasSuffix("ies") { return name.dropLast(3) + "y" }
        return name.hasSuffix("s") ? String(name.dropLast()) : name
    }

    private static func member(_ name: String, of answer: JSONValue) throws -> JSONValue {
        guard let member = answer[name] else { throw LabError("An answer has no \(name): \(answer.text)") }
        return member
    }
}

extension JSONValue {
    /// A member that must be text.
    public func text(_ key: String) throws -> String {
        guard let text = self[key]?.stringValue else { throw LabError("\(key) is missing or no text in \(self.text)") }
        return text
    }
}
