import APISchema
import AccessPolicy
import NetworkModel
import Store

extension QoSPolicy: ManagedResource {
    public static func create(_ request: ResourceRequest<QoSPolicy>, in verb: Verb) throws -> QoSPolicy {
        var policy = QoSPolicy(id: verb.newID(), projectID: try verb.project(of: request))
        try request.assign(to: &policy)
        if policy.isDefault { try verb.refuseSecondDefault(policy) }
        verb.open(&policy)
        try verb.transaction.insert(policy)
        try verb.mirror(policy.isShared, .shared, .qosPolicy, policy)
        return policy
    }

    public static func update(_ current: QoSPolicy, _ request: ResourceRequest<QoSPolicy>, in verb: Verb) throws -> QoSPolicy {
        var policy = current
        try request.assign(to: &policy)
        if policy.isDefault, !current.isDefault { try verb.refuseSecondDefault(policy) }
        try verb.mirror(policy.isShared, was: current.isShared, .shared, .qosPolicy, policy)
        try verb.save(&policy)
        return policy
    }

    public static func delete(_ policy: QoSPolicy, in verb: Verb) throws {
        try verb.refuseUsed(policy)
        for rule in policy.rules {
            switch rule {
            case .bandwidthLimit(let rule): try verb.transaction.delete(BandwidthLimitRule.self, rule.id)
            case .dscpMarking(let rule): try verb.transaction.delete(DSCPMarkingRule.self, rule.id)
            case .packetRateLimit(let rule): try verb.transaction.delete(PacketRateLimitRule.self, rule.id)
            }
        }
        try verb.dropGrants(of: policy.id)
        try verb.transaction.delete(QoSPolicy.self, policy.id)
    }

    public static var isSharedToUpdates: Bool { false }

    public static func notFound(_ id: String) -> APIError { .notFound("QosPolicyNotFound", "QoS policy \(id) could not be found.") }

    public static func shown(_ policy: QoSPolicy, in verb: Verb) throws -> QoSPolicy {
        var shown = policy
        shown.isShared = try policy.isShared || verb.isShared(policy.id)
        return shown
    }
}

extension Verb {
    /// A unique index keeps the default single when two servers look at the same time.
    fileprivate func refuseSecondDefault(_ policy: QoSPolicy) throws {
        let others = try transaction.rows("SELECT 1 FROM policies WHERE project_id = ? AND is_default = 1", [.text(policy.projectID)])
        guard others.isEmpty else { throw APIError.qosPolicyDefaultExists(policy.projectID) }
    }
}
