import APISchema
import Foundation
import TestSupport
import Testing

/// The server as an operator starts it, and the clients that log in to it.
@Suite("The identity, as operators and clients use it", .serialized, .timeLimit(.minutes(15)))
struct IdentityClientTests {
    private struct Client {
        let path: String
        var environment: [String: String]

        /// Runs a command; its JSON, or what it said.
        @discardableResult
        func run(_ command: String, json: Bool = true, succeeds: Bool = true, sourceLocation: SourceLocation = #_sourceLocation)
            async throws -> JSONValue
        {
            let words = command.split(separator: " ").map(String.init) + (json ? ["-f", "json"] : [])
            let (errors, output, code) = await Program(path, words, environment: environment).end()
            let said = errors.joined(separator: "\n")
            #expect((code == 0) == succeeds, "openstack \(command): \(said)", sourceLocation: sourceLocation)
            return output.isEmpty ? .string(said) : try JSONParser.parse(output)
        }

        func acting(_ user: String, _ password: String, _ project: String) -> Client {
            var client = self
            client.environment.merge(["OS_USERNAME": user, "OS_PASSWORD": password, "OS_PROJECT_NAME": project]) { $1 }
            return client
        }
    }

    private func neutrino(
        _ arguments: [String], environment: [String: String] = [:], succeeds: Bool = true, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let (errors, output, code) = await Program(Neutrino.path, arguments, environment: environment).end()
        #expect((code == 0) == succeeds, "\(arguments): \(errors)", sourceLocation: sourceLocation)
        return succeeds ? output : errors.joined(separator: "\n")
    }

    private func lines(of file: String) throws -> String {
        try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines)
    }

    private func mode(of file: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    }

    @Test(
        "The openstack client logs in, makes a project and a user, and works as that user",
        .enabled(if: OpenStackClient.path != nil, "the openstack client is not installed: run scripts/setup"))
    func openstack() async throws {
        let path = try #require(OpenStackClient.path)
        let database = try TemporaryFiles.makePath("neutrino.sqlite")
        let (server, client) = try await Neutrino.serve(database, ["--auth", "built-in"])
        let directory = String(database.dropLast("/neutrino.sqlite".count))
        for file in ["\(directory)/admin-password", "\(directory)/agent-secret", database] { #expect(try mode(of: file) == 0o600) }
        let admin = Client(
            path: path,
            environment: [
                "OS_AUTH_TYPE": "password", "OS_AUTH_URL": "http://127.0.0.1:\(client.port)/identity", "OS_IDENTITY_API_VERSION": "3",
                "OS_USERNAME": "admin", "OS_PASSWORD": try lines(of: "\(directory)/admin-password"), "OS_PROJECT_NAME": "admin",
                "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default",
            ])
        let token = try await admin.run("token issue")
        #expect(token["project_id"] != nil && token["expires"] != nil, "\(token)")
        let project = try await admin.run("project create --description d blue")
        #expect(project["name"] == "blue" && project["domain_id"] == "default")
        let user = try await admin.run("user create --password secret --email a@example.org anna")
        #expect(user["name"] == "anna" && user["email"] == "a@example.org", "\(user)")
        try await admin.run("role add --user anna --project blue member", json: false)
        let roles = try await admin.run("role assignment list --user anna --names").arrayValue ?? []
        #expect(roles.count == 1 && roles.first?["Role"] == "member" && roles.first?["Project"] == "blue@Default", "\(roles)")

        let anna = admin.acting("anna", "secret", "blue")
        let network = try await anna.run("network create n")
        #expect(network["project_id"] == project["id"], "\(network)")
        #expect(try await anna.run("network list").arrayValue?.count == 1)
        #expect(try await anna.run("user list", json: false, succeeds: false).stringValue?.contains("403") == true)
        let wrong = try await admin.acting("anna", "wrong", "blue").run("network list", json: false, succeeds: false)
        #expect(wrong.stringValue?.contains("401") == true, "\(wrong)")
        #expect(try await admin.run("network list --project blue").arrayValue?.count == 1)
        #expect(try await admin.run("catalog list").arrayValue?.count == 2)
        try await admin.run("role remove --user anna --project blue member", json: false)
        try await anna.run("network list", json: false, succeeds: false)
        for command in ["user set --disable anna", "user delete anna", "project delete blue"] { try await admin.run(command, json: false) }
        #expect(try await admin.run("project list").arrayValue?.compactMap { $0["Name"] } == ["admin"])
        try await admin.run("project show blue", json: false, succeeds: false)
        server.signal(SIGTERM)
        #expect(await server.end().code == 0)
    }

    @Test(
        "The command line manages users, projects and roles in the database, and a running server goes by it", arguments: Backend.allCases)
    func commandLine(_ backend: Backend) async throws {
        let database: String
        switch try backend.makeLocation() {
        case .sqlite(let path): database = path
        case .postgresql(let url): database = url
        }
        let directory = String(try TemporaryFiles.makePath("x").dropLast(2))
        let (server, client) = try await withEnvironmentPassword(database, directory)
        let place = ["--database", database]
        _ = try await neutrino(["identity", "project", "create", "blue"] + place)
        _ = try await neutrino(["identity", "user", "create", "anna"] + place, environment: ["NEUTRINO_PASSWORD": "secret"])
        _ = try await neutrino(["identity", "role", "add", "member", "--user", "anna", "--project", "blue"] + place)
        #expect(try await neutrino(["identity", "user", "list"] + place).contains("anna"))
        #expect(try await neutrino(["identity", "role", "assignments"] + place).contains("anna  member  project blue"))
        let openrc = try await neutrino(["identity", "openrc", "anna", "--url", "http://127.0.0.1:\(client.port)"] + place)
        for line in ["OS_USERNAME='anna'", "OS_PROJECT_NAME='blue'", "OS_AUTH_URL='http://127.0.0.1:\(client.port)/identity/v3'"] {
            #expect(openrc.contains("export \(line)"), "\(openrc)")
        }
        let yaml = try await neutrino(["identity", "clouds-yaml", "anna"] + place)
        #expect(yaml.contains("username: \"anna\"") && yaml.contains("project_name: \"blue\""), "\(yaml)")
        let cloud = IdentityCloud(client: client, token: "", agentSecretFile: "")
        var anna = cloud
        anna.token = try await cloud.logIn("anna", "secret", project: "blue")
        #expect(try await anna.network(.GET, "networks").status == 200)
        // Another process ends the token: the server sees it within the named second.
        _ = try await neutrino(["identity", "user", "set-password", "anna"] + place, environment: ["NEUTRINO_PASSWORD": "other"])
        #expect(try await poll { try await anna.network(.GET, "networks").status == 401 })
        // The way back in.
        let said = try await neutrino(["identity", "bootstrap"] + place)
        let password = said.split(separator: " ").last.map { $0.trimmingCharacters(in: .newlines) } ?? ""
        _ = try await cloud.logIn("admin", password, project: "admin")
        let mistakes: [([String], String)] = [
            (["user", "delete", "nobody"] + place, "Could not find user: nobody."),
            (["project", "create", "blue"] + place, "Duplicate entry"),
            (["role", "delete", "admin"] + place, "delete the role admin"),
            (["openrc", "anna", "--project", "admin"] + place, "role add member"),
            (["user", "list", "--database", "\(directory)/nowhere.sqlite"], "There is no database"),
        ]
        for (arguments, advice) in mistakes {
            let errors = try await neutrino(["identity"] + arguments, succeeds: false)
            #expect(errors.contains(advice), "\(errors)")
        }
        server.signal(SIGTERM)
        #expect(await server.end().code == 0)
    }

    /// A server whose administrator's first password comes from the environment: no file holds it.
    private func withEnvironmentPassword(_ database: String, _ directory: String) async throws -> (Program, APIClient) {
        let arguments = ["server", "--port", "0", "--database", database, "--listen", "127.0.0.1", "--state-directory", directory]
        let program = Program(Neutrino.path, arguments, environment: ["NEUTRINO_ADMIN_PASSWORD": "from the environment"])
        let line = await program.line(containing: " Serving ")
        let port = try #require(line?.split(separator: "port=").last.flatMap { Int($0) }, "\(line ?? "it ended")")
        #expect(FileManager.default.contents(atPath: "\(directory)/admin-password") == nil)
        let cloud = IdentityCloud(client: APIClient(port: port), token: "", agentSecretFile: "")
        _ = try await cloud.logIn("admin", "from the environment", project: "admin")
        return (program, cloud.client)
    }

    @Test("A secret that everybody may read, or that can be guessed, is refused")
    func badSecrets() async throws {
        let database = try TemporaryFiles.makePath("neutrino.sqlite")
        let file = try TemporaryFiles.makePath("secret")
        for (text, mode, advice) in [("0123456789abcdef", 0o644, "chmod 600"), ("short\n", 0o600, "fewer than 16")] {
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
            let errors = try await neutrino(
                ["server", "--port", "0", "--database", database, "--agent-secret-file", file], succeeds: false)
            #expect(errors.contains(advice), "\(errors)")
        }
    }
}
