import APISchema
import Addressing
import NetworkModel
import Operations
import TestSupport
import Testing

@Suite struct SubnetTests {
    @Test("A subnet gets the first address as gateway and the others as pool", arguments: Backend.allCases)
    func defaults(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        #expect(subnet.gatewayAddress?.description == "10.0.0.1")
        #expect(subnet.allocationPools.map(\.description) == ["10.0.0.2-10.0.0.254"])
        let middle = try await cloud.subnet(on: network, "10.0.1.0/24", ["gateway_ip": "10.0.1.100"])
        #expect(middle.allocationPools.map(\.description) == ["10.0.1.1-10.0.1.99", "10.0.1.101-10.0.1.254"])
        let isolated = try await cloud.subnet(on: network, "10.0.2.0/24", ["gateway_ip": nil])
        #expect(isolated.gatewayAddress == nil)
        #expect(isolated.allocationPools.map(\.description) == ["10.0.2.1-10.0.2.254"])
        #expect(try await cloud.show(network).subnetIDs == [subnet.id, middle.id, isolated.id])
        #expect(try await cloud.show(network).standard.revisionNumber == 4)
    }

    @Test("An IPv6 subnet that names its prefix has its first address as gateway, one that a pool gives the second, as in Neutron")
    func gatewaysOfIPv6() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let named = try await cloud.subnet(on: network, "fd00::/64")
        #expect(named.gatewayAddress?.description == "fd00::")
        #expect(named.allocationPools.map(\.description) == ["fd00::1-fd00::ffff:ffff:ffff:ffff"])
        let small = try await cloud.subnet(on: network, "fd00:0:0:1::/127", ["enable_dhcp": false])
        #expect(small.gatewayAddress?.description == "fd00:0:0:1::")
        #expect(small.allocationPools.map(\.description) == ["fd00:0:0:1::1-fd00:0:0:1::1"])
        let pool = try await cloud.pool(["fd01::/48"], ["default_prefixlen": 64])
        let cut = try await cloud.subnet(on: cloud.network(), from: pool)
        #expect(cut.gatewayAddress?.description == "fd01::1")
        #expect(cut.allocationPools.map(\.description) == ["fd01::2-fd01::ffff:ffff:ffff:ffff"])
    }

    @Test("The revision of a network follows its subnets, but not their descriptions", arguments: Backend.allCases)
    func revisions(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        let revision = try await cloud.show(network).standard.revisionNumber
        _ = try await cloud.update(subnet, ["description": "the first"])
        #expect(try await cloud.show(network).standard.revisionNumber == revision)
        _ = try await cloud.update(subnet, ["name": "first"])
        #expect(try await cloud.show(network).standard.revisionNumber == revision + 1)
        _ = try await cloud.update(subnet, ["enable_dhcp": false])
        #expect(try await cloud.show(network).standard.revisionNumber == revision + 2)
    }

    @Test("Null takes the name servers and routes of a subnet away")
    func nulls() async throws {
        let cloud = try Cloud()
        let subnet = try await cloud.subnet(
            on: cloud.network(), "10.0.0.0/24",
            ["dns_nameservers": ["192.0.2.1"], "host_routes": [["destination": "192.0.2.0/24", "nexthop": "10.0.0.9"]]])
        #expect(subnet.dnsNameservers.count == 1 && subnet.hostRoutes.count == 1)
        let cleared = try await cloud.update(subnet, ["dns_nameservers": nil, "host_routes": nil])
        #expect(cleared.dnsNameservers.isEmpty && cleared.hostRoutes.isEmpty)
        let shown = try await cloud.show(subnet)
        #expect(shown.dnsNameservers.isEmpty && shown.hostRoutes.isEmpty)
    }

    @Test(
        "What a subnet cannot be is refused in Neutron's words",
        arguments: [
            ("10.0.0.128/25", [:], "Requested subnet with cidr: 10.0.0.128/25 for network: ID overlaps with another subnet"),
            ("10.9.0.0/31", [:], "Subnet has a prefix length that is incompatible with DHCP service enabled"),
            ("224.0.0.0/24", [:], "Multicast IP subnet is not supported if enable_dhcp is True"),
            ("127.0.0.0/24", [:], "Loopback IP subnet is not supported if enable_dhcp is True"),
            ("10.9.0.0/24", ["gateway_ip": "10.9.0.255"], "Gateway is not valid on subnet"),
            ("10.9.0.0/24", ["ip_version": 6], "cidr '10.9.0.0/24' does not match the ip_version '6'"),
            ("10.9.0.0/24", ["ipv6_ra_mode": "slaac"], "ipv6_ra_mode is not valid when ip_version is 4"),
            ("10.9.0.0/24", ["dns_nameservers": ["2001:db8::1"]], "dns_nameserver '2001:db8::1' does not match the ip_version '4'"),
        ] as [(String, [String: JSONValue], String)])
    func refused(_ cidr: String, _ body: [String: JSONValue], _ reason: String) async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        let error = try await apiError { try await cloud.subnet(on: network, cidr, body) }
        #expect(error == .invalidInput(reason.replacing("ID", with: network.id.description)))
        #expect(try await cloud.list(Subnet.self).count == 1)
        #expect(try await cloud.show(network).subnetIDs.count == 1)
    }

    @Test(
        "Allocation pools lie inside the subnet, apart from each other and from the gateway",
        arguments: [
            ([["start": "10.0.0.2", "end": "10.0.1.9"]], 400, "OutOfBoundsAllocationPool"),
            ([["start": "10.0.0.0", "end": "10.0.0.9"]], 400, "OutOfBoundsAllocationPool"),
            ([["start": "10.0.0.9", "end": "10.0.0.2"]], 400, "InvalidAllocationPool"),
            ([["start": "10.0.0.1", "end": "10.0.0.9"]], 409, "GatewayConflictWithAllocationPools"),
            ([["start": "10.0.0.2", "end": "10.0.0.9"], ["start": "10.0.0.9", "end": "10.0.0.20"]], 409, "OverlappingAllocationPools"),
        ] as [(JSONValue, Int, String)])
    func pools(_ pools: JSONValue, _ status: Int, _ type: String) async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let error = try await apiError { try await cloud.subnet(on: network, "10.0.0.0/24", ["allocation_pools": pools]) }
        #expect(error?.status == status)
        #expect(error?.type == type)
    }

    @Test("The first address of an IPv6 prefix is for routers and for ports that may become theirs", arguments: Backend.allCases)
    func routersAddress(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network, "fd00:7::/64", ["gateway_ip": "fd00:7::"])
        let interface = try await cloud.attach(subnet, to: cloud.router())
        let port = try #require(try await cloud.list(Port.self).first { $0.id == interface.portID })
        #expect(port.fixedIPs.map(\.address.description) == ["fd00:7::"])
        let second = try await cloud.subnet(on: network, "fd00:8::/64")
        let wanted: JSONValue = [["subnet_id": .init(second.id), "ip_address": "fd00:8::"]]
        let refused = try await apiError { _ = try await cloud.port(on: network, ["fixed_ips": wanted, "device_owner": "compute:nova"]) }
        #expect(refused?.type == "InvalidIpForSubnet")
        #expect(try await cloud.port(on: network, ["fixed_ips": wanted]).fixedIPs.count == 1)
    }

    @Test("A subnet that ports have addresses of stays; its gateway stays while a router has it")
    func inUse() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        let port = try await cloud.port(on: network)
        let error = try await apiError { try await cloud.delete(subnet) }
        #expect(
            error?.message
                == "Unable to complete operation on subnet \(subnet.id): One or more ports have an IP allocation from this subnet.")
        #expect(error?.status == 409)
        try await cloud.delete(port)
        let router = try await cloud.router()
        let interface = try await cloud.attach(subnet, to: router)
        let gateway = try await apiError { try await cloud.update(subnet, ["gateway_ip": "10.0.0.254"]) }
        #expect(gateway?.type == "GatewayIpInUse")
        #expect(gateway?.message == "Current gateway ip 10.0.0.1 already in use by port \(interface.portID). Unable to update.")
        _ = try await cloud.operations.removeRouterInterface(
            router.id.description, body: ["subnet_id": .string(subnet.id.description)], caller: cloud.admin)
        try await cloud.delete(subnet)
        #expect(try await cloud.show(network).subnetIDs.isEmpty)
    }

    @Test("Hosts of a SLAAC subnet have the address that their MAC gives; those that were there before get it, too")
    func slaac() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        let before = try await cloud.port(on: network, ["mac_address": "fa:16:3e:00:00:01"])
        let subnet = try await cloud.subnet(
            on: network, "2001:db8::/64", ["ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"])
        let after = try await cloud.port(on: network, ["mac_address": "fa:16:3e:00:00:02"])
        #expect(after.fixedIPs.map(\.subnetID).contains(subnet.id))
        #expect(after.fixedIPs.last?.address.description == "2001:db8::f816:3eff:fe00:2")
        #expect(try await cloud.show(before).fixedIPs.last?.address.description == "2001:db8::f816:3eff:fe00:1")
        let error = try await apiError { try await cloud.subnet(on: network, "2001:db8:1::/96", ["ipv6_address_mode": "slaac"]) }
        #expect(error?.type == "InvalidInput")
    }
}
