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
}
