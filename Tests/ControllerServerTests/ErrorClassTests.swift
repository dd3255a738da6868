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
    func check(_ refusals: [Refusal], _ client: APIClient) async throws {
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
}
