import Addressing

/// A named set of rules that ports are members of.
public struct SecurityGroup: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var name: String = ""
    /// Whether what a rule allows is answered without a rule: else every packet is looked at by itself.
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
    /// The remote side as it was given, host bits included (`remote_ip_prefix`).
    public var remoteAddress: InterfaceAddress?
    public var remoteGroupID: ResourceID?
    public var remoteAddressGroupID: ResourceID?
    /// Whether its group is the default group of a project; not kept: whoever reads the row fills it in.
    public var belongsToDefaultGroup: Bool = false
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String, securityGroupID: ResourceID, direction: RuleDirection) {
        self.id = id
        self.projectID = projectID
        self.securityGroupID = securityGroupID
        self.direction = direction
    }

    /// The remote side as packets are compared with it (`normalized_cidr`).
    public var remotePrefix: IPPrefix? {
        get { remoteAddress?.prefix }
        set { remoteAddress = newValue.map { InterfaceAddress($0.address, prefixLength: $0.length) } }
    }
}
