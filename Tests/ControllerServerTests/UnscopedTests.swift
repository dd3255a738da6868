import APISchema
import Testing

/// Callers without a token, and with one of no project.
@Suite("Without a token, without a project")
struct UnscopedTests {
    @Test("However a path is spelled, nothing behind it is shown or changed without a token")
    func spelledPaths() async throws {
        try await withIdentity { cloud in
            for path in ["/v2.0/networks", "/v2.0/nothing", "/agent/v1/hosts/h1/feed", "/metrics", "/nothing"] {
                let answer = try await cloud.client.send(.GET, path)
                #expect(answer.status == 401, "\(path)")
            }
            for path in ["//v2.0/networks", "/v2.0//networks", "//agent/v1/hosts/h1/feed", "//metrics", "//"] {
                let answer = try await cloud.client.send(.GET, path)
                #expect(answer.status == 404, "\(path)")
            }
        }
    }

    @Test("A token of no project makes nothing, not even on a network that everybody may use")
    func unscopedCreation() async throws {
        try await withIdentity { cloud in
            let shared = try await cloud.network(.POST, "networks", ["network": ["shared": true]])
            let anna = try await cloud.member("anna", of: "blue").cloud
            let login = try await anna.login(IdentityCloud.body("anna", "secret"))
            var unscoped = anna
            unscoped.token = login.headers.first(name: "X-Subject-Token") ?? ""
            let answer = try await unscoped.network(.POST, "ports", ["port": ["network_id": .string(shared.id)]])
            #expect(answer.status == 400, "\(answer)")
            let ports = try await cloud.network(.GET, "ports?network_id=\(shared.id)")
            #expect(ports.body["ports"]?.arrayValue?.isEmpty == true, "\(ports)")
        }
    }

    @Test("A token of a domain or of the whole system sees and makes nothing, whatever its role")
    func otherScopes() async throws {
        try await withIdentity { cloud in
            let shared = try await cloud.network(.POST, "networks", ["network": ["shared": true]])
            let (anna, user, project) = try await cloud.member("anna", of: "blue")
            let role = try await cloud.id(ofRole: "admin")
            let scopes: [(name: String, place: String, scope: JSONValue)] = [
                ("domain", "domains/default", ["domain": ["id": "default"]]), ("system", "system", ["system": ["all": true]]),
            ]
            for (name, place, scope) in scopes {
                #expect(try await cloud.send(.PUT, "\(place)/users/\(user)/roles/\(role)").status == 204)
                let login = try await cloud.login(IdentityCloud.body("anna", "secret", scope: scope))
                try #require(login.status == 201, "\(login)")
                var scoped = anna
                scoped.token = login.headers.first(name: "X-Subject-Token") ?? ""
                for collection in ["networks", "subnets", "ports", "routers", "agents"] {
                    #expect(try await scoped.network(.GET, collection).body[collection] == [], "\(collection)")
                }
                #expect(try await scoped.network(.GET, "networks/\(shared.id)").status == 404)
                let refused = try await scoped.network(.POST, "networks", ["network": ["project_id": .string(project)]])
                #expect(refused.status == 403 && refused.errorType == "InvalidScope", "\(refused)")
                #expect(
                    refused.message
                        == "rule:create_network requires a scope of ['project'], request was made with \(name) scope.")
                for path in ["", "/default", "/details"] {
                    #expect(try await scoped.network(.GET, "quotas/\(project)\(path)").errorType == "InvalidScope", "\(path)")
                }
            }
        }
    }
}
