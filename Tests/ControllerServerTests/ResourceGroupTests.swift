import APISchema
import TestSupport
import Testing

@Suite("Flavors, topologies and reports over HTTP")
struct ResourceGroupTests {
    @Test("Flavors, their profiles and providers have their paths")
    func flavors() async throws {
        try await withServer { client in
            let providers = try await client.get("service-providers").body["service_providers"]?.arrayValue ?? []
            #expect(providers.compactMap { $0["name"]?.stringValue } == ["ha", "single_node"])
            let flavor = try await client.make("flavors", ["service_type": "L3_ROUTER_NAT", "name": "gold"])
            let driver = "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver"
            let profile = try await client.make("service_profiles", ["driver": .string(driver)])
            let bound = try await client.post("flavors/\(flavor)/service_profiles", ["service_profile": ["id": .string(profile)]])
            #expect(bound.status == 201 && bound["service_profiles"] == [.string(profile)], "\(bound)")
            let next = try await client.get("flavors/\(flavor)/next_providers")
            #expect(next.body["next_providers"] == [["provider": "single_node", "driver": .string(driver)]], "\(next)")
            let router = try await client.make("routers", ["flavor_id": .string(flavor)])
            #expect(try await client.get("routers/\(router)")["flavor_id"] == .string(flavor))
            #expect(try await client.delete("flavors/\(flavor)").status == 409)
            #expect(try await client.delete("routers/\(router)").status == 204)
            #expect(try await client.delete("flavors/\(flavor)/service_profiles/\(profile)").status == 204)
            #expect(try await client.delete("flavors/\(flavor)").status == 204)
            #expect(try await client.delete("service_profiles/\(profile)").status == 204)
        }
    }

    @Test("A topology is made by GET, and availabilities count its addresses", arguments: Backend.allCases)
    func topology(_ backend: Backend) async throws {
        try await withServer(backend) { client in
            let dry = try await client.get("auto-allocated-topology/p?fields=dry-run")
            #expect(dry.status == 409 && dry.errorType == "AutoAllocationFailure", "\(dry)")
            let (external, _) = try await client.externalNetwork()
            #expect(try await client.put("networks/\(external)", ["network": ["is_default": true]])["is_default"] == true)
            _ = try await client.make(
                "subnetpools", ["name": "p", "prefixes": ["10.0.0.0/16"], "default_prefixlen": 24, "is_default": true, "shared": true])
            #expect(try await client.get("auto-allocated-topology/p?fields=dry-run").body["auto_allocated_topology"]?["id"] == "dry-run=pass")
            let made = try await client.get("auto-allocated-topology/p")
            #expect(made.status == 200 && made["project_id"] == "p", "\(made)")
            #expect(try await client.get("auto-allocated-topology/p?fields=x").status == 400)
            let counted = try await client.get("network-ip-availabilities/\(made.id)")
            #expect(counted["total_ips"] == 253 && counted["used_ips"] == 1, "\(counted)")
            let all = try await client.get("network-ip-availabilities?project_id=p&fields=network_id")
            #expect(all.body["network_ip_availabilities"] == [["network_id": .string(made.id)]])
            #expect(try await client.get("network-ip-availabilities?x=1").status == 400)
            #expect(try await client.delete("auto-allocated-topology/p").status == 204)
            #expect(try await client.get("networks/\(made.id)").status == 404)
        }
    }
}
