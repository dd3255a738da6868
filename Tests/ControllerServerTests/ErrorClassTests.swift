import APISchema
import ControllerServer
import NIOHTTP1
import TestSupport
import Testing

/// Neutron's table of exception classes and codes: every class that this server can raise, each provoked over HTTP, with its whole body and with
/// nothing changed by it. Those of not-found resources and some others are in ``ErrorBodyTests``.
@Suite("Classes of errors")
struct ErrorClassTests {
    /// A request and what it must be answered with.
    struct Refusal: Sendable {
        var status: Int
        var type: String
        var message: String
        var method: HTTPMethod
        var path: String
        var body: JSONValue?
        var headers: [(String, String)] = []

        init(
            _ status: Int, _ type: String, _ message: String, _ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil,
            headers: [(String, String)] = []
        ) {
            self.status = status
            self.type = type
            self.message = message
            self.method = method
            self.path = path
            self.body = body
            self.headers = headers
        }
    }

    private static let collections = [
        "networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules", "subnetpools",
        "address-scopes",
        "rbac-policies", "segments",
    ]

    /// Tries each refusal, and looks whether anything is different afterwards.
    private func check(_ refusals: [Refusal], _ client: APIClient) async throws {
        func everything() async throws -> [[JSONValue]] {
            var all: [[JSONValue]] = []
            for collection in Self.collections { all.append(try await client.list(collection)) }
            return all
        }
        let before = try await everything()
        for refusal in refusals {
            let answer = try await client.send(refusal.method, "/v2.0/\(refusal.path)", refusal.body, headers: refusal.headers)
            let body: JSONValue = ["NeutronError": ["type": .string(refusal.type), "message": .string(refusal.message), "detail": ""]]
            #expect(
                answer.status == refusal.status && answer.body == body,
                "\(refusal.method) \(refusal.path) \(refusal.body?.text ?? ""): \(answer), expected \(refusal.status) \(body.text)")
            #expect(answer.headers.first(name: "Content-Type") == "application/json")
        }
        #expect(try await everything() == before)
    }

    @Test("Networks and their segments")
    func networks() async throws {
        try await withServer(.sqlite, { $0.vxlanRange = 7...7 }) { client in
            let network = try await client.make("networks", ["name": "only"])
            _ = try await client.make(
                "networks", ["provider:network_type": "flat", "provider:physical_network": "physnet1", "name": "flat"])
            func create(_ members: [String: JSONValue]) -> JSONValue { ["network": .object(members)] }
            let both: [String: JSONValue] = [
                "provider:network_type": "vlan", "segments": [["provider:network_type": "vlan", "provider:physical_network": "p"]],
            ]
            try await check(
                [
                    Refusal(
                        503, "NoNetworkAvailable", "Unable to create the network. No project network is available for allocation.", .POST,
                        "networks", create([:])),
                    Refusal(
                        409, "TunnelIdInUse", "Unable to create the network. The tunnel ID 7 is in use.", .POST, "networks",
                        create(["provider:network_type": "vxlan", "provider:segmentation_id": 7])),
                    Refusal(
                        409, "FlatNetworkInUse", "Unable to create the flat network. Physical network physnet1 is in use.", .POST,
                        "networks", create(["provider:network_type": "flat", "provider:physical_network": "physnet1"])),
                    Refusal(
                        400, "SegmentsSetInConjunctionWithProviders", "Segments and provider values cannot both be set.", .POST, "networks",
                        create(both)),
                    Refusal(
                        400, "InvalidInput", "Invalid input for operation: network_type required.", .POST, "networks",
                        create(["provider:segmentation_id": 9])),
                    Refusal(
                        404, "AvailabilityZoneNotFound", "AvailabilityZone mars could not be found.", .POST, "networks",
                        create(["availability_zone_hints": ["mars"]])),
                    Refusal(
                        412, "RevisionNumberConstraintFailed", "Constrained to 44, but current revision is 1", .DELETE,
                        "networks/\(network)", headers: [("If-Match", "revision_number=44")]),
                    Refusal(
                        400, "BadRequest", "Bad if-match request: Revision number etag must be in the format of revision_number=<int>.",
                        .DELETE, "networks/\(network)", headers: [("If-Match", "revision_number=soon")]),
                    Refusal(
                        400, "BadRequest", "Bad if-match request: Multiple revision_number etags are not supported.", .DELETE,
                        "networks/\(network)", headers: [("If-Match", "revision_number=1, revision_number=2")]),
                ], client)
        }
    }

    @Test("Subnets")
    func subnets() async throws {
        try await withServer { client in
            let network = try await client.make("networks", ["name": "n"])
            let subnet = try await client.subnet(on: network, "10.0.0.0/24", ["enable_dhcp": false])
            let port = try await client.port(on: network)
            let router = try await client.make("routers", ["name": "r"])
            let interface = try await client.put("routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)])
            let gateway = interface["port_id"]?.stringValue ?? ""
            #expect(port != gateway)
            func create(_ more: [String: JSONValue]) -> JSONValue {
                ["subnet": .object(["network_id": .string(network), "cidr": "10.1.0.0/24", "ip_version": 4].merging(more) { $1 })]
            }
            func pool(_ start: String, _ end: String) -> JSONValue { ["start": .string(start), "end": .string(end)] }
            try await check(
                [
                    Refusal(
                        400, "InvalidInput",
                        "Invalid input for operation: Requested subnet with cidr: 10.0.0.0/25 for network: \(network) overlaps with another "
                            + "subnet.", .POST, "subnets", create(["cidr": "10.0.0.0/25"])),
                    Refusal(
                        400, "InvalidAllocationPool", "The allocation pool {'start': '10.1.0.9', 'end': '10.1.0.2'} is not valid.", .POST,
                        "subnets",
                        create(["allocation_pools": [pool("10.1.0.9", "10.1.0.2")]])),
                    Refusal(
                        400, "OutOfBoundsAllocationPool", "The allocation pool 10.1.0.9-10.1.1.2 spans beyond the subnet cidr 10.1.0.0/24.",
                        .POST, "subnets", create(["allocation_pools": [pool("10.1.0.9", "10.1.1.2")]])),
                    Refusal(
                        409, "OverlappingAllocationPools",
                        "Found overlapping allocation pools: 10.1.0.2-10.1.0.9 10.1.0.5-10.1.0.20 for subnet 10.1.0.0/24.", .POST,
                        "subnets",
                        create(["allocation_pools": [pool("10.1.0.2", "10.1.0.9"), pool("10.1.0.5", "10.1.0.20")]])),
                    Refusal(
                        409, "GatewayConflictWithAllocationPools",
                        "Gateway ip 10.1.0.5 conflicts with allocation pool 10.1.0.2-10.1.0.9.", .POST, "subnets",
                        create(["gateway_ip": "10.1.0.5", "allocation_pools": [pool("10.1.0.2", "10.1.0.9")]])),
                    Refusal(
                        409, "GatewayIpInUse", "Current gateway ip 10.0.0.1 already in use by port \(gateway). Unable to update.", .PUT,
                        "subnets/\(subnet)", ["subnet": ["gateway_ip": "10.0.0.254"]]),
                    Refusal(
                        409, "SubnetInUse",
                        "Unable to complete operation on subnet \(subnet): One or more ports have an IP allocation from this subnet.",
                        .DELETE, "subnets/\(subnet)"),
                    Refusal(
                        400, "InvalidInputSubnetServiceType", "Subnet service type 5 is not a string.", .POST, "subnets",
                        create(["service_types": [5]])),
                ], client)
        }
    }

    @Test("Subnet pools and address scopes")
    func pools() async throws {
        try await withServer { client in
            let scope = try await client.make("address-scopes", ["name": "s", "ip_version": 4])
            let shared = try await client.make("address-scopes", ["name": "all", "ip_version": 4, "shared": true])
            let pool = try await client.make(
                "subnetpools", ["name": "p", "prefixes": ["10.0.0.0/16"], "min_prefixlen": 20, "max_prefixlen": 28])
            let other = try await client.make("subnetpools", ["name": "o", "prefixes": ["10.8.0.0/16"]])
            let limited = try await client.make("subnetpools", ["name": "l", "prefixes": ["10.9.0.0/16"], "default_quota": 16])
            let scoped = try await client.make(
                "subnetpools", ["name": "sc", "prefixes": ["10.7.0.0/16"], "address_scope_id": .string(scope)])
            #expect(!scoped.isEmpty)
            let network = try await client.make("networks")
            _ = try await client.make("subnets", ["network_id": .string(network), "ip_version": 4, "subnetpool_id": .string(pool)])
            let nobody = "00000000-0000-4000-8000-000000000001"
            func subnet(_ pool: String, _ length: Int, on network: String) -> JSONValue {
                [
                    "subnet": [
                        "network_id": .string(network), "ip_version": 4, "subnetpool_id": .string(pool), "prefixlen": .integer(length),
                    ]
                ]
            }
            let fresh = try await client.make("networks")
            try await check(
                [
                    Refusal(
                        400, "MinPrefixSubnetAllocationError",
                        "Unable to allocate subnet with prefix length 16, minimum allowed prefix is 20.", .POST, "subnets",
                        subnet(pool, 16, on: fresh)),
                    Refusal(
                        400, "MaxPrefixSubnetAllocationError",
                        "Unable to allocate subnet with prefix length 30, maximum allowed prefix is 28.", .POST, "subnets",
                        subnet(pool, 30, on: fresh)),
                    Refusal(
                        409, "SubnetPoolQuotaExceeded", "Per-project subnet pool prefix quota exceeded.", .POST, "subnets",
                        subnet(limited, 24, on: fresh)),
                    Refusal(
                        400, "NetworkSubnetPoolAffinityError",
                        "Subnets hosted on the same network must be allocated from the same subnet pool.", .POST, "subnets",
                        subnet(other, 24, on: network)),
                    Refusal(
                        400, "PrefixVersionMismatch", "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", .POST, "subnetpools",
                        ["subnetpool": ["name": "m", "prefixes": ["10.0.0.0/8", "fd00::/8"]]]),
                    Refusal(
                        400, "EmptySubnetPoolPrefixList", "Empty subnet pool prefix list.", .POST, "subnetpools",
                        ["subnetpool": ["name": "m", "prefixes": []]]),
                    Refusal(
                        400, "AddressScopeUpdateError",
                        "Unable to update address scope \(shared) : Shared address scope can't be unshared.", .PUT,
                        "address-scopes/\(shared)", ["address_scope": ["shared": false]]),
                    Refusal(
                        409, "AddressScopeInUse",
                        "Unable to complete operation on address scope \(scope). There are one or more subnet pools in use on the address "
                            + "scope.", .DELETE, "address-scopes/\(scope)"),
                    Refusal(
                        404, "AddressScopeNotFound", "Address scope \(nobody) could not be found.", .GET, "address-scopes/\(nobody)"),
                    Refusal(
                        404, "SubnetPoolNotFound", "Subnet pool \(nobody) could not be found.", .POST, "subnets",
                        subnet(nobody, 24, on: fresh)),
                ], client)
        }
    }

    @Test("Ports")
    func ports() async throws {
        try await withServer { client in
            let network = try await client.make("networks", ["name": "n"])
            _ = try await client.subnet(on: network, "10.0.0.0/29", ["enable_dhcp": false])
            let subnet = try await client.list("subnets").first?["id"] ?? .null
            let mac: JSONValue = "fa:16:3e:00:00:01"
            let port = try await client.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.3"]], "mac_address": mac])
            let open = try await client.port(on: network, ["port_security_enabled": false, "fixed_ips": [["ip_address": "10.0.0.4"]]])
            let paired = try await client.port(
                on: network, ["allowed_address_pairs": [["ip_address": "192.0.2.1"]], "security_groups": [], "fixed_ips": []])
            let group = try await client.get("ports/\(port)")["security_groups"]?.arrayValue?.first ?? .null
            let small = try await client.make("networks", ["name": "small"])
            _ = try await client.subnet(on: small, "10.9.0.0/30", ["enable_dhcp": false])
            _ = try await client.port(on: small)
            func create(_ more: [String: JSONValue]) -> JSONValue {
                ["port": .object(["network_id": .string(network)].merging(more) { $1 })]
            }
            let pairs = JSONValue.array((1...11).map { ["ip_address": .string("192.0.2.\($0)")] })
            try await check(
                [
                    Refusal(
                        400, "InvalidIpForNetwork",
                        "IP address 192.0.2.1 is not a valid IP for any of the subnets on the specified network.", .POST, "ports",
                        create(["fixed_ips": [["ip_address": "192.0.2.1"]]])),
                    Refusal(
                        400, "InvalidIpForSubnet", "IP address 192.0.2.1 is not a valid IP for the specified subnet.", .POST, "ports",
                        create(["fixed_ips": [["ip_address": "192.0.2.1", "subnet_id": subnet]]])),
                    Refusal(
                        409, "IpAddressInUse",
                        "Unable to complete operation for network \(network). The IP address 10.0.0.3 is in use.", .POST, "ports",
                        create(["fixed_ips": [["ip_address": "10.0.0.3"]]])),
                    Refusal(
                        409, "MacAddressInUse",
                        "Unable to complete operation for network \(network). The mac address fa:16:3e:00:00:01 is in use.", .POST, "ports",
                        create(["mac_address": mac])),
                    Refusal(
                        409, "IpAddressGenerationFailure", "No more IP addresses available on network \(small).", .POST, "ports",
                        ["port": ["network_id": .string(small)]]),
                    Refusal(
                        400, "AllowedAddressPairExhausted", "The number of allowed address pair exceeds the maximum 10.", .PUT,
                        "ports/\(port)", ["port": ["allowed_address_pairs": pairs]]),
                    Refusal(
                        400, "PortSecurityAndIPRequiredForSecurityGroups",
                        "Port security must be enabled and port must have an IP address in order to use security groups.", .PUT,
                        "ports/\(open)", ["port": ["security_groups": [group]]]),
                    Refusal(
                        409, "PortSecurityPortHasSecurityGroup",
                        "Port has security group associated. Cannot disable port security or IP address until security group is removed.",
                        .PUT, "ports/\(port)", ["port": ["port_security_enabled": false]]),
                    Refusal(
                        409, "AddressPairAndPortSecurityRequired",
                        "Port Security must be enabled in order to have allowed address pairs on a port.", .PUT, "ports/\(paired)",
                        ["port": ["port_security_enabled": false]]),
                    Refusal(
                        409, "NetworkInUse",
                        "Unable to complete operation on network \(small). There are one or more ports still in use on the network, id for "
                            + "these ports is: \(try await client.list("ports", "?network_id=\(small)").first?["id"]?.stringValue ?? "").",
                        .DELETE, "networks/\(small)"),
                    Refusal(
                        409, "SecurityGroupInUse", "Security Group \(group.stringValue ?? "") in use.", .DELETE,
                        "security-groups/\(group.stringValue ?? "")"),
                    Refusal(
                        400, "InvalidCIDR", "Invalid CIDR 10.0.0.0/99 given as IP prefix.", .POST, "security-group-rules",
                        ["security_group_rule": ["security_group_id": group, "direction": "ingress", "remote_ip_prefix": "10.0.0.0/99"]]),
                    Refusal(
                        404, "QosPolicyNotFound", "QoS policy 00000000-0000-4000-8000-000000000001 could not be found.", .GET,
                        "qos/policies/00000000-0000-4000-8000-000000000001"),
                ], client)
        }
    }

    @Test("Routers and floating IPs")
    func routers() async throws {
        try await withServer { client in
            let network = try await client.make("networks", ["name": "n"])
            let subnet = try await client.subnet(on: network)
            let (external, outside) = try await client.externalNetwork()
            let router = try await client.make(
                "routers", ["name": "r", "external_gateway_info": ["network_id": .string(external)]])
            let path = "routers/\(router)"
            let interface =
                try await client.put("\(path)/add_router_interface", ["subnet_id": .string(subnet)])["port_id"]?.stringValue ?? ""
            #expect(
                try await client.put(path, ["router": ["routes": [["destination": "192.0.2.0/24", "nexthop": "10.0.0.9"]]]]).status == 200)
            let port = try await client.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.9"]], "device_id": "vm"])
            let floating = try await client.make("floatingips", ["floating_network_id": .string(external), "port_id": .string(port)])
            let free = try await client.make(
                "floatingips", ["floating_network_id": .string(external), "floating_ip_address": "203.0.113.99"])
            let gateway = try await client.list("ports", "?device_owner=network:router_gateway").first?["id"]?.stringValue ?? ""
            let tight = try await client.make("networks", ["router:external": true])
            _ = try await client.subnet(on: tight, "198.51.100.0/30", ["enable_dhcp": false])
            _ = try await client.make("routers", ["external_gateway_info": ["network_id": .string(tight)]])
            let other = try await client.make("networks")
            let otherSubnet = try await client.subnet(on: other, "10.5.0.0/24")
            let routes = JSONValue.array((1...31).map { ["destination": .string("192.0.\($0).0/24"), "nexthop": "10.0.0.9"] })
            try await check(
                [
                    Refusal(
                        400, "SubnetMismatchForPort", "Subnet on port \(interface) does not match the requested subnet \(otherSubnet).",
                        .PUT, "\(path)/remove_router_interface", ["port_id": .string(interface), "subnet_id": .string(otherSubnet)]),
                    Refusal(
                        409, "RouterInUse", "Router \(router) has ports still attached: \(interface)", .DELETE, path),
                    Refusal(
                        409, "RouterInterfaceInUseByFloatingIP",
                        "Router interface for subnet \(subnet) on router \(router) cannot be deleted, as it is required by one or more floating "
                            + "IPs.", .PUT, "\(path)/remove_router_interface", ["subnet_id": .string(subnet)]),
                    Refusal(
                        409, "RouterExternalGatewayInUseByFloatingIp",
                        "Gateway cannot be updated for router \(router), since a gateway to external network \(external) is required by one or "
                            + "more floating IPs.", .PUT, path, ["router": ["external_gateway_info": nil]]),
                    Refusal(
                        400, "InvalidRoutes",
                        "Invalid format for routes: [{'destination': '192.0.2.0/24', 'nexthop': '172.16.0.1'}], the nexthop is not connected "
                            + "with router", .PUT, path,
                        ["router": ["routes": [["destination": "192.0.2.0/24", "nexthop": "172.16.0.1"]]]]),
                    Refusal(
                        400, "RoutesExhausted",
                        "Unable to complete operation for \(router). The number of routes exceeds the maximum 30.", .PUT, path,
                        ["router": ["routes": routes]]),
                    Refusal(
                        409, "PortInUse",
                        "Unable to complete operation on port \(port) for network \(network). Port already has an attached device vm.",
                        .PUT,
                        "\(path)/add_router_interface", ["port_id": .string(port)]),
                    Refusal(
                        409, "ServicePortInUse",
                        "Port \(gateway) cannot be deleted directly via the port API: has device owner network:router_gateway.", .DELETE,
                        "ports/\(gateway)"),
                    Refusal(
                        409, "FloatingIPPortAlreadyAssociated",
                        "Cannot associate floating IP 203.0.113.99 (\(free)) with port \(port) using fixed IP 10.0.0.9, as that fixed IP "
                            + "already has a floating IP on external network \(external).", .PUT, "floatingips/\(free)",
                        ["floatingip": ["port_id": .string(port)]]),
                    Refusal(
                        400, "ExternalIpAddressExhausted", "Unable to find any IP address on external network \(tight).", .POST,
                        "floatingips", ["floatingip": ["floating_network_id": .string(tight)]]),
                    Refusal(
                        409, "ExternalNetworkInUse",
                        "External network \(external) cannot be updated to be made non-external, since it has existing gateway ports.",
                        .PUT,
                        "networks/\(external)", ["network": ["router:external": false]]),
                    Refusal(
                        409, "SubnetInUse",
                        "Unable to complete operation on subnet \(outside): One or more ports have an IP allocation from this subnet.",
                        .DELETE, "subnets/\(outside)"),
                ], client)
            #expect(try await client.put("floatingips/\(floating)", ["floatingip": ["port_id": nil]]).status == 200)
            try await check(
                [
                    Refusal(
                        409, "RouterInterfaceInUseByRoute",
                        "Router interface for subnet \(subnet) on router \(router) cannot be deleted, as it is required by one or more routes.",
                        .PUT, "\(path)/remove_router_interface", ["subnet_id": .string(subnet)])
                ], client)
        }
    }

    @Test("Agents and flavors")
    func agents() async throws {
        try await withServer { client in
            for host in ["h1", "h2"] { try await HostAgent(client: client, host: host).report() }
            let network = try await client.make("networks")
            _ = try await client.subnet(on: network)
            let router = try await client.make("routers")
            func agent(_ type: String, on host: String) async throws -> String {
                let query = "?agent_type=\(type.replacing(" ", with: "%20"))&host=\(host)"
                return try await client.list("agents", query).first?["id"]?.stringValue ?? ""
            }
            let member = try await client.get("routers/\(router)/l3-agents").body["agents"]?.arrayValue?.first
            let host = member?["host"]?.stringValue ?? ""
            let (l3, other) = (member?["id"]?.stringValue ?? "", try await agent("L3 Agent", on: host == "h1" ? "h2" : "h1"))
            let server = try await client.get("networks/\(network)/dhcp-agents").body["agents"]?.arrayValue?.first?["id"]?.stringValue ?? ""
            let flavor = try await client.make("flavors", ["name": "off", "service_type": "L3_ROUTER_NAT", "enabled": false])
            try await check(
                [
                    Refusal(
                        409, "RouterHostedByL3Agent", "The router \(router) has been already hosted by the L3 Agent \(l3).", .POST,
                        "agents/\(other)/l3-routers", ["router_id": .string(router)]),
                    Refusal(
                        409, "RouterNotHostedByL3Agent", "The router \(router) is not hosted by the L3 Agent \(other).", .DELETE,
                        "agents/\(other)/l3-routers/\(router)"),
                    Refusal(
                        404, "InvalidL3Agent", "Agent \(server) is not a L3 Agent or has been disabled", .POST,
                        "agents/\(server)/l3-routers", ["router_id": .string(router)]),
                    Refusal(
                        409, "NetworkHostedByDHCPAgent", "The network \(network) has been already hosted by the DHCP Agent \(server).",
                        .POST,
                        "agents/\(server)/dhcp-networks", ["network_id": .string(network)]),
                    Refusal(
                        503, "FlavorDisabled", "Flavor is not enabled.", .POST, "routers", ["router": ["flavor_id": .string(flavor)]]),
                    Refusal(
                        400, "InvalidServiceType", "Invalid service type: VPN.", .POST, "flavors", ["flavor": ["service_type": "VPN"]]),
                ], client)
        }
    }

    @Test("Quotas, grants and what only administrators may do")
    func rights() async throws {
        try await withIdentity { cloud in
            let (anna, _, project) = try await cloud.member("anna", of: "blue")
            let client = cloud.client
            let network = try await cloud.network(.POST, "networks", ["network": ["shared": true, "name": "s"]]).id
            let theirs = try await anna.network(.POST, "networks", ["network": ["name": "a"]]).id
            let grant: JSONValue = [
                "rbac_policy": [
                    "object_type": "network", "object_id": .string(network), "action": "access_as_shared",
                    "target_tenant": .string(project),
                ]
            ]
            #expect(try await cloud.network(.POST, "rbac-policies", grant).status == 201)
            let wildcard = try await cloud.network(.GET, "rbac-policies?target_tenant=*").body["rbac_policies"]?.arrayValue?.first
            let shared = wildcard?["id"]?.stringValue ?? ""
            _ = try await cloud.network(.PUT, "quotas/\(project)", ["quota": ["network": 1]])
            let answers: [(IdentityCloud, Refusal)] = [
                (
                    cloud,
                    Refusal(409, "DuplicateRbacPolicy", "An RBAC policy already exists with those values.", .POST, "rbac-policies", grant)
                ),
                (
                    anna,
                    Refusal(
                        409, "OverQuota", "Quota exceeded for resources: ['network'].", .POST, "networks", ["network": ["name": "b"]])
                ),
                (
                    anna,
                    Refusal(
                        404, "NetworkNotFound", "Network 00000000-0000-4000-8000-000000000001 could not be found.", .GET,
                        "networks/00000000-0000-4000-8000-000000000001")
                ),
            ]
            for (caller, refusal) in answers {
                let answer = try await client.send(
                    refusal.method, "/v2.0/\(refusal.path)", refusal.body, headers: [("X-Auth-Token", caller.token)])
                #expect(
                    answer.status == refusal.status && answer.errorType == refusal.type && answer.message == refusal.message
                        && answer.body["NeutronError"]?["detail"] == "", "\(answer)")
            }
            // A project that uses what the grant gives keeps it.
            let port = try await anna.network(.POST, "ports", ["port": ["network_id": .string(network)]])
            #expect(port.status == 201, "\(port)")
            let used = try await cloud.network(.PUT, "networks/\(network)", ["network": ["shared": false]])
            #expect(used.status == 200, "the other grant is enough: \(used)")
            #expect(!shared.isEmpty && !theirs.isEmpty)
            let own = try await cloud.network(.GET, "rbac-policies?target_tenant=\(project)").body["rbac_policies"]?.arrayValue?.first
            let id = own?["id"]?.stringValue ?? ""
            let kept = try await cloud.network(.DELETE, "rbac-policies/\(id)")
            #expect(kept.status == 409 && kept.errorType == "RbacPolicyInUse", "\(kept)")
            #expect(
                kept.message
                    == "RBAC policy on object \(network) cannot be removed because other objects depend on it.\nDetails: The network is in use "
                    + "by projects that this policy gives access to.")
            let forbidden = try await anna.network(.PUT, "networks/\(theirs)", ["network": ["shared": true]])
            #expect(forbidden.status == 403 && forbidden.errorType == "PolicyNotAuthorized", "\(forbidden)")
            #expect(forbidden.message?.hasSuffix("is disallowed by policy") == true)
            let quota = try await anna.network(.PUT, "quotas/\(project)", ["quota": ["network": 9]])
            #expect(quota.status == 403, "\(quota)")
            // A token without a project has no quotas.
            let unscoped = try await cloud.login(IdentityCloud.body("anna", "secret"))
            let token = unscoped.headers.first(name: "X-Subject-Token") ?? ""
            let missing = try await client.send(.GET, "/v2.0/quotas/tenant", headers: [("X-Auth-Token", token)])
            #expect(missing.status == 400 && missing.errorType == "QuotaMissingTenant", "\(missing)")
            #expect(missing.message == "Tenant-id was missing from quota request.")
        }
    }
}
