import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Operations
import TestSupport
import Testing

@Suite("Several gateways of a router") struct RouterGatewayTests: HasCallers {
    /// External networks a (203.0.113.0/24) and b (198.51.100.0/24).
    private struct Scene {
        let cloud: Cloud
        let a, b: Network

        init(_ backend: Backend = .sqlite, _ adjust: (inout ServerSettings) -> Void = { _ in }) async throws {
            cloud = try Cloud(backend, adjust)
            try await cloud.report("h1")
            a = try await Self.external("203.0.113.0/24", in: cloud)
            b = try await Self.external("198.51.100.0/24", in: cloud)
        }

        static func external(_ cidr: String, in cloud: Cloud) async throws -> Network {
            let network = try await cloud.network(["router:external": true])
            _ = try await cloud.subnet(on: network, cidr, ["enable_dhcp": false])
            return network
        }

        @discardableResult
        func change(_ router: Router, _ action: GatewayAction, _ entries: JSONValue..., as caller: Caller? = nil) async throws -> Router {
            try await cloud.operations.changeGateways(
                router.id.description, action, body: ["router": ["external_gateways": .array(entries)]], caller: caller ?? cloud.admin)
        }

        /// A router with an instance's port behind it.
        func routerWithPort() async throws -> (Router, Port) {
            let network = try await cloud.network()
            let subnet = try await cloud.subnet(on: network)
            let router = try await cloud.router()
            _ = try await cloud.attach(subnet, to: router)
            return (router, try await cloud.port(on: network))
        }

        func floatingIP(on network: Network, to port: Port) async throws -> FloatingIP {
            try await cloud.create(
                FloatingIP.self,
                ["floating_network_id": .string(network.id.description), "port_id": .string(port.id.description)])
        }
    }

    private func entry(_ network: Network, _ addresses: String...) -> JSONValue {
        var members: [String: JSONValue] = ["network_id": .string(network.id.description)]
        if !addresses.isEmpty { members["external_fixed_ips"] = .array(addresses.map { ["ip_address": .string($0)] }) }
        return .object(members)
    }

    private func addresses(_ router: Router) -> [String] { router.gateways.flatMap(\.fixedIPs).map(\.address.description) }

    @Test("Gateways are added behind those that are there, and the first is external_gateway_info", arguments: Backend.allCases)
    func addition(_ backend: Backend) async throws {
        let scene = try await Scene(backend)
        let (a, b) = (scene.a, scene.b)
        let router = try await scene.cloud.router()
        let two = try await scene.change(router, .add, entry(a, "203.0.113.9"), entry(b, "198.51.100.9"))
        #expect(two.gateway?.networkID == a.id && addresses(two) == ["203.0.113.9", "198.51.100.9"])
        #expect(two.standard.revisionNumber == 2)
        let three = try await scene.change(two, .add, entry(b))
        #expect(three.gateways.map(\.networkID) == [a.id, b.id, b.id])
        let shown = try await scene.cloud.show(router)
        #expect(shown == three)
        let attribute = try #require(Router.table["external_gateways"])
        let list = try #require(attribute.shownValue(of: shown)?.arrayValue)
        #expect(list.map { $0["network_id"]?.stringValue } == [a, b, b].map(\.id.description))
        #expect(list[0]["external_fixed_ips"]?.arrayValue?.first?["ip_address"]?.stringValue == "203.0.113.9")
        #expect(list.allSatisfy { $0["enable_snat"]?.boolValue == true && $0["port_id"] == nil })
        let ports = try await scene.cloud.ports(ownedBy: DeviceOwner.routerGateway)
        #expect(ports.count == 3 && ports.allSatisfy { $0.deviceID == router.id.description && $0.projectID.isEmpty && $0.hostID == "h1" })
        try await scene.cloud.delete(router)
        #expect(try await scene.cloud.ports(ownedBy: DeviceOwner.routerGateway).isEmpty)
    }

    @Test("Gateways are taken away by network or address, and the next one becomes the first")
    func removal() async throws {
        let scene = try await Scene()
        let (a, b) = (scene.a, scene.b)
        let router = try await scene.cloud.router()
        let none = try await apiError { try await scene.change(router, .remove, entry(a)) }
        #expect(none?.type == "UnableToRemoveGateways" && none?.status == 400)
        try await scene.change(router, .add, entry(a, "203.0.113.9"), entry(b, "198.51.100.9"), entry(b, "198.51.100.10"))
        let ambiguous = try await apiError { try await scene.change(router, .remove, entry(b)) }
        #expect(ambiguous?.type == "UnableToMatchGateways")
        #expect(ambiguous?.message.contains("multiple gateway ports are attached to the same network \(b.id)") == true)
        let unknown = try await apiError { try await scene.change(router, .remove, entry(a), entry(b, "198.51.100.77")) }
        #expect(unknown?.message.hasSuffix("based on the specified fixed IPs 198.51.100.77.") == true)
        #expect(addresses(try await scene.cloud.show(router)) == ["203.0.113.9", "198.51.100.9", "198.51.100.10"])
        #expect(addresses(try await scene.change(router, .remove, entry(b, "198.51.100.9"))) == ["203.0.113.9", "198.51.100.10"])
        let last = try await scene.change(router, .remove, entry(a))
        #expect(last.gateway?.networkID == b.id && last.furtherGateways.isEmpty)
        // What cleared the only gateway leaves the next one.
        try await scene.change(router, .add, entry(a))
        #expect(try await scene.cloud.update(router, ["external_gateway_info": nil]).gateways.map(\.networkID) == [a.id])
        #expect(try await scene.cloud.ports(ownedBy: DeviceOwner.routerGateway).count == 1)
    }

    @Test("An update makes the list what it says: what matches stays with its port, in the wanted order", arguments: Backend.allCases)
    func update(_ backend: Backend) async throws {
        let scene = try await Scene(backend)
        let (a, b) = (scene.a, scene.b)
        let router = try await scene.cloud.router()
        let two = try await scene.change(router, .add, entry(a, "203.0.113.9"), entry(b, "198.51.100.9"))
        let swapped = try await scene.change(router, .update, entry(b), entry(a))
        #expect(swapped.gateways.map(\.portID) == two.gateways.map(\.portID).reversed())
        #expect(addresses(swapped) == ["198.51.100.9", "203.0.113.9"])
        // The first entry speaks of the first gateway; a further one without a match is another gateway.
        let moved = try await scene.change(router, .update, entry(b, "198.51.100.20"), entry(a, "203.0.113.20"))
        #expect(addresses(moved) == ["198.51.100.20", "203.0.113.20"])
        #expect(moved.gateway?.portID == swapped.gateway?.portID && moved.gateways[1].portID != swapped.gateways[1].portID)
        let unchanged = try await scene.change(router, .update, entry(b), entry(a))
        #expect(unchanged.standard.revisionNumber == moved.standard.revisionNumber)
        let wider = try await scene.change(router, .update, entry(b, "198.51.100.20"), entry(a), entry(b, "198.51.100.21"))
        #expect(addresses(wider) == ["198.51.100.20", "203.0.113.20", "198.51.100.21"])
        #expect(try await scene.change(router, .update).gateways.isEmpty)
        #expect(try await scene.cloud.ports(ownedBy: DeviceOwner.routerGateway).isEmpty)
    }

    @Test("A floating IP of any gateway's network reaches a port behind the router, and holds the last gateway there")
    func floatingIPs() async throws {
        let scene = try await Scene()
        let (router, port) = try await scene.routerWithPort()
        let early = try await apiError { try await scene.floatingIP(on: scene.b, to: port) }
        #expect(early?.type == "ExternalGatewayForFloatingIPNotFound")
        try await scene.change(router, .add, entry(scene.a), entry(scene.b, "198.51.100.9"))
        let floating = try await scene.floatingIP(on: scene.b, to: port)
        #expect(floating.routerID == router.id)
        #expect(try await scene.floatingIP(on: scene.a, to: port).routerID == router.id)
        let held = try await apiError { try await scene.change(router, .remove, entry(scene.b)) }
        #expect(held?.type == "RouterExternalGatewayInUseByFloatingIp" && held?.message.contains("\(scene.b.id)") == true)
        #expect(try await apiError { try await scene.change(router, .update, entry(scene.a)) }?.status == 409)
        // A second gateway on the network lets the first one go.
        try await scene.change(router, .add, entry(scene.b, "198.51.100.10"))
        let left = try await scene.change(router, .remove, entry(scene.b, "198.51.100.9"))
        #expect(left.gateways.map(\.networkID) == [scene.a.id, scene.b.id])
        #expect(try await scene.cloud.show(floating).routerID == router.id)
    }

    @Test("Networks of one router do not overlap, routes keep their gateway, and there are so many gateways and no more")
    func refusals() async throws {
        let scene = try await Scene { $0.maximumGateways = 3 }
        let (router, _) = try await scene.routerWithPort()
        let overlapping = try await Scene.external("203.0.113.128/25", in: scene.cloud)
        let inner = try await Scene.external("10.0.0.0/16", in: scene.cloud)
        try await scene.change(router, .add, entry(scene.a), entry(scene.b))
        for network in [overlapping, inner] {
            let error = try await apiError { try await scene.change(router, .add, entry(network)) }
            #expect(error?.message.contains("overlaps with cidr") == true)
        }
        // Beyond the addresses that the gateway may have been given.
        _ = try await scene.cloud.update(router, ["routes": [["destination": "192.0.2.0/24", "nexthop": "198.51.100.77"]]])
        #expect(try await apiError { try await scene.change(router, .remove, entry(scene.b)) }?.type == "RouterInterfaceInUseByRoute")
        let many = try await apiError { try await scene.change(router, .add, entry(scene.a), entry(scene.a)) }
        #expect(many?.type == "UnableToAddExtraGateways" && many?.message.contains("more than 3") == true)
        let internalNetwork = try await scene.cloud.network()
        #expect(try await apiError { try await scene.change(router, .add, entry(internalNetwork)) }?.status == 400)
        for body: [String: JSONValue] in [["router": [:]], ["router": ["external_gateways": 3]], ["router": ["external_gateways": [[:]]]]] {
            let error = try await apiError {
                try await scene.cloud.operations.changeGateways(router.id.description, .add, body: body, caller: scene.cloud.admin)
            }
            #expect(error?.status == 400)
        }
        let created = try await apiError { try await scene.cloud.router(["external_gateways": []]) }
        #expect(created?.message == "Attribute 'external_gateways' not allowed in POST")
        #expect(addresses(try await scene.cloud.show(router)).count == 2)
    }

    @Test("A member adds and removes gateways of its router, and leaves addresses and source translation to administrators")
    func policy() async throws {
        let scene = try await Scene()
        let router = try await scene.cloud.create(Router.self, [:], as: member)
        let two = try await scene.change(router, .add, entry(scene.a), entry(scene.b), as: member)
        #expect(two.gateways.count == 2)
        let translated: JSONValue = ["network_id": .string(scene.b.id.description), "enable_snat": false]
        for action in [GatewayAction.add, .update] {
            for entry in [entry(scene.a, "203.0.113.9"), translated] {
                #expect(try await apiError { try await scene.change(router, action, entry, as: self.member) }?.status == 403)
            }
        }
        #expect(try await apiError { try await scene.change(router, .remove, entry(scene.a), as: self.reader) }?.status == 403)
        #expect(try await apiError { try await scene.change(router, .remove, entry(scene.a), as: self.stranger) }?.status == 404)
        let address = try #require(addresses(two).last)
        #expect(try await scene.change(router, .remove, entry(scene.b, address), as: member).gateways.count == 1)
        let untranslated = try await scene.change(router, .add, translated)
        #expect(untranslated.gateways.map(\.isSNATEnabled) == [true, false])
    }

    @Test("A gateway has a policy of its own, which stays with it and cannot be deleted", arguments: Backend.allCases)
    func qosPolicies(_ backend: Backend) async throws {
        let scene = try await Scene(backend)
        let policy = try await scene.cloud.create(QoSPolicy.self, ["name": "slow"])
        let limited: JSONValue = ["network_id": .string(scene.b.id.description), "qos_policy_id": .string(policy.id.description)]
        let router = try await scene.change(try await scene.cloud.router(), .update, entry(scene.a), limited)
        #expect(router.gateways.map(\.qosPolicyID) == [nil, policy.id])
        #expect(try await apiError { try await scene.cloud.delete(policy) }?.type == "QosPolicyInUse")
        let swapped = try await scene.change(router, .update, entry(scene.b), entry(scene.a))
        #expect(swapped.gateways.map(\.qosPolicyID) == [policy.id, nil])
        #expect(try await apiError { try await scene.cloud.delete(policy) }?.type == "QosPolicyInUse")
        try await scene.change(router, .remove, entry(scene.b))
        try await scene.cloud.delete(policy)
    }

    @Test("openstackclient's empty object takes no gateway away")
    func emptyObject() async throws {
        let scene = try await Scene()
        let router = try await scene.change(try await scene.cloud.router(), .add, entry(scene.a))
        let unchanged = try await scene.cloud.operations.changeGateways(
            router.id.description, .remove, body: ["router": ["external_gateways": [:]]], caller: scene.cloud.admin)
        #expect(unchanged == router)
    }

    @Test("The default route is shared where an administrator says so", arguments: Backend.allCases)
    func sharedDefaultRoute(_ backend: Backend) async throws {
        let scene = try await Scene(backend)
        let router = try await scene.cloud.router(["enable_default_route_ecmp": true])
        #expect(try await scene.cloud.show(router).sharesDefaultRoute)
        #expect(try await scene.cloud.update(router, ["enable_default_route_ecmp": nil]).sharesDefaultRoute)
        #expect(try await !scene.cloud.update(router, ["enable_default_route_ecmp": false]).sharesDefaultRoute)
        #expect(try await !scene.cloud.router().sharesDefaultRoute)
        let own = try await scene.cloud.create(Router.self, [:], as: member)
        let shared: [String: JSONValue] = ["enable_default_route_ecmp": true]
        #expect(try await apiError { try await scene.cloud.update(own, shared, as: self.member) }?.status == 403)
    }

    @Test("The addresses of further gateways follow their ports, and their networks stay external")
    func portChanges() async throws {
        let scene = try await Scene()
        let router = try await scene.change(try await scene.cloud.router(), .add, entry(scene.a), entry(scene.b))
        _ = try await scene.cloud.subnet(on: scene.b, "2001:db8:b::/64", ["ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"])
        let shown = try await scene.cloud.show(router)
        #expect(shown.gateways.map(\.fixedIPs.count) == [1, 2])
        #expect(try await apiError { try await scene.cloud.update(scene.b, ["router:external": false]) }?.type == "ExternalNetworkInUse")
    }
}
