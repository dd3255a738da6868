import AccessPolicy
import Identity
import Store

/// A valid token with all that it stands for, as it is at this moment.
public struct TokenDetails: Sendable {
    public var token: Token
    public var user: User
    public var userDomain: Domain
    /// Of a project-scoped token.
    public var project: Project?
    /// The domain of the project, or of a domain-scoped token.
    public var scopeDomain: Domain?
    /// In the scope, implied ones included; none without a scope.
    public var roles: [Role]

    /// Who calls with it.
    public var caller: Caller {
        let names = Set(roles.map { $0.name.lowercased() })
        var caller = Caller(userID: user.id, projectID: project?.id ?? "", isAdmin: names.contains("admin"), roles: names)
        caller.isSystemScoped = token.scope == .system
        if case .domain(let id)? = token.scope { caller.domainID = id }
        return caller
    }
}

extension StoreTransaction {
    /// What a token stands for; nil when something of it is gone, disabled or changed: the user, its domain, its generation, the project, the
    /// roles, or the token itself.
    func details(of token: Token) throws -> TokenDetails? {
        guard let user = try find(User.self, token.userID), user.isEnabled, user.generation == token.generation,
            let userDomain = try find(Domain.self, user.domainID ?? ""), userDomain.isEnabled
        else { return nil }
        var details = TokenDetails(token: token, user: user, userDomain: userDomain, roles: [])
        guard let scope = token.scope else { return details }
        switch scope {
        case .project(let id):
            guard let project = try find(Project.self, id), project.isEnabled,
                let domain = try find(Domain.self, project.domainID ?? ""), domain.isEnabled
            else { return nil }
            details.project = project
            details.scopeDomain = domain
        case .domain(let id):
            guard let domain = try find(Domain.self, id), domain.isEnabled else { return nil }
            details.scopeDomain = domain
        case .system: break
        }
        details.roles = try roles(ofUser: user.id, in: scope)
        return details.roles.isEmpty ? nil : details
    }
}
