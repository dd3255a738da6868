import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

extension SecurityGroup: ManagedResource {
    public static func create(_ request: ResourceRequest<SecurityGroup>, in verb: Verb) throws -> SecurityGroup {
        try verb.createSecurityGroup(request)
    }
    public static func update(_ group: SecurityGroup, _ request: ResourceRequest<SecurityGroup>, in verb: Verb) throws -> SecurityGroup {
        try verb.updateSecurityGroup(group, request)
    }
    public static func delete(_ group: SecurityGroup, in verb: Verb) throws { try verb.deleteSecurityGroup(group) }

    public static func notFound(_ id: String) -> APIError { .notFound("SecurityGroupNotFound", "Security group \(id) does not exist") }

    public static func shown(_ group: SecurityGroup, in verb: Verb) throws -> SecurityGroup {
        var shown = group
        shown.isShared = try group.isShared || verb.isShared(group.id)
        if try verb.isDefaultGroup(group.id) { for index in shown.rules.indices { shown.rules[index].belongsToDefaultGroup = true } }
        return shown
    }
}

extension Operations {
    /// A list of groups shows the default group even when nothing needed it yet: that of the project whose groups it asks for, else the caller's.
    func ensureDefaultGroup(asked query: ListQuery, _ caller: Caller) async throws {
        let projectID = query.projectID ?? caller.projectID
        let rule = policy.rules(for: caller)["create_default_security_group"]
        guard !caller.projectID.isEmpty, !projectID.isEmpty, try rule.holds(for: caller, on: ProjectTarget(projectID: projectID)) else {
            return
        }
        try Verb.checkProject(projectID)
        let exists = try await read(caller) { verb in try verb.defaultGroupID(of: projectID) != nil }
        guard !exists else { return }
        _ = try await write(caller) { verb in try verb.defaultGroup(of: projectID) }
    }
}

extension ListQuery {
    /// The project whose things the list asks for, where it asks for one project's.
    fileprivate var projectID: String? {
        for case .column("project_id", let values) in filters {
            if let text = values.first?.text { return text }
        }
        return nil
    }
}

extension Verb {
    private static let defaultGroupName = "default"

    func createSecurityGroup(_ request: ResourceRequest<SecurityGroup>) throws -> SecurityGroup {
        try refuseDefaultName(request)
        let projectID = try project(of: request)
        _ = try defaultGroup(of: projectID)
        try checkQuota("security_group", projectID)
        var group = SecurityGroup(id: newID(), projectID: projectID)
        try request.assign(to: &group)
        if !request.givenNames.contains("stateful") { group.isStateful = try isStatefulByDefault(projectID) }
        try insertGroup(&group, isDefault: false)
        return group
    }

    func updateSecurityGroup(_ current: SecurityGroup, _ request: ResourceRequest<SecurityGroup>) throws -> SecurityGroup {
        if request.contains("name") {
            if try defaultGroupID(of: current.projectID) == current.id {
                throw APIError.conflict("SecurityGroupCannotUpdateDefault", "Updating default security group not allowed.")
            }
            try refuseDefaultName(request)
        }
        var group = current
        try request.assign(to: &group)
        if group.isStateful != current.isStateful { try refuseUsed(group) }
        try save(&group)
        return group
    }

    private func refuseUsed(_ group: SecurityGroup) throws {
        let users = try transaction.rows(
            "SELECT 1 FROM port_security_groups WHERE security_group_id = ? LIMIT 1", [group.id.columnValue])
        guard users.isEmpty else { throw APIError.conflict("SecurityGroupInUse", "Security Group \(group.id) in use.") }
    }

    func deleteSecurityGroup(_ group: SecurityGroup) throws {
        try refuseUsed(group)
        if try defaultGroupID(of: group.projectID) == group.id, !caller.isAdmin {
            throw APIError.conflict("SecurityGroupCannotRemoveDefault", "Insufficient rights for removing default security group.")
        }
        // Rules of other groups that name this one as remote group lose their meaning with it.
        for rule in try list(SecurityGroupRule.self, where: "remote_group_id", group.id) where rule.securityGroupID != group.id {
            try deleteSecurityGroupRule(rule)
        }
        for rule in group.rules { try transaction.delete(SecurityGroupRule.self, rule.id) }
        try transaction.execute("DELETE FROM default_security_groups WHERE security_group_id = ?", [group.id.columnValue])
        try dropGrants(of: group.id)
        try transaction.delete(SecurityGroup.self, group.id)
    }

    // MARK: The default group

    /// The project's default group, made when it is first needed. The row in `default_security_groups` keeps it single.
    func defaultGroup(of projectID: String) throws -> ResourceID {
        if let id = try defaultGroupID(of: projectID) { return id }
        var group = SecurityGroup(id: newID(), projectID: projectID)
        group.name = Self.defaultGroupName
        group.standard.description = "Default security group"
        group.isStateful = try isStatefulByDefault(projectID)
        guard
            try transaction.insertIfAbsent(
                table: "default_security_groups", columns: ["project_id", "security_group_id"],
                values: [.text(projectID), group.id.columnValue])
        else { return try defaultGroupID(of: projectID) ?? group.id }
        try insertGroup(&group, isDefault: true)
        return group.id
    }

    func isDefaultGroup(_ id: ResourceID) throws -> Bool {
        try !transaction.rows("SELECT 1 FROM default_security_groups WHERE security_group_id = ?", [id.columnValue]).isEmpty
    }

    func defaultGroupID(of projectID: String) throws -> ResourceID? {
        try transaction.rows("SELECT security_group_id FROM default_security_groups WHERE project_id = ?", [.text(projectID)]).first?[0].id
    }

    /// Unless an administrator chose otherwise, every group lets everything out, and the default group also lets its members in.
    private func insertGroup(_ group: inout SecurityGroup, isDefault: Bool) throws {
        group.rules = try templateRules(for: group, isDefault: isDefault)
        if !isDefault { try checkQuota("security_group_rule", group.projectID, adding: group.rules.count) }
        open(&group)
        try transaction.insert(group)
        for rule in group.rules { try transaction.insert(rule) }
    }

    private func refuseDefaultName(_ request: ResourceRequest<SecurityGroup>) throws {
        guard try request.value("name", as: String.self)?.lowercased() == Self.defaultGroupName else { return }
        throw APIError.conflict("SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
    }
}
