import Addressing

/// A named set of rules that ports are members of.
public struct SecurityGroup: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var name: String = ""
    public var isStateful: Bool = true
    public var isShared: Bool = false
    /// The group's rules in the order of their creation: a copy of their own rows, so that a list of groups is one scan.
    public var rules: [SecurityGroupRule] = []
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String) {
        self.id = id
        self.projectID = projectID
    }
}

/// Whether a rule is about packets to the instance or from it.
public enum RuleDirection: String, Sendable, Hashable, Codable {
    case ingress, egress
}

/// One permission of a security group. Rules never change: they are deleted and made anew.
public struct SecurityGroupRule: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var securityGroupID: ResourceID
    public var direction: RuleDirection
    public var version: IPVersion = .v4
    /// As given: a name such as `tcp` or a number 0...255 as text; nil means any.
    public var networkProtocol: String?
    /// The lowest port, or the ICMP type.
    public var portRangeMinimum: Int?
    /// The highest port, or the ICMP code.
    public var portRangeMaximum: Int?
    public var remotePrefix: IPPrefix?
    public var remoteGroupID: ResourceID?
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String, securityGroupID: ResourceID, direction: RuleDirection) {
        self.id = id
        self.projectID = projectID
        self.securityGroupID = securityGroupID
        self.direction = direction
    }
}
