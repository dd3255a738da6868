import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import TestSupport
import Testing

@testable import Operations

/// Details of Neutron that its own suite (neutron-tempest-plugin) asks for.
@Suite("What Neutron's own suite asks for") struct NeutronSuiteTests: HasCallers {
    private func id(_ resource: some APIResource) -> JSONValue { .string(resource.id.description) }

    private func share(_ cloud: Cloud, _ type: String, _ object: some APIResource, with target: String) async throws -> RBACPolicy {
        try await cloud.create(
            RBACPolicy.self,
            [
                "object_type": .string(type), "object_id": id(object), "action": "access_as_shared", "target_tenant": .string(target),
            ])
    }

    @Test("A default external network stays everybody's", arguments: Backend.allCases)
    func defaultExternalNetwork(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let (network, _) = try await cloud.externalNetwork()
        _ = try await cloud.update(network, ["is_default": true])
        let grant = try #require(try await cloud.list(RBACPolicy.self).first { $0.objectID == network.id })
        for refused in [
            try await apiError { try await cloud.delete(grant) },
            try await apiError { try await cloud.update(grant, ["target_tenant": "p2"]) },
        ] {
            #expect(refused?.status == 409 && refused?.type == "RbacPolicyInUse")
            #expect(refused?.message.hasSuffix("\nDetails: Default external networks must be shared to everyone.") == true)
        }
        _ = try await cloud.update(network, ["is_default": false])
        try await cloud.delete(grant)
        #expect(try await cloud.show(network).isExternal == false)
    }

    @Test("A list of another project's groups shows an administrator its default group; others make none elsewhere")
    func defaultGroup() async throws {
        let cloud = try Cloud()
        func groups(of project: String, as caller: Caller) async throws -> [SecurityGroup] {
            try await cloud.operations.list(
                SecurityGroup.self, ListQuery.parse([(name: "project_id", value: project)], for: SecurityGroup.self), caller: caller)
        }
        #expect(try await groups(of: "new", as: cloud.admin).map(\.name) == ["default"])
        #expect(try await groups(of: "p3", as: member).isEmpty)
        let projects = try await cloud.list(SecurityGroup.self).map(\.projectID)
        #expect(projects.contains("new") && !projects.contains("p3"))
    }

    @Test(
        "A subnet needs a network that carries the smallest packets of its family",
        arguments: [(67, "10.0.0.0/24", 68), (1279, "2001:db8::/64", 1280)])
    func smallestPackets(_ mtu: Int, _ cidr: String, _ minimum: Int) async throws {
        let cloud = try Cloud()
        let network = try await cloud.network(["mtu": .integer(mtu)])
        let refused = try await apiError { try await cloud.subnet(on: network, cidr) }
        #expect(refused == .networkMTUSubnetConflict(network.id, minimum: minimum))
        _ = try await cloud.update(network, ["mtu": .integer(minimum)])
        _ = try await cloud.subnet(on: network, cidr)
    }

    @Test("Who may add rules to no QoS policy is refused (403), whether or not there is the policy") func rulesOfNobody() async throws {
        let cloud = try Cloud()
        let policy = try await cloud.create(QoSPolicy.self, ["project_id": "p2"])
        for id in [policy.id.description, ResourceID(rawValue: 7).description] {
            let refused = try await apiError {
                try await cloud.operations.createRule(
                    ResourceRequest<BandwidthLimitRule>.create(["max_kbps": 1]), policy: id, caller: self.member)
            }
            #expect(refused?.status == 403 && refused?.message == "rule:create_policy_bandwidth_limit_rule is disallowed by policy")
        }
        // A manager may add some somewhere.
        let unseen = try await apiError {
            try await cloud.operations.createRule(
                ResourceRequest<BandwidthLimitRule>.create(["max_kbps": 1]), policy: policy.id.description, caller: self.manager)
        }
        #expect(unseen == QoSPolicy.notFound(policy.id.description))
    }

    @Test("Who sees an address group or a QoS policy only because it is shared is told, when it changes it, that there is none")
    func sharedChanges() async throws {
        let cloud = try Cloud()
        let group = try await cloud.create(AddressGroup.self, ["name": "g"])
        let policy = try await cloud.create(QoSPolicy.self, ["name": "gold"])
        _ = try await share(cloud, "address_group", group, with: "p2")
        _ = try await share(cloud, "qos_policy", policy, with: "p2")
        #expect(try await cloud.list(AddressGroup.self, as: stranger).count == 1)
        #expect(try await apiError { try await cloud.update(group, ["name": "x"], as: self.stranger) } == .pathNotFound)
        #expect(try await apiError { try await cloud.update(policy, ["name": "x"], as: self.stranger) } == .pathNotFound)
        #expect(try await apiError { try await cloud.delete(group, as: self.stranger) }?.status == 403)
        // A reader of its project sees it by itself.
        #expect(try await apiError { try await cloud.update(group, ["name": "x"], as: self.reader) }?.status == 403)
    }

    @Test("Members choose what their subnets are for, unless an operator says otherwise") func serviceTypes() async throws {
        let cloud = try Cloud()
        let network = try await cloud.create(Network.self, [:], as: member)
        let body: [String: JSONValue] = [
            "network_id": id(network), "cidr": "10.0.0.0/24", "ip_version": 4, "service_types": ["test:one", "network:distributed"],
        ]
        let subnet = try await cloud.create(Subnet.self, body, as: member)
        #expect(subnet.serviceTypes == ["test:one", "network:distributed"])
        #expect(try await cloud.update(subnet, ["service_types": ["compute:"]], as: member).serviceTypes == ["compute:"])
        cloud.operations.policy.replace(with: try PolicyRules(overrides: ["update_subnet:service_types": "rule:admin_only"]))
        let refused = try await apiError { try await cloud.update(subnet, ["service_types": []], as: self.member) }
        #expect(refused?.message == "(rule:update_subnet and rule:update_subnet:service_types) is disallowed by policy")
    }

    @Test("A port that is a router's already is in use, for that router too") func interfaceInUse() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        let (port, router) = (try await cloud.port(on: network), try await cloud.router())
        func attach() async throws {
            _ = try await cloud.operations.addRouterInterface(
                router.id.description, body: ["port_id": self.id(port)], caller: cloud.admin)
        }
        try await attach()
        let refused = try await apiError { try await attach() }
        #expect(refused?.status == 409 && refused?.type == "PortInUse")
    }

    @Test("A change of a floating IP that says nothing takes it off its port") func blankChange() async throws {
        let cloud = try Cloud()
        let (external, _) = try await cloud.externalNetwork()
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        let router = try await cloud.router(["external_gateway_info": ["network_id": id(external)]])
        _ = try await cloud.attach(subnet, to: router)
        let port = try await cloud.port(on: network)
        let floating = try await cloud.create(FloatingIP.self, ["floating_network_id": id(external), "port_id": id(port)])
        #expect(try await cloud.update(floating, ["description": "x"]).portID == port.id)
        let blank = try await cloud.update(floating, [:])
        #expect(blank.portID == nil && blank.fixedAddress == nil && blank.routerID == nil && blank.status == .down)
    }

    @Test("A pool is given only to who was given its address scope", arguments: Backend.allCases)
    func poolsOfScopes(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let scope = try await cloud.create(AddressScope.self, ["name": "s", "ip_version": 4])
        let pool = try await cloud.create(SubnetPool.self, ["name": "p", "prefixes": ["10.0.0.0/8"], "address_scope_id": id(scope)])
        let refused = try await apiError { try await self.share(cloud, "subnetpool", pool, with: "p2") }
        #expect(refused?.status == 400 && refused?.type == "RbacPolicyInitError")
        _ = try await share(cloud, "address_scope", scope, with: "p2")
        _ = try await share(cloud, "subnetpool", pool, with: "p2")
        #expect(try await apiError { try await self.share(cloud, "subnetpool", pool, with: "*") }?.type == "RbacPolicyInitError")
    }

    @Test("What is shared with all and used by a project is narrowed to nobody, not even to that project; a network is")
    func narrowedShare() async throws {
        let cloud = try Cloud()
        let policy = try await cloud.create(QoSPolicy.self, [:])
        let grant = try await share(cloud, "qos_policy", policy, with: "*")
        _ = try await cloud.network(["project_id": "p2", "qos_policy_id": id(policy)])
        #expect(try await apiError { try await cloud.update(grant, ["target_tenant": "p2"]) }?.type == "RbacPolicyInUse")
        let network = try await cloud.network()
        let networkGrant = try await share(cloud, "network", network, with: "*")
        _ = try await cloud.create(Port.self, ["network_id": id(network), "project_id": "p2"])
        #expect(try await cloud.update(networkGrant, ["target_tenant": "p2"]).target == "p2")
    }

    @Test("What is shared with all stays so while its owner, too, uses it; a network does not ask for its owner")
    func ownersUse() async throws {
        let cloud = try Cloud()
        let policy = try await cloud.create(QoSPolicy.self, ["shared": true])
        let network = try await cloud.network(["qos_policy_id": id(policy), "shared": true])
        #expect(try await apiError { try await cloud.update(policy, ["shared": false]) }?.type == "RbacPolicyInUse")
        let grant = try await share(cloud, "qos_policy", policy, with: "p2")
        try await cloud.delete(grant)
        _ = try await cloud.port(on: network)
        #expect(try await cloud.update(network, ["shared": false, "qos_policy_id": .null]).isShared == false)
        #expect(try await cloud.update(policy, ["shared": false]).isShared == false)
    }

    @Test("Prefixes may have host bits, and must have a length; address pairs are shown as they were given") func hostBits() async throws {
        let cloud = try Cloud()
        let pool = try await cloud.create(SubnetPool.self, ["name": "p", "prefixes": ["10.11.12.13/24"]])
        #expect(pool.prefixes.map(\.description) == ["10.11.12.0/24"])
        let network = try await cloud.network()
        #expect(try await cloud.subnet(on: network, "192.0.2.77/24").prefix.description == "192.0.2.0/24")
        let bare = try await apiError { try await cloud.subnet(on: network, "198.51.100.0") }
        #expect(bare == .invalidAttribute("cidr", "'198.51.100.0' is not a valid IP subnet"))
        let group = try await apiError { try await cloud.create(AddressGroup.self, ["addresses": ["10.20.30.40"]]) }
        #expect(group == .invalidAttribute("addresses", "'10.20.30.40' is not a valid IP subnet"))
        let given = ["10.0.0.1/24", "10.0.0.5", "10.0.0.6/32"]
        let port = try await cloud.port(
            on: network, ["allowed_address_pairs": .array(given.map { ["ip_address": .string($0), "mac_address": "fa:16:3e:00:00:01"] })])
        let shown = try await cloud.show(port).allowedAddressPairs
        #expect(shown.map(\.text) == given)
        #expect(shown.map(\.prefix.description) == ["10.0.0.0/24", "10.0.0.5/32", "10.0.0.6/32"])
    }

    @Test("Flavors are of any service that there is") func flavors() async throws {
        let cloud = try Cloud()
        #expect(try await cloud.create(Flavor.self, ["service_type": "FLAVORS"]).serviceType == "FLAVORS")
        let unknown = try await apiError { try await cloud.create(Flavor.self, ["service_type": "FIREWALL"]) }
        #expect(unknown == .invalid("InvalidServiceType", "Invalid service type: FIREWALL."))
    }
}
