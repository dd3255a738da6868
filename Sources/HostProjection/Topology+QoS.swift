import HostModel
import NetworkModel

/// What QoS policies mean for ports, floating IPs and gateways.
extension Topology {
    /// Nil without a policy that asks for anything.
    ///
    /// A network's policy is for its instances; ports of routers and services have only what they were given themselves.
    func quality(of port: Port) -> HostQuality? {
        let ofNetwork = port.role == .instance ? networks[port.networkID]?.qosPolicyID : nil
        guard let policy = (port.qosPolicyID ?? ofNetwork).flatMap({ qosPolicies[$0] }) else { return nil }
        let quality = HostQuality(
            ingress: limits(of: policy, .ingress), egress: limits(of: policy, .egress), dscpMark: policy.dscpMark)
        return quality == HostQuality() ? nil : quality
    }

    private func limits(of policy: QoSPolicy, _ direction: RuleDirection) -> HostQuality.Limits {
        HostQuality.Limits(
            bandwidth: policy.bandwidthLimit(direction).map(limit),
            packetRate: policy.packetRateLimit(direction).map {
                HostQuality.PacketRate(
                    kilopacketsPerSecond: $0.maximumKilopacketsPerSecond, burstKilopackets: $0.maximumBurstKilopackets)
            })
    }

    /// Of a floating IP or a gateway: its own policy, else that of the external network. Nil without a policy that limits bandwidth.
    ///
    /// A rule's direction is the instance's and a router's is its gateway's: what leaves the instance leaves the router, so the words agree.
    func limits(of policyID: ResourceID?, on networkID: ResourceID?) -> HostRouter.RateLimits? {
        let ofNetwork = networkID.flatMap { networks[$0]?.qosPolicyID }
        guard let policy = (policyID ?? ofNetwork).flatMap({ qosPolicies[$0] }) else { return nil }
        let limits = HostRouter.RateLimits(
            ingress: policy.bandwidthLimit(.ingress).map(limit), egress: policy.bandwidthLimit(.egress).map(limit))
        return limits.ingress == nil && limits.egress == nil ? nil : limits
    }

    private func limit(_ rule: BandwidthLimitRule) -> HostRouter.RateLimits.Limit {
        HostRouter.RateLimits.Limit(kilobitsPerSecond: rule.maximumKilobitsPerSecond, burstKilobits: rule.maximumBurstKilobits)
    }

    // MARK: Changes

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
        for port in portsByQoSPolicy[id] { noteQuality(of: port, &concerned) }
        for network in networksByQoSPolicy[id] { noteQuality(onNetwork: network, &concerned) }
    }

    /// Whoever has a policy from the network: ports without one of their own, and the floating IPs and gateways of routers there.
    func noteQuality(onNetwork id: ResourceID, _ concerned: inout ConcernedKeys) {
        for port in portsByNetwork[id] where ports[port]?.qosPolicyID == nil {
            guard let port = ports[port], port.role == .instance else { continue }
            concerned.note(.port, port.id, on: port.wiringHostIDs)
        }
        for router in routersByGatewayNetwork[id] { concerned.note(.router, router, on: memberHosts[router]) }
        for floating in floatingIPsByNetwork[id] {
            guard let router = floatingIPs[floating]?.routerID else { continue }
            concerned.note(.router, router, on: memberHosts[router])
        }
    }

    private func noteQuality(of id: ResourceID, _ concerned: inout ConcernedKeys) {
        guard let port = ports[id] else { return }
        switch port.role {
        case .instance: concerned.note(.port, id, on: port.wiringHostIDs)
        case .dhcp: if !port.hostID.isEmpty { concerned.note(.dhcp, port.networkID, on: port.hostID) }
        case .router, .haInterface: noteRouter(of: port, &concerned)
        case .floatingIP, .other: break
        }
    }

    mutating func indexGateway(_ id: ResourceID, of old: Router?, _ new: Router?) {
        // Several gateways may be on one network, or have one policy: what is lost is removed before what is there is put in.
        for gateway in old?.gateways ?? [] {
            routersByGatewayNetwork.remove(id, at: gateway.networkID)
            if let policy = gateway.qosPolicyID { routersByQoSPolicy.remove(id, at: policy) }
        }
        for gateway in new?.gateways ?? [] {
            routersByGatewayNetwork.insert(id, at: gateway.networkID)
            if let policy = gateway.qosPolicyID { routersByQoSPolicy.insert(id, at: policy) }
        }
    }
}
