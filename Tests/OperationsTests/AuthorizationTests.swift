import APISchema
import AccessPolicy
import NetworkModel
import Operations
import TestSupport
import Testing

@Suite("Who may do what") struct AuthorizationTests: HasCallers {
    @Test("Readers of a project read, and write nothing") func readers() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let port = try await cloud.port(on: network)
        #expect(try await cloud.list(Port.self, as: reader).map(\.id).contains(port.id))
        for refused in [
            try await apiError { try await cloud.create(Network.self, [:], as: self.reader) },
            try await apiError { try await cloud.update(network, ["name": "x"], as: self.reader) },
            try await apiError { try await cloud.delete(port, as: self.reader) },
            try await apiError { try await cloud.create(Router.self, [:], as: self.reader) },
            try await apiError { try await cloud.operations.setTags(Network.self, network.id.description, ["a"], caller: self.reader) },
        ] {
            #expect(refused?.status == 403 && refused?.type == "PolicyNotAuthorized", "\(String(describing: refused))")
        }
    }

    @Test("What a caller does not see is not there, what it sees and may not change is refused") func notThere() async throws {
        let cloud = try Cloud()
        let hidden = try await cloud.network()
        let shared = try await cloud.network(["shared": true])
        let unseen = try await apiError { try await cloud.update(hidden, ["name": "x"], as: self.stranger) }
        #expect(unseen == Network.notFound(hidden.id.description))
        #expect(try await apiError { try await cloud.delete(hidden, as: self.stranger) }?.status == 404)
        let refused = try await apiError { try await cloud.update(shared, ["name": "x"], as: self.stranger) }
        #expect(refused?.status == 403 && refused?.message == "rule:update_network is disallowed by policy")
        #expect(try await apiError { try await cloud.delete(shared, as: self.stranger) }?.status == 403)
        // The id of a network of somebody else tells nothing, whether or not there is one.
        let port = try await apiError {
            try await cloud.create(Port.self, ["network_id": .string(hidden.id.description)], as: self.stranger)
        }
        #expect(port == Network.notFound(hidden.id.description))
        let group = try await cloud.create(SecurityGroup.self, ["name": "g", "project_id": "p1"])
        for id in [group.id.description, ResourceID(rawValue: 7).description, "no id at all"] {
            let rule = try await apiError {
                try await cloud.create(
                    SecurityGroupRule.self, ["security_group_id": .string(id), "direction": "ingress"], as: self.stranger)
            }
            #expect(rule == SecurityGroup.notFound(id))
        }
    }

    @Test("Attributes with rules of their own are named in the refusal") func attributes() async throws {
        let cloud = try Cloud()
        let shared = try await cloud.network(["shared": true])
        _ = try await cloud.subnet(on: shared)
        let id = JSONValue.string(shared.id.description)
        func refusal(_ body: [String: JSONValue]) async throws -> String? {
            try await apiError { try await cloud.create(Port.self, body.merging(["network_id": id]) { $1 }, as: self.stranger) }?.message
        }
        #expect(
            try await refusal(["mac_address": "fa:16:3e:00:00:01"])
                == "(rule:create_port and rule:create_port:mac_address) is disallowed by policy")
        #expect(
            try await refusal(["fixed_ips": [["ip_address": "10.0.0.9"]]])
                == "(rule:create_port and (rule:create_port:fixed_ips and (rule:create_port:fixed_ips:ip_address))) is disallowed by policy"
        )
        #expect(
            try await refusal(["binding:host_id": "h1", "device_owner": "network:dhcp"])
                == "((rule:create_port and rule:create_port:device_owner) and rule:create_port:binding:host_id) is disallowed by policy")
        // Attributes with their default value ask for nothing.
        _ = try await cloud.create(Port.self, ["network_id": id, "device_owner": "", "binding:vnic_type": "normal"], as: stranger)
        let subnet = try await cloud.list(Subnet.self).first.map { JSONValue.string($0.id.description) } ?? .null
        _ = try await cloud.create(Port.self, ["network_id": id, "fixed_ips": [["subnet_id": subnet]]], as: stranger)
    }

    @Test("Parts of a router's gateway have rules of their own") func gateway() async throws {
        let cloud = try Cloud()
        let (external, _) = try await cloud.externalNetwork()
        let network = JSONValue.string(external.id.description)
        let router = try await cloud.create(Router.self, ["external_gateway_info": ["network_id": network]], as: member)
        let refused = try await apiError {
            try await cloud.update(router, ["external_gateway_info": ["network_id": network, "enable_snat": false]], as: self.member)
        }
        #expect(
            refused?.message
                == "(rule:update_router and (rule:update_router:external_gateway_info and (rule:update_router:external_gateway_info:enable_snat "
                + "and rule:update_router:external_gateway_info:network_id))) is disallowed by policy")
    }

    @Test("Another project is named by administrators and services only") func otherProjects() async throws {
        let cloud = try Cloud()
        let refused = try await apiError { try await cloud.create(Network.self, ["project_id": "p2"], as: self.member) }
        #expect(refused?.status == 400)
        #expect(
            refused?.message
                == "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin or advsvc privileges"
        )
        let network = try await cloud.network()
        let body: [String: JSONValue] = [
            "network_id": .string(network.id.description), "project_id": "p1", "device_owner": "compute:nova", "binding:host_id": "h1",
            "binding:profile": ["a": 1],
        ]
        let port = try await cloud.create(Port.self, body, as: service)
        #expect(port.projectID == "p1")
        // An instance's port is not its owner's to delete, unless a service says so for it.
        #expect(try await apiError { try await cloud.delete(port, as: self.member) }?.status == 403)
        var attached = member
        attached.serviceRoles = ["service"]
        try await cloud.delete(port, as: attached)
    }

    @Test("Managers write QoS policies and their rules; rules of shared policies are seen within them") func qos() async throws {
        let cloud = try Cloud()
        #expect(try await apiError { try await cloud.create(QoSPolicy.self, ["name": "q"], as: self.member) }?.status == 403)
        let policy = try await cloud.create(QoSPolicy.self, ["name": "q"], as: manager)
        let id = policy.id.description
        let body = try ResourceRequest<BandwidthLimitRule>.create(["max_kbps": 1000])
        let rule = try await cloud.operations.createRule(body, policy: id, caller: manager)
        let refused = try await apiError { try await cloud.operations.createRule(body, policy: id, caller: self.member) }
        #expect(refused?.message == "rule:create_policy_bandwidth_limit_rule is disallowed by policy")
        let seen = try await cloud.operations.listRules(BandwidthLimitRule.self, policy: id, ListQuery(), caller: reader)
        #expect(seen.map(\.id) == [rule.id])
        _ = try await cloud.update(policy, ["shared": true])
        #expect(try await cloud.list(QoSPolicy.self, as: stranger).first?.rules.count == 1)
        #expect(try await cloud.operations.listRules(BandwidthLimitRule.self, policy: id, ListQuery(), caller: stranger).isEmpty)
    }

    @Test("Security group rules belong to their group's project") func securityGroupRules() async throws {
        let cloud = try Cloud()
        let group = try await cloud.create(SecurityGroup.self, ["name": "g"], as: member)
        let body: [String: JSONValue] = ["security_group_id": .string(group.id.description), "direction": "ingress", "protocol": "tcp"]
        #expect(try await apiError { try await cloud.create(SecurityGroupRule.self, body, as: self.reader) }?.status == 403)
        #expect(try await apiError { try await cloud.create(SecurityGroupRule.self, body, as: self.stranger) }?.status == 404)
        let unknown = body.merging(["remote_group_id": "11111111-1111-4111-8111-111111111111"]) { $1 }
        let missing = try await apiError { try await cloud.create(SecurityGroupRule.self, unknown, as: self.member) }
        #expect(missing?.status == 404 && missing?.type == "SecurityGroupNotFound")
        // An administrator's rule in somebody's group is the owner's to see and to delete.
        let rule = try await cloud.create(SecurityGroupRule.self, body.merging(["project_id": "p9"]) { $1 })
        #expect(try await cloud.list(SecurityGroupRule.self, as: reader).map(\.id).contains(rule.id))
        #expect(try await apiError { try await cloud.update(rule, ["description": "x"], as: self.reader) }?.status == 403)
        try await cloud.delete(rule, as: member)
    }

    @Test("Only administrators share with all projects") func wildcard() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        func body(_ target: JSONValue) -> [String: JSONValue] {
            [
                "object_type": "network", "object_id": .string(network.id.description), "action": "access_as_shared",
                "target_tenant": target,
            ]
        }
        let refused = try await apiError { try await cloud.create(RBACPolicy.self, body("*"), as: self.member) }
        #expect(refused?.status == 403 && refused?.message.contains("rule:create_rbac_policy:target_tenant") == true)
        let grant = try await cloud.create(RBACPolicy.self, body("p2"), as: member)
        #expect(try await apiError { try await cloud.update(grant, ["target_tenant": "*"], as: self.member) }?.status == 403)
        #expect(try await cloud.list(RBACPolicy.self, as: stranger).isEmpty)
    }

    @Test("Lists of what is the operator's are empty for others, and each of it is not there") func operatorsOnly() async throws {
        let cloud = try Cloud()
        try await cloud.report("h1")
        _ = try await cloud.network()
        #expect(try await cloud.list(Agent.self, as: member).isEmpty)
        let agent = try await cloud.agent(.l3, on: "h1")
        let unseen = try await apiError { try await cloud.operations.show(Agent.self, agent.id.description, caller: self.member) }
        #expect(unseen == Agent.notFound(agent.id.description))
        #expect(try await cloud.list(Segment.self, as: manager).isEmpty)
        #expect(try await cloud.operations.ipAvailabilities([:], caller: member).isEmpty)
        #expect(try await !cloud.operations.ipAvailabilities([:], caller: service).isEmpty)
        #expect(try await cloud.operations.availabilityZones(caller: Self.caller("p1")).isEmpty)
        #expect(try await !cloud.operations.availabilityZones(caller: reader).isEmpty)
    }

    @Test("A token of the system, of a domain or of nothing does nothing with projects") func scopes() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        var system = cloud.admin
        system.projectID = ""
        system.isSystemScoped = true
        #expect(try await cloud.list(Network.self, as: system).isEmpty)
        let refused = try await apiError { try await cloud.create(Network.self, [:], as: system) }
        #expect(refused?.status == 403 && refused?.type == "InvalidScope")
        var unscoped = member
        unscoped.projectID = ""
        unscoped.roles = []
        #expect(
            try await apiError { try await cloud.operations.show(Network.self, network.id.description, caller: unscoped) }?.status == 404)
    }

    @Test("Rules ask for what is computed at reading") func computed() async throws {
        let cloud = try Cloud()
        cloud.operations.policy.replace(
            with: try PolicyRules(overrides: ["delete_security_group_rule": "rule:sg_owner and not rule:rule_default_sg"]))
        let groups = try await cloud.list(SecurityGroup.self, as: member)
        let group = try await cloud.create(SecurityGroup.self, ["name": "g"], as: member)
        let kept = try #require(groups.first?.rules.first)
        let own = try #require(group.rules.first)
        let refused = try await apiError { try await cloud.delete(kept, as: self.member) }
        #expect(refused?.status == 403)
        try await cloud.delete(own, as: member)
    }

    @Test("Who may make ports and not see them is not shown where they are") func unseenPorts() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        cloud.operations.policy.replace(with: try PolicyRules(overrides: ["create_port": "role:maker", "get_port": "!"]))
        let maker = Self.caller("p1", "maker", "reader")
        let port = try await cloud.create(Port.self, ["network_id": .string(network.id.description)], as: maker)
        let host = try #require(Port.table.positions["binding:host_id"])
        let name = try #require(Port.table.positions["name"])
        let shown = try await cloud.operations.shownAttributes(of: [port], areNew: true, caller: maker)[port.id]
        #expect(!shown.contains(host) && shown.contains(name))
    }

    @Test("One version of the rules decides a request, from its beginning to its answer") func requests() async throws {
        let cloud = try Cloud()
        let policy = cloud.operations.policy
        let network = try await cloud.network()
        let port = try await cloud.port(on: network)
        policy.replace(with: try PolicyRules(overrides: ["get_port": "role:auditor", "context_is_admin": "role:auditor"]))
        let auditor = policy.deciding(for: Self.caller("p9", "auditor"))
        #expect(auditor.isAdmin)
        let seen = try await cloud.operations.show(Port.self, port.id.description, caller: auditor)
        policy.replace(with: .defaults)
        let host = try #require(Port.table.positions["binding:host_id"])
        #expect(try await cloud.operations.shownAttributes(of: [seen], caller: auditor)[seen.id].contains(host))
        #expect(!policy.deciding(for: Self.caller("p9", "auditor")).isAdmin)
        #expect(try await cloud.list(Port.self, as: Self.caller("p9", "auditor")).isEmpty)
    }

    @Test("Rules that are worked out while others come into force are not remembered") func overtaken() async throws {
        let book = PolicyBook()
        let (strict, open) = (try PolicyRules(overrides: ["get_port": "!"]), try PolicyRules(overrides: ["get_port": "@"]))
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<40 {
                group.addTask {
                    if number.isMultiple(of: 4) { book.replace(with: number.isMultiple(of: 8) ? strict : open) }
                    // Few profiles, asked for side by side.
                    _ = book.rules(for: Self.caller("p1", "role\(number % 3)"))
                }
            }
        }
        book.replace(with: strict)
        for number in 0..<3 { #expect(book.rules(for: Self.caller("p1", "role\(number)"))["get_port"] == .never) }
        let caller = Self.caller("p2", "role1")
        // Worked out once for each profile.
        #expect(book.rules(for: caller) == book.rules(for: Self.caller("p1", "role1")))
    }

    @Test("Rules that change count with the next request") func changes() async throws {
        let cloud = try Cloud()
        _ = try await cloud.create(Network.self, [:], as: member)
        cloud.operations.policy.replace(with: try PolicyRules(overrides: ["create_network": "role:network_maker"]))
        #expect(try await apiError { try await cloud.create(Network.self, [:], as: self.member) }?.status == 403)
        _ = try await cloud.create(Network.self, [:], as: Self.caller("p1", "network_maker"))
        cloud.operations.policy.replace(with: .defaults)
        _ = try await cloud.create(Network.self, [:], as: member)
    }
}
