import APISchema
import ControllerServer
import TestSupport
import Testing

/// The rows of Neutron's table of classes and codes that the tests of the resources leave out, each with its whole body: what clients get to
/// see when a core resource, a router or a floating IP cannot be had.
@Suite("Error bodies")
struct ErrorBodyTests {
    /// What is there before each case is tried.
    private struct Things: Sendable {
        var network: String
        var subnet: String
        var port: String
        var router: String
        var external: String
    }

    private struct Case: Sendable {
        var type: String
        var status: Int
        var message: String
        var method: String
        var path: String
        var body: JSONValue?

        init(_ status: Int, _ type: String, _ message: String, _ method: String, _ path: String, _ body: JSONValue? = nil) {
            self.status = status
            self.type = type
            self.message = message
            self.method = method
            self.path = path
            self.body = body
        }
    }

    private static let nobody = "00000000-0000-4000-8000-000000000001"

    private func things(_ client: APIClient) async throws -> Things {
        let network = try await client.make("networks", ["name": "inside"])
        let subnet = try await client.subnet(on: network)
        let (external, _) = try await client.externalNetwork()
        return Things(
            network: network, subnet: subnet, port: try await client.port(on: network),
            router: try await client.make("routers", ["name": "r"]), external: external)
    }

    /// Nothing with that identity.
    private var notFound: [Case] {
        let id = Self.nobody
        return [
            Case(404, "NetworkNotFound", "Network \(id) could not be found.", "GET", "networks/\(id)"),
            Case(404, "SubnetNotFound", "Subnet \(id) could not be found.", "PUT", "subnets/\(id)", ["subnet": ["name": "a"]]),
            Case(404, "PortNotFound", "Port \(id) could not be found.", "DELETE", "ports/\(id)"),
            Case(404, "RouterNotFound", "Router \(id) could not be found", "GET", "routers/\(id)"),
            Case(404, "FloatingIPNotFound", "Floating IP \(id) could not be found", "GET", "floatingips/\(id)"),
            Case(404, "SecurityGroupNotFound", "Security group \(id) does not exist", "GET", "security-groups/\(id)"),
            Case(404, "SecurityGroupRuleNotFound", "Security group rule \(id) does not exist", "GET", "security-group-rules/\(id)"),
            Case(404, "SubnetPoolNotFound", "Subnet pool \(id) could not be found.", "GET", "subnetpools/\(id)"),
            Case(404, "AgentNotFound", "Agent \(id) could not be found.", "GET", "agents/\(id)"),
            Case(404, "HTTPNotFound", "The resource could not be found.", "GET", "nothing"),
        ]
    }

    private func networks(_ things: Things) -> [Case] {
        let network = JSONValue.string(things.network)
        let servers = JSONValue.array((1...6).map { .string("192.0.2.\($0)") })
        let routes = JSONValue.array((1...21).map { ["destination": .string("198.51.\($0).0/24"), "nexthop": "10.1.0.1"] })
        func subnet(_ more: [String: JSONValue]) -> JSONValue {
            ["subnet": .object(["network_id": network, "cidr": "10.1.0.0/24", "ip_version": 4].merging(more) { $1 })]
        }
        let vlan: JSONValue = [
            "network": ["provider:network_type": "vlan", "provider:physical_network": "physnet9", "provider:segmentation_id": 7]
        ]
        return [
            Case(
                400, "DNSNameServersExhausted",
                "Unable to complete operation for new subnet. The number of DNS nameservers exceeds the limit 5.", "POST", "subnets",
                subnet(["dns_nameservers": servers])),
            Case(
                400, "HostRoutesExhausted", "Unable to complete operation for new subnet. The number of host routes exceeds the limit 20.",
                "POST",
                "subnets", subnet(["host_routes": routes])),
            Case(
                409, "VlanIdInUse", "Unable to create the network. The VLAN 7 on physical network physnet9 is in use.", "POST", "networks",
                vlan),
            Case(
                400, "HTTPBadRequest", "'project_id' and 'tenant_id' do not match", "POST", "networks",
                ["network": ["project_id": "a", "tenant_id": "b"]]),
            Case(
                400, "DuplicateAddressPairInRequest",
                "Request contains duplicate address pair: mac_address fa:16:3e:00:00:09 ip_address 10.0.0.9/32.", "PUT",
                "ports/\(things.port)",
                [
                    "port": [
                        "allowed_address_pairs": [
                            ["ip_address": "10.0.0.9/32", "mac_address": "fa:16:3e:00:00:09"],
                            ["ip_address": "10.0.0.9/32", "mac_address": "fa:16:3e:00:00:09"],
                        ]
                    ]
                ]),
        ]
    }

    private func routers(_ things: Things, otherSubnet: String) -> [Case] {
        let router = "routers/\(things.router)"
        let port = JSONValue.string(things.port)
        let floating: JSONValue = ["floatingip": ["floating_network_id": .string(things.external), "port_id": port]]
        return [
            Case(
                404, "RouterInterfaceNotFoundForSubnet", "Router \(things.router) has no interface on subnet \(things.subnet)", "PUT",
                "\(router)/remove_router_interface", ["subnet_id": .string(things.subnet)]),
            Case(
                404, "RouterInterfaceNotFound", "Router \(things.router) does not have an interface with id \(things.port)", "PUT",
                "\(router)/remove_router_interface", ["port_id": port]),
            Case(
                400, "BadRequest", "Bad router request: Cannot specify both subnet-id and port-id.", "PUT",
                "\(router)/add_router_interface", ["subnet_id": .string(otherSubnet), "port_id": port]),
            Case(
                400, "BadRequest", "Bad router request: Either subnet_id or port_id must be specified.", "PUT",
                "\(router)/add_router_interface", [:]),
            Case(
                404, "ExternalGatewayForFloatingIPNotFound",
                "External network \(things.external) is not reachable from subnet \(things.subnet).  Therefore, cannot associate Port "
                    + "\(things.port) with a Floating IP.", "POST", "floatingips", floating),
            Case(
                400, "BadRequest",
                "Bad floatingip request: fixed_ip_address cannot be specified without a port_id.", "POST", "floatingips",
                ["floatingip": ["floating_network_id": .string(things.external), "fixed_ip_address": "10.0.0.9"]]),
            Case(
                400, "BadRequest", "Bad floatingip request: Network \(things.network) is not a valid external network.", "POST",
                "floatingips", ["floatingip": ["floating_network_id": .string(things.network)]]),
        ]
    }

    @Test("What cannot be had is refused with Neutron's class, code and text, and changes nothing")
    func table() async throws {
        try await withServer { client in
            let things = try await things(client)
            let other = try await client.subnet(on: things.network, "10.2.0.0/24")
            let vlan: [String: JSONValue] = [
                "provider:network_type": "vlan", "provider:physical_network": "physnet9", "provider:segmentation_id": 7,
            ]
            _ = try await client.make("networks", vlan)
            let collections = ["networks", "subnets", "ports", "routers", "floatingips", "security-groups"]
            var before: [[JSONValue]] = []
            for collection in collections { before.append(try await client.list(collection)) }
            for item in notFound + networks(things) + routers(things, otherSubnet: other) {
                let answer = try await client.send(.init(rawValue: item.method), "/v2.0/\(item.path)", item.body)
                let body: JSONValue = [
                    "NeutronError": ["type": .string(item.type), "message": .string(item.message), "detail": ""]
                ]
                #expect(answer.status == item.status && answer.body == body, "\(item.method) \(item.path): \(answer)")
                #expect(answer.headers.first(name: "Content-Type") == "application/json")
            }
            for (collection, was) in zip(collections, before) { #expect(try await client.list(collection) == was, "\(collection)") }
        }
    }

    @Test("A bound port keeps its MAC address, a network that others use stays shared, a quota is the administrator's")
    func conflicts() async throws {
        try await withServer { client in
            try await HostAgent(client: client, host: "h1").report()
            let network = try await client.make("networks", ["name": "shared", "shared": true])
            let bound = try await client.port(
                on: network, ["binding:host_id": "h1", "mac_address": "fa:16:3e:00:00:01", "device_owner": "compute:nova"])
            let moved = try await client.put("ports/\(bound)", ["port": ["mac_address": "fa:16:3e:00:00:02"]])
            #expect(moved.status == 409 && moved.errorType == "PortBound", "\(moved)")
            #expect(
                moved.message
                    == "Unable to complete operation on port \(bound), port is already bound, port type: bridge, old_mac "
                    + "fa:16:3e:00:00:01, new_mac fa:16:3e:00:00:02.")
            let stranger = try await client.send(
                .POST, "/v2.0/ports", ["port": ["network_id": .string(network)]], headers: [("X-Project-Id", "p2")])
            #expect(stranger.status == 201)
            let unshared = try await client.put("networks/\(network)", ["network": ["shared": false]])
            #expect(unshared.status == 409 && unshared.errorType == "InvalidSharedSetting", "\(unshared)")
            #expect(
                unshared.message == "Unable to reconfigure sharing settings for network shared. Multiple projects are using it.")
            let stale = try await client.send(
                .PUT, "/v2.0/networks/\(network)", ["network": ["name": "x"]], headers: [("If-Match", "revision_number=77")])
            #expect(stale.status == 412 && stale.errorType == "RevisionNumberConstraintFailed")
            #expect(stale.message?.hasPrefix("Constrained to 77, but current revision is ") == true)
        }
    }
}
