import APISchema
import TestSupport
import Testing

@Suite("Router features over HTTP")
struct RouterFeatureTests {
    /// An external network, a router to it, and a port behind it at 10.0.0.5.
    private func topology(_ client: APIClient) async throws -> (external: String, router: String, port: String) {
        let (external, _) = try await client.externalNetwork()
        let network = try await client.make("networks")
        let subnet = try await client.subnet(on: network)
        let router = try await client.make("routers", ["external_gateway_info": ["network_id": .string(external)]])
        #expect(try await client.put("routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)]).status == 200)
        return (external, router, try await client.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.5"]]]))
    }

    @Test("Port forwardings are parts of their floating IP", arguments: Backend.allCases)
    func portForwardings(_ backend: Backend) async throws {
        try await withServer(backend) { client in
            let (external, router, port) = try await topology(client)
            let floating = try await client.make("floatingips", ["floating_network_id": .string(external)])
            let path = "floatingips/\(floating)/port_forwardings"
            let body: [String: JSONValue] = [
                "protocol": "tcp", "external_port": 80, "internal_port": 8080, "internal_ip_address": "10.0.0.5",
                "internal_port_id": .string(port), "description": "web",
            ]
            let made = try await client.post(path, ["port_forwarding": .object(body)])
            #expect(made.status == 201, "\(made)")
            let expected = body.merging(
                ["id": .string(made.id), "external_port_range": "80:80", "internal_port_range": "8080:8080"]
            ) { $1 }
            #expect(made.body["port_forwarding"] == .object(expected))
            #expect(try await client.get("\(path)/\(made.id)").body == made.body)
            #expect(try await client.get("\(path)?external_port=80").body["port_forwardings"]?.arrayValue?.count == 1)
            #expect(try await client.get("\(path)?protocol=udp&fields=id").body["port_forwardings"] == [])
            #expect(try await client.get("\(path)?internal_port=1").status == 400)
            let shown = try await client.get("floatingips/\(floating)")
            #expect(shown["router_id"] == .string(router) && shown["port_details"] == .null)
            var copy = expected
            for name in ["description", "external_port_range", "internal_port_range"] { copy[name] = nil }
            #expect(shown["port_forwardings"] == [.object(copy)])

            let twice = try await client.post(path, ["port_forwarding": .object(body)])
            #expect(twice.status == 400 && twice.errorType == "BadRequest", "\(twice)")
            let whole = try await client.put("floatingips/\(floating)", ["floatingip": ["port_id": .string(port)]])
            #expect(whole.status == 409 && whole.errorType == "FipInUseByPortForwarding", "\(whole)")
            let changed = try await client.put("\(path)/\(made.id)", ["port_forwarding": ["external_port": 81]])
            #expect(changed.status == 200 && changed["external_port_range"] == "81:81")
            let bulk = try await client.post(
                path,
                [
                    "port_forwardings": [
                        .object(body.merging(["internal_port": 1]) { $1 }),
                        .object(body.merging(["internal_port": 2, "external_port": 2]) { $1 }),
                    ]
                ])
            #expect(bulk.status == 201 && bulk.body["port_forwardings"]?.arrayValue?.count == 2, "\(bulk)")
            #expect(try await client.delete("\(path)/\(made.id)").status == 204)
            let gone = try await client.get("\(path)/\(made.id)")
            #expect(gone.status == 404 && gone.message == "Port Forwarding \(made.id) could not be found.")
            #expect(try await client.get("floatingips/\(router)/port_forwardings").errorType == "FloatingIPNotFound")
        }
    }

    @Test("Connection helpers are parts of their router, and routers show them without their ids")
    func connectionHelpers() async throws {
        try await withServer { client in
            let router = try await client.make("routers")
            #expect(try await client.get("routers/\(router)")["conntrack_helpers"] == [])
            let path = "routers/\(router)/conntrack_helpers"
            let ftp: [String: JSONValue] = ["protocol": "tcp", "port": 21, "helper": "ftp"]
            let made = try await client.post(path, ["conntrack_helper": .object(ftp)])
            #expect(made.status == 201 && made.body["conntrack_helper"] == .object(ftp.merging(["id": .string(made.id)]) { $1 }), "\(made)")
            #expect(try await client.get("routers/\(router)")["conntrack_helpers"] == [.object(ftp)])
            #expect(try await client.get("\(path)?helper=tftp").body["conntrack_helpers"] == [])
            #expect(try await client.put("\(path)/\(made.id)", ["conntrack_helper": ["port": 2121]])["port"] == 2121)
            let wrong = try await client.put("\(path)/\(made.id)", ["conntrack_helper": ["protocol": "udp"]])
            #expect(wrong.status == 400 && wrong.errorType == "InvalidProtocolForHelper")
            #expect(try await client.delete("\(path)/\(made.id)").status == 204)
            #expect(try await client.get("routers/\(router)")["conntrack_helpers"] == [])
        }
    }

    @Test("Gateways are added, put in another order and removed by actions, and the first is external_gateway_info")
    func gateways() async throws {
        try await withServer { client in
            let (first, router, _) = try await topology(client)
            let second = try await client.make("networks", ["router:external": true])
            _ = try await client.make(
                "subnets", ["network_id": .string(second), "cidr": "198.51.100.0/24", "ip_version": 4, "enable_dhcp": false])
            func change(_ action: String, _ networks: [String]) async throws -> [String?] {
                let entries = networks.map { JSONValue.object(["network_id": .string($0)]) }
                let answer = try await client.put(
                    "routers/\(router)/\(action)_external_gateways", ["router": ["external_gateways": .array(entries)]])
                #expect(answer.status == 200, "\(answer)")
                let gateways = answer["external_gateways"]?.arrayValue ?? []
                #expect(answer["external_gateway_info"]?["network_id"] == gateways.first?["network_id"])
                return gateways.map { $0["network_id"]?.stringValue }
            }
            #expect(try await change("add", [second]) == [first, second])
            #expect(try await change("update", [second, first]) == [second, first])
            #expect(try await change("remove", [second]) == [first])
            let missing = try await client.put(
                "routers/\(router)/remove_external_gateways", ["router": ["external_gateways": [["network_id": .string(second)]]]])
            #expect(missing.status == 400 && missing.errorType == "UnableToMatchGateways", "\(missing)")
            let shared = try await client.put("routers/\(router)", ["router": ["enable_default_route_ecmp": true]])
            #expect(shared["enable_default_route_ecmp"] == true, "\(shared)")
            let aliases = try await client.list("extensions").compactMap { $0["alias"]?.stringValue }
            #expect(aliases.contains("external-gateway-multihoming") && !aliases.contains("enable-default-route-bfd"))
        }
    }

    @Test("Extra routes are added and removed by actions, and pools of floating IPs are listed")
    func actions() async throws {
        try await withServer { client in
            let (external, router, _) = try await topology(client)
            let route: JSONValue = ["destination": "10.9.0.0/24", "nexthop": "10.0.0.9"]
            let added = try await client.put("routers/\(router)/add_extraroutes", ["router": ["routes": [route]]])
            #expect(added.status == 200 && added["routes"] == [route], "\(added)")
            let removed = try await client.put("routers/\(router)/remove_extraroutes", ["router": ["routes": [route]]])
            #expect(removed.status == 200 && removed["routes"] == [])
            let pools = try await client.get("floatingip_pools")
            #expect(pools.body["floatingip_pools"]?.arrayValue?.first?["network_id"] == .string(external))
            func poolCount(_ query: String) async throws -> Int? {
                try await client.get("floatingip_pools?\(query)").body["floatingip_pools"]?.arrayValue?.count
            }
            let all = try #require(try await poolCount("limit=0"))
            #expect(try await poolCount("limit=1") == 1)
            #expect(try await poolCount("network_id=\(external)") == all)
            #expect(try await poolCount("network_id=\(router)") == 0)
            #expect(try await poolCount("network_id=\(router)&network_id=\(external)") == all)
            #expect(try await client.get("floatingip_pools?limit=-1").status == 400)
            let aliases = try await client.list("extensions").compactMap { $0["alias"]?.stringValue }
            #expect(Set(aliases).isSuperset(of: ["extraroute-atomic", "floatingip-pools", "fip-port-details", "l3-conntrack-helper"]))
        }
    }
}
