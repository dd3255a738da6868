import APISchema
import AccessPolicy
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite struct QoSTests {
    private let member = Caller(projectID: "p1", isAdmin: false)
    private let manager = Caller(projectID: "p1", isAdmin: false, roles: ["manager", "member", "reader"])

    private func limit(_ cloud: Cloud, _ policy: QoSPolicy, _ body: [String: JSONValue]) async throws -> BandwidthLimitRule {
        try await cloud.operations.createRule(
            ResourceRequest<BandwidthLimitRule>.create(body), policy: policy.id.description, caller: cloud.admin)
    }

    @Test("A policy shows its rules as they come, change and go, and its revision rises", arguments: Backend.allCases)
    func rules(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let policy = try await cloud.create(QoSPolicy.self, ["name": "gold", "shared": true])
        var rule = try await limit(cloud, policy, ["max_kbps": 1000])
        #expect(rule.direction == .egress && rule.maximumBurstKilobits == 0)
        let marking = try await cloud.operations.createRule(
            ResourceRequest<DSCPMarkingRule>.create(["dscp_mark": 26]), policy: policy.id.description, caller: cloud.admin)
        #expect(try await cloud.show(policy).rules == [.bandwidthLimit(rule), .dscpMarking(marking)])
        var writer = JSONWriter()
        try await cloud.show(policy).rules.write(to: &writer)
        #expect(
            writer.text
                == #"[{"id":"\#(rule.id)","max_kbps":1000,"max_burst_kbps":0,"direction":"egress","qos_policy_id":"\#(policy.id)","#
                + #""type":"bandwidth_limit"},{"id":"\#(marking.id)","dscp_mark":26,"qos_policy_id":"\#(policy.id)","type":"dscp_marking"}]"#
        )
        rule = try await cloud.operations.updateRule(
            rule.id.description, policy: policy.id.description, ResourceRequest<BandwidthLimitRule>.update(["max_kbps": "2000"]),
            caller: cloud.admin)
        // Without the policy: the alias.
        #expect(
            try await cloud.operations.showRule(BandwidthLimitRule.self, rule.id.description, policy: nil, caller: member) == rule)
        try await cloud.operations.deleteRule(DSCPMarkingRule.self, marking.id.description, policy: nil, caller: cloud.admin)
        let shown = try await cloud.show(policy)
        #expect(shown.rules == [.bandwidthLimit(rule)] && rule.maximumKilobitsPerSecond == 2000)
        #expect(shown.standard.revisionNumber == 5)
        var query = ListQuery()
        query.filters = [.column("direction", [.text("ingress")])]
        #expect(
            try await cloud.operations.listRules(BandwidthLimitRule.self, policy: policy.id.description, query, caller: member).isEmpty)
        try await cloud.delete(policy)
        let gone = try await apiError {
            try await cloud.operations.showRule(BandwidthLimitRule.self, rule.id.description, policy: nil, caller: cloud.admin)
        }
        #expect(gone == .notFound("QosRuleNotFound", "QoS rule \(rule.id) for policy  could not be found."))
    }

    @Test("A policy has one limit of a direction and one mark", arguments: Backend.allCases)
    func conflicts(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let policy = try await cloud.create(QoSPolicy.self, [:])
        let egress = try await limit(cloud, policy, ["max_kbps": 1000])
        let ingress = try await limit(cloud, policy, ["max_kbps": 1000, "direction": "ingress"])
        let conflict = APIError.conflict(
            "QoSRulesConflict",
            "Rule bandwidth_limit conflicts with rule \(egress.id) which already exists in QoS Policy \(policy.id).")
        #expect(try await apiError { try await self.limit(cloud, policy, ["max_kbps": 5]) } == conflict)
        let turned = try await apiError {
            try await cloud.operations.updateRule(
                ingress.id.description, policy: policy.id.description,
                ResourceRequest<BandwidthLimitRule>.update(["direction": "egress"]), caller: cloud.admin)
        }
        #expect(turned == conflict)
        #expect(try await cloud.show(policy).rules == [.bandwidthLimit(egress), .bandwidthLimit(ingress)])
        let mark = try await apiError {
            try await cloud.operations.createRule(
                ResourceRequest<DSCPMarkingRule>.create(["dscp_mark": 13]), policy: policy.id.description, caller: cloud.admin)
        }
        #expect(mark?.message.hasPrefix("Invalid input for dscp_mark. Reason: '13' is not in [0, 8, 10,") == true)
        let other = try await cloud.create(QoSPolicy.self, [:])
        let foreign = try await apiError {
            try await cloud.operations.showRule(
                BandwidthLimitRule.self, egress.id.description, policy: other.id.description, caller: cloud.admin)
        }
        #expect(foreign?.message == "QoS rule \(egress.id) for policy \(other.id) could not be found.")
    }

    @Test("A project has one default policy, and policies are written by managers", arguments: Backend.allCases)
    func policies(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let policy = try await cloud.create(QoSPolicy.self, ["is_default": true], as: manager)
        let second = try await apiError { try await cloud.create(QoSPolicy.self, ["is_default": true]) }
        #expect(second == .conflict("QoSPolicyDefaultAlreadyExists", "A default QoS policy exists for project p1."))
        _ = try await cloud.create(QoSPolicy.self, ["is_default": true, "project_id": "p2"])
        #expect(try await cloud.list(QoSPolicy.self, as: member).map(\.id) == [policy.id])
        #expect(try await apiError { try await cloud.create(QoSPolicy.self, [:], as: self.member) }?.status == 403)
        #expect(try await apiError { try await cloud.update(policy, ["name": "x"], as: self.member) }?.status == 403)
        let stranger = Caller(projectID: "p3", isAdmin: false)
        let hidden = try await apiError { try await cloud.operations.show(QoSPolicy.self, policy.id.description, caller: stranger) }
        #expect(hidden == .notFound("QosPolicyNotFound", "QoS policy \(policy.id) could not be found."))
        _ = try await cloud.update(policy, ["shared": true])
        #expect(try await cloud.list(QoSPolicy.self, as: stranger).map(\.id) == [policy.id])
    }

    @Test("Who owns a policy is not told by which of another project's things it is used")
    func foreignUsers() async throws {
        let cloud = try Cloud()
        let policy = try await cloud.create(QoSPolicy.self, ["project_id": "p1", "shared": true])
        let given: [String: JSONValue] = ["qos_policy_id": .init(policy.id), "project_id": "p2"]
        let (external, _) = try await cloud.externalNetwork()
        let floating = try await cloud.create(FloatingIP.self, given.merging(["floating_network_id": .init(external.id)]) { $1 })
        func refusal(as caller: Caller) async throws -> APIError? { try await apiError { try await cloud.delete(policy, as: caller) } }
        #expect(try await refusal(as: manager)?.message == "QoS Policy \(policy.id) is used by a fip of another project.")
        #expect(try await refusal(as: cloud.admin)?.message == "QoS Policy \(policy.id) is used by fip \(floating.id).")
        let network = try await cloud.network(given)
        #expect(try await refusal(as: manager)?.message == "QoS Policy \(policy.id) is used by a network of another project.")
        let port = try await cloud.port(on: network, ["project_id": "p2", "binding:vnic_type": "direct"])
        let rule = try ResourceRequest<BandwidthLimitRule>.create(["max_kbps": 1000])
        for (caller, user) in [(manager, "a port of another project"), (cloud.admin, "port \(port.id)")] {
            let refused = try await apiError {
                try await cloud.operations.createRule(rule, policy: policy.id.description, caller: caller)
            }
            #expect(refused == .conflict("QosRuleNotSupported", "Rule bandwidth_limit is not supported by \(user)"))
        }
    }

    @Test("Floating IPs and gateways take a policy and hold it", arguments: Backend.allCases)
    func users(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let (network, _) = try await cloud.externalNetwork()
        let policy = try await cloud.create(QoSPolicy.self, [:])
        let given: [String: JSONValue] = ["qos_policy_id": .init(policy.id)]
        var floating = try await cloud.create(FloatingIP.self, ["floating_network_id": .init(network.id)].merging(given) { $1 })
        #expect(floating.qosPolicyID == policy.id)
        let usedByFloating = try await apiError { try await cloud.delete(policy) }
        #expect(usedByFloating == .conflict("QosPolicyInUse", "QoS Policy \(policy.id) is used by fip \(floating.id)."))
        floating = try await cloud.update(floating, ["description": "kept"])
        #expect(floating.qosPolicyID == policy.id)
        floating = try await cloud.update(floating, ["qos_policy_id": nil])
        #expect(try await cloud.show(floating).qosPolicyID == nil)
        let unknown = try await apiError { try await cloud.update(floating, ["qos_policy_id": .init(network.id)]) }
        #expect(unknown?.type == "QosPolicyNotFound")

        let gateway: [String: JSONValue] = ["network_id": .init(network.id)]
        var router = try await cloud.router(["external_gateway_info": .object(gateway.merging(given) { $1 })])
        #expect(router.gateway?.qosPolicyID == policy.id)
        let usedByRouter = try await apiError { try await cloud.delete(policy) }
        #expect(usedByRouter == .conflict("QosPolicyInUse", "QoS Policy \(policy.id) is used by router \(router.id)."))
        router = try await cloud.update(router, ["external_gateway_info": .object(gateway)])
        #expect(try await cloud.show(router).gateway?.qosPolicyID == policy.id)
        router = try await cloud.update(router, ["external_gateway_info": .object(gateway.merging(["qos_policy_id": nil]) { $1 })])
        #expect(router.gateway?.qosPolicyID == nil)
        try await cloud.delete(policy)
    }
}
