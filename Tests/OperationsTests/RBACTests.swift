import APISchema
import AccessPolicy
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite struct RBACTests {
    private let blue = Caller(projectID: "blue", isAdmin: false)
    private let green = Caller(projectID: "green", isAdmin: false)

    private func grant(
        _ cloud: Cloud, _ type: String, _ id: ResourceID, to target: String, _ action: String = "access_as_shared", as caller: Caller? = nil
    ) async throws -> RBACPolicy {
        try await cloud.create(
            RBACPolicy.self,
            ["object_type": .string(type), "object_id": .init(id), "action": .string(action), "target_tenant": .string(target)],
            as: caller)
    }

    @Test("Each grant of a network is a change of the network, and so is its end", arguments: Backend.allCases)
    func revisions(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        var revision = try await cloud.show(network).standard.revisionNumber
        func rises() async throws -> Bool {
            let former = revision
            revision = try await cloud.show(network).standard.revisionNumber
            return revision > former
        }
        var grants: [RBACPolicy] = []
        for (action, target) in [
            ("access_as_shared", "blue"), ("access_as_shared", "*"), ("access_as_external", "blue"), ("access_as_external", "red"),
        ] {
            grants.append(try await grant(cloud, "network", network.id, to: target, action))
            #expect(try await rises(), "\(action) to \(target)")
        }
        let moved = try await cloud.update(grants.removeFirst(), ["target_tenant": "green"])
        #expect(try await rises())
        for grant in [moved] + grants {
            try await cloud.delete(grant)
            #expect(try await rises(), "\(grant.action) to \(grant.target) ends")
        }
    }

    @Test(
        "A network is shared with one project: it sees and uses it, others do not, and it is not taken away while used",
        arguments: Backend.allCases)
    func network(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.create(Network.self, ["name": "n"], as: green)
        let subnet = try await cloud.subnet(on: network)
        #expect(try await cloud.list(Network.self, as: blue).isEmpty)
        let grant = try await grant(cloud, "network", network.id, to: "blue", as: green)
        let seen = try await cloud.list(Network.self, as: blue)
        #expect(seen.map(\.id) == [network.id] && seen.first?.isShared == true)
        #expect(try await cloud.show(network).isShared == false)
        #expect(try await cloud.operations.show(Subnet.self, subnet.id.description, caller: blue).id == subnet.id)
        #expect(try await cloud.list(Network.self, as: Caller(projectID: "red", isAdmin: false)).isEmpty)
        let foreign = try await apiError { try await cloud.update(network, ["name": "x"], as: self.blue) }
        #expect(foreign?.status == 403)

        let port = try await cloud.create(Port.self, ["network_id": .init(network.id)], as: blue)
        let used = try await apiError { try await cloud.delete(grant, as: self.green) }
        #expect(used?.type == "RbacPolicyInUse" && used?.status == 409)
        #expect(
            used?.message.hasPrefix("RBAC policy on object \(network.id) cannot be removed because other objects depend on it.\n") == true)
        let moved = try await apiError { try await cloud.update(grant, ["target_tenant": "red"], as: self.green) }
        #expect(moved?.type == "RbacPolicyInUse")
        let all = try await self.grant(cloud, "network", network.id, to: "*")
        #expect(try await cloud.show(network).isShared)
        // Through the grant to all, the project keeps its access.
        try await cloud.delete(grant, as: green)
        #expect(try await apiError { try await cloud.delete(all) }?.type == "RbacPolicyInUse")
        try await cloud.delete(port)
        try await cloud.delete(all)
        #expect(try await cloud.show(network).isShared == false)
        #expect(try await cloud.list(Network.self, as: blue).isEmpty)
    }

    @Test("An administrator grants nothing that is not there") func missingObject() async throws {
        let cloud = try Cloud()
        let refused = try await apiError {
            try await self.grant(cloud, "network", try #require(ResourceID("11111111-1111-4111-8111-111111111111")), to: "blue")
        }
        #expect(refused?.type == "NetworkNotFound" && refused?.status == 404)
    }

    @Test("A QoS policy that other projects use stays shared") func usedPolicy() async throws {
        let cloud = try Cloud()
        let (external, _) = try await cloud.externalNetwork()
        let policy = try await cloud.create(QoSPolicy.self, ["shared": true])
        let floating = try await cloud.create(
            FloatingIP.self, ["floating_network_id": .init(external.id), "qos_policy_id": .init(policy.id)], as: blue)
        let refused = try await apiError { try await cloud.update(policy, ["shared": false]) }
        #expect(refused?.type == "RbacPolicyInUse" && refused?.status == 409)
        #expect(try await cloud.show(policy).isShared)
        try await cloud.delete(floating, as: blue)
        #expect(try await cloud.update(policy, ["shared": false]).isShared == false)
    }

    @Test("Only administrators see which agents realise a router or a network") func placement() async throws {
        let cloud = try Cloud()
        let (router, network) = (try await cloud.create(Router.self, [:], as: blue), try await cloud.create(Network.self, [:], as: blue))
        let routing = try await apiError { try await cloud.operations.agents(ofRouter: router.id.description, caller: self.blue) }
        #expect(routing?.status == 403 && routing?.message == "rule:get_l3-agents is disallowed by policy")
        let serving = try await apiError { try await cloud.operations.agents(ofNetwork: network.id.description, caller: self.blue) }
        #expect(serving?.status == 403)
    }

    @Test("What is shared or external by its attribute has a grant to all, and goes with it", arguments: Backend.allCases)
    func mirrored(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network(["shared": true, "router:external": true])
        var grants = try await cloud.list(RBACPolicy.self)
        #expect(Set(grants.map(\.action)) == [.shared, .external] && grants.allSatisfy { $0.target == "*" && $0.objectID == network.id })
        let shared = try #require(grants.first { $0.action == .shared })
        try await cloud.delete(shared)
        #expect(try await cloud.show(network).isShared == false)
        _ = try await cloud.update(network, ["router:external": false])
        #expect(try await cloud.list(RBACPolicy.self).isEmpty)
        _ = try await cloud.update(network, ["shared": true])
        let pool = try await cloud.pool(["10.0.0.0/16"], ["shared": true])
        let scope = try await cloud.scope(4, ["shared": true])
        let policy = try await cloud.create(QoSPolicy.self, ["shared": true])
        grants = try await cloud.list(RBACPolicy.self)
        #expect(Set(grants.map(\.objectID)) == [network.id, pool.id, scope.id, policy.id])
        try await cloud.delete(network)
        try await cloud.delete(pool)
        try await cloud.delete(scope)
        try await cloud.delete(policy)
        #expect(try await cloud.list(RBACPolicy.self).isEmpty)
    }

    @Test("A network is external for one project only, until a gateway is on it", arguments: Backend.allCases)
    func external(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network(["provider:network_type": "flat", "provider:physical_network": "physnet1"])
        _ = try await cloud.subnet(on: network, "203.0.113.0/24", ["enable_dhcp": false])
        let grant = try await grant(cloud, "network", network.id, to: "blue", "access_as_external")
        #expect(try await cloud.show(network).isExternal)
        let gateway: [String: JSONValue] = ["external_gateway_info": ["network_id": .init(network.id)]]
        let refused = try await apiError { try await cloud.create(Router.self, gateway, as: self.green) }
        #expect(refused?.status == 404)
        let router = try await cloud.create(Router.self, gateway, as: blue)
        let used = try await apiError { try await cloud.delete(grant) }
        #expect(used?.message.hasSuffix("There are routers attached to this network that depend on this policy for access.") == true)
        try await cloud.delete(router, as: blue)
        try await cloud.delete(grant)
        #expect(try await cloud.show(network).isExternal == false)
    }

    @Test("Pools, scopes, QoS policies and groups are shared with single projects", arguments: Backend.allCases)
    func others(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let pool = try await cloud.pool(["10.0.0.0/16"], ["default_prefixlen": 24])
        let scope = try await cloud.scope()
        let policy = try await cloud.create(QoSPolicy.self, [:])
        let group = try await cloud.create(SecurityGroup.self, ["name": "web"])
        let theirs = try await cloud.create(Network.self, [:], as: blue)
        for (type, id) in [("subnetpool", pool.id), ("address_scope", scope.id), ("qos_policy", policy.id), ("security_group", group.id)] {
            _ = try await grant(cloud, type, id, to: "blue")
        }
        #expect(try await cloud.subnet(on: theirs, from: pool, as: blue).subnetPoolID == pool.id)
        #expect(try await cloud.list(AddressScope.self, as: blue).map(\.isShared) == [true])
        #expect(try await cloud.list(QoSPolicy.self, as: blue).map(\.id) == [policy.id])
        #expect(try await cloud.list(SecurityGroup.self, as: blue).map(\.id).contains(group.id))
        let port = try await cloud.create(
            Port.self, ["network_id": .init(theirs.id), "security_groups": .array([.init(group.id)])], as: blue)
        #expect(port.securityGroupIDs == [group.id])
        for type in [RBACObjectType.subnetPool, .securityGroup] {
            let grant = try #require(try await cloud.list(RBACPolicy.self).first { $0.objectType == type })
            #expect(try await apiError { try await cloud.delete(grant) }?.type == "RbacPolicyInUse")
        }
        #expect(try await cloud.list(SubnetPool.self, as: green).isEmpty)
        #expect(
            try await apiError { try await cloud.operations.show(QoSPolicy.self, policy.id.description, caller: self.green) }?.status == 404
        )
    }

    @Test("What cannot be granted is refused in Neutron's words")
    func refused() async throws {
        let cloud = try Cloud()
        let network = try await cloud.create(Network.self, [:], as: green)
        let grant = try await grant(cloud, "network", network.id, to: "blue")
        let twice = try await apiError { try await self.grant(cloud, "network", network.id, to: "blue") }
        #expect(twice == .conflict("DuplicateRbacPolicy", "An RBAC policy already exists with those values."))
        let type = try await apiError { try await self.grant(cloud, "router", network.id, to: "blue") }
        #expect(type == .invalidInput("'router' is not a valid RBAC object type"))
        let action = try await apiError { try await self.grant(cloud, "subnetpool", network.id, to: "blue", "access_as_external") }
        #expect(action?.status == 400)
        let foreign = try await apiError { try await self.grant(cloud, "network", network.id, to: "red", as: self.blue) }
        #expect(foreign == .invalidInput("Only admins can manipulate policies on objects they do not own"))
        let hidden = try await apiError {
            try await self.grant(cloud, "network", network.id, to: "red", as: Caller(projectID: "red", isAdmin: false))
        }
        #expect(hidden?.type == "NetworkNotFound")
        let wildcard = try await apiError { try await self.grant(cloud, "network", network.id, to: "*", as: self.green) }
        #expect(wildcard?.status == 403)
        let change = try await apiError { try await cloud.update(grant, ["action": "access_as_external"]) }
        #expect(change?.message == "Cannot update read-only attribute action")
        try await cloud.delete(grant)
        let gone = try await apiError { try await cloud.show(grant) }
        #expect(gone?.type == "RbacPolicyNotFound" && gone?.status == 404)
    }
}
