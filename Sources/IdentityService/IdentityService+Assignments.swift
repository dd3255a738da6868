import Identity
import Store

/// An assignment with the records that it joins, for lists with names.
public struct NamedAssignment: Sendable {
    public var assignment: Assignment
    public var user: User
    public var userDomain: Domain
    public var role: Role
    public var project: Project?
    public var scopeDomain: Domain?
}

extension IdentityService {
    /// Which assignments a list is about.
    public struct AssignmentFilter: Sendable {
        public var userID: String?
        public var roleID: String?
        public var scope: Scope?
        /// Whether implied roles are listed as well.
        public var isEffective = false

        public init() {}
    }

    /// Gives a user a role somewhere; fine when it has it already.
    public func grant(_ assignment: Assignment) async throws {
        try await change { transaction in
            try Self.checkParts(of: assignment, transaction)
            try transaction.insert(assignment)
        }
    }

    /// - Throws: 404 when the user does not have the role there.
    public func revoke(_ assignment: Assignment) async throws {
        try await change { transaction in
            try Self.checkParts(of: assignment, transaction)
            guard try transaction.remove(assignment) else { throw Self.notFound(assignment) }
        }
    }

    /// - Throws: 404 when the user does not have the role there.
    public func check(_ assignment: Assignment) async throws {
        try await store.read { transaction in
            try Self.checkParts(of: assignment, transaction)
            guard try transaction.assignments(userID: assignment.userID, scope: assignment.scope).contains(assignment) else {
                throw Self.notFound(assignment)
            }
        }
    }

    private static func notFound(_ assignment: Assignment) -> IdentityError {
        let place = assignment.scope == .system ? "system" : "\(assignment.scope.kind) \(assignment.scope.id)"
        return IdentityError(
            status: 404,
            message: "Could not find role assignment with role: \(assignment.roleID), user or group: \(assignment.userID), "
                + "project, domain, or system: \(place).")
    }

    private static func checkParts(of assignment: Assignment, _ transaction: StoreTransaction) throws {
        _ = try transaction.require(Role.self, assignment.roleID)
        _ = try transaction.require(User.self, assignment.userID)
        try checkScope(assignment.scope, transaction)
    }

    private static func checkScope(_ scope: Scope, _ transaction: StoreTransaction) throws {
        switch scope {
        case .project(let id): _ = try transaction.require(Project.self, id)
        case .domain(let id): _ = try transaction.require(Domain.self, id)
        case .system: break
        }
    }

    /// The roles that were given to a user somewhere, without implied ones.
    ///
    /// - Parameter seesAll: whether who asks may know of every place. Others are told of a place where they have no role what they are told of
    ///   one that is not there.
    public func grants(ofUser id: String, in scope: Scope, seesAll: Bool) async throws -> [Role] {
        try await store.read { transaction in
            _ = try transaction.require(User.self, id)
            try Self.checkScope(scope, transaction)
            let roles = try transaction.assignments(userID: id, scope: scope).compactMap { try transaction.find(Role.self, $0.roleID) }
            if roles.isEmpty, !seesAll, scope != .system { throw IdentityError.notFound(scope.kind, scope.id) }
            return roles.sorted { $0.name < $1.name }
        }
    }

    public func assignments(_ filter: AssignmentFilter) async throws -> [NamedAssignment] {
        try await store.read { transaction in
            let roles = try transaction.list(Role.self)
            let rolesByID = Dictionary(uniqueKeysWithValues: roles.map { ($0.id, $0) })
            let rolesByName = Dictionary(uniqueKeysWithValues: roles.map { ($0.name, $0) })
            var seen: Set<Assignment> = []
            var found: [NamedAssignment] = []
            for assignment in try transaction.assignments(userID: filter.userID, scope: filter.scope) {
                guard let role = rolesByID[assignment.roleID] else { continue }
                for name in filter.isEffective ? Role.implied(by: role.name) : [role.name] {
                    guard let role = rolesByName[name], filter.roleID == nil || filter.roleID == role.id else { continue }
                    let one = Assignment(userID: assignment.userID, roleID: role.id, scope: assignment.scope)
                    guard seen.insert(one).inserted, let named = try transaction.named(one, role) else { continue }
                    found.append(named)
                }
            }
            return found
        }
    }

    /// The projects that a user has a role in, and that it can have a token for.
    public func projects(ofUser id: String) async throws -> [Project] {
        try await store.read { transaction in
            let ids = Set(
                try transaction.assignments(userID: id).compactMap { if case .project(let project) = $0.scope { project } else { nil } })
            return try ids.compactMap { try transaction.find(Project.self, $0) }.filter(\.isEnabled).sorted { $0.name < $1.name }
        }
    }

    /// The domains that a user has a role in.
    public func domains(ofUser id: String) async throws -> [Domain] {
        try await store.read { transaction in
            let ids = Set(
                try transaction.assignments(userID: id).compactMap { if case .domain(let domain) = $0.scope { domain } else { nil } })
            return try ids.compactMap { try transaction.find(Domain.self, $0) }.filter(\.isEnabled).sorted { $0.name < $1.name }
        }
    }

    /// Whether a user has a role in the system.
    public func hasSystemRole(userID: String) async throws -> Bool {
        try await store.read { try !$0.assignments(userID: userID, scope: .system).isEmpty }
    }
}

extension StoreTransaction {
    fileprivate func named(_ assignment: Assignment, _ role: Role) throws -> NamedAssignment? {
        guard let user = try find(User.self, assignment.userID), let domain = try find(Domain.self, user.domainID ?? "") else { return nil }
        var named = NamedAssignment(assignment: assignment, user: user, userDomain: domain, role: role)
        switch assignment.scope {
        case .project(let id):
            named.project = try find(Project.self, id)
            named.scopeDomain = try find(Domain.self, named.project?.domainID ?? "")
        case .domain(let id): named.scopeDomain = try find(Domain.self, id)
        case .system: break
        }
        return named
    }
}
