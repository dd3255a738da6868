import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Operations
import Testing

/// Refusals of routers, floating IPs and port forwardings that no other test provokes, with Neutron's texts.
@Suite struct RouterRefusalTests {
    private let member = Caller(projectID: "p1", isAdmin: false)

    private static func bad(_ resource: String, _ message: String) -> APIError {
        APIError(status: 400, type: "BadRequest", message: "Bad \(resource) request: \(message).")
    }

    private static func attach(_ member: String, _ id: ResourceID, to router: Router, of cloud: Cloud, as caller: Caller) async throws
        -> APIError?
    {
        try await apiError {
            try await cloud.operations.addRouterInterface(
                router.id.description, body: [member: .string(id.description)], caller: caller)
        }
    }

    @Test("A port becomes no interface without an address, with two of IPv4, or beside another of IPv6 on its network")
    func interfacePorts() async throws {
        let cloud = try Cloud()
        let (network, router) = (try await cloud.network(), try await cloud.router())
        let subnets = [try await cloud.subnet(on: network), try await cloud.subnet(on: network, "10.1.0.0/24")]
        let bare = try await cloud.port(on: network, ["fixed_ips": []])
        let double = try await cloud.port(on: network, ["fixed_ips": .array(subnets.map { ["subnet_id": .string($0.id.description)] })])
        func refusal(_ port: Port) async throws -> APIError? {
            try await Self.attach("port_id", port.id, to: router, of: cloud, as: cloud.admin)
        }
        #expect(try await refusal(bare) == Self.bad("router", "Router port must have at least one fixed IP"))
        #expect(try await refusal(double) == Self.bad("router", "Cannot have multiple IPv4 subnets on router port"))

        let six = try await cloud.subnet(on: network, "2001:db8::/64")
        let interface = try await cloud.attach(six, to: router)
        let other = try await cloud.subnet(on: network, "2001:db8:1::/64")
        let second = try await cloud.port(on: network, ["fixed_ips": [["subnet_id": .string(other.id.description)]]])
        #expect(
            try await refusal(second)
                == Self.bad(
                    "router",
                    "Router already contains IPv6 port \(interface.portID) belonging to network id \(network.id). Only one IPv6 port from "
                        + "the same network subnet can be connected to a router."))
        #expect(try await cloud.ports(ownedBy: DeviceOwner.routerInterface).map(\.id) == [interface.portID])
    }

    @Test("A member attaches no subnet of another project, also of a network that is shared")
    func foreignSubnet() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network(["shared": true, "project_id": "p2"])
        let subnet = try await cloud.subnet(on: network, "10.0.0.0/24", ["project_id": "p2"])
        let router = try await cloud.create(Router.self, [:], as: member)
        #expect(
            try await Self.attach("subnet_id", subnet.id, to: router, of: cloud, as: member)
                == Self.bad(
                    "router", "Cannot add interface to router because subnet \(subnet.id) is not owned by project making the request"))
    }

    @Test("A floating IP needs an IPv4 subnet outside, and a port of its project with an IPv4 address inside")
    func floatingIPs() async throws {
        let routed = try await RoutedCloud()
        let cloud = routed.cloud
        let outside = try await cloud.network(["router:external": true])
        _ = try await cloud.subnet(on: outside, "2001:db8:9::/64", ["enable_dhcp": false])
        #expect(
            try await apiError { try await routed.floatingIP(["floating_network_id": .string(outside.id.description)]) }
                == Self.bad("floatingip", "Network \(outside.id) does not contain any IPv4 subnet"))

        let six = try await cloud.network()
        _ = try await cloud.subnet(on: six, "2001:db8::/64")
        let port = try await cloud.port(on: six)
        #expect(
            try await apiError { try await routed.floatingIP(["port_id": .string(port.id.description)]) }
                == Self.bad("floatingip", "Cannot add floating IP to port \(port.id) that has no fixed IPv4 addresses"))

        // The owner of a network sees whatever is on it.
        let theirs = try await cloud.create(
            Port.self, ["network_id": .string(routed.subnet.networkID.description), "project_id": "p2"], as: cloud.admin)
        let floating = try await cloud.create(
            FloatingIP.self, ["floating_network_id": .string(routed.external.id.description)], as: member)
        #expect(
            try await apiError { try await cloud.update(floating, ["port_id": .string(theirs.id.description)], as: member) }
                == Self.bad(
                    "floatingip",
                    "Cannot process floating IP association with Port \(theirs.id), since that port is owned by a different project"))
        #expect(try await cloud.list(FloatingIP.self).map(\.portID) == [nil])
    }

    @Test("A forwarding leads to an IPv4 address of its port")
    func forwardings() async throws {
        let routed = try await RoutedCloud()
        let floating = try await routed.floatingIP()
        let six = try await routed.cloud.network()
        _ = try await routed.cloud.subnet(on: six, "2001:db8::/64")
        let port = try await routed.cloud.port(on: six)
        #expect(
            try await routed.refusal(floating, ["internal_port_id": .string(port.id.description)])
                == Self.bad("port_forwarding", "Requested internal port \(port.id) must allocate an IPv4 address at least."))
        let forwarding = try await routed.forward(floating)
        let changed = try await apiError { try await routed.change(forwarding, ["internal_ip_address": "10.0.0.6"]) }
        let text =
            "Bad port_forwarding request: The internal IP does not correspond to an address on the internal port, which has fixed_ips ["
        #expect(changed?.message.hasPrefix(text) == true && changed?.message.contains("'10.0.0.5'") == true)
        #expect(changed?.status == 400)
    }
}
