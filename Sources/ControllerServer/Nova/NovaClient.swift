import APISchema
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Where Nova is, and as whom the server talks to it.
public struct NovaSettings: Sendable {
    /// The address of Nova's compute API, such as `http://nova.example.org:8774/v2.1`.
    public var url: String
    /// The service user; nil sends events without a token.
    public var user: ServiceUser?
    /// Events that come within so many milliseconds of each other are sent together.
    public var batchMilliseconds: Int

    public init(url: String, user: ServiceUser? = nil, batchMilliseconds: Int = 2000) {
        self.url = url
        self.user = user
        self.batchMilliseconds = batchMilliseconds
    }
}

/// A user of the identity service that speaks for this server.
public struct ServiceUser: Sendable {
    /// The identity API's address, with its version: `http://keystone.example.org:5000/v3`.
    public var identityURL: String
    public var name: String
    public var password: String
    public var projectName: String
    public var domainName: String

    public init(identityURL: String, name: String, password: String, projectName: String = "service", domainName: String = "Default") {
        self.identityURL = identityURL
        self.name = name
        self.password = password
        self.projectName = projectName
        self.domainName = domainName
    }
}

/// Posts events to Nova.
actor NovaClient {
    /// How long one request may take.
    static let timeoutSeconds: Int64 = 10
    /// Nova answers with what it was sent.
    static let maximumAnswerBytes = 1 << 20

    enum Answer: Sendable, Equatable {
        /// Nova has the events; of so many it does not know the instance.
        case accepted(unknown: Int)
        /// Nova will never take them: trying again is of no use.
        case refused(String)
        /// Nova or the identity service cannot be asked now.
        case unavailable(String)
    }

    private let settings: NovaSettings
    private var token: String?

    init(settings: NovaSettings) { self.settings = settings }

    func send(_ events: [NovaEvent]) async -> Answer {
        var headers: [(String, String)] = [("Content-Type", "application/json"), ("Accept", "application/json")]
        do {
            if let user = settings.user {
                if token == nil { token = try await Self.token(of: user) }
                headers.append(("X-Auth-Token", token ?? ""))
            }
            let response = try await Self.post(Self.joined(settings.url, "os-server-external-events"), Self.body(of: events), headers)
            return understand(response.status, response.body)
        } catch let error as IdentityRefusal {
            return .unavailable(error.description)
        } catch {
            return .unavailable("\(error)")
        }
    }

    private func understand(_ status: Int, _ body: JSONValue) -> Answer {
        switch status {
        case 200, 207:
            let codes = body["events"]?.arrayValue?.compactMap { $0["code"]?.integerValue } ?? []
            return .accepted(unknown: codes.filter { $0 != 200 }.count)
        // None of the instances is known (any more).
        case 404: return .accepted(unknown: Int.max)
        case 401:
            // The token expired or was revoked: the next attempt gets a new one.
            token = nil
            return .unavailable("Nova does not accept the token")
        case 408, 429, 500...: return .unavailable("Nova answered \(status)")
        default: return .refused("Nova answered \(status): \(body.text.prefix(200))")
        }
    }

    static func body(of events: [NovaEvent]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("events")
            writer.array { writer in for event in events { event.write(to: &writer) } }
        }
        return writer.bytes
    }

    private static func joined(_ base: String, _ path: String) -> String { base.hasSuffix("/") ? base + path : "\(base)/\(path)" }

    private static func post(_ url: String, _ body: [UInt8], _ headers: [(String, String)]) async throws -> (
        status: Int, token: String?, body: JSONValue
    ) {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(timeoutSeconds))
        let answer = try await response.body.collect(upTo: maximumAnswerBytes)
        return (
            Int(response.status.code), response.headers.first(name: "X-Subject-Token"),
            (try? JSONParser.parse(Array(answer.readableBytesView))) ?? .null
        )
    }

    private struct IdentityRefusal: Error { var description: String }

    /// A token of the user, scoped to its project (Identity API v3, `POST /v3/auth/tokens`).
    private static func token(of user: ServiceUser) async throws -> String {
        let domain: JSONValue = ["name": .string(user.domainName)]
        let password: JSONValue = [
            "user": ["name": .string(user.name), "domain": domain, "password": .string(user.password)]
        ]
        let body: JSONValue = [
            "auth": [
                "identity": ["methods": ["password"], "password": password],
                "scope": ["project": ["name": .string(user.projectName), "domain": domain]],
            ]
        ]
        let response = try await post(
            joined(user.identityURL, "auth/tokens"), Array(body.text.utf8), [("Content-Type", "application/json")])
        guard response.status == 201, let token = response.token else {
            throw IdentityRefusal(description: "the identity service answered \(response.status) to the service user's password")
        }
        return token
    }
}
