import APISchema
import Identity
import Store

/// The records of the identity in a transaction.
extension StoreTransaction {
    func insert<R: IdentityRecord>(_ record: R) throws {
        let marks = R.columns.map { _ in "?" }.joined(separator: ", ")
        try execute("INSERT INTO \(R.kind.table) (\(R.columns.joined(separator: ", "))) VALUES (\(marks))", record.values)
    }

    func update<R: IdentityRecord>(_ record: R) throws {
        let settings = R.columns.map { "\($0) = ?" }.joined(separator: ", ")
        try execute("UPDATE \(R.kind.table) SET \(settings) WHERE id = ?", record.values + [.text(record.id)])
    }

    func remove<R: IdentityRecord>(_ record: R) throws {
        try execute("DELETE FROM \(R.kind.table) WHERE id = ?", [.text(record.id)])
    }

    func find<R: IdentityRecord>(_ type: R.Type, _ id: String) throws -> R? { try records(R.self, "id = ?", [.text(id)]).first }

    /// The record, or Keystone's 404.
    func require<R: IdentityRecord>(_ type: R.Type, _ id: String) throws -> R {
        guard let record = try find(R.self, id) else { throw IdentityError.notFound(R.kind.singular, id) }
        return record
    }

    /// - Parameter domainID: nil for what belongs to no domain.
    func find<R: IdentityRecord>(_ type: R.Type, named name: String, domainID: String?) throws -> R? {
        guard let domainID else { return try records(R.self, "name = ?", [.text(name)]).first }
        return try records(R.self, "name = ? AND domain_id = ?", [.text(name), .text(domainID)]).first
    }

    /// By id or by name; nil when there is none.
    func find<R: IdentityRecord>(_ type: R.Type, _ reference: Reference) throws -> R? {
        switch reference.key {
        case .id(let id): return try find(R.self, id)
        case .name(let name, let domain):
            guard let domain = try find(domain) else { return nil }
            return try find(R.self, named: name, domainID: domain.id)
        }
    }

    func find(_ reference: Reference.Domain) throws -> Domain? {
        switch reference {
        case .id(let id): try find(Domain.self, id)
        case .name(let name): try find(Domain.self, named: name, domainID: nil)
        }
    }

    func list<R: IdentityRecord>(_ type: R.Type) throws -> [R] { try records(R.self, "1 = 1 ORDER BY name, id", []) }

    /// Whether another record has the name already.
    func isTaken<R: IdentityRecord>(_ record: R) throws -> Bool {
        guard let other = try find(R.self, named: record.name, domainID: record.domainID) else { return false }
        return other.id != record.id
    }

    /// Clients name what they like. A text with a null character is nobody's, since no database keeps it, and PostgreSQL would refuse the whole transaction.
    private func records<R: IdentityRecord>(_ type: R.Type, _ condition: String, _ arguments: [ColumnValue]) throws -> [R] {
        guard arguments.allSatisfy(\.canBeKept) else { return [] }
        let columns = R.columns.joined(separator: ", ")
        return try rows("SELECT \(columns) FROM \(R.kind.table) WHERE \(condition)", arguments).map { row in
            guard let record = R(values: row) else { throw StoreError.corrupt("a row in \(R.kind.table) is damaged") }
            return record
        }
    }

    // MARK: Assignments

    /// False when it is there already.
    @discardableResult
    func insert(_ assignment: Assignment) throws -> Bool {
        try insertIfAbsent(
            table: "identity_assignments", columns: ["user_id", "scope_kind", "scope_id", "role_id"],
            values: Self.key(assignment))
    }

    /// False when there is none.
    func remove(_ assignment: Assignment) throws -> Bool {
        try execute(
            "DELETE FROM identity_assignments WHERE user_id = ? AND scope_kind = ? AND scope_id = ? AND role_id = ?",
            Self.key(assignment)) == 1
    }

    func assignments(userID: String? = nil, scope: Scope? = nil) throws -> [Assignment] {
        var conditions: [(String, ColumnValue)] = []
        if let userID { conditions.append(("user_id = ?", .text(userID))) }
        if let scope { conditions += [("scope_kind = ?", .text(scope.kind)), ("scope_id = ?", .text(scope.id))] }
        guard conditions.map(\.1).allSatisfy(\.canBeKept) else { return [] }
        let filter = conditions.isEmpty ? "" : " WHERE " + conditions.map(\.0).joined(separator: " AND ")
        return try rows(
            "SELECT user_id, role_id, scope_kind, scope_id FROM identity_assignments\(filter) ORDER BY user_id, scope_kind, scope_id, role_id",
            conditions.map(\.1)
        ).compactMap { row in
            guard case .text(let user) = row[0], case .text(let role) = row[1], case .text(let kind) = row[2], case .text(let id) = row[3],
                let scope = Scope(kind: kind, id: id)
            else { return nil }
            return Assignment(userID: user, roleID: role, scope: scope)
        }
    }

    func removeAssignments(ofUser id: String) throws {
        try execute("DELETE FROM identity_assignments WHERE user_id = ?", [.text(id)])
    }

    func removeAssignments(ofRole id: String) throws {
        try execute("DELETE FROM identity_assignments WHERE role_id = ?", [.text(id)])
    }

    func removeAssignments(in scope: Scope) throws {
        try execute("DELETE FROM identity_assignments WHERE scope_kind = ? AND scope_id = ?", [.text(scope.kind), .text(scope.id)])
    }

    private static func key(_ assignment: Assignment) -> [ColumnValue] {
        [.text(assignment.userID), .text(assignment.scope.kind), .text(assignment.scope.id), .text(assignment.roleID)]
    }

    /// The roles that a user has somewhere, implied ones included, by name.
    func roles(ofUser userID: String, in scope: Scope) throws -> [Role] {
        let assigned = try assignments(userID: userID, scope: scope)
        var roles: [String: Role] = [:]
        for assignment in assigned {
            guard let role = try find(Role.self, assignment.roleID) else { continue }
            for name in Role.implied(by: role.name) where roles[name] == nil {
                if let implied = name == role.name ? role : try find(Role.self, named: name, domainID: nil) { roles[name] = implied }
            }
        }
        return roles.values.sorted { $0.name < $1.name }
    }

    // MARK: Tokens

    /// What may end or change a token is counted.
    func identityRevision() throws -> Int {
        guard case .integer(let revision)? = try rows("SELECT revision FROM identity_revision WHERE id = 1").first?.first else {
            throw StoreError.corrupt("identity_revision has no row")
        }
        return revision
    }

    /// Ends what every server has cached. Returns the new revision.
    func advanceIdentityRevision() throws -> Int {
        try execute("UPDATE identity_revision SET revision = revision + 1 WHERE id = 1")
        return try identityRevision()
    }

    func tokenKey(_ id: Int) throws -> TokenKey? { try tokenKey("SELECT id, secret FROM identity_token_keys WHERE id = ?", [.integer(id)]) }

    func newestTokenKey() throws -> TokenKey? { try tokenKey("SELECT id, secret FROM identity_token_keys ORDER BY id DESC LIMIT 1", []) }

    private func tokenKey(_ sql: String, _ arguments: [ColumnValue]) throws -> TokenKey? {
        guard let row = try rows(sql, arguments).first else { return nil }
        guard case .integer(let id) = row[0], case .text(let secret) = row[1], let key = TokenKey(id: id, text: secret) else {
            throw StoreError.corrupt("a row in identity_token_keys is damaged")
        }
        return key
    }

    func isRevoked(_ token: Token) throws -> Bool {
        try !rows("SELECT 1 FROM identity_revoked_tokens WHERE audit_id = ?", [.text(token.auditID.description)]).isEmpty
    }

    func revoke(_ token: Token, now: Int) throws {
        _ = try insertIfAbsent(
            table: "identity_revoked_tokens", columns: ["audit_id", "expires_at"],
            values: [.text(token.auditID.description), .integer(token.expiresAt)])
        // An expired token needs no mark any more.
        try execute("DELETE FROM identity_revoked_tokens WHERE expires_at < ?", [.integer(now)])
    }
}

extension ColumnValue {
    /// Whether a database may hold it.
    fileprivate var canBeKept: Bool {
        guard case .text(let text) = self else { return true }
        return !text.utf8.contains(0)
    }
}
