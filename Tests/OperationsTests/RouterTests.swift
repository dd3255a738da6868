import APISchema
import AccessPolicy
import Addressing
import HostModel
import NetworkModel
import Operations
import TestSupport
import Testing

@Suite struct RouterTests {
    @Test("A router's interface takes the subnet's gateway address and answers as Neutron does", arguments: Backend.allCases)
    func interfaces(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await cloud.report("h1")
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        let router = try await cloud.router(["name": "r"])
        let interface = try await cloud.attach(subnet, to: router)
        #expect(interface.subnetIDs == [subnet.id])
        #expect(interface.networkID == network.id)
        #expect(interface.projectID == "p1")
        let port = try await cloud.operations.show(Port.self, interface.portID.description, caller: cloud.admin)
        #expect(port.deviceOwner == "network:router_interface")
        #expect(port.deviceID == router.id.description)
        #expect(port.fixedIPs.map(\.address.description) == ["10.0.0.1"])
        #expect(port.hostID == "h1")
        #expect(try await cloud.show(router).standard.revisionNumber == 2)
        #expect(try await apiError { try await cloud.delete(port) }?.type == "ServicePortInUse")
        let inUse = try await apiError { try await cloud.delete(router) }
        #expect(inUse?.message == "Router \(router.id) has ports still attached: \(port.id)")
        #expect(inUse?.status == 409)
        let twice = try await apiError { try await cloud.attach(subnet, to: router) }
        #expect(twice?.message == "Bad router request: Router already has a port on subnet \(subnet.id).")
        #expect(twice?.status == 400)
        let removed = try await cloud.operations.removeRouterInterface(
            router.id.description, body: ["port_id": .string(port.id.description)], caller: cloud.admin)
        #expect(removed == interface)
        try await cloud.delete(router)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.routerInterface).isEmpty)
    }

    @Test("A port that is there becomes the router's interface; one that something uses does not")
    func portInterface() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        let router = try await cloud.router()
        let port = try await cloud.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.9"]]])
        let used = try await cloud.port(on: network, ["device_id": "instance"])
        func attach(_ body: [String: JSONValue]) async throws -> RouterInterface {
            try await cloud.operations.addRouterInterface(router.id.description, body: body, caller: cloud.admin)
        }
        #expect(try await apiError { try await attach(["port_id": .string(used.id.description)]) }?.type == "PortInUse")
        #expect(
            try await apiError { try await attach([:]) }?.message
                == "Bad router request: Either subnet_id or port_id must be specified.")
        let both: [String: JSONValue] = ["port_id": .string(port.id.description), "subnet_id": .string(subnet.id.description)]
        #expect(try await apiError { try await attach(both) }?.message == "Bad router request: Cannot specify both subnet-id and port-id.")
        #expect(try await attach(["port_id": .string(port.id.description)]).portID == port.id)
        #expect(try await cloud.show(port).deviceOwner == DeviceOwner.routerInterface)
    }

    @Test("Subnets of one router do not overlap, and one without gateway needs a port")
    func overlaps() async throws {
        let cloud = try Cloud()
        let first = try await cloud.subnet(on: try await cloud.network())
        let second = try await cloud.subnet(on: try await cloud.network(), "10.0.0.0/16")
        let isolated = try await cloud.subnet(on: try await cloud.network(), "10.8.0.0/24", ["gateway_ip": nil])
        let router = try await cloud.router()
        _ = try await cloud.attach(first, to: router)
        #expect(
            try await apiError { try await cloud.attach(second, to: router) }?.message
                == "Bad router request: Cidr 10.0.0.0/16 of subnet \(second.id) overlaps with cidr 10.0.0.0/24 of subnet \(first.id).")
        #expect(
            try await apiError { try await cloud.attach(isolated, to: router) }?.message
                == "Bad router request: Subnet for router interface must have a gateway IP.")
    }

    @Test("A gateway is set, changed and cleared", arguments: Backend.allCases)
    func gateway(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let (external, externalSubnet) = try await cloud.externalNetwork()
        let internalNetwork = try await cloud.network()
        let info: JSONValue = ["network_id": .string(external.id.description), "enable_snat": false]
        let router = try await cloud.router(["external_gateway_info": info])
        let gateway = try #require(router.gateway)
        #expect(!gateway.isSNATEnabled)
        #expect(gateway.fixedIPs.map(\.subnetID) == [externalSubnet.id])
        let port = try await cloud.operations.show(Port.self, gateway.portID.description, caller: cloud.admin)
        #expect(port.projectID == "")
        #expect(port.deviceOwner == "network:router_gateway")
        let fixed: JSONValue = [
            "network_id": .string(external.id.description), "external_fixed_ips": [["ip_address": "203.0.113.77"]],
        ]
        let changed = try await cloud.update(router, ["external_gateway_info": fixed])
        #expect(changed.gateway?.fixedIPs.map(\.address.description) == ["203.0.113.77"])
        #expect(changed.gateway?.isSNATEnabled == true)
        #expect(changed.gateway?.portID == gateway.portID)
        let wrong: JSONValue = ["network_id": .string(internalNetwork.id.description)]
        #expect(
            try await apiError { try await cloud.update(router, ["external_gateway_info": wrong]) }?.message
                == "Bad router request: Network \(internalNetwork.id) is not an external network.")
        #expect(try await apiError { try await cloud.update(external, ["router:external": false]) }?.type == "ExternalNetworkInUse")
        #expect(try await cloud.update(router, ["external_gateway_info": nil]).gateway == nil)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.routerGateway).isEmpty)
        try await cloud.delete(router)
    }

    @Test("Extra routes lead to next hops on the router's subnets and keep those")
    func routes() async throws {
        let cloud = try Cloud()
        let subnet = try await cloud.subnet(on: try await cloud.network())
        let router = try await cloud.router()
        _ = try await cloud.attach(subnet, to: router)
        func route(_ nextHop: String) -> [String: JSONValue] { ["routes": [["destination": "10.9.0.0/24", "nexthop": .string(nextHop)]]] }
        let far = try await apiError { try await cloud.update(router, route("10.5.0.1")) }
        #expect(far?.type == "InvalidRoutes")
        #expect(
            far?.message
                == "Invalid format for routes: [{'destination': '10.9.0.0/24', 'nexthop': '10.5.0.1'}], the nexthop is not connected with router"
        )
        #expect(
            try await apiError { try await cloud.update(router, route("10.0.0.1")) }?.message.hasSuffix("the nexthop is used by router")
                == true)
        #expect(try await cloud.update(router, route("10.0.0.5")).routes.count == 1)
        let needed = try await apiError {
            try await cloud.operations.removeRouterInterface(
                router.id.description, body: ["subnet_id": .string(subnet.id.description)], caller: cloud.admin)
        }
        #expect(needed?.type == "RouterInterfaceInUseByRoute")
        #expect(try await cloud.update(router, ["routes": []]).routes.isEmpty)
    }

    @Test("A standalone router is on the L3 agent with the fewest routers, and on one that comes later when there was none")
    func scheduling() async throws {
        let cloud = try Cloud()
        let early = try await cloud.router()
        #expect(try await cloud.operations.agents(ofRouter: early.id.description, caller: cloud.admin).isEmpty)
        try await cloud.report("h1")
        #expect(try await cloud.operations.agents(ofRouter: early.id.description, caller: cloud.admin).map(\.agent.hostID) == ["h1"])
        try await cloud.report("h2")
        let late = try await cloud.router()
        let agents = try await cloud.operations.agents(ofRouter: late.id.description, caller: cloud.admin)
        #expect(agents.map(\.agent.hostID) == ["h2"])
        #expect(agents.map(\.state) == [nil])
        let l3 = try #require(agents.first?.agent)
        #expect(try await cloud.operations.routers(ofAgent: l3.id.description, caller: cloud.admin).map(\.id) == [late.id])
        let hosted = try await apiError {
            try await cloud.operations.addRouter(early.id.description, toAgent: l3.id.description, caller: cloud.admin)
        }
        #expect(hosted?.type == "RouterHostedByL3Agent")
        try await cloud.operations.removeRouter(late.id.description, fromAgent: l3.id.description, caller: cloud.admin)
        #expect(try await cloud.operations.routers(ofAgent: l3.id.description, caller: cloud.admin).isEmpty)
    }
}

@Suite struct FloatingIPTests {
    /// An external network, and a port behind a router to it.
    private func topology(_ cloud: Cloud) async throws -> (external: Network, subnet: Subnet, router: Router, port: Port) {
        let (external, _) = try await cloud.externalNetwork()
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        let router = try await cloud.router(["external_gateway_info": ["network_id": .string(external.id.description)]])
        _ = try await cloud.attach(subnet, to: router)
        return (external, subnet, router, try await cloud.port(on: network))
    }

    @Test("A floating IP is made, led to a port, taken off and deleted", arguments: Backend.allCases)
    func life(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let (external, subnet, router, port) = try await topology(cloud)
        let floating = try await cloud.create(FloatingIP.self, ["floating_network_id": .string(external.id.description)])
        #expect(floating.address.description.hasPrefix("203.0.113."))
        #expect(floating.status == .down)
        let keeper = try await cloud.operations.show(Port.self, floating.floatingPortID.description, caller: cloud.admin)
        #expect(keeper.deviceOwner == "network:floatingip")
        #expect(keeper.deviceID == floating.id.description)
        #expect(keeper.status == .notApplicable)
        #expect(keeper.projectID == "")
        #expect(try await apiError { try await cloud.delete(keeper) }?.type == "ServicePortInUse")
        let before = try await cloud.show(router).standard.revisionNumber
        let led = try await cloud.update(floating, ["port_id": .string(port.id.description)])
        #expect(led.routerID == router.id)
        #expect(led.fixedAddress == port.fixedIPs[0].address)
        #expect(led.status == .active)
        #expect(try await cloud.show(router).standard.revisionNumber == before + 1)
        let second = try await apiError {
            try await cloud.create(
                FloatingIP.self,
                ["floating_network_id": .string(external.id.description), "port_id": .string(port.id.description)])
        }
        #expect(second?.type == "FloatingIPPortAlreadyAssociated")
        #expect(try await cloud.list(FloatingIP.self).count == 1)
        #expect(
            try await apiError { try await cloud.update(router, ["external_gateway_info": nil]) }?.type
                == "RouterExternalGatewayInUseByFloatingIp")
        let needed = try await apiError {
            try await cloud.operations.removeRouterInterface(
                router.id.description, body: ["subnet_id": .string(subnet.id.description)], caller: cloud.admin)
        }
        #expect(needed?.type == "RouterInterfaceInUseByFloatingIP")
        #expect(try await apiError { try await cloud.update(port, ["fixed_ips": []]) }?.type == "BadRequest")
        #expect(try await cloud.update(led, ["description": "mine"]).portID == port.id)
        let off = try await cloud.update(led, ["port_id": nil])
        #expect(off.portID == nil)
        #expect(off.fixedAddress == nil)
        #expect(off.routerID == nil)
        try await cloud.delete(off)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.floatingIP).isEmpty)
    }

    @Test("A port that goes takes its floating IP off")
    func portDeleted() async throws {
        let cloud = try Cloud()
        let (external, _, _, port) = try await topology(cloud)
        let floating = try await cloud.create(
            FloatingIP.self, ["floating_network_id": .string(external.id.description), "port_id": .string(port.id.description)])
        try await cloud.delete(port)
        let off = try await cloud.show(floating)
        #expect(off.portID == nil)
        #expect(off.status == .down)
        // Then it is no use of the external network any more, but the router's gateway still is.
        #expect(try await apiError { try await cloud.delete(external) }?.type == "NetworkInUse")
        #expect(try await cloud.list(FloatingIP.self).count == 1)
    }

    @Test("What a floating IP cannot be is refused in Neutron's words")
    func refused() async throws {
        let cloud = try Cloud()
        let (external, _, _, port) = try await topology(cloud)
        let lonely = try await cloud.network()
        let lonelySubnet = try await cloud.subnet(on: lonely, "10.7.0.0/24")
        let lonelyPort = try await cloud.port(on: lonely)
        func ask(_ body: [String: JSONValue]) async throws -> APIError? {
            try await apiError {
                try await cloud.create(FloatingIP.self, ["floating_network_id": .string(external.id.description)].merging(body) { $1 })
            }
        }
        #expect(
            try await ask(["floating_network_id": .string(lonely.id.description)])?.message
                == "Bad floatingip request: Network \(lonely.id) is not a valid external network.")
        let unreachable = try await ask(["port_id": .string(lonelyPort.id.description)])
        #expect(unreachable?.status == 404)
        #expect(
            unreachable?.message
                == "External network \(external.id) is not reachable from subnet \(lonelySubnet.id).  Therefore, cannot associate "
                + "Port \(lonelyPort.id) with a Floating IP.")
        #expect(
            try await ask(["fixed_ip_address": "10.0.0.5"])?.message
                == "Bad floatingip request: fixed_ip_address cannot be specified without a port_id.")
        #expect(
            try await ask(["port_id": .string(port.id.description), "fixed_ip_address": "10.0.0.251"])?.message
                == "Bad floatingip request: Port \(port.id) does not have fixed ip 10.0.0.251.")
        #expect(try await ask(["floating_ip_address": "198.51.100.1"])?.type == "InvalidIpForNetwork")
        #expect(try await cloud.list(FloatingIP.self).isEmpty)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.floatingIP).isEmpty)
    }

    @Test("An external network whose addresses are all taken says so")
    func exhausted() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network(["router:external": true])
        _ = try await cloud.subnet(on: network, "203.0.113.0/30", ["enable_dhcp": false])
        let body: [String: JSONValue] = ["floating_network_id": .string(network.id.description)]
        _ = try await cloud.create(FloatingIP.self, body)
        let error = try await apiError { try await cloud.create(FloatingIP.self, body) }
        #expect(error?.type == "ExternalIpAddressExhausted")
        #expect(error?.status == 400)
    }

    @Test("A new address of a gateway's port is the router's external address")
    func readdressedGateway() async throws {
        let cloud = try Cloud()
        let (network, subnet) = try await cloud.externalNetwork()
        let router = try await cloud.router(["external_gateway_info": ["network_id": .string(network.id.description)]])
        let port = try #require(try await cloud.ports(ownedBy: "network:router_gateway").first)
        _ = try await cloud.update(
            port, ["fixed_ips": [["subnet_id": .string(subnet.id.description), "ip_address": "203.0.113.200"]]])
        #expect(try await cloud.show(router).gateway?.fixedIPs.map(\.address.description) == ["203.0.113.200"])
    }
}
