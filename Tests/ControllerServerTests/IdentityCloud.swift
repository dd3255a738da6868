import APISchema
import ControllerServer
import Identity
import NIOHTTP1
import TestSupport
import Testing

/// Runs a server with the built-in identity while the body works with it.
func withIdentity(
    _ backend: Backend = .sqlite, publicURL: String? = nil, policyFile: String? = nil, tokenLifetimeSeconds: Int = 3600,
    trustedProxies: TrustedProxies = TrustedProxies(), _ body: @Sendable (IdentityCloud) async throws -> Void
) async throws {
    let file = try TemporaryFiles.makePath("agent-secret")
    let settings = BuiltInSettings(
        tokenLifetimeSeconds: tokenLifetimeSeconds, stateDirectory: String(file.dropLast("/agent-secret".count)),
        administratorPassword: IdentityCloud.password,
        passwordCost: .init(logarithm: 2, blockSize: 1, parallelism: 1))
    try await withServer(
        backend,
        configure: {
            $0.policyFile = policyFile
            $0.trustedProxies = trustedProxies
            $0.operations.publicURL = publicURL
        }, authentication: .builtIn(settings), agentSecretFile: file
    ) { client in
        var cloud = IdentityCloud(client: client, token: "", agentSecretFile: file)
        cloud.token = try await cloud.logIn("admin", IdentityCloud.password, project: "admin")
        try await body(cloud)
    }
}

/// A server with the built-in identity, as its administrator or another user sees it.
struct IdentityCloud: Sendable {
    static let password = "admin secret"

    let client: APIClient
    var token: String
    let agentSecretFile: String

    typealias Answer = APIClient.Answer

    /// Of the identity's API.
    func send(_ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil, headers: [(String, String)] = []) async throws -> Answer {
        try await client.send(method, "/identity/v3/\(path)", body, headers: [("X-Auth-Token", token)] + headers)
    }

    /// Of the Networking API.
    func network(_ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil) async throws -> Answer {
        try await client.send(method, "/v2.0/\(path)", body, headers: [("X-Auth-Token", token)])
    }

    static func body(_ user: String, _ password: String, scope: JSONValue? = nil) -> JSONValue {
        var auth: [String: JSONValue] = [
            "identity": [
                "methods": ["password"],
                "password": ["user": ["name": .string(user), "domain": ["name": "Default"], "password": .string(password)]],
            ]
        ]
        if let scope { auth["scope"] = scope }
        return ["auth": .object(auth)]
    }

    static func scope(_ project: String) -> JSONValue { ["project": ["name": .string(project), "domain": ["id": "default"]]] }

    func login(_ body: JSONValue, query: String = "") async throws -> Answer {
        try await client.send(.POST, "/identity/v3/auth/tokens\(query)", body)
    }

    func logIn(_ user: String, _ password: String, project: String, sourceLocation: SourceLocation = #_sourceLocation) async throws
        -> String
    {
        let answer = try await login(Self.body(user, password, scope: Self.scope(project)))
        try #require(answer.status == 201, "\(answer)", sourceLocation: sourceLocation)
        return answer.headers.first(name: "X-Subject-Token") ?? ""
    }

    /// Creates a record that must be created, and returns its id.
    func make(_ kind: String, _ members: [String: JSONValue], sourceLocation: SourceLocation = #_sourceLocation) async throws -> String {
        let answer = try await send(.POST, kind + "s", [kind: .object(members)])
        try #require(answer.status == 201, "\(answer)", sourceLocation: sourceLocation)
        return answer.id
    }

    func id(ofRole name: String) async throws -> String {
        try await send(.GET, "roles?name=\(name)").body["roles"]?.arrayValue?.first?["id"]?.stringValue ?? ""
    }

    /// A user with the password `secret` and a role in a new project, seen with its token.
    func member(_ name: String, of project: String, role: String = "member") async throws -> (
        cloud: IdentityCloud, user: String, project: String
    ) {
        let projectID = try await make("project", ["name": .string(project)])
        let userID = try await make("user", ["name": .string(name), "password": "secret"])
        let answer = try await send(.PUT, "projects/\(projectID)/users/\(userID)/roles/\(try await id(ofRole: role))")
        #expect(answer.status == 204, "\(answer)")
        var cloud = self
        cloud.token = try await logIn(name, "secret", project: project)
        return (cloud, userID, projectID)
    }
}

extension APIClient.Answer {
    /// Of Keystone's error bodies.
    var title: String? { body["error"]?["title"]?.stringValue }
}
