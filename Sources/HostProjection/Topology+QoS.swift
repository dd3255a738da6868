import HostModel
import NetworkModel

/// Limits of bandwidth, from the QoS policies of floating IPs and gateways.
extension Topology {
    /// Nil without a policy that limits anything.
    ///
    /// A rule's direction is the instance's and a router's is its gateway's: what leaves the instance leaves the router, so the words agree.
    func limits(of policyID: ResourceID?) -> HostRouter.RateLimits? {
        guard let policy = policyID.flatMap({ qosPolicies[$0] }) else { return nil }
        let limits = HostRouter.RateLimits(
            ingress: policy.bandwidthLimit(.ingress).map(limit), egress: policy.bandwidthLimit(.egress).map(limit))
        return limits.ingress == nil && limits.egress == nil ? nil : limits
    }

    private func limit(_ rule: BandwidthLimitRule) -> HostRouter.RateLimits.Limit {
        HostRouter.RateLimits.Limit(kilobitsPerSecond: rule.maximumKilobitsPerSecond, burstKilobits: rule.maximumBurstKilobits)
    }

    mutating func replaceQoSPolicy(_ id: ResourceID, with new: QoSPolicy?, _ concerned: inout ConcernedKeys) {
        let old = qosPolicies[id]
        guard old != new else { return }
        qosPolicies[id] = new
        guard concerned.isRecording, old?.rules != new?.rules else { return }
        for router in routersByQoSPolicy[id] { concerned.note(.router, router, on: memberHosts[router]) }
        for floating in floatingIPsByQoSPolicy[id] {
            guard let router = floatingIPs[floating]?.routerID else { continue }
            concerned.note(.router, router, on: memberHosts[router])
        }
    }

    mutating func indexGateway(_ id: ResourceID, of old: Router?, _ new: Router?) {
        if let policy = old?.gateway?.qosPolicyID { routersByQoSPolicy.remove(id, at: policy) }
        if let policy = new?.gateway?.qosPolicyID { routersByQoSPolicy.insert(id, at: policy) }
    }
}
