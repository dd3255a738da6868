import APISchema
import ControllerServer
import NIOHTTP1
import TestSupport
import Testing

/// The classes of what is behind a network: routers, agents, rights.
extension ErrorClassTests {
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
