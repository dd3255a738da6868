import APISchema
import Identity
import Store

extension IdentityService {
    /// What a list is restricted to.
    public struct Filter: Sendable {
        public var name: String?
        public var domainID: String?
        public var isEnabled: Bool?
        public var parentID: String?
        public var tags = ProjectTags.Filter()

        public init() {}

        /// - Parameter members: as the record is shown.
        func admits(_ members: [String: JSONValue]) -> Bool {
            if let name, members["name"]?.stringValue != name { return false }
            if let domainID, members["domain_id"]?.stringValue != domainID { return false }
            if let isEnabled, members["enabled"]?.boolValue != isEnabled { return false }
            if let parentID, members["parent_id"]?.stringValue != parentID { return false }
            return tags == ProjectTags.Filter() || tags.admits(members["tags"]?.arrayValue?.compactMap(\.stringValue) ?? [])
        }
    }

    public func list<R: IdentityRecord>(_ type: R.Type, _ filter: Filter = Filter()) async throws -> [R] {
        try await store.read { transaction in
            // A name is asked for all the time, by clients that look things up, in clouds of thousands of users and projects.
            if let name = filter.name, let domainID = filter.domainID, R.columns.contains("domain_id") {
                return try transaction.find(R.self, named: name, domainID: domainID).map { [$0] }?.filter { filter.admits($0.members) }
                    ?? []
            }
            return try transaction.list(R.self).filter { filter.admits($0.members) }
        }
    }

    public func show<R: IdentityRecord>(_ type: R.Type, _ id: String) async throws -> R {
        try await store.read { try $0.require(R.self, id) }
    }

    /// By id or by name (in the default domain, unless another is named); for people.
    public func find<R: IdentityRecord>(_ type: R.Type, _ nameOrID: String, domainID: String = Domain.defaultID) async throws -> R {
        try await store.read { transaction in
            if let record = try transaction.find(R.self, nameOrID) { return record }
            let hasDomains = R.columns.contains("domain_id")
            guard let record = try transaction.find(R.self, named: nameOrID, domainID: hasDomains ? domainID : nil) else {
                throw IdentityError.notFound(R.kind.singular, nameOrID)
            }
            return record
        }
    }

    public func create<R: IdentityRecord>(_ type: R.Type, _ members: [String: JSONValue]) async throws -> R {
        var record = try R(id: Self.newID(), creating: members)
        if let user = record as? User, let password = try User.password(in: members) {
            var user = user
            user.passwordHash = try await hasher.hash(password)
            record = user as? R ?? record
        }
        let created = record
        return try await change { transaction in
            try Self.insert(created, transaction)
            return created
        }
    }

    static func insert<R: IdentityRecord>(_ record: R, _ transaction: StoreTransaction) throws {
        if let domain = record.domainID { _ = try transaction.require(Domain.self, domain) }
        if let project = record as? Project, project.parentID != project.domainID {
            let parent = try transaction.require(Project.self, project.parentID)
            guard parent.domainID == project.domainID else {
                throw IdentityError.badRequest("A project is in the domain of the project above it.")
            }
        }
        if let user = record as? User, let project = user.defaultProjectID { _ = try transaction.require(Project.self, project) }
        try refuseDuplicate(record, transaction)
        try transaction.insert(record)
    }

    private static func refuseDuplicate<R: IdentityRecord>(_ record: R, _ transaction: StoreTransaction) throws {
        if try transaction.isTaken(record) { throw IdentityError.duplicate(R.kind, name: record.name, domainID: record.domainID) }
    }

    public func update<R: IdentityRecord>(_ type: R.Type, _ id: String, _ members: [String: JSONValue]) async throws -> R {
        let hash = R.self == User.self ? try await newHash(in: members) : nil
        return try await change { transaction in
            var record = try transaction.require(R.self, id)
            try record.change(members)
            if let hash, var user = record as? User {
                user.passwordHash = hash
                user.generation += 1
                record = user as? R ?? record
            }
            if let domain = record as? Domain, domain.id == Domain.defaultID, !domain.isEnabled {
                throw IdentityError.forbidden("disable the default domain")
            }
            try Self.refuseDuplicate(record, transaction)
            try transaction.update(record)
            return record
        }
    }

    /// Adds, removes or replaces tags of a project.
    public func changeTags(
        ofProject id: String, _ change: @escaping @Sendable (inout Project) throws -> Void
    ) async throws -> Project {
        try await self.change { transaction in
            var project = try transaction.require(Project.self, id)
            try change(&project)
            try transaction.update(project)
            return project
        }
    }

    private func newHash(in members: [String: JSONValue]) async throws -> String? {
        guard let password = try User.password(in: members) else { return nil }
        return try await hasher.hash(password)
    }

    /// Replaces a password. All tokens of the user end.
    public func setPassword(ofUser id: String, _ password: String) async throws {
        _ = try await update(User.self, id, ["password": .string(password)])
    }

    /// A user replaces its own password, which proves who it is.
    ///
    /// - Throws: 401 for a wrong one, 429 after too many.
    public func changePassword(ofUser id: String, from original: String, to password: String, address: String) async throws {
        let user = try await authenticate(Reference(.id(id)), original, address: address)
        try await setPassword(ofUser: user.id, password)
    }

    /// Deletes a record and its assignments; tokens that need it end.
    public func delete<R: IdentityRecord>(_ type: R.Type, _ id: String) async throws {
        try await change { transaction in
            let record = try transaction.require(R.self, id)
            try Self.delete(record, transaction)
        }
    }

    private static func delete<R: IdentityRecord>(_ record: R, _ transaction: StoreTransaction) throws {
        switch record {
        case is User: try transaction.removeAssignments(ofUser: record.id)
        case let role as Role:
            // What the policies of every cloud are written with.
            guard !Role.standardNames.contains(role.name) else { throw IdentityError.forbidden("delete the role \(role.name)") }
            try transaction.removeAssignments(ofRole: record.id)
        case is Project:
            guard try !transaction.list(Project.self).contains(where: { $0.parentID == record.id }) else {
                throw IdentityError.forbidden("cannot delete the project \(record.id) since it is not a leaf in the hierarchy")
            }
            try transaction.removeAssignments(in: .project(record.id))
        case let domain as Domain: try empty(domain, transaction)
        default: preconditionFailure("there are four kinds of records")
        }
        try transaction.remove(record)
    }

    /// A domain goes with all that is in it, once it is disabled.
    private static func empty(_ domain: Domain, _ transaction: StoreTransaction) throws {
        guard domain.id != Domain.defaultID else { throw IdentityError.forbidden("delete the default domain") }
        guard !domain.isEnabled else {
            throw IdentityError.forbidden("Cannot delete a domain that is enabled, please disable it first.")
        }
        for user in try transaction.list(User.self) where user.domainID == domain.id {
            try transaction.removeAssignments(ofUser: user.id)
            try transaction.remove(user)
        }
        for project in try transaction.list(Project.self) where project.domainID == domain.id {
            try transaction.removeAssignments(in: .project(project.id))
            try transaction.remove(project)
        }
        try transaction.removeAssignments(in: .domain(domain.id))
    }
}
