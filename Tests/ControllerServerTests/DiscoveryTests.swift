import APISchema
import ControllerServer
import TestSupport
import Testing

@Suite("Discovery")
struct DiscoveryTests {
    @Test("Clients find the version, the resources and the extensions, and each request has an id")
    func discovery() async throws {
        try await withServer { client in
            let versions = try await client.send(.GET, "/")
            #expect(versions.body["versions"]?.arrayValue?.first?["id"] == "v2.0")
            #expect(versions.body["versions"]?.arrayValue?.first?["status"] == "CURRENT")
            #expect(versions.headers.first(name: "Content-Type") == "application/json")
            let href = versions.body["versions"]?.arrayValue?.first?["links"]?.arrayValue?.first?["href"]?.stringValue
            #expect(href == "http://127.0.0.1:\(client.port)/v2.0/")

            // With and without the slash at the end.
            for path in ["/v2.0", "/v2.0/"] {
                let resources = try await client.send(.GET, path).body["resources"]?.arrayValue ?? []
                let collections = Set(resources.compactMap { $0["collection"]?.stringValue })
                #expect(
                    collections.isSuperset(of: [
                        "networks", "subnets", "ports", "routers", "floatingips", "security_groups", "agents", "quotas",
                    ]))
            }

            let first = versions.headers.first(name: "X-Openstack-Request-Id") ?? ""
            let second = try await client.get("nothing").headers.first(name: "X-Openstack-Request-Id") ?? ""
            #expect(first.hasPrefix("req-") && first.utf8.count == 40)
            #expect(second.hasPrefix("req-") && second != first)
        }
    }

    @Test("Links begin with the address that the operator gave, in every way to authenticate")
    func publicURL() async throws {
        let address = "https://network.example.org/network"
        try await withServer(.sqlite, { $0.publicURL = address }) { client in
            let version = try await client.send(.GET, "/").body["versions"]?.arrayValue?.first
            #expect(version?["links"]?.arrayValue?.first?["href"]?.stringValue == "\(address)/v2.0/")
            let resources = try await client.send(.GET, "/v2.0").body["resources"]?.arrayValue ?? []
            let starts = resources.map { $0["links"]?.arrayValue?.first?["href"]?.stringValue?.hasPrefix("\(address)/v2.0/") ?? false }
            #expect(!starts.isEmpty && starts.allSatisfy { $0 })
            let network = try await client.make("networks")
            let page = try await client.get("networks?limit=1&name=").body
            #expect(
                page["networks_links"] == [
                    ["rel": "next", "href": .string("\(address)/v2.0/networks?limit=1&name=&marker=\(network)")],
                    ["rel": "previous", "href": .string("\(address)/v2.0/networks?limit=1&name=&marker=\(network)&page_reverse=True")],
                ])
        }
        try await withIdentity(publicURL: address) { cloud in
            let version = try await cloud.client.send(.GET, "/").body["versions"]?.arrayValue?.first
            #expect(version?["links"]?.arrayValue?.first?["href"]?.stringValue == "\(address)/v2.0/")
        }
    }

    @Test("Every collection that is announced can be listed, every extension that is announced can be shown")
    func announced() async throws {
        try await withServer { client in
            for resource in try await client.send(.GET, "/v2.0").body["resources"]?.arrayValue ?? [] {
                let collection = try #require(resource["collection"]?.stringValue)
                let address = try #require(resource["links"]?.arrayValue?.first?["href"]?.stringValue)
                let list = try await client.send(.GET, address)
                #expect(list.status == 200 && list.body[collection]?.arrayValue != nil, "\(collection): \(list)")
            }
            let extensions = try await client.list("extensions")
            #expect(Set(extensions.compactMap { $0["alias"]?.stringValue }).count == extensions.count)
            for item in extensions {
                let alias = try #require(item["alias"]?.stringValue)
                let shown = try await client.get("extensions/\(alias)")
                #expect(shown.body["extension"] == item)
                #expect(item["updated"]?.stringValue?.isEmpty == false && item["name"]?.stringValue?.isEmpty == false)
            }
            #expect(try await client.get("extensions/vlan-transparent").status == 404)
        }
    }

    @Test("An unknown path is 404, a method that a path lacks is 405 and names those that it has")
    func methods() async throws {
        try await withServer { client in
            let unknown = try await client.get("nothing")
            #expect(unknown.status == 404 && unknown.errorType == "HTTPNotFound")
            let network = try await client.make("networks")
            for (method, path) in [
                ("PATCH", "networks/\(network)"), ("POST", "networks/\(network)"), ("DELETE", "networks"), ("POST", "agents"),
            ] {
                let answer = try await client.send(.init(rawValue: method), "/v2.0/\(path)", [:])
                #expect(answer.status == 405 && answer.errorType == "HTTPMethodNotAllowed", "\(method) \(path): \(answer)")
                #expect(answer.headers.first(name: "Allow")?.contains("GET") == true)
            }
            let head = try await client.send(.HEAD, "/v2.0/networks")
            #expect(head.status == 405 && head.text.isEmpty)
            #expect(try await client.get("networks").status == 200)
        }
    }
}
