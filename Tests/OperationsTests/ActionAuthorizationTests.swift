import APISchema
import AccessPolicy
import NetworkModel
import Operations
import TestSupport
import Testing

@Suite("What is asked of who looks at quotas, parts and actions") struct ActionAuthorizationTests: HasCallers {
    /// The errors of whoever looks at a project's limits in each of the three ways.
    private func quotaErrors(_ cloud: Cloud, of project: String, _ caller: Caller) async throws -> [APIError?] {
        [
            try await apiError { try await cloud.operations.quota(of: project, caller: caller) },
            try await apiError { try await cloud.operations.defaultQuota(of: project, caller: caller) },
            try await apiError { try await cloud.operations.quotaDetails(of: project, caller: caller) },
        ]
    }

    @Test("Quotas are shown to the project that they are of, and changed by administrators") func quotas() async throws {
        let cloud = try Cloud()
        _ = try await cloud.operations.updateQuota(of: "p1", ["network": 7, "port": 8], caller: cloud.admin)
        _ = try await cloud.operations.updateQuota(of: "p2", ["network": 9], caller: cloud.admin)
        #expect(try await cloud.operations.quota(of: "p1", caller: reader)["network"] == 7)
        #expect(try await quotaErrors(cloud, of: "p1", member) == [nil, nil, nil])
        let refusal = CallerRules(.defaults, for: CallerProfile(manager)).refusal(PolicyAction("get_quota"))
        #expect(try await quotaErrors(cloud, of: "p2", manager) == [refusal, refusal, refusal])
        #expect(try await quotaErrors(cloud, of: "p1", Self.caller("p1")) == [refusal, refusal, refusal])
        // The list is of all projects for administrators, and of their own for managers.
        let all = try await cloud.operations.quotas(caller: cloud.admin)
        #expect(all.map(\.projectID) == ["p1", "p2"] && all.map { $0.limits["network"] } == [7, 9] && all[0].limits["port"] == 8)
        #expect(all[1].limits["port"] == 500)
        #expect(try await cloud.operations.quotas(caller: manager).map(\.projectID) == ["p1"])
        #expect(try await apiError { try await cloud.operations.quotas(caller: self.member) } == refusal)
        #expect(
            try await apiError { try await cloud.operations.updateQuota(of: "p1", ["network": 1], caller: self.manager) }?.status == 403)
    }

    @Test("A token without a project, and an operator's rule, keep quotas from who asks") func hiddenQuotas() async throws {
        let cloud = try Cloud()
        _ = try await cloud.operations.updateQuota(of: "p1", ["network": 7], caller: cloud.admin)
        var system = cloud.admin
        (system.projectID, system.isSystemScoped) = ("", true)
        var domain = cloud.admin
        (domain.projectID, domain.domainID) = ("", "d")
        for caller in [system, domain] {
            for error in try await quotaErrors(cloud, of: "p1", caller) { #expect(error?.status == 403 && error?.type == "InvalidScope") }
            #expect(try await apiError { try await cloud.operations.quotas(caller: caller) }?.type == "InvalidScope")
        }
        cloud.operations.policy.replace(with: try PolicyRules(overrides: ["get_quota": "!"]))
        for caller in [member, cloud.admin] {
            for error in try await quotaErrors(cloud, of: "p1", caller) { #expect(error?.type == "PolicyNotAuthorized") }
            #expect(try await apiError { try await cloud.operations.quotas(caller: caller) }?.type == "PolicyNotAuthorized")
        }
    }

    @Test("An operator's rules for attributes of a QoS policy's rules are asked, and hide them") func qosAttributes() async throws {
        let cloud = try Cloud()
        let rule = "policy_bandwidth_limit_rule"
        cloud.operations.policy.replace(
            with: try PolicyRules(overrides: [
                "create_\(rule):max_burst_kbps": "!", "update_\(rule):direction": "'9':%(max_kbps)s",
                "update_alias_bandwidth_limit_rule:max_kbps": "!", "get_\(rule):max_burst_kbps": "!",
                "get_alias_bandwidth_limit_rule:direction": "field:bandwidth_limit_rule:direction=ingress",
            ]))
        let policy = try await cloud.create(QoSPolicy.self, ["name": "q"], as: manager).id.description
        func create(_ body: [String: JSONValue]) async throws -> BandwidthLimitRule {
            try await cloud.operations.createRule(ResourceRequest<BandwidthLimitRule>.create(body), policy: policy, caller: manager)
        }
        let refused = try await apiError { try await create(["max_kbps": 1, "max_burst_kbps": 2]) }
        #expect(refused?.message == "(rule:create_\(rule) and rule:create_\(rule):max_burst_kbps) is disallowed by policy")
        let made = try await create(["max_kbps": 8])
        func update(_ body: [String: JSONValue], policy: String?) async throws -> APIError? {
            try await apiError {
                try await cloud.operations.updateRule(
                    made.id.description, policy: policy, ResourceRequest<BandwidthLimitRule>.update(body), caller: self.manager)
            }
        }
        #expect(try await update(["direction": "ingress"], policy: policy)?.status == 403)
        #expect(try await update(["max_kbps": 7], policy: nil)?.status == 403)
        #expect(try await update(["max_kbps": 9], policy: policy) == nil)
        func shown(_ name: String, byAlias: Bool) async throws -> Bool? {
            let position = try #require(BandwidthLimitRule.table.positions[name])
            return try await cloud.operations.selections(of: [made], byAlias: byAlias, caller: manager).first?.contains(position)
        }
        #expect(try await shown("max_burst_kbps", byAlias: false) == false)
        #expect(try await shown("max_burst_kbps", byAlias: true) == true)
        #expect(try await shown("direction", byAlias: false) == true)
        #expect(try await shown("direction", byAlias: true) == false)
    }

    @Test("An operator's rules for attributes of bindings are asked, and hide them") func bindingAttributes() async throws {
        let cloud = try Cloud()
        for host in ["h1", "h2"] { try await cloud.report(host) }
        let port = try await cloud.port(on: try await cloud.network(), ["device_owner": "compute:nova", "binding:host_id": "h1"])
        cloud.operations.policy.replace(
            with: try PolicyRules(overrides: [
                "create_port_binding:profile": "!", "update_port_binding:profile": "project_id:%(project_id)s",
                "get_port_binding:profile": "'h1':%(host)s", "get_port_binding:vif_type": "!",
            ]))
        func create(_ body: [String: JSONValue]) async throws -> PortBinding {
            try await cloud.operations.createBinding(
                ofPort: port.id.description, ResourceRequest<PortBinding>.create(body), caller: service)
        }
        let refused = try await apiError { try await create(["host": "h2", "profile": ["a": 1], "project_id": "services"]) }
        #expect(refused?.message == "(rule:create_port_binding and rule:create_port_binding:profile) is disallowed by policy")
        _ = try await create(["host": "h2"])
        // The project is the port's.
        let update = try ResourceRequest<PortBinding>.update(["profile": ["a": 1]])
        let foreign = try await apiError {
            try await cloud.operations.updateBinding(ofPort: port.id.description, to: "h2", update, caller: self.service)
        }
        #expect(foreign?.status == 403)
        let bindings = try await cloud.operations.bindings(ofPort: port.id.description, caller: service)
        #expect(bindings.map(\.hostID) == ["h1", "h2"])
        let shown = try await cloud.operations.selections(of: bindings, ofPort: port.id.description, caller: service)
        let (profile, type) = (PortBinding.table.positions["profile"], PortBinding.table.positions["vif_type"])
        #expect(shown.map { $0.contains(profile ?? 0) } == [true, false])
        #expect(shown.map { $0.contains(type ?? 0) } == [false, false])
    }

    @Test("Pools of floating IPs are the subnets that the caller sees") func pools() async throws {
        let cloud = try Cloud()
        let (external, subnet) = try await cloud.externalNetwork()
        let further = try await cloud.subnet(on: external, "198.51.100.0/24", ["name": "further", "enable_dhcp": false])
        _ = try await cloud.subnet(on: external, "2001:db8::/64", ["enable_dhcp": false])
        #expect(try await cloud.operations.floatingIPPools(caller: stranger).map(\.subnetID) == [subnet.id, further.id])
        cloud.operations.policy.replace(with: try PolicyRules(overrides: ["get_subnet": "field:subnets:name=further"]))
        #expect(try await cloud.operations.floatingIPPools(caller: stranger).map(\.subnetID) == [further.id])
    }

    @Test("Setting no tags is a change, and taking them away a deletion") func tags() async throws {
        let cloud = try Cloud()
        let id = try await cloud.network(["tags": ["a", "b"]]).id.description
        let operations = cloud.operations
        operations.policy.replace(with: try PolicyRules(overrides: ["delete_network:tags": "!"]))
        #expect(try await apiError { try await operations.removeTags(Network.self, id, caller: self.member) }?.status == 403)
        #expect(try await apiError { try await operations.removeTag(Network.self, id, "a", caller: self.member) }?.status == 403)
        #expect(try await operations.setTags(Network.self, id, [], caller: member) == [])
        operations.policy.replace(with: try PolicyRules(overrides: ["update_network:tags": "!"]))
        #expect(try await apiError { try await operations.setTags(Network.self, id, [], caller: self.member) }?.status == 403)
        try await operations.removeTags(Network.self, id, caller: member)
        #expect(try await operations.tags(Network.self, id, caller: member) == [])
    }

    @Test("Who serves a network or a router can be shown to whom it belongs") func servingAgents() async throws {
        let cloud = try Cloud()
        try await cloud.report("h1")
        let network = try await cloud.network(["shared": true])
        _ = try await cloud.subnet(on: network)
        let router = try await cloud.router()
        #expect(
            try await apiError { try await cloud.operations.agents(ofNetwork: network.id.description, caller: self.member) }?.status == 403)
        let owner: JSONValue = "rule:admin_only or project_id:%(project_id)s"
        cloud.operations.policy.replace(with: try PolicyRules(overrides: ["get_dhcp-agents": owner, "get_l3-agents": owner]))
        #expect(try await cloud.operations.agents(ofNetwork: network.id.description, caller: member).map(\.hostID) == ["h1"])
        #expect(try await cloud.operations.agents(ofRouter: router.id.description, caller: member).map(\.agent.hostID) == ["h1"])
        let foreign = try await apiError { try await cloud.operations.agents(ofNetwork: network.id.description, caller: self.stranger) }
        #expect(foreign?.status == 403)
        let unseen = try await apiError { try await cloud.operations.agents(ofRouter: router.id.description, caller: self.stranger) }
        #expect(unseen == Router.notFound(router.id.description))
    }
}
