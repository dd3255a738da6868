import APISchema
import Foundation
import Glibc
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// Debian's Keystone, as scripts/keystone runs it.
private struct RealKeystone {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .path
    static let isInstalled = FileManager.default.isExecutableFile(atPath: "/usr/bin/keystone-wsgi-public")

    let program: Program
    let client: APIClient
    let administrator: String
    var url: String { "http://127.0.0.1:\(client.port)/v3" }

    static let password = "correct horse"

    /// Keystone reads no body that is not called JSON.
    private static let json = ("Content-Type", "application/json")

    /// Starts one, and waits until it answers.
    static func start() async throws -> RealKeystone {
        let port = try await freePort()
        let program = Program(
            root + "/scripts/keystone", [try TemporaryFiles.makePath("keystone"), "\(port)", password])
        let client = APIClient(port: port)
        let answers = await poll { (try? await client.send(.GET, "/v3"))?.status == 200 }
        try #require(answers, "Keystone does not answer")
        let token = try await Self.token(client, "admin", password, project: "admin")
        return RealKeystone(program: program, client: client, administrator: try #require(token))
    }

    func stop() async {
        program.signal(SIGKILL)
        _ = await program.end()
    }

    private static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port
        try await channel.close().get()
        return try #require(port)
    }

    func token(_ user: String, project: String) async throws -> String {
        try #require(try await Self.token(client, user, Self.password, project: project))
    }

    private static func token(_ client: APIClient, _ user: String, _ password: String, project: String) async throws -> String? {
        let domain: JSONValue = ["id": "default"]
        let answer = try await client.send(
            .POST, "/v3/auth/tokens",
            [
                "auth": [
                    "identity": [
                        "methods": ["password"],
                        "password": ["user": ["name": .string(user), "password": .string(password), "domain": domain]],
                    ],
                    "scope": ["project": ["name": .string(project), "domain": domain]],
                ]
            ], headers: [json])
        return answer.headers.first(name: "X-Subject-Token")
    }

    /// Makes a thing; answers its id.
    func make(_ kind: String, _ members: [String: JSONValue]) async throws -> String {
        let answer = try await client.send(
            .POST, "/v3/\(kind)s", .object([kind: .object(members)]), headers: [Self.json, ("X-Auth-Token", administrator)])
        try #require(answer.status == 201, "\(answer)")
        return answer.id
    }

    /// Makes a project with a user of the same name, who has the role.
    func makeProject(_ name: String, user: String, role: String) async throws -> String {
        let project = try await make("project", ["name": .string(name), "domain_id": "default"])
        let user = try await make("user", ["name": .string(user), "password": .string(Self.password), "domain_id": "default"])
        let roles = try await client.send(.GET, "/v3/roles?name=\(role)", headers: [("X-Auth-Token", administrator)])
        let found = roles.body["roles"]?.arrayValue?.first?["id"]?.stringValue
        let roleID = if let found { found } else { try await make("role", ["name": .string(role)]) }
        let answer = try await client.send(
            .PUT, "/v3/projects/\(project)/users/\(user)/roles/\(roleID)", headers: [("X-Auth-Token", administrator)])
        try #require(answer.status == 204, "\(answer)")
        return project
    }
}

@Suite("A real Keystone", .timeLimit(.minutes(15)))
struct KeystoneTests {
    @Test(
        "Its tokens say who calls; without a valid one there is 401, and 503 when it is gone",
        .enabled(if: RealKeystone.isInstalled, "python3-keystone is not installed: run scripts/setup"))
    func tokens() async throws {
        let keystone = try await RealKeystone.start()
        _ = try await keystone.makeProject("service", user: "neutron", role: "service")
        let blue = try await keystone.makeProject("blue", user: "bob", role: "member")
        let red = try await keystone.makeProject("red", user: "rita", role: "member")
        let passwordFile = try TemporaryFiles.makePath("password")
        try "\(RealKeystone.password)\n".write(toFile: passwordFile, atomically: true, encoding: .utf8)
        let (server, client) = try await Neutrino.serve(
            try TemporaryFiles.makePath("neutrino.sqlite"),
            ["--auth", "keystone", "--keystone-url", keystone.url, "--keystone-password-file", passwordFile])

        func ask(_ token: String?, _ path: String = "networks", _ body: JSONValue? = nil) async throws -> APIClient.Answer {
            try await client.send(
                body == nil ? .GET : .POST, "/v2.0/\(path)", body, headers: token.map { [("X-Auth-Token", $0)] } ?? [])
        }
        for token in [nil, "", "forged", "gAAAAABforged"] {
            let refused = try await ask(token)
            #expect(refused.status == 401 && refused.body["error"]?["code"] == 401, "\(token ?? "none"): \(refused)")
            #expect(refused.headers.first(name: "WWW-Authenticate") == "Keystone uri=\"\(keystone.url)\"")
        }
        let bob = try await keystone.token("bob", project: "blue")
        let rita = try await keystone.token("rita", project: "red")
        let network = try await ask(bob, "networks", ["network": ["name": "n"]])
        #expect(network.status == 201 && network["project_id"] == .string(blue), "\(network)")
        let id = network.id
        #expect(try await ask(rita, "networks/\(id)").status == 404)
        #expect(try await ask(rita).body["networks"] == [])
        #expect(try await ask(rita, "networks", ["network": ["project_id": .string(blue)]]).status == 400)
        #expect(try await ask(rita, "networks", ["network": [:]])["project_id"] == .string(red))
        #expect(try await ask(keystone.administrator).body["networks"]?.arrayValue?.count == 2)

        // One of whom the server knows already, one whom it does not.
        let late = try await keystone.token("rita", project: "red")
        await keystone.stop()
        #expect(try await ask(bob, "networks/\(id)").status == 200)
        let unavailable = try await ask(late)
        #expect(unavailable.status == 503 && unavailable.headers.first(name: "Retry-After") == "1", "\(unavailable)")
        server.signal(SIGTERM)
        #expect(await server.end().code == 0)
    }
}
