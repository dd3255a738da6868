import Identity
import Store

/// A token that was just made.
public struct IssuedToken: Sendable {
    public var text: String
    public var details: TokenDetails
}

extension IdentityService {
    /// `POST /v3/auth/tokens`.
    ///
    /// - Parameter address: where the request came from, for the limit of failed logins.
    /// - Throws: ``IdentityError`` (401, 429), ``StoreError``.
    public func logIn(_ request: LoginRequest, address: String) async throws -> IssuedToken {
        switch request.proof {
        case .password(let reference, let password):
            let user = try await authenticate(reference, password, address: address)
            return try await issue(user: user, scope: request.scope, methods: .password)
        case .token(let text):
            guard let former = try await details(ofToken: text) else { throw IdentityError.unauthorized }
            return try await issue(user: former.user, scope: request.scope, methods: .token, former: former.token)
        }
    }

    /// The user with that password.
    ///
    /// - Throws: 401 for an unknown or disabled user and for a wrong password alike, 429 after too many failures.
    func authenticate(_ reference: Reference, _ password: String, address: String) async throws -> User {
        let name = reference.text
        // Nobody is called like that, and what counts failures must not keep it.
        guard name.utf8.count <= Reference.maximumTextBytes else { throw IdentityError.unauthorized }
        if let wait = limiter.withLock({ $0.wait(user: name, address: address, at: uptime()) }) {
            logger.warning("Too many failed logins", metadata: ["user": "\(name)", "address": "\(address)"])
            throw IdentityError.tooManyLogins(retryAfterSeconds: wait)
        }
        let user = try await store.read { try $0.find(User.self, reference) }
        guard password.utf8.count <= PasswordHash.maximumPasswordBytes, try await hasher.verify(password, user?.passwordHash), let user,
            user.isEnabled
        else {
            limiter.withLock { $0.noteFailure(user: name, address: address, at: uptime()) }
            logger.notice("A login failed", metadata: ["user": "\(name)", "address": "\(address)"])
            throw IdentityError.unauthorized
        }
        return user
    }

    private func issue(
        user: User, scope wanted: LoginRequest.WantedScope, methods: Token.Methods, former: Token? = nil
    ) async throws -> IssuedToken {
        let issuedAt = seconds
        var generator = SystemRandomNumberGenerator()
        let auditID = AuditID(using: &generator)
        // A token that was had for another one ends with it.
        let expiresAt = former?.expiresAt ?? issuedAt + tokenLifetimeSeconds
        return try await store.read { transaction in
            var token = Token(
                userID: user.id, generation: user.generation, scope: nil, methods: methods.union(former?.methods ?? []), issuedAt: issuedAt,
                expiresAt: expiresAt, auditID: auditID, rootAuditID: former.map { $0.rootAuditID ?? $0.auditID })
            token.scope = try Self.scope(wanted, of: user, transaction)
            guard let key = try transaction.newestTokenKey(), let details = try transaction.details(of: token) else {
                throw IdentityError.unauthorized
            }
            return IssuedToken(text: SignedToken.text(of: token, signedBy: key), details: details)
        }
    }

    /// What is not there is refused like what the user has no role in.
    private static func scope(
        _ wanted: LoginRequest.WantedScope, of user: User, _ transaction: StoreTransaction
    ) throws -> Scope? {
        switch wanted {
        case .unscoped: return nil
        case .system: return .system
        case .project(let reference):
            guard let project = try transaction.find(Project.self, reference) else { throw IdentityError.unauthorized }
            return .project(project.id)
        case .domain(let reference):
            guard let domain = try transaction.find(reference) else { throw IdentityError.unauthorized }
            return .domain(domain.id)
        case .usual:
            guard let id = user.defaultProjectID, let project = try transaction.find(Project.self, id), project.isEnabled,
                try !transaction.roles(ofUser: user.id, in: .project(id)).isEmpty
            else { return nil }
            return .project(id)
        }
    }

    /// Ends one token. (`DELETE /v3/auth/tokens`.)
    public func revoke(_ token: Token) async throws {
        let now = seconds
        try await change { try $0.revoke(token, now: now) }
    }
}
