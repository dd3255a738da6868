/// Who asks. Authentication makes it; where there is none (`none`), everybody is an administrator of the project that the request names.
public struct Caller: Sendable, Hashable {
    /// The user's id; empty where nobody is authenticated.
    public var userID: String
    /// The project that the request acts for; empty when it names none (an unscoped, domain-scoped or system-scoped token).
    public var projectID: String
    /// The roles of the token, implied ones included, in lower case as oslo.policy compares them.
    public var roles: Set<String>
    /// The roles of the service that passes the user's request on (`X-Service-Token`), in lower case; usually none.
    public var serviceRoles: Set<String>
    /// Whether the token is scoped to the whole system (`system_scope: all`).
    public var isSystemScoped: Bool
    /// The domain of a domain-scoped token; empty otherwise.
    public var domainID: String
    /// Whether the token's project is the one for administering the cloud (`is_admin_project`); true where Keystone distinguishes none.
    public var isAdminProject: Bool
    /// What the rule `context_is_admin` says of the caller. Authentication sets what Keystone's role says, and the operations what the rule says.
    public var isAdmin: Bool
    /// No rule is asked: the server itself, and everybody where nobody is authenticated.
    public var isUnrestricted: Bool
    /// What is left for the caller of the rules that decide its request, from its beginning to its answer. Nil: of the rules that are in force when
    /// something is decided.
    public private(set) var rules: CallerRules?

    public init(
        userID: String = "", projectID: String, isAdmin: Bool, roles: Set<String> = [], serviceRoles: Set<String> = [],
        isSystemScoped: Bool = false, domainID: String = "", isAdminProject: Bool = true, isUnrestricted: Bool = false
    ) {
        self.userID = userID
        self.projectID = projectID
        self.isAdmin = isAdmin
        self.roles = roles
        self.serviceRoles = serviceRoles
        self.isSystemScoped = isSystemScoped
        self.domainID = domainID
        self.isAdminProject = isAdminProject
        self.isUnrestricted = isUnrestricted
    }

    /// The caller as one version of the rules has it. Rules that change meanwhile count for the next request.
    ///
    /// - Parameter rules: made for the caller's profile.
    public func decided(by rules: CallerRules) -> Caller {
        precondition(rules.profile == CallerProfile(self), "rules are made for callers of one profile")
        var caller = self
        caller.rules = rules
        caller.isAdmin = rules.isAdmin
        return caller
    }

    /// The server itself: for what it makes on its own account.
    public static let server = Caller(projectID: "", isAdmin: true, isUnrestricted: true)
}

/// The kind of a token's scope, which operations of the API restrict (`scope_types`).
public enum PolicyScope: String, Hashable, Sendable {
    case project, system, domain
}

/// What rules ask of a caller besides of which project and user it is: callers with the same profile have the same rules left to ask of targets.
public struct CallerProfile: Hashable, Sendable {
    public var roles: Set<String>
    public var serviceRoles: Set<String>
    public var scope: PolicyScope
    public var isAdminProject: Bool
    public var isUnrestricted: Bool

    public init(_ caller: Caller) {
        roles = caller.roles
        serviceRoles = caller.serviceRoles
        scope = caller.isSystemScoped ? .system : caller.domainID.isEmpty ? .project : .domain
        isAdminProject = caller.isAdminProject
        isUnrestricted = caller.isUnrestricted
    }
}
