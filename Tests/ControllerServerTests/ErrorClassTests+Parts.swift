import APISchema
import ControllerServer
import NIOHTTP1
import TestSupport
import Testing

/// The classes of what hangs on networks, ports, routers and agents.
extension ErrorClassTests {
    private static let nobody = "00000000-0000-4000-8000-000000000001"

    @Test("MTUs, automatic addresses, bindings and shared floating IPs")
    func portParts() async throws {
        try await withServer { client in
            try await HostAgent(client: client, host: "h1").report()
            let network = try await client.make("networks", ["name": "n"])
            let subnet = try await client.subnet(on: network)
            let modern = try await client.make("networks", ["name": "six"])
            let automatic = try await client.make(
                "subnets",
                [
                    "network_id": .string(modern), "ip_version": 6, "cidr": "fd00::/64", "ipv6_ra_mode": "slaac",
                    "ipv6_address_mode": "slaac",
                ])
            let (external, _) = try await client.externalNetwork()
            let router = try await client.make("routers", ["external_gateway_info": ["network_id": .string(external)]])
            _ = try await client.put("routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)])
            let port = try await client.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.9"]]])
            let bound = try await client.make(
                "floatingips",
                [
                    "floating_network_id": .string(external), "port_id": .string(port), "floating_ip_address": "203.0.113.99",
                ])
            let free = try await client.make("floatingips", ["floating_network_id": .string(external)])
            let instance = try await client.port(on: network, ["device_owner": "compute:nova", "binding:host_id": "h1"])
            let bindings = "ports/\(instance)/bindings"
            try await check(
                [
                    Refusal(
                        409, "NetworkMTUSubnetConflict", "MTU of \(modern) is not valid, subnet requires a minimum of 1280", .PUT,
                        "networks/\(modern)", ["network": ["mtu": 1000]]),
                    Refusal(
                        400, "AllocationOnAutoAddressSubnet",
                        "IPv6 address fd00::5 cannot be directly assigned to a port on subnet \(automatic) as the subnet is configured for "
                            + "automatic addresses", .POST, "ports",
                        [
                            "port": [
                                "network_id": .string(modern), "fixed_ips": [["subnet_id": .string(automatic), "ip_address": "fd00::5"]],
                            ]
                        ]),
                    Refusal(
                        409, "PortHasBindingFloatingIP",
                        "Cannot create port forwarding to floating IP 203.0.113.99 (\(bound)) with port \(port) using fixed IP 10.0.0.9, as "
                            + "that port already has a binding floating IP.", .POST, "floatingips/\(free)/port_forwardings",
                        [
                            "port_forwarding": [
                                "protocol": "tcp", "external_port": 80, "internal_port": 80, "internal_port_id": .string(port),
                                "internal_ip_address": "10.0.0.9",
                            ]
                        ]),
                    Refusal(
                        404, "PortForwardingNotFound", "Port Forwarding \(Self.nobody) could not be found.", .GET,
                        "floatingips/\(free)/port_forwardings/\(Self.nobody)"),
                    Refusal(
                        404, "PortBindingNotFound", "Binding for port \(instance) for host h9 could not be found.", .GET,
                        "\(bindings)/h9"),
                    Refusal(
                        409, "PortBindingAlreadyExists", "Binding for port \(instance) on host h1 already exists.", .POST, bindings,
                        ["binding": ["host": "h1"]]),
                    Refusal(
                        409, "PortBindingAlreadyActive", "Binding for port \(instance) on host h1 is already active.", .PUT,
                        "\(bindings)/h1/activate"),
                    Refusal(
                        400, "PortBindingError", "Binding for port \(instance) on host nowhere could not be created or updated.", .POST,
                        bindings, ["binding": ["host": "nowhere"]]),
                    Refusal(
                        400, "BadRequest", "Bad port request: Invalid port \(port). Operation only valid on compute ports.", .POST,
                        "ports/\(port)/bindings", ["binding": ["host": "h1"]]),
                    Refusal(
                        400, "ConntrackHelperNotAllowed", "Conntrack Helper tea is not allowed.", .POST,
                        "routers/\(router)/conntrack_helpers",
                        ["conntrack_helper": ["protocol": "udp", "port": 69, "helper": "tea"]]),
                    Refusal(
                        404, "ConntrackHelperNotFound", "Conntrack Helper \(Self.nobody) could not be found.", .GET,
                        "routers/\(router)/conntrack_helpers/\(Self.nobody)"),
                ], client)
        }
    }

    @Test("Subnet pools that cannot be so")
    func poolParts() async throws {
        try await withServer { client in
            func pool(_ name: String, _ prefix: String, _ more: [String: JSONValue] = [:]) async throws -> String {
                let members: [String: JSONValue] = ["name": .string(name), "prefixes": [.string(prefix)], "default_prefixlen": 24]
                return try await client.make("subnetpools", members.merging(more) { $1 })
            }
            let scope = try await client.make("address-scopes", ["name": "four", "ip_version": 4])
            let sixes = try await client.make("address-scopes", ["name": "six", "ip_version": 6])
            let large = try await pool("large", "10.0.0.0/16")
            let small = try await pool("small", "10.5.0.0/24")
            _ = try await pool("scoped", "10.6.0.0/16", ["address_scope_id": .string(scope)])
            let network = try await client.make("networks", ["name": "pooled"])
            let first = try await client.make(
                "subnets", ["network_id": .string(network), "ip_version": 4, "subnetpool_id": .string(large)])
            let cidr = try await client.get("subnets/\(first)")["cidr"]?.stringValue ?? ""
            let full = try await client.make("networks", ["name": "full"])
            _ = try await client.make("subnets", ["network_id": .string(full), "ip_version": 4, "subnetpool_id": .string(small)])
            let joining = try await client.make("networks", ["name": "joining"])
            let own = try await client.subnet(on: joining, cidr)
            let fresh = try await client.make("networks", ["name": "fresh"])
            try await check(
                [
                    Refusal(
                        400, "IllegalSubnetPoolPrefixBounds", "Illegal prefix bounds: min_prefixlen=25, max_prefixlen=24.", .POST,
                        "subnetpools",
                        ["subnetpool": ["name": "b", "prefixes": ["10.9.0.0/16"], "min_prefixlen": 25, "max_prefixlen": 24]]),
                    Refusal(
                        400, "IllegalSubnetPoolPrefixUpdate",
                        "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes.", .PUT, "subnetpools/\(large)",
                        ["subnetpool": ["prefixes": ["10.0.0.0/17"]]]),
                    Refusal(
                        400, "IllegalSubnetPoolPrefixUpdate",
                        "Illegal update to prefixes: One or more the prefixes to be removed is in use by a subnet.", .PUT,
                        "subnetpools/\(large)/remove_prefixes", ["prefixes": ["10.0.0.0/16"]]),
                    Refusal(
                        400, "IllegalSubnetPoolUpdate",
                        "Illegal subnetpool update : Onboarding subnet \(own): \(cidr) conflicts with allocated prefixes in subnet pool "
                            + "\(large).", .PUT, "subnetpools/\(large)/onboard_network_subnets", ["network_id": .string(joining)]),
                    Refusal(
                        400, "IllegalSubnetPoolIpVersionAssociationToAddressScope",
                        "Illegal subnetpool association: subnetpool \(large) cannot associate with address scope \(sixes) because "
                            + "subnetpool ip_version is not 6.", .PUT, "subnetpools/\(large)",
                        ["subnetpool": ["address_scope_id": .string(sixes)]]),
                    Refusal(
                        409, "AddressScopePrefixConflict",
                        "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.", .POST,
                        "subnetpools",
                        ["subnetpool": ["name": "c", "prefixes": ["10.6.0.0/24"], "address_scope_id": .string(scope)]]),
                    Refusal(
                        400, "SubnetPoolDeleteError", "Unable to delete subnet pool: Subnet pool has existing allocations.", .DELETE,
                        "subnetpools/\(large)"),
                    Refusal(
                        409, "SubnetAllocationError",
                        "Failed to allocate subnet: Insufficient prefix space to allocate subnet size /24.", .POST, "subnets",
                        ["subnet": ["network_id": .string(fresh), "ip_version": 4, "subnetpool_id": .string(small)]]),
                ], client)
        }
    }

    @Test("Segments and their ranges")
    func segmentParts() async throws {
        try await withServer { client in
            let network = try await client.make("networks", ["name": "plain"])
            let only = try await client.list("segments", "?network_id=\(network)").first?["id"]?.stringValue ?? ""
            let routed = try await client.make("networks", ["name": "routed"])
            let segment = try await client.list("segments", "?network_id=\(routed)").first?["id"]?.stringValue ?? ""
            let subnet = try await client.subnet(on: routed, "10.0.0.0/24", ["segment_id": .string(segment)])
            let standard = try await client.list("network_segment_ranges").first { $0["default"] == true }?["id"]?.stringValue ?? ""
            let numbers: [String: JSONValue] = [
                "name": "r", "network_type": "vlan", "physical_network": "physnet7", "minimum": 100, "maximum": 200,
            ]
            let range = try await client.make("network_segment_ranges", numbers)
            _ = try await client.make(
                "networks",
                ["provider:network_type": "vlan", "provider:physical_network": "physnet7", "provider:segmentation_id": 150])
            func ranges(_ more: [String: JSONValue]) -> JSONValue { ["network_segment_range": .object(numbers.merging(more) { $1 })] }
            func on(_ network: String, _ cidr: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
                ["subnet": .object(["network_id": .string(network), "ip_version": 4, "cidr": .string(cidr)].merging(more) { $1 })]
            }
            let entry: JSONValue = [
                "provider:network_type": "vlan", "provider:physical_network": "physnet1", "provider:segmentation_id": 1,
            ]
            try await check(
                [
                    Refusal(404, "SegmentNotFound", "Segment \(Self.nobody) could not be found.", .GET, "segments/\(Self.nobody)"),
                    Refusal(
                        409, "SegmentInUse", "Segment '\(only)' cannot be deleted: It is the only segment of its network.", .DELETE,
                        "segments/\(only)"),
                    Refusal(
                        409, "SegmentInUse",
                        "Segment '\(segment)' cannot be deleted: The segment is still associated with subnet(s) \(subnet).", .DELETE,
                        "segments/\(segment)"),
                    Refusal(
                        400, "SubnetsNotAllAssociatedWithSegments",
                        "All of the subnets on network '\(routed)' must either all be associated with segments or all not associated with "
                            + "any segment.", .POST, "subnets", on(routed, "10.1.0.0/24")),
                    Refusal(
                        400, "NetworkIdsDontMatch",
                        "The subnet's network id, '\(network)', doesn't match the network_id of segment '\(segment)'", .POST, "subnets",
                        on(network, "10.1.0.0/24", ["segment_id": .string(segment)])),
                    Refusal(
                        400, "SubnetSegmentAssociationChangeNotAllowed",
                        "A subnet that is already associated with a segment cannot have its segment association changed.", .PUT,
                        "subnets/\(subnet)", ["subnet": ["segment_id": nil]]),
                    Refusal(
                        400, "SegmentsContainDuplicateEntry", "Duplicate segment entry in request.", .POST, "networks",
                        ["network": ["segments": [entry, entry]]]),
                    Refusal(
                        404, "NetworkSegmentRangeNotFound", "Network Segment Range \(Self.nobody) could not be found.", .GET,
                        "network_segment_ranges/\(Self.nobody)"),
                    Refusal(
                        400, "NetworkSegmentRangeDefaultReadOnly",
                        "Network Segment Range \(standard) is a default segment range which could not be updated or deleted.", .DELETE,
                        "network_segment_ranges/\(standard)"),
                    Refusal(
                        400, "NetworkSegmentRangeNetTypeNotSupported", "Network type gre does not support network segment ranges.", .POST,
                        "network_segment_ranges", ranges(["network_type": "gre"])),
                    Refusal(
                        400, "NetworkVlanRangeError",
                        "Invalid network VLAN range: '5:2' - 'End of VLAN range is less than start of VLAN range'.", .POST,
                        "network_segment_ranges", ranges(["minimum": 5, "maximum": 2])),
                    Refusal(
                        400, "NetworkTunnelRangeError",
                        "Invalid network tunnel range: '1:16777216' - 16777216 is not a valid vxlan identifier.", .POST,
                        "network_segment_ranges",
                        [
                            "network_segment_range": ["name": "t", "network_type": "vxlan", "minimum": 1, "maximum": 16_777_216]
                        ]),
                    Refusal(
                        409, "NetworkSegmentRangeOverlaps", "Network segment range overlaps with range(s) with id \(range)", .POST,
                        "network_segment_ranges", ranges(["minimum": 200, "maximum": 300])),
                    Refusal(
                        409, "NetworkSegmentRangeReferencedByProject",
                        "Network Segment Range \(range) is referenced by one or more project networks.", .DELETE,
                        "network_segment_ranges/\(range)"),
                ], client)
        }
    }

    @Test("QoS policies and their rules")
    func qualityParts() async throws {
        try await withServer { client in
            func policy(_ name: String, _ more: [String: JSONValue] = [:]) async throws -> String {
                let body: JSONValue = ["policy": .object(["name": .string(name)].merging(more) { $1 })]
                let made = try await client.post("qos/policies", body)
                try #require(made.status == 201, "\(made)")
                return made.id
            }
            let standard = try await policy("standard", ["is_default": true])
            let project = try await client.get("qos/policies/\(standard)")["project_id"]?.stringValue ?? ""
            let used = try await policy("used")
            let limit: JSONValue = ["bandwidth_limit_rule": ["max_kbps": 1000]]
            let rule = try await client.post("qos/policies/\(used)/bandwidth_limit_rules", limit)
            try #require(rule.status == 201, "\(rule)")
            let network = try await client.make("networks", ["qos_policy_id": .string(used)])
            let plain = try await client.make("networks")
            let direct = try await client.port(on: plain, ["binding:vnic_type": "direct"])
            try await check(
                [
                    Refusal(
                        409, "QosPolicyInUse", "QoS Policy \(used) is used by network \(network).", .DELETE, "qos/policies/\(used)"),
                    Refusal(
                        404, "QosRuleNotFound", "QoS rule \(Self.nobody) for policy \(used) could not be found.", .GET,
                        "qos/policies/\(used)/bandwidth_limit_rules/\(Self.nobody)"),
                    Refusal(
                        409, "QoSRulesConflict",
                        "Rule bandwidth_limit conflicts with rule \(rule.id) which already exists in QoS Policy \(used).", .POST,
                        "qos/policies/\(used)/bandwidth_limit_rules", limit),
                    Refusal(
                        409, "QoSPolicyDefaultAlreadyExists", "A default QoS policy exists for project \(project).", .POST,
                        "qos/policies", ["policy": ["name": "second", "is_default": true]]),
                    Refusal(
                        409, "QosRuleNotSupported", "Rule bandwidth_limit is not supported by port \(direct)", .PUT, "ports/\(direct)",
                        ["port": ["qos_policy_id": .string(used)]]),
                ], client)
        }
    }

    @Test("Agents that cannot have what they are given, and flavors")
    func agentParts() async throws {
        try await withServer { client in
            for host in ["h1", "h2"] { try await HostAgent(client: client, host: host).report() }
            let network = try await client.make("networks")
            _ = try await client.subnet(on: network)
            let router = try await client.make("routers", ["ha": true])
            // A host that no tunnel leads to has no way to the network of the router's members.
            try await HostAgent(client: client, host: "h3").report(hasTunnel: false)
            func agent(_ type: String, on host: String) async throws -> String {
                let query = "?agent_type=\(type.replacing(" ", with: "%20"))&host=\(host)"
                return try await client.list("agents", query).first?["id"]?.stringValue ?? ""
            }
            let (l3, dhcp) = (try await agent("L3 Agent", on: "h3"), try await agent("DHCP Agent", on: "h3"))
            let flavor = try await client.make("flavors", ["name": "gold", "service_type": "L3_ROUTER_NAT"])
            let empty = try await client.make("flavors", ["name": "empty", "service_type": "L3_ROUTER_NAT"])
            let off = try await client.make("flavors", ["name": "off", "service_type": "L3_ROUTER_NAT"])
            let driver: JSONValue = "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver"
            let profile = try await client.make("service_profiles", ["driver": driver])
            let disabled = try await client.make("service_profiles", ["driver": driver, "enabled": false])
            for (flavor, profile) in [(flavor, profile), (off, disabled)] {
                let bound = try await client.post("flavors/\(flavor)/service_profiles", ["service_profile": ["id": .string(profile)]])
                #expect(bound.status == 201, "\(bound)")
            }
            _ = try await client.make("routers", ["flavor_id": .string(flavor)])
            try await check(
                [
                    Refusal(
                        409, "RouterSchedulingFailed", "Failed scheduling router \(router) to the L3 Agent \(l3).", .POST,
                        "agents/\(l3)/l3-routers", ["router_id": .string(router)]),
                    Refusal(
                        404, "InvalidDHCPAgent", "Agent \(l3) is not a valid DHCP Agent or has been disabled.", .POST,
                        "agents/\(l3)/dhcp-networks", ["network_id": .string(network)]),
                    Refusal(
                        409, "NetworkNotHostedByDhcpAgent", "The network \(network) is not hosted by the DHCP Agent \(dhcp).", .DELETE,
                        "agents/\(dhcp)/dhcp-networks/\(network)"),
                    Refusal(409, "FlavorInUse", "Flavor \(flavor) is used by some service instance.", .DELETE, "flavors/\(flavor)"),
                    Refusal(
                        404, "FlavorNotFound", "Flavor \(Self.nobody) could not be found.", .GET, "flavors/\(Self.nobody)"),
                    Refusal(
                        404, "FlavorServiceProfileBindingNotFound",
                        "Service Profile \(profile) is not associated with flavor \(empty).", .DELETE,
                        "flavors/\(empty)/service_profiles/\(profile)"),
                    Refusal(
                        409, "FlavorServiceProfileBindingExists",
                        "Service Profile \(profile) is already associated with flavor \(flavor).", .POST,
                        "flavors/\(flavor)/service_profiles", ["service_profile": ["id": .string(profile)]]),
                    Refusal(
                        404, "ServiceProfileNotFound", "Service Profile \(Self.nobody) could not be found.", .POST,
                        "flavors/\(empty)/service_profiles", ["service_profile": ["id": .string(Self.nobody)]]),
                    Refusal(
                        409, "ServiceProfileInUse", "Service Profile \(profile) is used by some service instance.", .DELETE,
                        "service_profiles/\(profile)"),
                    Refusal(
                        400, "ServiceProfileEmpty", "Service Profile needs either a driver or metainfo.", .POST, "service_profiles",
                        ["service_profile": [:]]),
                    Refusal(
                        404, "ServiceProfileDriverNotFound", "Service Profile driver tea could not be found.", .POST,
                        "service_profiles", ["service_profile": ["driver": "tea"]]),
                    Refusal(
                        503, "ServiceProfileDisabled", "Service Profile is not enabled.", .GET, "flavors/\(off)/next_providers"),
                ], client)
            let unavailable = try await client.get("flavors/\(off)/next_providers")
            #expect(unavailable.headers.first(name: "Retry-After") == "1", "\(unavailable.headers)")
        }
    }

    @Test("A port is no interface of another project's router, and what rules forbid is said with their names")
    func forbidden() async throws {
        try await withIdentity { cloud in
            let (anna, _, _) = try await cloud.member("anna", of: "blue")
            let (bert, _, _) = try await cloud.member("bert", of: "red")
            let network = try await anna.network(.POST, "networks", ["network": ["name": "a"]]).id
            let router = try await bert.network(.POST, "routers", ["router": ["name": "r"]]).id
            let claimed = try await anna.network(
                .POST, "ports",
                [
                    "port": [
                        "network_id": .string(network), "device_owner": "network:router_interface", "device_id": .string(router),
                    ]
                ])
            let own = "The following device_id \(router) is not owned by your project or matches another project router."
            #expect(
                claimed.status == 409
                    && claimed.body == ["NeutronError": ["type": "DeviceIDNotOwnedByTenant", "message": .string(own), "detail": ""]],
                "\(claimed)")
            let shared = try await anna.network(.PUT, "networks/\(network)", ["network": ["shared": true]])
            let rule = "(rule:update_network and rule:update_network:shared) is disallowed by policy"
            #expect(
                shared.status == 403
                    && shared.body == ["NeutronError": ["type": "PolicyNotAuthorized", "message": .string(rule), "detail": ""]],
                "\(shared)")
            #expect(try await anna.network(.GET, "ports").body == ["ports": []])
            #expect(try await anna.network(.GET, "networks/\(network)")["shared"] == false)
        }
    }
}
