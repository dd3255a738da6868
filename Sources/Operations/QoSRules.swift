import APISchema
import AccessPolicy
import NetworkModel
import Store

// The rules of QoS policies: `/qos/policies/{policy}/bandwidth_limit_rules` and so on, and the aliases that leave the policy out.

extension Operations {
    public func createRule<Rule: QoSPolicyRule>(
        _ request: ResourceRequest<Rule>, policy: String, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> Rule {
        try await write(caller) { verb in
            // Who may add rules to no policy at all learns that, and not which policies there are.
            let action = PolicyAction("create_\(Rule.policyName)")
            guard verb.policy[action.rule] != .never else { throw verb.policy.refusal(action) }
            var policy = try verb.visible(QoSPolicy.self, policy)
            try verb.authorizePart(
                "create_\(Rule.policyName)", request, isCreation: true,
                on: PartTarget<QoSPolicy, Rule>(whole: policy, given: request.values))
            try ifMatch?.check(policy)
            var rule = Rule.blank
            try request.assign(to: &rule)
            rule.id = verb.newID()
            rule.policyID = policy.id
            try verb.check(rule)
            try verb.transaction.insert(rule)
            policy.rules.append(rule.asRule)
            try verb.refuseUnsupportedRules(of: policy)
            try verb.save(&policy)
            return rule
        }
    }

    /// - Parameter policy: the policy in the path; nil where the path names none.
    public func updateRule<Rule: QoSPolicyRule>(
        _ id: String, policy: String?, _ request: ResourceRequest<Rule>, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> Rule {
        try await write(caller) { verb in
            let verbName = policy == nil ? "update_\(Rule.aliasPolicyName)" : "update_\(Rule.policyName)"
            var (rule, policy) = try verb.rule(Rule.self, id, policy: policy)
            try verb.authorizePart(
                verbName, request, isCreation: false, on: PartTarget(whole: policy, part: rule, given: request.values))
            try ifMatch?.check(policy)
            try request.assign(to: &rule)
            try verb.check(rule)
            try verb.transaction.update(rule)
            policy.rules = policy.rules.map { $0.id == rule.id ? rule.asRule : $0 }
            try verb.save(&policy)
            return rule
        }
    }

    public func deleteRule<Rule: QoSPolicyRule>(
        _ type: Rule.Type, _ id: String, policy: String?, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws {
        try await write(caller) { verb in
            let verbName = policy == nil ? "delete_\(Rule.aliasPolicyName)" : "delete_\(Rule.policyName)"
            var (rule, policy) = try verb.rule(Rule.self, id, policy: policy)
            try verb.authorize(PolicyAction(verbName), on: PartTarget(whole: policy, part: rule))
            try ifMatch?.check(policy)
            try verb.transaction.delete(Rule.self, rule.id)
            policy.rules.removeAll { $0.id == rule.id }
            try verb.save(&policy)
        }
    }

    public func showRule<Rule: QoSPolicyRule>(_ type: Rule.Type, _ id: String, policy: String?, caller: Caller) async throws -> Rule {
        try await read(caller) { verb in try verb.rule(Rule.self, id, policy: policy).rule }
    }

    /// A page of the rules of a policy.
    public func listRules<Rule: QoSPolicyRule>(
        _ type: Rule.Type, policy: String, _ query: ListQuery, caller: Caller
    ) async throws -> [Rule] {
        try await read(caller) { verb in
            let policy = try verb.visible(QoSPolicy.self, policy)
            guard try verb.sees(Rule.self, of: policy) else { return [] }
            if let marker = query.marker { guard try verb.find(Rule.self, marker)?.policyID == policy.id else { return [] } }
            var query = query
            query.filters.append(.column("qos_policy_id", [policy.id.columnValue]))
            return try verb.transaction.list(Rule.self, query)
        }
    }
}

extension Operations {
    /// Which attributes of each of some rules an answer has.
    ///
    /// - Parameter byAlias: whether the path leaves the policy out.
    public func selections<Rule: QoSPolicyRule>(
        of rules: [Rule], byAlias: Bool, fields: Set<String> = [], caller: Caller
    ) async throws -> [AttributeSelection] {
        try await selections(of: rules, called: byAlias ? Rule.aliasPolicyName : Rule.policyName, fields: fields, caller: caller) {
            verb, rule in
            PartTarget(whole: try verb.existing(QoSPolicy.self, rule.policyID), part: rule)
        }
    }
}

extension QoSPolicyRule {
    /// How rules of the policy call it: `policy_bandwidth_limit_rule`.
    fileprivate static var policyName: String { "policy_\(table.singular)" }
    /// The same where the path leaves the QoS policy out.
    fileprivate static var aliasPolicyName: String { "alias_\(table.singular)" }
}

extension Verb {
    /// Who sees a shared QoS policy sees its rules within it; by themselves they are its owner's.
    fileprivate func sees<Rule: QoSPolicyRule>(_ type: Rule.Type, of policy: QoSPolicy, byAlias: Bool = false) throws -> Bool {
        try self.policy["get_\(byAlias ? Rule.aliasPolicyName : Rule.policyName)"].holds(
            for: caller, on: PartTarget<QoSPolicy, Rule>(whole: policy))
    }

    fileprivate func rule<Rule: QoSPolicyRule>(
        _ type: Rule.Type, _ text: String, policy policyText: String?
    ) throws -> (rule: Rule, policy: QoSPolicy) {
        let named = try policyText.map { try visible(QoSPolicy.self, $0) }
        guard let id = ResourceID(text), let rule = try find(Rule.self, id), let policy = try find(QoSPolicy.self, rule.policyID),
            try policy.isVisible(in: self), try sees(Rule.self, of: policy, byAlias: policyText == nil),
            named == nil || named?.id == policy.id
        else { throw APIError.qosRuleNotFound(text, policy: policyText ?? "") }
        return (rule, policy)
    }

    fileprivate func check<Rule: QoSPolicyRule>(_ rule: Rule) throws {
        if let marking = rule as? DSCPMarkingRule, !DSCPMarkingRule.marks.contains(marking.mark) {
            let marks = JSONValue.array(DSCPMarkingRule.marks.map(JSONValue.integer)).pythonText
            throw APIError.invalidAttribute("dscp_mark", "'\(marking.mark)' is not in \(marks)")
        }
        let others = try list(Rule.self, where: "qos_policy_id", rule.policyID)
        guard let other = others.first(where: { $0.id != rule.id && rule.excludes($0) }) else { return }
        throw APIError.qosRulesConflict(Rule.typeName, other.id, policy: rule.policyID)
    }
}
