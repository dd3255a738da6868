import APISchema
import AccessPolicy
import NetworkModel
import Store

extension SecurityGroupRuleTemplate: ManagedResource {
    public static func create(_ request: ResourceRequest<SecurityGroupRuleTemplate>, in verb: Verb) throws -> SecurityGroupRuleTemplate {
        let template = try template(from: request, id: verb.newID())
        if let id = template.rule.remoteAddressGroupID { _ = try verb.visible(AddressGroup.self, id) }
        let others = try verb.transaction.list(SecurityGroupRuleTemplate.self)
        if let same = others.first(where: { $0.isUsedBeside(template) && $0.key == template.key }) {
            throw APIError.conflict(
                "DefaultSecurityGroupRuleExists", "Default Security group rule already exists. Rule id is \(same.id).")
        }
        try verb.transaction.insert(template)
        return template
    }

    public static func update(
        _ template: SecurityGroupRuleTemplate, _ request: ResourceRequest<SecurityGroupRuleTemplate>, in verb: Verb
    ) throws -> SecurityGroupRuleTemplate { template }

    public static func delete(_ template: SecurityGroupRuleTemplate, in verb: Verb) throws {
        try verb.transaction.delete(SecurityGroupRuleTemplate.self, template.id)
    }

    public static func checkBulk(_ requests: [ResourceRequest<SecurityGroupRuleTemplate>], in verb: Verb) throws {
        let templates = try requests.map { try template(from: $0, id: verb.newID()) }
        for (index, template) in templates.enumerated() {
            guard !templates[..<index].contains(where: { $0.isUsedBeside(template) && $0.key == template.key }) else {
                throw APIError.conflict("DuplicateDefaultSgRuleInPost", "Duplicate Default Security Group Rule in POST.")
            }
        }
    }

    public static func notFound(_ id: String) -> APIError {
        .notFound("DefaultSecurityGroupRuleNotFound", "Default Security Group rule \(id) does not exist")
    }

    public var revisionNumber: Int? { nil }

    private static func template(
        from request: ResourceRequest<SecurityGroupRuleTemplate>, id: ResourceID
    ) throws -> SecurityGroupRuleTemplate {
        var template = SecurityGroupRuleTemplate.blank
        try request.assign(to: &template)
        template.id = id
        template.remoteGroup = try request.value("remote_group_id", as: String?.self) ?? nil
        try SecurityGroupRules.fill(&template.rule, from: request)
        try SecurityGroupRules.checkRemotes([
            template.rule.remoteAddress != nil, template.remoteGroup != nil, template.rule.remoteAddressGroupID != nil,
        ])
        return template
    }

    private struct Key: Hashable {
        var rule: SecurityGroupRules.Key
        var remoteGroup: String?
    }

    private var key: Key { Key(rule: SecurityGroupRules.Key(rule), remoteGroup: remoteGroup) }

    /// Whether some group begins with both.
    private func isUsedBeside(_ other: SecurityGroupRuleTemplate) -> Bool {
        isUsedInDefaultGroups && other.isUsedInDefaultGroups || isUsedInOtherGroups && other.isUsedInOtherGroups
    }
}

extension Verb {
    /// The rules that a new group begins with.
    func templateRules(for group: SecurityGroup, isDefault: Bool) throws -> [SecurityGroupRule] {
        var query = ListQuery()
        query.filters = [.column(isDefault ? "used_in_default_sg" : "used_in_non_default_sg", [.integer(1)])]
        return try transaction.list(SecurityGroupRuleTemplate.self, query).compactMap { template in
            var rule = template.rule
            if let remote = template.remoteGroup {
                let id = remote == SecurityGroupRuleTemplate.ownGroup ? group.id : ResourceID(remote)
                // A group that is not there any more has no members.
                guard let id, try id == group.id || find(SecurityGroup.self, id) != nil else { return nil }
                rule.remoteGroupID = id
            }
            rule.id = newID()
            rule.projectID = group.projectID
            rule.securityGroupID = group.id
            rule.standard.description = ""
            open(&rule)
            return rule
        }
    }
}
