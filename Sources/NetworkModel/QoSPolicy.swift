/// A rule of a QoS policy: how fast traffic of one direction may be.
public struct BandwidthLimitRule: Sendable, Hashable {
    public var id: ResourceID
    public var policyID: ResourceID
    /// 0 sets no limit.
    public var maximumKilobitsPerSecond: Int
    /// 0 leaves the choice to the host.
    public var maximumBurstKilobits: Int = 0
    /// As the instance sees it: egress leaves it.
    public var direction: RuleDirection = .egress

    public init(id: ResourceID, policyID: ResourceID, maximumKilobitsPerSecond: Int) {
        self.id = id
        self.policyID = policyID
        self.maximumKilobitsPerSecond = maximumKilobitsPerSecond
    }
}

/// A rule of a QoS policy: what packets that leave an instance are marked with (RFC 2474).
public struct DSCPMarkingRule: Sendable, Hashable {
    public var id: ResourceID
    public var policyID: ResourceID
    /// The code point, 0...56.
    public var mark: Int

    public init(id: ResourceID, policyID: ResourceID, mark: Int) {
        self.id = id
        self.policyID = policyID
        self.mark = mark
    }
}

/// A rule of a QoS policy: how many packets of one direction may pass.
public struct PacketRateLimitRule: Sendable, Hashable {
    public var id: ResourceID
    public var policyID: ResourceID
    /// Thousands of packets per second. 0 sets no limit.
    public var maximumKilopacketsPerSecond: Int
    /// Thousands of packets. 0 leaves the choice to the host.
    public var maximumBurstKilopackets: Int = 0
    /// As the instance sees it: egress leaves it.
    public var direction: RuleDirection = .egress

    public init(id: ResourceID, policyID: ResourceID, maximumKilopacketsPerSecond: Int) {
        self.id = id
        self.policyID = policyID
        self.maximumKilopacketsPerSecond = maximumKilopacketsPerSecond
    }
}

/// Any rule of a QoS policy.
public enum QoSRule: Sendable, Hashable {
    case bandwidthLimit(BandwidthLimitRule)
    case dscpMarking(DSCPMarkingRule)
    case packetRateLimit(PacketRateLimitRule)

    public var id: ResourceID {
        switch self {
        case .bandwidthLimit(let rule): rule.id
        case .dscpMarking(let rule): rule.id
        case .packetRateLimit(let rule): rule.id
        }
    }
}

/// A named set of rules for the quality of service, which ports, networks, floating IPs and gateways of routers are given.
public struct QoSPolicy: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var name: String = ""
    public var isShared: Bool = false
    /// Whether it is the policy of a project's new networks: one of a project.
    public var isDefault: Bool = false
    /// In the order of their creation: a copy of their own rows, so that a list of policies is one scan.
    public var rules: [QoSRule] = []
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String) {
        self.id = id
        self.projectID = projectID
    }

    /// The limit of a direction; nil where there is none.
    public func bandwidthLimit(_ direction: RuleDirection) -> BandwidthLimitRule? {
        for case .bandwidthLimit(let rule) in rules where rule.direction == direction && rule.maximumKilobitsPerSecond > 0 { return rule }
        return nil
    }

    /// The limit of a direction; nil where there is none.
    public func packetRateLimit(_ direction: RuleDirection) -> PacketRateLimitRule? {
        for case .packetRateLimit(let rule) in rules where rule.direction == direction && rule.maximumKilopacketsPerSecond > 0 {
            return rule
        }
        return nil
    }

    /// The code point (RFC 2474) that packets leave instances with; nil: the one that they have.
    public var dscpMark: Int? {
        for case .dscpMarking(let rule) in rules { return rule.mark }
        return nil
    }
}
