import APISchema
import ControllerServer
import TestSupport
import Testing

@Suite("OpenAPI")
struct OpenAPITests {
    /// What is made of other resources when it is asked for.
    private static let withoutTable = [
        "rule_types", "quotas", "availability_zones", "floatingip_pools", "service_providers", "network_ip_availabilities",
    ]

    @Test("The description has every collection with its schemas, every action, and the errors")
    func document() async throws {
        try await withServer { client in
            let answer = try await client.send(.GET, "/openapi.json")
            #expect(answer.status == 200 && answer.headers.first(name: "Content-Type") == "application/json")
            let document = answer.body
            #expect(document["openapi"] == "3.1.0")
            let paths = try #require(document["paths"]?.objectValue)
            for path in [
                "/", "/v2.0/networks", "/v2.0/networks/{id}", "/v2.0/ports/{id}/bindings/{host}", "/v2.0/routers/{id}/add_router_interface",
                "/v2.0/floatingips/{id}/port_forwardings/{part}", "/v2.0/networks/{id}/tags/{tag}", "/v2.0/quotas/{id}",
            ] { #expect(paths[path] != nil, "\(path)") }
            #expect(!paths.keys.contains { $0.hasPrefix("/agent") })

            // Every list that is announced shows what the description says of it.
            for resource in try await client.send(.GET, "/v2.0").body["resources"]?.arrayValue ?? [] {
                let plural = try #require(resource["collection"]?.stringValue)
                let address = try #require(resource["links"]?.arrayValue?.first?["href"]?.stringValue)
                let path = try #require(address.split(separator: "\(client.port)").last.map(String.init))
                let list = paths[path]?["get"]?["responses"]?["200"]?["content"]?["application/json"]?["schema"]
                #expect(list != nil, "\(path)")
                guard !Self.withoutTable.contains(plural) else { continue }
                #expect(list?["properties"]?[plural] != nil, "\(path) is described without its table: add the table to OpenAPIRoutes")
            }
        }
    }

    @Test("A resource's schemas have its attributes as the table has them")
    func schemas() async throws {
        try await withServer { client in
            let schemas = try await client.send(.GET, "/openapi.json").body["components"]?["schemas"]
            let shown = try #require(schemas?["Port"]?["properties"]?.objectValue)
            let id = try await client.port(on: client.make("networks"))
            let port = try await client.get("ports/\(id)").body["port"]?.objectValue ?? [:]
            #expect(Set(shown.keys) == Set(port.keys))
            let create = try #require(schemas?["PortCreate"])
            #expect(create["required"] == ["network_id"] && create["properties"]?["status"] == nil)
            #expect(create["properties"]?["name"]?["maxLength"] == 255 && create["additionalProperties"] == false)
            #expect(schemas?["PortUpdate"]?["properties"]?["network_id"] == nil)
            #expect(schemas?["SubnetUpdate"]?["properties"]?["gateway_ip"]?["anyOf"]?.arrayValue?.last == ["type": "null"])
        }
    }
}
