import Identity
import Store

extension IdentityService {
    /// The name of the first user and of its project.
    public static let administratorName = "admin"

    /// Whether nobody was ever made.
    public func isEmpty() async throws -> Bool {
        try await store.read { try $0.rows("SELECT 1 FROM identity_users LIMIT 1").isEmpty && $0.newestTokenKey() == nil }
    }

    /// Makes what a cloud begins with: the default domain, the standard roles, a key for tokens, and the user `admin`, administrator of the project
    /// `admin` and of the system. What is there already stays; an existing `admin` gets its roles back, is enabled, and has the password.
    ///
    /// - Parameter onlyIfEmpty: does nothing when somebody else was first.
    /// - Returns: whether it did something.
    @discardableResult
    public func bootstrap(password: String, onlyIfEmpty: Bool = false) async throws -> Bool {
        let hash = try await hasher.hash(password)
        let secret = TokenKey.text(of: RandomBytes.make(TokenKey.secretBytes))
        let now = seconds
        return try await change { transaction in
            let hasUsers = try !transaction.rows("SELECT 1 FROM identity_users LIMIT 1").isEmpty
            if onlyIfEmpty, hasUsers { return false }
            let domain = try transaction.findOrInsert(Domain(id: Domain.defaultID, name: "Default", description: "The default domain"))
            var roles: [String: Role] = [:]
            for name in Role.standardNames { roles[name] = try transaction.findOrInsert(Role(id: Self.newID(), name: name)) }
            let project = try transaction.findOrInsert(
                Project(
                    id: Self.newID(), domainID: domain.id, name: Self.administratorName,
                    description: "Of the first start, for administration"))
            var user = try transaction.findOrInsert(User(id: Self.newID(), domainID: domain.id, name: Self.administratorName))
            user.passwordHash = hash
            user.isEnabled = true
            user.generation += 1
            try transaction.update(user)
            // A service as well: the rules leave the bindings of ports to services, and who administers a cloud without Nova does its work.
            for (name, scope) in [("admin", Scope.project(project.id)), ("admin", .system), ("service", .project(project.id))] {
                guard let role = roles[name] else { preconditionFailure("\(name) is a standard role") }
                try transaction.insert(Assignment(userID: user.id, roleID: role.id, scope: scope))
            }
            if try transaction.newestTokenKey() == nil { try transaction.insertTokenKey(id: 1, secret, now: now) }
            return true
        }
    }

    /// Makes a new key that tokens are signed with from now on. Tokens of earlier keys stay valid until they expire.
    ///
    /// - Parameter endsTokens: earlier keys are forgotten at once, and with them all tokens.
    public func rotateKeys(endsTokens: Bool = false) async throws {
        let secret = TokenKey.text(of: RandomBytes.make(TokenKey.secretBytes))
        let now = seconds
        try await change { transaction in
            let newest = try transaction.newestTokenKey()?.id ?? 0
            if endsTokens {
                try transaction.execute("DELETE FROM identity_token_keys")
            } else {
                // A key whose successor is older than any token.
                try transaction.execute(
                    """
                    DELETE FROM identity_token_keys WHERE EXISTS
                    (SELECT 1 FROM identity_token_keys AS later WHERE later.id > identity_token_keys.id AND later.created_at < ?)
                    """, [.integer(now - TokenKey.retentionSeconds)])
            }
            try transaction.insertTokenKey(id: newest + 1, secret, now: now)
        }
    }
}

extension StoreTransaction {
    fileprivate func findOrInsert<R: IdentityRecord>(_ record: R) throws -> R {
        if let found = try find(R.self, named: record.name, domainID: record.domainID) { return found }
        if let found = try find(R.self, record.id) { return found }
        try insert(record)
        return record
    }

    fileprivate func insertTokenKey(id: Int, _ secret: String, now: Int) throws {
        try execute(
            "INSERT INTO identity_token_keys (id, secret, created_at) VALUES (?, ?, ?)", [.integer(id), .text(secret), .integer(now)])
    }
}
