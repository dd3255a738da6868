import APISchema
import Testing

@testable import Identity

@Suite("Identity records") struct RecordTests {
    @Test("Records survive being stored") func stored() throws {
        var user = try User(id: "u", creating: ["name": "anna", "email": "anna@example.org", "enabled": false, "default_project_id": "p"])
        user.passwordHash = "$scrypt$…"
        #expect(User(values: user.values) == user)
        #expect(user.members["email"] == "anna@example.org" && user.members["enabled"] == false && user.members["password"] == nil)
        let project = try Project(id: "p", creating: ["name": "blue", "domain_id": "d", "description": "x", "parent_id": "q"])
        #expect(Project(values: project.values) == project)
        #expect(project.members["parent_id"] == "q" && project.members["is_domain"] == false)
        let domain = try Domain(id: "d", creating: ["name": "D"])
        #expect(Domain(values: domain.values) == domain)
        let role = try Role(id: "r", creating: ["name": "operator", "description": nil])
        #expect(Role(values: role.values) == role && role.members["description"] == .null)
        #expect(User(values: [.text("u")]) == nil)
    }

    @Test("A project's tags are kept in order, each once, beside what else clients store with it") func tags() throws {
        var project = try Project(id: "p", creating: ["name": "blue", "color": "red", "tags": ["b", "a"]])
        #expect(project.members["tags"] == ["a", "b"] && project.members["color"] == "red")
        #expect(Project(values: project.values) == project)
        try project.change(["name": "green"])
        #expect(project.tags == ["a", "b"])
        try project.add(tag: "c")
        try project.add(tag: "c")
        try project.remove(tag: "a")
        #expect(throws: IdentityError.notFound("project tag", "a")) { try project.remove(tag: "a") }
        #expect(project.tags == ["b", "c"])
        try project.change(["tags": []])
        #expect(Project(values: project.values)?.members["tags"] == [] && Project(values: project.values)?.members["color"] == "red")
    }

    @Test(
        "Tags that are no list of different words without commas and slashes are refused",
        arguments: [
            "a", ["a", "a"], [""], ["a,b"], ["a/b"], [1], nil, [.string(String(repeating: "x", count: 256))],
            .array((0...80).map { .string("t\($0)") }),
        ] as [JSONValue])
    func refusedTags(_ tags: JSONValue) {
        let error = #expect(throws: IdentityError.self) { _ = try Project(id: "p", creating: ["name": "blue", "tags": tags]) }
        #expect(error?.status == 400 && error?.message.contains("'tags'") == true, "\(String(describing: error))")
    }

    @Test("Projects are found by the tags that they have and do not have") func tagFilter() {
        func admits(_ path: WritableKeyPath<ProjectTags.Filter, [String]>, _ wanted: [String]) -> Bool {
            var filter = ProjectTags.Filter()
            filter[keyPath: path] = wanted
            return filter.admits(["a", "b"])
        }
        #expect(admits(\.all, ["a", "b"]) && !admits(\.all, ["a", "c"]))
        #expect(admits(\.any, ["a", "c"]) && !admits(\.any, ["c"]))
        #expect(!admits(\.notAll, ["a", "b"]) && admits(\.notAll, ["a", "c"]))
        #expect(!admits(\.notAny, ["a", "c"]) && admits(\.notAny, ["c"]))
    }

    @Test("A password is never shown or kept among other members") func password() throws {
        var user = try User(id: "u", creating: ["name": "a", "password": "secret"])
        try user.change(["password": "other", "original_password": "secret"])
        #expect(!JSONValue.object(user.members).text.contains("secret") && !user.values.contains(where: { "\($0)".contains("other") }))
        #expect(try User.password(in: ["password": "secret"]) == "secret")
        #expect(throws: IdentityError.self) { _ = try User.password(in: ["password": ""]) }
        #expect(throws: IdentityError.self) { _ = try User.password(in: ["password": .string(String(repeating: "x", count: 4097))]) }
        #expect(throws: IdentityError.self) { _ = try User.password(in: ["password": 5]) }
    }

    @Test("Disabling a user starts a new generation, enabling it does not") func generation() throws {
        var user = User(id: "u", domainID: "default", name: "a")
        try user.change(["enabled": false])
        #expect(user.generation == 1)
        try user.change(["enabled": true])
        try user.change(["email": "x"])
        #expect(user.generation == 1)
    }

    @Test(
        "Members of the wrong kind are refused with the field's name",
        arguments: [
            (["name": 5], "'name'"), (["name": ""], "'name'"), (["name": "  "], "'name'"), (["name": nil], "'name'"), ([:], "'name'"),
            (["name": .string(String(repeating: "x", count: 256))], "'name'"), (["name": "a\u{0}b"], "'name'"),
            (["name": "a", "enabled": "yes"], "'enabled'"), (["name": "a", "enabled": nil], "'enabled'"),
            (["name": "a", "domain_id": 4], "'domain_id'"), (["name": "a", "default_project_id": []], "'default_project_id'"),
        ] as [([String: JSONValue], String)])
    func refused(_ members: [String: JSONValue], _ field: String) {
        let error = #expect(throws: IdentityError.self) { _ = try User(id: "u", creating: members) }
        #expect(error?.status == 400 && error?.message.contains(field) == true, "\(String(describing: error))")
    }

    @Test("A domain is not changed") func domain() throws {
        var user = User(id: "u", domainID: "default", name: "a")
        #expect(throws: IdentityError.badRequest("Cannot change Domain ID")) { try user.change(["domain_id": "other"]) }
        try user.change(["domain_id": "default", "name": "b"])
        #expect(user.name == "b")
    }

    @Test("admin implies manager, member and reader; service stands apart") func implied() {
        #expect(Role.implied(by: "admin") == ["admin", "manager", "member", "reader"])
        #expect(Role.implied(by: "member") == ["member", "reader"])
        #expect(Role.implied(by: "service") == ["service"] && Role.implied(by: "operator") == ["operator"])
    }

    @Test("Standard roles keep their names") func standardRole() throws {
        var role = Role(id: "r", name: "member")
        #expect(throws: IdentityError.self) { try role.change(["name": "other"]) }
        try role.change(["name": "member", "description": "uses a project"])
        #expect(role.description == "uses a project")
    }
}
