import APISchema
import ControllerServer
import Foundation
import Identity
import NIOHTTP1
import TestSupport
import Testing

@Suite("Who may call", .timeLimit(.minutes(15)))
struct CallerTests {
    @Test("The Networking API asks for a token, and what is made belongs to the token's project", arguments: Backend.allCases)
    func projects(_ backend: Backend) async throws {
        try await withIdentity(backend) { cloud in
            let (anna, _, blue) = try await cloud.member("anna", of: "blue")
            let (otto, _, red) = try await cloud.member("otto", of: "red")
            let made = try await anna.network(.POST, "networks", ["network": ["name": "n"]])
            #expect(made.status == 201 && made["project_id"]?.stringValue == blue, "\(made)")
            #expect(try await otto.network(.GET, "networks/\(made.id)").status == 404)
            #expect(try await otto.network(.GET, "networks").body["networks"] == [])
            #expect(try await cloud.network(.GET, "networks/\(made.id)").status == 200)
            #expect(try await anna.network(.POST, "networks", ["network": ["project_id": .string(red)]]).status == 400)
            let unscoped = try await cloud.login(IdentityCloud.body("admin", "wrong"))
            #expect(unscoped.status == 401)
        }
    }

    @Test("Missing, forged, foreign and ended tokens are answered 401 with where to get one")
    func refused() async throws {
        try await withIdentity { cloud in
            let (anna, user, _) = try await cloud.member("anna", of: "blue")
            let forged = String(anna.token.dropLast()) + (anna.token.hasSuffix("A") ? "B" : "A")
            let foreign = SignedToken.text(
                of: Token(
                    userID: user, generation: 0, scope: .system, methods: .password, issuedAt: 1, expiresAt: 1 << 40,
                    auditID: AuditID(rawValue: 1)), signedBy: TokenKey(id: 1, secret: Array(repeating: 1, count: 32)))
            for token in [nil, "", "nonsense", forged, foreign] {
                let answer = try await cloud.client.send(.GET, "/v2.0/networks", headers: token.map { [("X-Auth-Token", $0)] } ?? [])
                #expect(answer.status == 401 && answer.title == "Unauthorized", "\(token ?? "none"): \(answer)")
                #expect(answer.headers.first(name: "WWW-Authenticate")?.hasSuffix("/identity/v3\"") == true)
            }
            // X-Project-Id names nothing where callers are authenticated.
            let spoofed = try await cloud.client.send(
                .GET, "/v2.0/networks", headers: [("X-Project-Id", "admin"), ("X-Roles", "admin"), ("X-User-Id", "admin")])
            #expect(spoofed.status == 401)
            #expect(try await cloud.send(.DELETE, "users/\(user)").status == 204)
            #expect(try await anna.network(.GET, "networks").status == 401)
        }
    }

    @Test("An expired token is answered 401, however often it was used before")
    func expired() async throws {
        try await withIdentity(tokenLifetimeSeconds: 3) { cloud in
            var answers: Set<Int> = []
            let isExpired = try await poll {
                let answer = try await cloud.network(.GET, "networks")
                answers.insert(answer.status)
                return answer.status == 401 && answer.title == "Unauthorized"
            }
            #expect(isExpired && answers.isSubset(of: [200, 401]), "\(answers)")
            let made = try await cloud.network(.POST, "networks", ["network": ["name": "late"]])
            #expect(made.status == 401)
        }
    }

    @Test("Agents and readers of the metrics present the shared secret, or an administrator's token")
    func agents() async throws {
        try await withIdentity { cloud in
            let (anna, _, _) = try await cloud.member("anna", of: "blue")
            let file = try String(contentsOfFile: cloud.agentSecretFile, encoding: .utf8)
            let secret = file.trimmingCharacters(in: .newlines)
            let mode = try FileManager.default.attributesOfItem(atPath: cloud.agentSecretFile)[.posixPermissions] as? Int
            #expect(secret.utf8.count == 64 && mode == 0o600)
            for path in ["/metrics", "/agent/v1/hosts/h1/duties", "/agent/v1/hosts/h1/feed"] {
                for headers in [
                    [], [("Authorization", "Bearer wrong")], [("Authorization", "Basic \(secret)")], [("X-Auth-Token", anna.token)],
                    [("Authorization", "Bearer \(secret)0")],
                ] {
                    #expect(try await cloud.client.send(.GET, path, headers: headers).status == 401, "\(path) \(headers)")
                }
            }
            for path in ["/metrics", "/agent/v1/hosts/h1/duties"] {
                #expect(try await cloud.client.send(.GET, path, headers: [("Authorization", "Bearer \(secret)")]).status == 200)
                #expect(try await cloud.client.send(.GET, path, headers: [("X-Auth-Token", cloud.token)]).status == 200)
            }
            let report = try await cloud.client.send(.POST, "/agent/v1/hosts/h1/status", [:])
            #expect(report.status == 401)
        }
    }

    @Test("Without authentication nothing is asked for, and there is no identity")
    func none() async throws {
        try await withServer { client in
            for path in ["/v2.0/networks", "/metrics", "/agent/v1/hosts/h1/duties"] {
                let answer = try await client.send(.GET, path)
                #expect(answer.status == 200, "\(path): \(answer)")
            }
            let identity = try await client.send(.GET, "/identity/v3")
            #expect(identity.status == 404, "\(identity)")
        }
    }
}
