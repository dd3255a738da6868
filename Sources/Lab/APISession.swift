import APISchema
import Foundation
import Synchronization

/// Logs in to an identity when it must, and remembers the token.
public final class APISession: Sendable {
    /// Who logs in, with Keystone's names.
    public struct Login: Sendable {
        /// Ends with `/v3`.
        public var authURL: String
        public var userName: String
        public var password: String
        public var projectName: String
        /// Of the user and of the project.
        public var domainID: String

        public init(authURL: String, userName: String, password: String, projectName: String, domainID: String = "default") {
            self.authURL = authURL
            self.userName = userName
            self.password = password
            self.projectName = projectName
            self.domainID = domainID
        }
    }

    /// What a login gave.
    struct Token: Sendable {
        var text: String
        var projectID: String
    }

    private let login: @Sendable () throws -> Login
    private let current = Mutex<Token?>(nil)

    /// - Parameter login: asked each time, since a password may appear later than the session.
    public init(_ login: @escaping @Sendable () throws -> Login) { self.login = login }

    /// From the environment of the openstack client; nil when that says nothing about passwords.
    public static func fromEnvironment(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> APISession? {
        guard (environment["OS_AUTH_TYPE"] ?? "password").hasSuffix("password"), let url = environment["OS_AUTH_URL"],
            let user = environment["OS_USERNAME"], let password = environment["OS_PASSWORD"],
            let project = environment["OS_PROJECT_NAME"]
        else { return nil }
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        let login = Login(
            authURL: base.hasSuffix("/v3") ? base : base + "/v3", userName: user, password: password, projectName: project,
            domainID: environment["OS_USER_DOMAIN_ID"] ?? environment["OS_PROJECT_DOMAIN_ID"] ?? "default")
        return APISession { login }
    }

    /// A token, from the last login or from a new one.
    func token() async throws -> Token {
        if let token = current.withLock({ $0 }) { return token }
        let token = try await Self.logIn(try login())
        current.withLock { $0 = token }
        return token
    }

    /// The token was refused: the next request logs in again.
    func forget(_ token: Token) {
        current.withLock { if $0?.text == token.text { $0 = nil } }
    }

    private static func logIn(_ login: Login) async throws -> Token {
        let domain: JSONValue = ["id": .string(login.domainID)]
        let body: JSONValue = [
            "auth": [
                "identity": [
                    "methods": ["password"],
                    "password": ["user": ["name": .string(login.userName), "domain": domain, "password": .string(login.password)]],
                ],
                "scope": ["project": ["name": .string(login.projectName), "domain": domain]],
            ]
        ]
        let answer = try await APIClient(endpoint: login.authURL).exchange("POST", "/auth/tokens?nocatalog", body)
        guard answer.status == 201, let text = answer.headers.first(name: "X-Subject-Token"),
            let project = answer.body["token"]?["project"]?["id"]?.stringValue
        else { throw APIFailure(request: "The login of \(login.userName)", status: answer.status, body: answer.body) }
        return Token(text: text, projectID: project)
    }
}
