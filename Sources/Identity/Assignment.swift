/// Where roles count: a project, a domain, or the whole system.
public enum Scope: Hashable, Sendable {
    case project(String)
    case domain(String)
    case system

    /// `project`, `domain` or `system`.
    public var kind: String {
        switch self {
        case .project: "project"
        case .domain: "domain"
        case .system: "system"
        }
    }

    /// The id of the project or domain; `all` for the system, as Keystone writes it.
    public var id: String {
        switch self {
        case .project(let id), .domain(let id): id
        case .system: "all"
        }
    }

    /// Nil for an unknown kind.
    public init?(kind: String, id: String) {
        switch kind {
        case "project": self = .project(id)
        case "domain": self = .domain(id)
        case "system": self = .system
        default: return nil
        }
    }
}

/// A user has a role somewhere.
public struct Assignment: Hashable, Sendable {
    public var userID: String
    public var roleID: String
    public var scope: Scope

    public init(userID: String, roleID: String, scope: Scope) {
        self.userID = userID
        self.roleID = roleID
        self.scope = scope
    }
}
