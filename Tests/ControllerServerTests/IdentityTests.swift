import APISchema
import ControllerServer
import Foundation
import Identity
import NIOHTTP1
import TestSupport
import Testing

@Suite("The identity's API", .timeLimit(.minutes(15)))
struct IdentityTests {
    @Test("Versions are discovered as Keystone's")
    func discovery() async throws {
        try await withIdentity { cloud in
            let versions = try await cloud.client.send(.GET, "/identity")
            #expect(versions.status == 300)
            let values = versions.body["versions"]?["values"]?.arrayValue
            #expect(
                values?.first?["links"]?.arrayValue?.first?["href"]?.stringValue == "http://127.0.0.1:\(cloud.client.port)/identity/v3/",
                "\(versions)")
            for path in ["/identity/v3", "/identity/v3/"] {
                let version = try await cloud.client.send(.GET, path)
                #expect(version.status == 200 && version.body["version"]?["id"]?.stringValue?.hasPrefix("v3.") == true, "\(version)")
            }
        }
    }

    @Test("A login answers a token with its user, scope, roles and catalogue", arguments: Backend.allCases)
    func login(_ backend: Backend) async throws {
        try await withIdentity(backend) { cloud in
            let answer = try await cloud.login(IdentityCloud.body("admin", IdentityCloud.password, scope: IdentityCloud.scope("admin")))
            #expect(answer.status == 201 && answer.headers.first(name: "Vary") == "X-Auth-Token", "\(answer)")
            #expect((answer.headers.first(name: "X-Subject-Token")?.utf8.count ?? 0) > 100)
            let token = try #require(answer.body["token"])
            #expect(token["user"]?["name"] == "admin" && token["user"]?["domain"] == ["id": "default", "name": "Default"])
            #expect(token["project"]?["name"] == "admin" && token["is_domain"] == false && token["methods"] == ["password"])
            let roles = token["roles"]?.arrayValue?.compactMap { $0["name"]?.stringValue }
            #expect(roles == ["admin", "manager", "member", "reader", "service"])
            #expect(token["expires_at"]?.stringValue?.hasSuffix(".000000Z") == true && token["audit_ids"]?.arrayValue?.count == 1)
            let services = token["catalog"]?.arrayValue ?? []
            let urls = Dictionary(
                uniqueKeysWithValues: services.map {
                    ($0["type"]?.stringValue ?? "", $0["endpoints"]?.arrayValue?.first?["url"]?.stringValue ?? "")
                })
            let base = "http://127.0.0.1:\(cloud.client.port)"
            #expect(urls == ["identity": "\(base)/identity/v3", "network": base])
            let without = try await cloud.login(
                IdentityCloud.body("admin", IdentityCloud.password, scope: IdentityCloud.scope("admin")), query: "?nocatalog")
            #expect(without.status == 201 && without.body["token"]?["catalog"] == nil)
            let unscoped = try await cloud.login(IdentityCloud.body("admin", IdentityCloud.password))
            #expect(unscoped.body["token"]?["project"] == nil && unscoped.body["token"]?["roles"] == nil, "\(unscoped)")
            let system = try await cloud.login(IdentityCloud.body("admin", IdentityCloud.password, scope: ["system": ["all": true]]))
            #expect(system.status == 201 && system.body["token"]?["system"] == ["all": true], "\(system)")
            let domain = try await cloud.login(IdentityCloud.body("admin", IdentityCloud.password, scope: ["domain": ["id": "default"]]))
            #expect(domain.status == 401)
            let text = answer.headers.first(name: "X-Subject-Token") ?? ""
            let again = try await cloud.login([
                "auth": ["identity": ["methods": ["token"], "token": ["id": .string(text)]], "scope": IdentityCloud.scope("admin")]
            ])
            #expect(again.status == 201 && again.body["token"]?["methods"] == ["password", "token"], "\(again)")
            #expect(again.body["token"]?["expires_at"] == token["expires_at"] && again.body["token"]?["audit_ids"]?.arrayValue?.count == 2)
        }
    }

    @Test("A failed login is told nothing but that, in Keystone's words")
    func failedLogin() async throws {
        try await withIdentity { cloud in
            for body in [
                IdentityCloud.body("admin", "wrong"), IdentityCloud.body("nobody", "x"),
                IdentityCloud.body("admin", IdentityCloud.password, scope: IdentityCloud.scope("nowhere")),
            ] {
                let answer = try await cloud.login(body)
                #expect(answer.status == 401 && answer.title == "Unauthorized")
                #expect(answer.body["error"]?["message"] == "The request you have made requires authentication.")
                #expect(answer.body["error"]?["code"] == 401)
            }
            for body: JSONValue in [[:], ["auth": [:]], ["auth": "x"]] {
                let answer = try await cloud.login(body)
                #expect(answer.status == 400 && answer.title == "Bad Request", "\(answer)")
            }
            let broken = try await cloud.client.send(.POST, "/identity/v3/auth/tokens", bytes: Array("{".utf8))
            #expect(broken.status == 400 && broken.title == "Bad Request", "\(broken)")
        }
    }

    @Test("Too many failed logins are answered 429 with Retry-After, before the password is looked at")
    func rateLimit() async throws {
        try await withIdentity { cloud in
            // At once: one after the other they could take so long that the first ones are forgiven before the last one comes.
            let answers = try await withThrowingTaskGroup(of: APIClient.Answer.self) { group in
                for _ in 0..<2 * LoginLimiter.userAtAddress.burst {
                    group.addTask { try await cloud.login(IdentityCloud.body("anna", "wrong")) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.status == 401 || $0.status == 429 })
            #expect(answers.count { $0.status == 401 } >= LoginLimiter.userAtAddress.burst)
            let refused = try #require(answers.first { $0.status == 429 })
            #expect(refused.title == "Too Many Requests", "\(refused)")
            #expect((Int(refused.headers.first(name: "Retry-After") ?? "") ?? 0) > 0)
            // Others go on.
            #expect(try await cloud.login(IdentityCloud.body("admin", IdentityCloud.password)).status == 201)
        }
    }

    @Test("A token is validated, tested and revoked", arguments: Backend.allCases)
    func tokens(_ backend: Backend) async throws {
        try await withIdentity(backend) { cloud in
            let (anna, user, _) = try await cloud.member("anna", of: "blue")
            let subject = [("X-Subject-Token", anna.token)]
            let shown = try await cloud.send(.GET, "auth/tokens", headers: subject)
            #expect(shown.status == 200 && shown.body["token"]?["user"]?["id"]?.stringValue == user, "\(shown)")
            #expect(shown.body["token"]?["catalog"] != nil)
            #expect(try await cloud.send(.GET, "auth/tokens?nocatalog=1", headers: subject).body["token"]?["catalog"] == nil)
            #expect(try await anna.send(.GET, "auth/tokens", headers: subject).status == 200)
            #expect(try await anna.send(.HEAD, "auth/tokens", headers: subject).status == 200)
            // Others' tokens are looked at by administrators and services.
            #expect(try await anna.send(.GET, "auth/tokens", headers: [("X-Subject-Token", cloud.token)]).status == 403)
            let (nova, _, _) = try await cloud.member("nova", of: "service", role: "service")
            #expect(try await nova.send(.GET, "auth/tokens", headers: subject).status == 200)
            #expect(try await cloud.send(.GET, "auth/tokens", headers: [("X-Subject-Token", "nonsense")]).status == 404)
            #expect(try await cloud.send(.GET, "auth/tokens").status == 404)
            #expect(try await nova.send(.DELETE, "auth/tokens", headers: subject).status == 403)
            #expect(try await anna.send(.DELETE, "auth/tokens", headers: subject).status == 204)
            #expect(try await anna.network(.GET, "networks").status == 401)
            #expect(try await cloud.send(.GET, "auth/tokens", headers: subject).status == 404)
        }
    }

    @Test("Users, projects, domains and roles are created, found by id and by name, changed and deleted", arguments: Backend.allCases)
    func records(_ backend: Backend) async throws {
        try await withIdentity(backend) { cloud in
            for (kind, plural) in [("user", "users"), ("project", "projects"), ("domain", "domains"), ("role", "roles")] {
                let id = try await cloud.make(kind, ["name": "one", "description": "d"])
                let shown = try await cloud.send(.GET, "\(plural)/\(id)")
                #expect(shown.status == 200 && shown["name"] == "one" && shown["description"] == "d", "\(shown)")
                #expect(shown["links"]?["self"] == .string("http://127.0.0.1:\(cloud.client.port)/identity/v3/\(plural)/\(id)"))
                // A client looks a thing up by its name as a path first.
                let byName = try await cloud.send(.GET, "\(plural)/one")
                #expect(byName.status == 404 && byName.body["error"]?["message"] == .string("Could not find \(kind): one."), "\(byName)")
                let found = try await cloud.send(.GET, "\(plural)?name=one")
                #expect(found.status == 200 && found.body[plural]?.arrayValue?.compactMap { $0["id"]?.stringValue } == [id], "\(found)")
                #expect(found.body["links"]?["next"] == .null)
                #expect(try await cloud.send(.GET, "\(plural)?name=two").body[plural] == [])
                let twice = try await cloud.send(.POST, plural, .object([kind: ["name": "one"]]))
                #expect(twice.status == 409 && twice.title == "Conflict", "\(twice)")
                let changed = try await cloud.send(.PATCH, "\(plural)/\(id)", .object([kind: ["name": "two", "enabled": false]]))
                #expect(changed.status == 200 && changed["name"] == "two", "\(changed)")
                for bad: JSONValue in [.object([kind: ["name": 5]]), .object([kind: [:]]), [:]] {
                    let answer = try await cloud.send(.POST, plural, bad)
                    #expect(answer.status == 400 && answer.title == "Bad Request", "\(answer)")
                }
                #expect(try await cloud.send(.DELETE, "\(plural)/\(id)").status == 204)
                #expect(try await cloud.send(.DELETE, "\(plural)/\(id)").status == 404)
            }
            let user = try await cloud.send(.POST, "users", ["user": ["name": "anna", "password": "secret", "email": "a@example.org"]])
            #expect(user["email"] == "a@example.org" && !user.text.contains("secret") && !user.text.contains("scrypt"), "\(user)")
            #expect(try await cloud.send(.GET, "domains/default")["name"] == "Default")
        }
    }

    @Test("A project's tags are shown with it, replaced, added, tested and removed, and lists are asked for by them")
    func tags() async throws {
        try await withIdentity { cloud in
            let blue = try await cloud.make("project", ["name": "blue", "tags": ["prod", "team1"]])
            _ = try await cloud.make("project", ["name": "green", "tags": ["dev", "team1"]])
            #expect(try await cloud.send(.GET, "projects/\(blue)")["tags"] == ["prod", "team1"])
            func names(_ query: String) async throws -> [String] {
                let projects = try await cloud.send(.GET, "projects?\(query)").body["projects"]?.arrayValue ?? []
                return projects.compactMap { $0["name"]?.stringValue }
            }
            #expect(try await names("tags=team1,prod") == ["blue"])
            #expect(try await names("tags-any=dev,prod") == ["blue", "green"])
            #expect(try await names("tags=team1&not-tags=prod") == ["green"])
            #expect(try await names("tags=team1&not-tags-any=dev,x") == ["blue"])
            let path = "projects/\(blue)/tags"
            let added = try await cloud.send(.PUT, "\(path)/old")
            #expect(added.status == 201 && added.headers.first(name: "Location")?.hasSuffix("/identity/v3/\(path)/old") == true, "\(added)")
            #expect(try await cloud.send(.GET, path).body["tags"] == ["old", "prod", "team1"])
            #expect(try await cloud.send(.HEAD, "\(path)/old").status == 204)
            #expect(try await cloud.send(.DELETE, "\(path)/old").status == 204)
            let missing = try await cloud.send(.GET, "\(path)/old")
            #expect(missing.status == 404 && missing.text.contains("Could not find project tag: old."), "\(missing)")
            #expect(try await cloud.send(.PUT, path, ["tags": ["a", "a"]]).status == 400)
            #expect(try await cloud.send(.PUT, path, ["tags": ["b", "a"]]).body["tags"] == ["a", "b"])
            #expect(try await cloud.send(.PATCH, "projects/\(blue)", ["project": ["tags": ["c"]]])["tags"] == ["c"])
            #expect(try await cloud.send(.DELETE, path).status == 204)
            #expect(try await cloud.send(.GET, path).body["tags"] == [])
            // A user sees those of its project, and changes none.
            let (anna, _, own) = try await cloud.member("anna", of: "red")
            #expect(try await anna.send(.GET, "projects/\(own)/tags").status == 200)
            #expect(try await anna.send(.GET, path).status == 403)
            #expect(try await anna.send(.PUT, "projects/\(own)/tags/x").status == 403)
        }
    }

    @Test("Services, endpoints, regions and groups can be listed: two services with three endpoints each, one region, no group")
    func catalogueLists() async throws {
        try await withIdentity { cloud in
            func ids(_ path: String) async throws -> [String] {
                let name = String(path.split(separator: "?")[0])
                return try await cloud.send(.GET, path).body[name]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? ["none"]
            }
            #expect(try await ids("services") == ["identity", "network"])
            #expect(try await ids("services?type=network") == ["network"])
            #expect(try await cloud.send(.GET, "services/network").body["service"]?["name"] == "neutron")
            #expect(try await ids("endpoints").count == 6)
            #expect(try await ids("endpoints?interface=public&service_id=network") == ["network-public"])
            let endpoint = try await cloud.send(.GET, "endpoints/network-public").body["endpoint"]
            #expect(endpoint?["url"] == .string("http://127.0.0.1:\(cloud.client.port)") && endpoint?["region_id"] == "RegionOne")
            #expect(try await cloud.send(.GET, "endpoints/nothing").status == 404)
            #expect(try await ids("regions") == ["RegionOne"])
            #expect(try await ids("groups") == [])
            // The server is what it is: nothing is added.
            #expect(try await cloud.send(.POST, "services", ["service": ["type": "image"]]).status == 405)
            let (anna, _, _) = try await cloud.member("anna", of: "blue")
            #expect(try await anna.send(.GET, "services").status == 403)
            #expect(try await anna.send(.GET, "regions").status == 200)
        }
    }

    @Test("Roles are given, tested, listed and taken", arguments: Backend.allCases)
    func grants(_ backend: Backend) async throws {
        try await withIdentity(backend) { cloud in
            let (anna, user, project) = try await cloud.member("anna", of: "blue")
            let member = try await cloud.id(ofRole: "member")
            let reader = try await cloud.id(ofRole: "reader")
            let path = "projects/\(project)/users/\(user)/roles"
            #expect(try await cloud.send(.HEAD, "\(path)/\(member)").status == 204)
            #expect(try await cloud.send(.HEAD, "\(path)/\(reader)").status == 404)
            let roles = try await cloud.send(.GET, path)
            #expect(roles.body["roles"]?.arrayValue?.compactMap { $0["name"]?.stringValue } == ["member"], "\(roles)")
            // A user sees its own, and learns of no project in which it has none.
            #expect(try await anna.send(.GET, path).body["roles"] == roles.body["roles"])
            let red = try await cloud.make("project", ["name": "red"])
            for place in [red, "nowhere"] {
                let hidden = try await anna.send(.GET, "projects/\(place)/users/\(user)/roles")
                #expect(hidden.status == 404 && hidden.text.contains("Could not find project: \(place)."), "\(hidden)")
            }
            #expect(try await cloud.send(.PUT, "\(path)/nowhere").status == 404)
            #expect(try await cloud.send(.PUT, "projects/nowhere/users/\(user)/roles/\(member)").status == 404)
            for place in ["domains/default", "system"] {
                #expect(try await cloud.send(.PUT, "\(place)/users/\(user)/roles/\(reader)").status == 204)
            }
            let query = "role_assignments?scope.project.id=\(project)&user.id=\(user)"
            let listed = try await cloud.send(.GET, query)
            let assignment = try #require(listed.body["role_assignments"]?.arrayValue?.first)
            #expect(assignment["user"] == ["id": .string(user)] && assignment["role"] == ["id": .string(member)], "\(listed)")
            #expect(assignment["scope"] == ["project": ["id": .string(project)]])
            #expect(assignment["links"]?["assignment"]?.stringValue?.hasSuffix("/v3/\(path)/\(member)") == true)
            let named = try await cloud.send(.GET, "role_assignments?user.id=\(user)&include_names")
            let places = named.body["role_assignments"]?.arrayValue ?? []
            #expect(places.count == 3 && places.contains { $0["scope"]?["project"]?["domain"]?["name"] == "Default" }, "\(named)")
            #expect(places.contains { $0["scope"]?["system"]?["all"] == true } && places[0]["user"]?["name"] == "anna")
            let effective = try await cloud.send(.GET, query + "&effective")
            #expect(effective.body["role_assignments"]?.arrayValue?.count == 2)
            let system = try await cloud.send(.GET, "role_assignments?scope.system=all&role.id=\(reader)")
            #expect(system.body["role_assignments"]?.arrayValue?.count == 1)
            // What a user asks about itself.
            #expect(try await anna.send(.GET, "auth/projects").body["projects"]?.arrayValue?.count == 1)
            #expect(try await anna.send(.GET, "users/\(user)/projects").body["projects"]?.arrayValue?.first?["name"] == "blue")
            #expect(try await anna.send(.GET, "auth/domains").body["domains"]?.arrayValue?.count == 1)
            #expect(try await anna.send(.GET, "auth/system").body["system"] == [["all": true]])
            #expect(try await anna.send(.GET, "auth/catalog").body["catalog"]?.arrayValue?.count == 2)
            #expect(try await anna.send(.GET, "users/\(user)/groups").body["groups"] == [])
            #expect(try await cloud.send(.DELETE, "\(path)/\(member)").status == 204)
            #expect(try await cloud.send(.DELETE, "\(path)/\(member)").status == 404)
            #expect(try await anna.network(.GET, "networks").status == 401)
        }
    }

    @Test("Users manage what is their own, and nothing else")
    func policy() async throws {
        try await withIdentity { cloud in
            let (anna, user, project) = try await cloud.member("anna", of: "blue")
            let admin = try await cloud.send(.GET, "users?name=admin").body["users"]?.arrayValue?.first?["id"]?.stringValue ?? ""
            for own in ["users/\(user)", "projects/\(project)", "domains/default", "role_assignments?user.id=\(user)"] {
                let answer = try await anna.send(.GET, own)
                #expect(answer.status == 200, "\(own): \(answer)")
            }
            let refused: [(HTTPMethod, String, JSONValue?)] = [
                (.GET, "users", nil), (.GET, "users/\(admin)", nil), (.GET, "users/nowhere", nil), (.GET, "projects", nil),
                (.GET, "roles", nil),
                (.GET, "role_assignments", nil), (.POST, "users", ["user": ["name": "x"]]), (.POST, "projects", ["project": ["name": "x"]]),
                (.PATCH, "users/\(user)", ["user": ["enabled": true]]), (.DELETE, "users/\(admin)", nil),
                (.DELETE, "projects/\(project)", nil),
                (.PUT, "projects/\(project)/users/\(user)/roles/\(try await cloud.id(ofRole: "admin"))", nil),
                (.GET, "users/\(admin)/projects", nil),
            ]
            for (method, path, body) in refused {
                let answer = try await anna.send(method, path, body)
                #expect(answer.status == 403 && answer.title == "Forbidden", "\(method) \(path): \(answer)")
                #expect(answer.body["error"]?["message"]?.stringValue?.contains("identity:") == true)
            }
            var nobody = cloud
            for token in ["", "nonsense", String(repeating: "A", count: 5000)] {
                nobody.token = token
                let answer = try await nobody.send(.GET, "users")
                #expect(answer.status == 401 && answer.title == "Unauthorized", "\(answer)")
                let uri = "Keystone uri=\"http://127.0.0.1:\(cloud.client.port)/identity/v3\""
                #expect(answer.headers.first(name: "WWW-Authenticate") == uri)
            }
        }
    }

    @Test("A user changes its password by knowing it; its tokens end")
    func password() async throws {
        try await withIdentity { cloud in
            let (anna, user, _) = try await cloud.member("anna", of: "blue")
            func change(_ original: String, _ password: String) async throws -> Int {
                try await anna.client.send(
                    .POST, "/identity/v3/users/\(user)/password",
                    ["user": ["original_password": .string(original), "password": .string(password)]]
                ).status
            }
            #expect(try await change("wrong", "other") == 401)
            #expect(try await anna.network(.GET, "networks").status == 200)
            #expect(try await change("secret", "other") == 204)
            #expect(try await anna.network(.GET, "networks").status == 401)
            #expect(try await cloud.login(IdentityCloud.body("anna", "secret")).status == 401)
            _ = try await cloud.logIn("anna", "other", project: "blue")
        }
    }

    @Test("Unknown paths and methods are refused in Keystone's words")
    func unknown() async throws {
        try await withIdentity { cloud in
            let path = try await cloud.send(.GET, "nowhere")
            #expect(path.status == 404 && path.title == "Not Found", "\(path)")
            let method = try await cloud.send(.PUT, "users", [:])
            #expect(method.status == 405 && method.title == "Method Not Allowed", "\(method)")
        }
    }

    @Test("The catalogue names the URL that the operator gave")
    func publicURL() async throws {
        try await withIdentity(publicURL: "https://network.example.org") { cloud in
            let catalogue = try await cloud.send(.GET, "auth/catalog").text
            #expect(catalogue.contains("https://network.example.org/identity/v3") && !catalogue.contains("127.0.0.1"))
            var nobody = cloud
            nobody.token = ""
            let refused = try await nobody.network(.GET, "networks")
            #expect(refused.headers.first(name: "WWW-Authenticate") == "Keystone uri=\"https://network.example.org/identity/v3\"")
        }
    }
}
