import APISchema
import Identity
import IdentityService
import Store
import TestSupport
import Testing

@Suite("Logins and tokens", .timeLimit(.minutes(15))) struct LoginTests {
    @Test("The first start makes an administrator of its project and of the system", arguments: Backend.allCases)
    func bootstrap(_ backend: Backend) async throws {
        let realm = Realm(store: try backend.makeStore())
        #expect(try await realm.identity.isEmpty())
        #expect(try await realm.identity.bootstrap(password: "one", onlyIfEmpty: true))
        #expect(try await !realm.identity.bootstrap(password: "two", onlyIfEmpty: true))
        #expect(try await !realm.identity.isEmpty())
        let project = try await realm.identity.find(Project.self, "admin")
        let token = try await realm.logIn("admin", "one", Realm.project(project))
        #expect(token.details.roles.map(\.name) == ["admin", "manager", "member", "reader", "service"])
        let caller = try #require(await realm.identity.caller(ofToken: token.text))
        #expect(caller.isAdmin && caller.projectID == project.id && !caller.isSystemScoped)
        let system = try await realm.logIn("admin", "one", .system)
        #expect(try await realm.identity.caller(ofToken: system.text)?.isSystemScoped == true)
        await expect(401) { _ = try await realm.logIn("admin", "two") }
        // Who is locked out gets back in.
        try await realm.identity.bootstrap(password: "three")
        _ = try await realm.logIn("admin", "three", Realm.project(project))
        #expect(try await !realm.isValid(token))
    }

    @Test("Names with a null character, which no database keeps, are nobody's", arguments: Backend.allCases)
    func nullCharacters(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let blue = try await realm.project("blue")
        try await realm.user("anna", project: blue)
        let (name, identity) = ("an\0na", realm.identity)
        await expect(401) { _ = try await realm.logIn(name) }
        await expect(401) { _ = try await realm.logIn("anna", "secret", .project(Reference(.name(name, .id(Domain.defaultID))))) }
        await expect(401) { _ = try await realm.logIn("anna", "secret", .project(Reference(.id(name)))) }
        await expect(401) { _ = try await realm.logIn("anna", "secret", .domain(.name(name))) }
        await expect(401) { try await identity.changePassword(ofUser: name, from: "secret", to: "other", address: "192.0.2.1") }
        var filter = IdentityService.Filter()
        (filter.name, filter.domainID) = (name, Domain.defaultID)
        #expect(try await identity.list(User.self, filter).isEmpty)
        var assignments = IdentityService.AssignmentFilter()
        assignments.userID = name
        #expect(try await identity.assignments(assignments).isEmpty)
        assignments.userID = nil
        assignments.scope = .project(name)
        #expect(try await identity.assignments(assignments).isEmpty)
    }

    @Test("A token has the scope that was asked for", arguments: Backend.allCases)
    func scopes(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let blue = try await realm.project("blue")
        let red = try await realm.project("red")
        let user = try await realm.user("anna", project: blue)
        let unscoped = try await realm.logIn("anna")
        #expect(unscoped.details.project == nil && unscoped.details.roles.isEmpty)
        let scoped = try await realm.logIn("anna", "secret", .project(Reference(.name("blue", .name("Default")))))
        #expect(scoped.details.project == blue && scoped.details.roles.map(\.name) == ["member", "reader"])
        let caller = try #require(await realm.identity.caller(ofToken: scoped.text))
        #expect(caller.userID == user.id && caller.projectID == blue.id && caller.roles == ["member", "reader"] && !caller.isAdmin)
        // No role there; no such project; no such domain.
        await expect(401) { _ = try await realm.logIn("anna", "secret", Realm.project(red)) }
        await expect(401) { _ = try await realm.logIn("anna", "secret", .project(Reference(.id("nowhere")))) }
        await expect(401) { _ = try await realm.logIn("anna", "secret", .domain(.id("default"))) }
        await expect(401) { _ = try await realm.logIn("anna", "secret", .system) }
        let reader = try await realm.identity.find(Role.self, "reader")
        try await realm.identity.grant(Assignment(userID: user.id, roleID: reader.id, scope: .domain("default")))
        let domain = try await realm.logIn("anna", "secret", .domain(.name("Default")))
        #expect(try await realm.identity.caller(ofToken: domain.text)?.domainID == "default")
        // The default project, when none is named.
        _ = try await realm.identity.update(User.self, user.id, ["default_project_id": .string(blue.id)])
        #expect(try await realm.logIn("anna").details.project == blue)
        #expect(try await realm.logIn("anna", "secret", .unscoped).details.project == nil)
    }

    @Test("A token gives another one, of another scope, that ends with the first", arguments: Backend.allCases)
    func rescope(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let blue = try await realm.project("blue")
        try await realm.user("anna", project: blue)
        let first = try await realm.logIn("anna")
        realm.wait(seconds: 1000)
        var request = try Realm.request("anna", "secret", Realm.project(blue))
        request.proof = .token(first.text)
        let second = try await realm.identity.logIn(request, address: "")
        #expect(second.details.token.expiresAt == first.details.token.expiresAt && second.details.project == blue)
        #expect(second.details.token.methods == [.password, .token] && second.details.token.rootAuditID == first.details.token.auditID)
        request.proof = .token("no token")
        let refused = request
        await expect(401) { _ = try await realm.identity.logIn(refused, address: "") }
    }

    @Test("A wrong password, an unknown user and a disabled one are told the same", arguments: Backend.allCases)
    func refused(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let user = try await realm.user("anna")
        _ = try await realm.identity.create(User.self, ["name": "without password"])
        for (name, password) in [
            ("anna", "wrong"), ("nobody", "secret"), ("without password", "secret"), ("without password", "decoy"),
            ("anna", String(repeating: "x", count: 5000)), (String(repeating: "x", count: 5000), "secret"),
        ] {
            let error = await #expect(throws: IdentityError.self) { _ = try await realm.logIn(name, password) }
            #expect(error == .unauthorized, "\(name)")
        }
        _ = try await realm.identity.update(User.self, user.id, ["enabled": false])
        await expect(401) { _ = try await realm.logIn("anna") }
    }

    @Test("After ten wrong passwords the right one is not looked at either", arguments: Backend.allCases)
    func limit(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        try await realm.user("anna")
        for _ in 0..<LoginLimiter.userAtAddress.burst { await expect(401) { _ = try await realm.logIn("anna", "wrong") } }
        let error = await #expect(throws: IdentityError.self) { _ = try await realm.logIn("anna") }
        #expect(error?.status == 429 && error?.retryAfterSeconds == 6)
        // From elsewhere it is, and after that time.
        _ = try await realm.logIn("anna", address: "192.0.2.2")
        realm.wait(seconds: 5)
        await expect(429) { _ = try await realm.logIn("anna") }
        realm.wait(seconds: 1)
        _ = try await realm.logIn("anna")
    }

    @Test("A token expires", arguments: Backend.allCases)
    func expiry(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let token = try await realm.logIn("admin", "admin secret")
        realm.wait(seconds: 3599)
        #expect(try await realm.isValid(token))
        realm.wait(seconds: 1)
        #expect(try await !realm.isValid(token))
        #expect(try await realm.identity.details(ofToken: token.text) == nil)
    }

    @Test("What a token needs ends it at once when it goes", arguments: Backend.allCases)
    func revocation(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let identity = realm.identity
        let ends: [(String, @Sendable (IssuedToken) async throws -> Void)] = [
            ("revoked", { try await identity.revoke($0.details.token) }),
            ("password", { try await identity.setPassword(ofUser: $0.details.user.id, "other") }),
            ("user disabled", { _ = try await identity.update(User.self, $0.details.user.id, ["enabled": false]) }),
            ("user deleted", { try await identity.delete(User.self, $0.details.user.id) }),
            ("project disabled", { _ = try await identity.update(Project.self, $0.details.project?.id ?? "", ["enabled": false]) }),
            ("project deleted", { try await identity.delete(Project.self, $0.details.project?.id ?? "") }),
            (
                "role taken",
                {
                    let role = try await identity.find(Role.self, "member")
                    try await identity.revoke(
                        Assignment(
                            userID: $0.details.user.id, roleID: role.id, scope: .project($0.details.project?.id ?? "")))
                }
            ),
        ]
        for (name, end) in ends {
            let project = try await realm.project("project of \(name)")
            try await realm.user(name, project: project)
            let other = try await realm.logIn(name, "secret", Realm.project(project))
            let token = try await realm.logIn(name, "secret", Realm.project(project))
            #expect(try await realm.isValid(token))
            #expect(try await realm.isValid(other))
            try await end(token)
            #expect(try await !realm.isValid(token), "\(name)")
            #expect(try await realm.isValid(other) == (name == "revoked"), "\(name)")
        }
        // Enabling again brings no token of before back.
        let token = try await realm.logIn("revoked")
        _ = try await identity.update(User.self, token.details.user.id, ["enabled": false])
        _ = try await identity.update(User.self, token.details.user.id, ["enabled": true])
        #expect(try await !realm.isValid(token))
        // What concerns others ends nothing.
        let kept = try await realm.logIn("revoked")
        try await realm.user("unconcerned")
        #expect(try await realm.isValid(kept))
    }

    @Test("Another server sees a revocation within the named second", arguments: Backend.allCases)
    func otherServer(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let sibling = realm.sibling()
        let token = try await realm.logIn("admin", "admin secret")
        #expect(try await sibling.isValid(token))
        try await realm.identity.revoke(token.details.token)
        #expect(try await !realm.isValid(token))
        sibling.wait(seconds: IdentityService.revocationDelaySeconds)
        #expect(try await !sibling.isValid(token))
    }

    @Test("A used token is looked up in memory", arguments: Backend.allCases)
    func cached(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let token = try await realm.logIn("admin", "admin secret")
        #expect(try await realm.isValid(token))
        // Nothing else is asked for within the second: a store that is gone does not matter.
        await realm.store.close()
        #expect(try await realm.isValid(token))
        realm.wait(seconds: 1)
        await #expect(throws: StoreError.self) { _ = try await realm.isValid(token) }
    }

    @Test("Keys rotate: earlier tokens stay, until the keys are forgotten", arguments: Backend.allCases)
    func rotation(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let first = try await realm.logIn("admin", "admin secret")
        try await realm.identity.rotateKeys()
        let second = try await realm.logIn("admin", "admin secret")
        #expect(SignedToken(first.text)?.keyID == 1 && SignedToken(second.text)?.keyID == 2)
        #expect(try await realm.isValid(first))
        #expect(try await realm.isValid(second))
        realm.wait(seconds: TokenKey.retentionSeconds + 1)
        try await realm.identity.rotateKeys()
        let count = try await realm.store.read { try $0.rows("SELECT id FROM identity_token_keys").count }
        // The first one's successor is older than any token; the second one's is not.
        #expect(count == 2)
        let third = try await realm.logIn("admin", "admin secret")
        try await realm.identity.rotateKeys(endsTokens: true)
        #expect(try await !realm.isValid(third))
        #expect(try await realm.isValid(try await realm.logIn("admin", "admin secret")))
    }

    @Test("A token of another cloud is not valid here", arguments: Backend.allCases)
    func foreign(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let other = try await Realm.make(backend)
        #expect(try await !realm.isValid(try await other.logIn("admin", "admin secret")))
    }

    @Test("A user replaces its own password with the former one", arguments: Backend.allCases)
    func ownPassword(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let user = try await realm.user("anna")
        await expect(401) { try await realm.identity.changePassword(ofUser: user.id, from: "wrong", to: "x", address: "") }
        try await realm.identity.changePassword(ofUser: user.id, from: "secret", to: "x", address: "")
        await expect(401) { _ = try await realm.logIn("anna") }
        _ = try await realm.logIn("anna", "x")
    }

    @Test("Many logins at once are all answered", arguments: Backend.allCases)
    func manyAtOnce(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        try await realm.user("anna")
        let count = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<100 { group.addTask { (try? await realm.logIn("anna", address: "\(number % 2)")) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(count == 100)
    }
}
