import APISchema
import Identity
import IdentityService
import Logging
import NetworkModel
import Store
import Synchronization
import TestSupport
import Testing

/// An identity on a new database, with a clock that stands until it is moved.
final class Realm: Sendable {
    static let cheap = PasswordHash.Cost(logarithm: 2, blockSize: 1, parallelism: 1)

    let store: Store
    let identity: IdentityService
    private let clock: Clock

    init(store: Store, at seconds: Int = 1_700_000_000, tokenLifetimeSeconds: Int = 3600) {
        self.store = store
        let clock = Clock(seconds)
        identity = IdentityService(
            store: store, tokenLifetimeSeconds: tokenLifetimeSeconds, hashCost: Self.cheap, logger: .quiet, now: { clock.now },
            uptime: { clock.now.secondsSince1970 * 1000 })
        self.clock = clock
    }

    /// A clock of a test.
    private final class Clock: Sendable {
        private let seconds: Mutex<Int>
        init(_ seconds: Int) { self.seconds = Mutex(seconds) }
        var now: Timestamp { Timestamp(secondsSince1970: seconds.withLock { $0 }) }
        func move(by number: Int) { seconds.withLock { $0 += number } }
    }

    func wait(seconds: Int) { clock.move(by: seconds) }

    static func make(_ backend: Backend) async throws -> Realm {
        let realm = Realm(store: try backend.makeStore())
        try await realm.identity.bootstrap(password: "admin secret")
        return realm
    }

    /// A second server over the same database.
    func sibling() -> Realm { Realm(store: store) }

    // MARK: Things to have

    /// A user with the password `secret` and a role in a project.
    @discardableResult
    func user(_ name: String, role: String? = "member", project: Project? = nil) async throws -> User {
        let user = try await identity.create(User.self, ["name": .string(name), "password": "secret"])
        if let role, let project {
            try await identity.grant(
                Assignment(userID: user.id, roleID: try await identity.find(Role.self, role).id, scope: .project(project.id)))
        }
        return user
    }

    func project(_ name: String) async throws -> Project { try await identity.create(Project.self, ["name": .string(name)]) }

    func logIn(
        _ name: String, _ password: String = "secret", _ scope: LoginRequest.WantedScope = .usual, address: String = "192.0.2.1"
    ) async throws -> IssuedToken {
        try await identity.logIn(try Self.request(name, password, scope), address: address)
    }

    static func request(_ name: String, _ password: String, _ scope: LoginRequest.WantedScope) throws -> LoginRequest {
        var request = try LoginRequest(
            body: [
                "auth": [
                    "identity": [
                        "methods": ["password"],
                        "password": ["user": ["name": .string(name), "domain": ["id": "default"], "password": .string(password)]],
                    ]
                ]
            ])
        request.scope = scope
        return request
    }

    static func project(_ project: Project) -> LoginRequest.WantedScope { .project(Reference(.id(project.id))) }

    func isValid(_ token: IssuedToken) async throws -> Bool { try await identity.caller(ofToken: token.text) != nil }
}

/// Expects Keystone's status.
func expect(
    _ status: Int, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async {
    let error = await #expect(throws: IdentityError.self, sourceLocation: sourceLocation) { try await body() }
    #expect(error?.status == status, "\(String(describing: error))", sourceLocation: sourceLocation)
}
