import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Operations
import TestSupport
import Testing

private func routes(_ pairs: (String, String)...) -> JSONValue {
    .array(pairs.map { ["destination": .string($0.0), "nexthop": .string($0.1)] })
}

@Suite struct ExtraRouteTests {
    @Test("Routes are added and removed on the server's side; one destination may have several next hops", arguments: Backend.allCases)
    func atomic(_ backend: Backend) async throws {
        let routed = try await RoutedCloud(backend)
        let operations = routed.cloud.operations
        let id = routed.router.id.description
        func change(_ isRemoval: Bool, _ list: JSONValue) async throws -> [String] {
            let body: [String: JSONValue] = ["router": ["routes": list]]
            let router =
                isRemoval
                ? try await operations.removeExtraRoutes(id, body: body, caller: routed.cloud.admin)
                : try await operations.addExtraRoutes(id, body: body, caller: routed.cloud.admin)
            return router.routes.map { "\($0.destination) \($0.nextHop)" }
        }
        #expect(try await change(false, routes(("10.9.0.0/24", "10.0.0.9"))) == ["10.9.0.0/24 10.0.0.9"])
        #expect(
            try await change(false, routes(("10.9.0.0/24", "10.0.0.8"), ("10.9.0.0/24", "10.0.0.9")))
                == ["10.9.0.0/24 10.0.0.9", "10.9.0.0/24 10.0.0.8"])
        #expect(
            try await change(true, routes(("10.9.0.0/24", "10.0.0.9"), ("10.7.0.0/24", "10.0.0.9"))) == ["10.9.0.0/24 10.0.0.8"])
        let far = try await apiError { try await change(false, routes(("10.8.0.0/24", "10.200.0.1"))) }
        #expect(far?.type == "InvalidRoutes")
        #expect(try await routed.cloud.show(routed.router).routes.count == 1)
        let missing = try await apiError { try await operations.addExtraRoutes(id, body: [:], caller: routed.cloud.admin) }
        #expect(missing?.status == 400)
    }

    @Test("Routes twice, of mixed families, to the router itself and too many are refused")
    func refused() async throws {
        let routed = try await RoutedCloud()
        func refusal(_ list: JSONValue) async throws -> APIError? {
            try await apiError { try await routed.cloud.update(routed.router, ["routes": list]) }
        }
        #expect(
            try await refusal(routes(("10.9.0.0/24", "10.0.0.9"), ("10.9.0.0/24", "10.0.0.9")))?.message
                == "Invalid input for routes. Reason: Duplicate hostroute '{'destination': '10.9.0.0/24', 'nexthop': '10.0.0.9'}'.")
        #expect(
            try await refusal(routes(("10.9.0.0/24", "10.0.0.1")))?.message
                == "Invalid format for routes: [{'destination': '10.9.0.0/24', 'nexthop': '10.0.0.1'}], the nexthop is used by router")
        #expect(try await refusal(routes(("2001:db8::/64", "10.0.0.9")))?.type == "InvalidRoutes")
        let many = JSONValue.array((1...31).map { ["destination": .string("10.\($0 + 50).0.0/24"), "nexthop": "10.0.0.9"] })
        #expect(try await refusal(many)?.type == "RoutesExhausted")
        #expect(try await routed.cloud.show(routed.router).routes.isEmpty)
    }

    @Test("A gateway that a route leads through stays until the route goes")
    func gateway() async throws {
        let routed = try await RoutedCloud()
        let through = routes(("198.51.100.0/24", "203.0.113.1"))
        _ = try await routed.cloud.update(routed.router, ["routes": through])
        let needed = try await apiError { try await routed.cloud.update(routed.router, ["external_gateway_info": nil]) }
        #expect(needed?.type == "RouterInterfaceInUseByRoute" && needed?.status == 409)
        let gone = try await routed.cloud.update(routed.router, ["external_gateway_info": nil, "routes": []])
        #expect(gone.gateway == nil && gone.routes.isEmpty)
    }
}

@Suite struct GatewayTests {
    @Test(
        "A gateway has several external addresses; an update keeps those that it names and exchanges the others",
        arguments: Backend.allCases)
    func severalAddresses(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let (external, first) = try await cloud.externalNetwork()
        let second = try await cloud.subnet(on: external, "198.51.100.0/24", ["enable_dhcp": false])
        func info(_ addresses: [JSONValue]) -> [String: JSONValue] {
            ["external_gateway_info": ["network_id": .string(external.id.description), "external_fixed_ips": .array(addresses)]]
        }
        let router = try await cloud.router(
            info([["ip_address": "203.0.113.20"], ["subnet_id": .string(second.id.description)], ["ip_address": "203.0.113.21"]]))
        let addresses = try #require(router.gateway).fixedIPs
        #expect(addresses.count == 3)
        let kept = try #require(addresses.first { $0.subnetID == second.id })
        let changed = try await cloud.update(
            router, info([["subnet_id": .string(second.id.description)], ["ip_address": "203.0.113.22"]]))
        #expect(Set(changed.gateway?.fixedIPs.map(\.address.description) ?? []) == [kept.address.description, "203.0.113.22"])
        let same = try await cloud.update(
            router, ["external_gateway_info": ["network_id": .string(external.id.description), "enable_snat": false]])
        #expect(same.gateway?.fixedIPs == changed.gateway?.fixedIPs && same.gateway?.isSNATEnabled == false)
        let port = try #require(try await cloud.ports(ownedBy: DeviceOwner.routerGateway).first)
        #expect(port.fixedIPs == changed.gateway?.fixedIPs)
        #expect(try await apiError { try await cloud.update(router, info([["ip_address": "10.1.1.1"]])) }?.type == "InvalidIpForNetwork")
        let own = try await apiError { try await cloud.update(router, info([["ip_address": "203.0.113.1"]])) }
        #expect(own?.message == "Bad router request: External IP 203.0.113.1 is the same as the gateway IP.")
        #expect(first.gatewayAddress?.description == "203.0.113.1")
    }

    @Test("A subnet may be named several times, for an address each; an address only once", arguments: Backend.allCases)
    func repeatedSubnet(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let (external, subnet) = try await cloud.externalNetwork()
        let one: JSONValue = ["subnet_id": .string(subnet.id.description)]
        func info(_ addresses: JSONValue) -> [String: JSONValue] {
            ["external_gateway_info": ["network_id": .string(external.id.description), "external_fixed_ips": addresses]]
        }
        let router = try await cloud.router(info([one, one]))
        let addresses = try #require(router.gateway).fixedIPs
        #expect(Set(addresses.map(\.address)).count == 2 && addresses.allSatisfy { $0.subnetID == subnet.id })
        #expect(Set(try await cloud.update(router, info([one, one])).gateway?.fixedIPs ?? []) == Set(addresses), "they are kept")
        #expect(try await cloud.update(router, info([one])).gateway?.fixedIPs.count == 1)
        let twice = try await apiError {
            try await cloud.update(router, info([["ip_address": "203.0.113.9"], ["ip_address": "203.0.113.9"]]))
        }
        #expect(twice?.message == "Invalid input for external_gateway_info. Reason: Duplicate IP address '203.0.113.9'.")
        let network = try await cloud.network()
        let inner: JSONValue = ["subnet_id": .string(try await cloud.subnet(on: network).id.description)]
        #expect(Set(try await cloud.port(on: network, ["fixed_ips": [inner, inner, inner]]).fixedIPs.map(\.address)).count == 3)
    }

    @Test("A SLAAC subnet of the external network gives the gateway an address, and takes it along when it goes")
    func slaac() async throws {
        let cloud = try Cloud()
        let (external, _) = try await cloud.externalNetwork()
        let router = try await cloud.router(["external_gateway_info": ["network_id": .string(external.id.description)]])
        #expect(router.gateway?.fixedIPs.count == 1)
        let six = try await cloud.subnet(on: external, "2001:db8::/64", ["ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"])
        #expect(try await cloud.show(router).gateway?.fixedIPs.map(\.subnetID).last == six.id)
        try await cloud.delete(six)
        let after = try await cloud.show(router)
        #expect(after.gateway?.fixedIPs.count == 1)
        let port = try #require(try await cloud.ports(ownedBy: DeviceOwner.routerGateway).first)
        #expect(port.fixedIPs == after.gateway?.fixedIPs)
    }

    @Test("Only administrators choose SNAT and external addresses")
    func policy() async throws {
        let cloud = try Cloud()
        let (external, _) = try await cloud.externalNetwork()
        let member = Caller(projectID: "p1", isAdmin: false)
        let router = try await cloud.create(
            Router.self, ["external_gateway_info": ["network_id": .string(external.id.description)]], as: member)
        for part: [String: JSONValue] in [["enable_snat": false], ["external_fixed_ips": [["ip_address": "203.0.113.9"]]]] {
            let info = JSONValue.object(part.merging(["network_id": .string(external.id.description)]) { $1 })
            let refused = try await apiError { try await cloud.update(router, ["external_gateway_info": info], as: member) }
            #expect(refused?.status == 403 && refused?.type == "PolicyNotAuthorized")
            #expect(refused?.message.contains("rule:update_router:external_gateway_info:\(part.keys.first ?? "")") == true)
        }
    }
}

@Suite struct FloatingIPFeatureTests {
    @Test("A floating IP shows its port, moves to another one and to another router in one update", arguments: Backend.allCases)
    func moves(_ backend: Backend) async throws {
        let routed = try await RoutedCloud(backend)
        let cloud = routed.cloud
        let floating = try await routed.floatingIP(["port_id": .string(routed.port.id.description)])
        #expect(floating.portDetails?.networkID == routed.port.networkID)
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network, "10.7.0.0/24")
        let router = try await cloud.router(["external_gateway_info": ["network_id": .string(routed.external.id.description)]])
        _ = try await cloud.attach(subnet, to: router)
        let port = try await cloud.port(on: network, ["name": "other"])
        let moved = try await cloud.update(floating, ["port_id": .string(port.id.description)])
        #expect(moved.routerID == router.id && moved.fixedAddress == port.fixedIPs.first?.address && moved.portDetails?.name == "other")
        #expect(try await cloud.list(FloatingIP.self).first?.portDetails?.name == "other")
        try await cloud.delete(port)
        #expect(try await cloud.show(floating).portDetails == nil)
    }

    @Test("Pools are the IPv4 subnets of external networks")
    func pools() async throws {
        let routed = try await RoutedCloud()
        _ = try await routed.cloud.subnet(on: routed.external, "2001:db8::/64", ["enable_dhcp": false])
        let pools = try await routed.cloud.operations.floatingIPPools(caller: Caller(projectID: "p2", isAdmin: false))
        #expect(pools.map(\.prefix.description) == ["203.0.113.0/24"])
        #expect(pools.first?.networkID == routed.external.id && pools.first?.projectID == "p2")
    }

    @Test("Ambiguous, foreign and IPv6 fixed addresses are refused in Neutron's words")
    func fixedAddresses() async throws {
        let routed = try await RoutedCloud()
        let network = try await routed.cloud.operations.show(Network.self, routed.port.networkID.description, caller: routed.cloud.admin)
        _ = try await routed.cloud.subnet(on: network, "fd00::/64", ["ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"])
        let two = try await routed.cloud.port(
            on: network, ["fixed_ips": [["ip_address": "10.0.0.20"], ["ip_address": "10.0.0.21"]]])
        func refusal(_ port: Port, _ body: [String: JSONValue]) async throws -> String? {
            try await apiError { try await routed.floatingIP(["port_id": .string(port.id.description)].merging(body) { $1 }) }?.message
        }
        #expect(
            try await refusal(two, [:])
                == "Bad floatingip request: Port \(two.id) has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when "
                + "assigning a floating IP.")
        #expect(
            try await refusal(two, ["fixed_ip_address": "fd00::1"])
                == "Bad floatingip request: Cannot process floating IP association with fd00::1, since that is not an IPv4 address.")
        let chosen = try await routed.floatingIP(["port_id": .string(two.id.description), "fixed_ip_address": "10.0.0.21"])
        let again = try await apiError {
            try await routed.floatingIP(["port_id": .string(two.id.description), "fixed_ip_address": "10.0.0.21"])
        }
        #expect(again?.type == "FloatingIPPortAlreadyAssociated" && again?.status == 409)
        let taken = try await apiError { try await routed.floatingIP(["floating_ip_address": .string(chosen.address.description)]) }
        #expect(taken?.type == "IpAddressInUse" && taken?.status == 409)
    }
}

@Suite struct InterfaceFeatureTests {
    @Test("IPv6 subnets of one network share a router's port, and leave it one by one")
    func sharedPort() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let four = try await cloud.subnet(on: network)
        let modes: [String: JSONValue] = ["ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"]
        let first = try await cloud.subnet(on: network, "fd00::/64", modes)
        let second = try await cloud.subnet(on: network, "fd01::/64", modes)
        let router = try await cloud.router()
        let plain = try await cloud.attach(four, to: router)
        let shared = try await cloud.attach(first, to: router)
        let joined = try await cloud.attach(second, to: router)
        #expect(plain.portID != shared.portID && joined.portID == shared.portID && joined.subnetIDs == [second.id])
        func remove(_ subnet: Subnet) async throws {
            _ = try await cloud.operations.removeRouterInterface(
                router.id.description, body: ["subnet_id": .string(subnet.id.description)], caller: cloud.admin)
        }
        try await remove(first)
        let port = try await cloud.operations.show(Port.self, shared.portID.description, caller: cloud.admin)
        #expect(port.fixedIPs.map(\.subnetID) == [second.id])
        try await remove(second)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.routerInterface).map(\.id) == [plain.portID])
    }

    @Test("A subnet whose advertisements come from elsewhere has no router of ours; a second IPv6 port on a network is refused")
    func ipv6Refusals() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let foreign = try await cloud.subnet(on: network, "fd00::/64", ["ipv6_address_mode": "slaac"])
        let router = try await cloud.router()
        #expect(
            try await apiError { try await cloud.attach(foreign, to: router) }?.message
                == "Bad router request: IPv6 subnet \(foreign.id) configured to receive RAs from an external router cannot be added to Neutron "
                + "Router..")
        let ours = try await cloud.subnet(on: network, "fd01::/64", ["enable_dhcp": false])
        let interface = try await cloud.attach(ours, to: router)
        let other = try await cloud.subnet(on: network, "fd02::/64", ["enable_dhcp": false])
        let port = try await cloud.port(on: network, ["fixed_ips": [["subnet_id": .string(other.id.description)]]])
        let second = try await apiError {
            try await cloud.operations.addRouterInterface(
                router.id.description, body: ["port_id": .string(port.id.description)], caller: cloud.admin)
        }
        #expect(second?.message.hasPrefix("Bad router request: Router already contains IPv6 port \(interface.portID)") == true)
    }

    @Test("DHCPv6 has a port and no SLAAC address of it; a subnet of SLAAC alone has none")
    func dhcpv6() async throws {
        let cloud = try Cloud()
        try await cloud.report("h1")
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network, "fd00::/64", ["ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"])
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).isEmpty)
        let stateful = try await cloud.subnet(
            on: network, "fd01::/64", ["ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": "dhcpv6-stateful"])
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).map { $0.fixedIPs.map(\.subnetID) } == [[stateful.id]])
        try await cloud.delete(stateful)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).isEmpty)
    }
}
