import APISchema
import AccessPolicy
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite("QoS policies of ports and networks") struct PortQoSTests {
    private let member = Caller(projectID: "p1", isAdmin: false)

    private func given(_ policy: QoSPolicy?) -> [String: JSONValue] {
        ["qos_policy_id": policy.map { .init($0.id) } ?? .null]
    }

    private func addRule(_ cloud: Cloud, _ policy: QoSPolicy) async throws {
        _ = try await cloud.operations.createRule(
            ResourceRequest<PacketRateLimitRule>.create(["max_kpps": 5]), policy: policy.id.description, caller: cloud.admin)
    }

    @Test("A port shows its own policy and its network's, and a policy is kept from deletion by either", arguments: Backend.allCases)
    func users(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let gold = try await cloud.create(QoSPolicy.self, [:])
        let slow = try await cloud.create(QoSPolicy.self, [:])
        var network = try await cloud.network(given(gold))
        var port = try await cloud.port(on: network, given(slow))
        #expect(network.qosPolicyID == gold.id && port.qosPolicyID == slow.id && port.networkQoSPolicyID == gold.id)
        #expect(try await cloud.list(Port.self).map(\.networkQoSPolicyID) == [gold.id])
        let plain = try await cloud.port(on: try await cloud.network())
        #expect(plain.qosPolicyID == nil && plain.networkQoSPolicyID == nil)

        let usedByPort = try await apiError { try await cloud.delete(slow) }
        #expect(usedByPort == .conflict("QosPolicyInUse", "QoS Policy \(slow.id) is used by port \(port.id)."))
        let usedByNetwork = try await apiError { try await cloud.delete(gold) }
        #expect(usedByNetwork == .conflict("QosPolicyInUse", "QoS Policy \(gold.id) is used by network \(network.id)."))

        let revision = port.standard.revisionNumber
        port = try await cloud.update(port, ["name": "kept"])
        #expect(port.qosPolicyID == slow.id)
        port = try await cloud.update(port, given(nil))
        #expect(port.qosPolicyID == nil && port.networkQoSPolicyID == gold.id && port.standard.revisionNumber == revision + 2)
        network = try await cloud.update(network, given(nil))
        #expect(try await cloud.show(port).networkQoSPolicyID == nil && network.qosPolicyID == nil)
        let unknown = try await apiError { try await cloud.update(network, ["qos_policy_id": .init(network.id)]) }
        #expect(unknown == .notFound("QosPolicyNotFound", "QoS policy \(network.id) could not be found."))
        try await cloud.delete(slow)
        try await cloud.delete(gold)
    }

    @Test("A project's default policy is that of its new networks that name none", arguments: Backend.allCases)
    func defaultPolicy(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let before = try await cloud.network()
        let policy = try await cloud.create(QoSPolicy.self, ["is_default": true])
        let named = try await cloud.create(QoSPolicy.self, [:])
        #expect(try await cloud.network().qosPolicyID == policy.id)
        #expect(try await cloud.network(given(nil)).qosPolicyID == policy.id)
        #expect(try await cloud.network(given(named)).qosPolicyID == named.id)
        #expect(try await cloud.network(["project_id": "p2"]).qosPolicyID == nil)
        #expect(try await cloud.show(before).qosPolicyID == nil)
        _ = try await cloud.update(policy, ["is_default": false])
        #expect(try await cloud.network().qosPolicyID == nil)
    }

    @Test("A policy that a member cannot see is not the member's to give or to take away", arguments: Backend.allCases)
    func visibility(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let hidden = try await cloud.create(QoSPolicy.self, ["project_id": "ops"])
        let shared = try await cloud.create(QoSPolicy.self, ["project_id": "ops", "shared": true])
        let network = try await cloud.network(given(hidden))
        let refused = try await apiError { try await cloud.port(on: network, as: self.member, given(hidden)) }
        #expect(refused == .notFound("QosPolicyNotFound", "QoS policy \(hidden.id) could not be found."))
        let kept = try await apiError { try await cloud.update(network, given(nil), as: self.member) }
        #expect(
            kept
                == APIError(
                    status: 403, type: "PolicyRemoveAuthorizationError",
                    message: "Failed to remove provided policy \(hidden.id) because you are not authorized."))
        let port = try await cloud.port(on: network, as: member, given(shared))
        #expect(port.qosPolicyID == shared.id)
        // The grant that the port depends on stays.
        let unshared = try await apiError { try await cloud.update(shared, ["shared": false]) }
        #expect(unshared?.type == "RbacPolicyInUse")
        _ = try await cloud.update(port, given(nil), as: member)
        _ = try await cloud.update(shared, ["shared": false])
    }

    @Test("Ports that go past the host's bridges take no rules", arguments: Backend.allCases)
    func unsupported(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let policy = try await cloud.create(QoSPolicy.self, [:])
        let network = try await cloud.network()
        let direct: [String: JSONValue] = ["binding:vnic_type": "direct"]
        var port = try await cloud.port(on: network, direct.merging(given(policy)) { $1 })
        func conflict(_ port: Port) -> APIError {
            .conflict("QosRuleNotSupported", "Rule packet_rate_limit is not supported by port \(port.id)")
        }
        // A policy without rules asks for nothing.
        #expect(try await apiError { try await self.addRule(cloud, policy) } == conflict(port))
        port = try await cloud.update(port, given(nil))
        try await addRule(cloud, policy)
        #expect(try await apiError { try await cloud.update(port, self.given(policy)) } == conflict(port))
        #expect(try await apiError { try await cloud.update(network, self.given(policy)) } == conflict(port))
        let free = try await cloud.create(QoSPolicy.self, [:])
        _ = try await cloud.update(port, given(free))
        _ = try await cloud.update(network, given(policy))
        #expect(try await apiError { try await cloud.update(port, self.given(nil)) } == conflict(port))
        #expect(try await apiError { try await cloud.port(on: network, direct) }?.type == "QosRuleNotSupported")
        let normal = try await cloud.port(on: network)
        #expect(try await apiError { try await cloud.update(normal, direct) } == conflict(normal))
        // The first rule of a network's policy, which its ports have.
        let later = try await cloud.create(QoSPolicy.self, [:])
        let other = try await cloud.network(given(later))
        let bound = try await cloud.port(on: other, direct)
        #expect(try await apiError { try await self.addRule(cloud, later) } == conflict(bound))
    }

    @Test("A policy has one limit of packets in each direction, and goes with its rules", arguments: Backend.allCases)
    func packetRates(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let policy = try await cloud.create(QoSPolicy.self, [:])
        func add(_ body: [String: JSONValue]) async throws -> PacketRateLimitRule {
            try await cloud.operations.createRule(
                ResourceRequest<PacketRateLimitRule>.create(body), policy: policy.id.description, caller: cloud.admin)
        }
        let egress = try await add(["max_kpps": 5])
        let ingress = try await add(["max_kpps": "7", "max_burst_kpps": 1, "direction": "ingress"])
        #expect(egress.direction == .egress && egress.maximumBurstKilopackets == 0 && ingress.maximumKilopacketsPerSecond == 7)
        #expect(
            try await apiError { try await add(["max_kpps": 1]) }
                == .conflict(
                    "QoSRulesConflict",
                    "Rule packet_rate_limit conflicts with rule \(egress.id) which already exists in QoS Policy \(policy.id)."))
        #expect(
            try await apiError { try await add(["max_kpps": -1, "direction": "ingress"]) }?.message
                == "Invalid input for max_kpps. Reason: '-1' is too small - must be at least '0'.")
        let shown = try await cloud.show(policy)
        #expect(shown.rules == [.packetRateLimit(egress), .packetRateLimit(ingress)])
        var writer = JSONWriter()
        shown.rules.first?.write(to: &writer)
        #expect(
            writer.text
                == #"{"id":"\#(egress.id)","max_kpps":5,"max_burst_kpps":0,"direction":"egress","qos_policy_id":"\#(policy.id)","#
                + #""type":"packet_rate_limit"}"#)
        try await cloud.delete(policy)
    }

    @Test("Floating IPs show the policy of the external network", arguments: Backend.allCases)
    func floatingIPs(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let (network, _) = try await cloud.externalNetwork()
        let policy = try await cloud.create(QoSPolicy.self, [:])
        _ = try await cloud.update(network, given(policy))
        let floating = try await cloud.create(FloatingIP.self, ["floating_network_id": .init(network.id)])
        #expect(floating.qosPolicyID == nil && floating.networkQoSPolicyID == policy.id)
        #expect(try await cloud.list(FloatingIP.self).map(\.networkQoSPolicyID) == [policy.id])
    }
}

extension Cloud {
    fileprivate func port(on network: Network, as caller: Caller, _ body: [String: JSONValue]) async throws -> Port {
        // Members make ports on networks that they see.
        try await create(Port.self, ["network_id": .string(network.id.description)].merging(body) { $1 }, as: caller)
    }
}
