/// A rule that new security groups begin with (`default_security_group_rules`). Administrators choose them; groups that are there stay as they are.
public struct SecurityGroupRuleTemplate: Sendable, Hashable {
    /// What ``remoteGroup`` says when the rule is about the members of its own group.
    public static let ownGroup = "PARENT"

    /// The rule, of no group and no project.
    public var rule: SecurityGroupRule
    /// A group's id, or ``ownGroup``.
    public var remoteGroup: String?
    /// Whether projects' default groups begin with it.
    public var isUsedInDefaultGroups: Bool = false
    /// Whether the groups that clients make begin with it.
    public var isUsedInOtherGroups: Bool = true

    public var id: ResourceID {
        get { rule.id }
        set { rule.id = newValue }
    }

    public init(rule: SecurityGroupRule) { self.rule = rule }
}
