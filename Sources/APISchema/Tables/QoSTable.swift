import NetworkModel

extension QoSPolicy: ProjectResource {
    public static var blank: QoSPolicy { QoSPolicy(id: .placeholder, projectID: "") }

    public static let table = ResourceTable<QoSPolicy>(
        singular: "policy", plural: "policies", collection: "qos/policies", notFoundName: "QosPolicy",
        attributes: identityAttributes + [
            .stored("name", \.name, .name(maximum: 255), [.create, .update, .filter, .sort], default: "", from: "qos"),
            .stored("shared", \.isShared, .boolean, [.create, .update, .filter], default: false, from: "qos"),
            .stored("is_default", \.isDefault, .boolean, [.create, .update, .filter], default: false, from: "qos-default"),
            .keptRequest("rules", \.rules, .list(of: .any), [], from: "qos"),
        ] + standardAttributes)
}

/// A rule of one type: a resource below its policy.
public protocol QoSPolicyRule: APIResource {
    var policyID: ResourceID { get set }
    /// `bandwidth_limit`: the `type` inside the policy; the singular name has `_rule` behind it.
    static var typeName: String { get }
    var asRule: QoSRule { get }
    init?(_ rule: QoSRule)
    /// Whether a policy has room for only one of the two.
    func excludes(_ other: Self) -> Bool
}

extension BandwidthLimitRule: QoSPolicyRule {
    public static var blank: BandwidthLimitRule {
        BandwidthLimitRule(id: .placeholder, policyID: .placeholder, maximumKilobitsPerSecond: 0)
    }

    private static let rate = AttributeType.integer(0...Int(Int32.max))

    public static let table = ResourceTable<BandwidthLimitRule>(
        singular: "bandwidth_limit_rule", plural: "bandwidth_limit_rules", collection: "bandwidth_limit_rules", notFoundName: "QosRule",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort], from: "qos"),
            .stored("max_kbps", \.maximumKilobitsPerSecond, rate, [.create, .update, .required, .filter, .sort], from: "qos"),
            .stored("max_burst_kbps", \.maximumBurstKilobits, rate, [.create, .update, .filter, .sort], default: 0, from: "qos"),
            .stored(
                "direction", \.direction, .oneOf(["ingress", "egress"]), [.create, .update, .filter, .sort], default: "egress",
                from: "qos-bw-limit-direction"),
            .internal("qos_policy_id", \.policyID),
        ])

    public static let typeName = "bandwidth_limit"
    public var asRule: QoSRule { .bandwidthLimit(self) }
    public init?(_ rule: QoSRule) {
        guard case .bandwidthLimit(let rule) = rule else { return nil }
        self = rule
    }
    public func excludes(_ other: BandwidthLimitRule) -> Bool { direction == other.direction }
}

extension DSCPMarkingRule: QoSPolicyRule {
    public static var blank: DSCPMarkingRule { DSCPMarkingRule(id: .placeholder, policyID: .placeholder, mark: 0) }

    /// RFC 2474, 2597 and 3246: class selectors, assured and expedited forwarding.
    public static let marks = [0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56]

    public static let table = ResourceTable<DSCPMarkingRule>(
        singular: "dscp_marking_rule", plural: "dscp_marking_rules", collection: "dscp_marking_rules", notFoundName: "QosRule",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort], from: "qos"),
            .stored("dscp_mark", \.mark, .integer(nil), [.create, .update, .required, .filter, .sort], from: "qos"),
            .internal("qos_policy_id", \.policyID),
        ])

    public static let typeName = "dscp_marking"
    public var asRule: QoSRule { .dscpMarking(self) }
    public init?(_ rule: QoSRule) {
        guard case .dscpMarking(let rule) = rule else { return nil }
        self = rule
    }
    public func excludes(_ other: DSCPMarkingRule) -> Bool { true }
}

extension PacketRateLimitRule: QoSPolicyRule {
    public static var blank: PacketRateLimitRule {
        PacketRateLimitRule(id: .placeholder, policyID: .placeholder, maximumKilopacketsPerSecond: 0)
    }

    private static let rate = AttributeType.integer(0...Int(Int32.max))

    public static let table = ResourceTable<PacketRateLimitRule>(
        singular: "packet_rate_limit_rule", plural: "packet_rate_limit_rules", collection: "packet_rate_limit_rules",
        notFoundName: "QosRule",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort], from: "qos-pps"),
            .stored("max_kpps", \.maximumKilopacketsPerSecond, rate, [.create, .update, .required, .filter, .sort], from: "qos-pps"),
            .stored(
                "max_burst_kpps", \.maximumBurstKilopackets, rate, [.create, .update, .filter, .sort], default: 0, from: "qos-pps"),
            .stored(
                "direction", \.direction, .oneOf(["ingress", "egress"]), [.create, .update, .filter, .sort], default: "egress",
                from: "qos-pps"),
            .internal("qos_policy_id", \.policyID),
        ])

    public static let typeName = "packet_rate_limit"
    public var asRule: QoSRule { .packetRateLimit(self) }
    public init?(_ rule: QoSRule) {
        guard case .packetRateLimit(let rule) = rule else { return nil }
        self = rule
    }
    public func excludes(_ other: PacketRateLimitRule) -> Bool { direction == other.direction }
}

extension QoSRule {
    /// As its policy shows it: `bandwidth_limit`.
    public var typeName: String {
        switch self {
        case .bandwidthLimit: BandwidthLimitRule.typeName
        case .dscpMarking: DSCPMarkingRule.typeName
        case .packetRateLimit: PacketRateLimitRule.typeName
        }
    }
}

/// A rule inside its policy's row: what its own table shows, with its type and its policy.
extension QoSRule: JSONAttributeValue {
    public func write(to writer: inout JSONWriter) {
        switch self {
        case .bandwidthLimit(let rule): Self.write(rule, to: &writer)
        case .dscpMarking(let rule): Self.write(rule, to: &writer)
        case .packetRateLimit(let rule): Self.write(rule, to: &writer)
        }
    }

    private static func write<Rule: QoSPolicyRule>(_ rule: Rule, to writer: inout JSONWriter) {
        Rule.table.write(rule, to: &writer) { writer in
            writer.key("qos_policy_id")
            rule.policyID.write(to: &writer)
            writer.key("type")
            writer.string(Rule.typeName)
        }
    }

    public init(json: JSONValue) throws(InvalidValue) {
        switch json["type"] {
        case .string(BandwidthLimitRule.typeName): self = .bandwidthLimit(try Self.rule(json))
        case .string(DSCPMarkingRule.typeName): self = .dscpMarking(try Self.rule(json))
        case .string(PacketRateLimitRule.typeName): self = .packetRateLimit(try Self.rule(json))
        default: throw InvalidValue("the type of a rule is damaged")
        }
    }

    private static func rule<Rule: QoSPolicyRule>(_ json: JSONValue) throws(InvalidValue) -> Rule {
        var rule = Rule.blank
        for column in Rule.table.columns {
            let value: ColumnValue =
                switch json[column.name] {
                case .string(let text): .text(text)
                case .integer(let number): .integer(number)
                default: .null
                }
            guard column.load(&rule, value) else { throw InvalidValue("the column \(column.name) of a rule is damaged") }
        }
        return rule
    }
}
