/// Who asks. Authentication makes it; where there is none (`none`), everybody is an administrator of the project that the request names.
public struct Caller: Sendable, Hashable {
    /// The user's id; empty where nobody is authenticated.
    public var userID: String
    /// The project that the request acts for; empty when it names none (an unscoped, domain-scoped or system-scoped token).
    public var projectID: String
    /// The roles of the token, implied ones included, in lower case as oslo.policy compares them.
    public var roles: Set<String>
    /// Whether the token is scoped to the whole system (`system_scope: all`).
    public var isSystemScoped: Bool
    /// The domain of a domain-scoped token; empty otherwise.
    public var domainID: String
    /// What the rule `context_is_admin` says of the caller, decided once per request.
    public var isAdmin: Bool

    public init(
        userID: String = "", projectID: String, isAdmin: Bool, roles: Set<String> = [], isSystemScoped: Bool = false, domainID: String = ""
    ) {
        self.userID = userID
        self.projectID = projectID
        self.isAdmin = isAdmin
        self.roles = roles
        self.isSystemScoped = isSystemScoped
        self.domainID = domainID
    }

    /// The server itself: for what it makes on its own account.
    public static let server = Caller(projectID: "", isAdmin: true)
}
