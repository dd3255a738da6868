import APISchema
import NIOHTTP1
import TestSupport
import Testing

@Suite("Resources over HTTP")
struct ResourceTests {
    @Test("Each resource is created, shown, listed, changed and deleted", arguments: Backend.allCases)
    func lifeCycle(_ backend: Backend) async throws {
        try await withServer(backend) { client in
            let network = try await client.make("networks", ["name": "a"])
            let subnet = try await client.subnet(on: network)
            let port = try await client.port(on: network, ["name": "a"])
            let (external, _) = try await client.externalNetwork()
            let router = try await client.make("routers", ["name": "a"])
            let floating = try await client.make("floatingips", ["floating_network_id": .string(external)])
            let group = try await client.make("security-groups", ["name": "a"])
            let rule = try await client.make(
                "security-group-rules",
                [
                    "security_group_id": .string(group), "direction": "ingress", "protocol": "tcp", "port_range_min": 22,
                    "port_range_max": 22,
                ])
            let resources = [
                ("security-group-rules", rule), ("security-groups", group), ("floatingips", floating), ("routers", router), ("ports", port),
                ("subnets", subnet), ("networks", network),
            ]
            for (collection, id) in resources { try await live(client, collection, id) }
        }
    }

    private func live(_ client: APIClient, _ collection: String, _ id: String) async throws {
        let singular = APIClient.singular(collection)
        let shown = try await client.get("\(collection)/\(id)")
        #expect(shown.status == 200 && shown.id == id)
        #expect(shown["project_id"] == "default" && shown["tenant_id"] == "default")
        #expect(try await client.list(collection, "?id=\(id)") == [shown.body[singular]])
        // Only the fields that were asked for.
        let some = try await client.get("\(collection)/\(id)?fields=id&fields=description")
        #expect(some.body == [singular: ["id": .string(id), "description": ""]])

        let changed = try await client.put("\(collection)/\(id)", [singular: ["description": "new"]])
        #expect(changed.status == 200 && changed["description"] == "new", "\(changed)")
        #expect(changed["revision_number"]?.integerValue == (shown["revision_number"]?.integerValue ?? 0) + 1)
        #expect(try await client.get("\(collection)/\(id)").body == changed.body)

        let deleted = try await client.delete("\(collection)/\(id)")
        #expect(deleted.status == 204 && deleted.text.isEmpty, "\(collection): \(deleted)")
        for answer in [try await client.get("\(collection)/\(id)"), try await client.delete("\(collection)/\(id)")] {
            #expect(answer.status == 404 && answer.errorType?.hasSuffix("NotFound") == true && answer.message?.contains(id) == true)
        }
        #expect(try await client.put("\(collection)/\(id)", [singular: ["description": "late"]]).status == 404)
    }

    @Test("A bulk request creates all in order, or nothing", arguments: Backend.allCases)
    func bulk(_ backend: Backend) async throws {
        try await withServer(backend) { client in
            let network = try await client.make("networks")
            _ = try await client.subnet(on: network, "10.0.0.0/29", ["enable_dhcp": false])
            let wanted = ["a", "b", "c"]
            let ports = JSONValue.array(wanted.map { ["network_id": .string(network), "name": .string($0)] })
            let created = try await client.post("ports", ["ports": ports])
            #expect(created.status == 201)
            #expect(created.body["ports"]?.arrayValue?.compactMap { $0["name"]?.stringValue } == wanted)
            // Two addresses are left in the pool, so the third port fails, and with it the other two.
            let refused = try await client.post("ports", ["ports": ports])
            #expect(refused.status == 409 && refused.errorType == "IpAddressGenerationFailure", "\(refused)")
            #expect(try await client.list("ports").count == 3)
            let wrong = try await client.post("networks", ["networks": [["name": "x"], ["name": "y", "mtu": "many"]]])
            #expect(wrong.status == 400)
            #expect(try await client.list("networks", "?name=x") == [])
            for body: JSONValue in [["networks": []], ["networks": [1]], ["networks": "x"]] {
                #expect(try await client.post("networks", body).status == 400)
            }
        }
    }

    @Test("X-Project-Id names the project that resources belong to")
    func project() async throws {
        try await withServer { client in
            let answer = try await client.send(.POST, "/v2.0/networks", ["network": [:]], headers: [("X-Project-Id", "blue")])
            #expect(answer["project_id"] == "blue")
            #expect(try await client.list("networks", "?tenant_id=blue").count == 1)
            let both = try await client.post("networks", ["network": ["tenant_id": "a", "project_id": "b"]])
            #expect(both.status == 400)
        }
    }

    @Test("If-Match holds for tags and the actions of routers, too, and tags can be added several at once")
    func ifMatchOfActions() async throws {
        try await withServer { client in
            let network = try await client.make("networks", ["name": "a"])
            let router = try await client.make("routers", ["name": "r"])
            let requests: [(HTTPMethod, String, JSONValue?, Int)] = [
                (.PUT, "networks/\(network)/tags", ["tags": ["x"]], 200), (.PUT, "networks/\(network)/tags/y", nil, 201),
                (.POST, "networks/\(network)/tags", ["tags": ["z", "x"]], 201), (.DELETE, "networks/\(network)/tags/y", nil, 204),
                (.PUT, "routers/\(router)/add_extraroutes", ["router": ["routes": []]], 200),
                (.PUT, "routers/\(router)/remove_extraroutes", ["router": ["routes": []]], 200),
                (.DELETE, "networks/\(network)/tags", nil, 204),
            ]
            for (method, path, body, status) in requests {
                let whole = path.split(separator: "/").prefix(2).joined(separator: "/")
                let revision = try await client.get(whole)["revision_number"]?.integerValue ?? 0
                for (wanted, expected) in [(revision + 40, 412), (revision, status)] {
                    let answer = try await client.send(
                        method, "/v2.0/\(path)", body, headers: [("If-Match", "revision_number=\(wanted)")])
                    #expect(answer.status == expected, "\(method) \(path) at \(wanted): \(answer)")
                    guard expected == 412 else { continue }
                    #expect(
                        answer.body == [
                            "NeutronError": [
                                "type": "RevisionNumberConstraintFailed",
                                "message": .string("Constrained to \(wanted), but current revision is \(revision)"), "detail": "",
                            ]
                        ])
                }
            }
            #expect(try await client.get("networks/\(network)/tags").body == ["tags": []])
            let added = try await client.post("networks/\(network)/tags", ["tags": ["b", "a"]])
            #expect(added.status == 201 && added.body == ["tags": ["b", "a"]], "\(added)")
            #expect(try await client.post("networks/\(network)/tags", ["tags": ["c", "a"]]).status == 201)
            #expect(try await client.get("networks/\(network)/tags").body == ["tags": ["a", "b", "c"]])
        }
    }

    @Test("If-Match lets a change through only at its revision")
    func ifMatch() async throws {
        try await withServer { client in
            let network = try await client.make("networks")
            func change(_ condition: String) async throws -> APIClient.Answer {
                try await client.send(.PUT, "/v2.0/networks/\(network)", ["network": ["name": "b"]], headers: [("If-Match", condition)])
            }
            let stale = try await change("revision_number=7")
            #expect(stale.status == 412 && stale.errorType == "RevisionNumberConstraintFailed")
            #expect(stale.message == "Constrained to 7, but current revision is 1")
            #expect(try await change("revision_number=many").status == 400)
            #expect(try await change("revision_number=1")["revision_number"] == 2)
            let late = try await client.send(.DELETE, "/v2.0/networks/\(network)", headers: [("If-Match", "revision_number=1")])
            #expect(late.status == 412)
            #expect(try await client.get("networks/\(network)")["name"] == "b")
        }
    }

    @Test("Tags are set, added, removed and filtered by, and raise the revision of their owner", arguments: Backend.allCases)
    func tags(_ backend: Backend) async throws {
        try await withServer(backend) { client in
            let red = try await client.make("networks", ["name": "red"])
            let both = try await client.make("networks", ["name": "both"])
            _ = try await client.make("networks", ["name": "none"])
            #expect(try await client.put("networks/\(red)/tags", ["tags": ["red"]]).body == ["tags": ["red"]])
            #expect(try await client.put("networks/\(both)/tags", ["tags": ["red", "blue"]]).status == 200)
            #expect(try await client.get("networks/\(both)")["tags"] == ["blue", "red"])
            #expect(try await client.get("networks/\(both)")["revision_number"] == 2)

            #expect(try await Set(client.names("networks", "?tags=red")) == ["red", "both"])
            #expect(try await client.names("networks", "?tags=red,blue") == ["both"])
            #expect(try await Set(client.names("networks", "?tags-any=red,blue")) == ["red", "both"])
            #expect(try await Set(client.names("networks", "?not-tags=red,blue")) == ["red", "none"])
            #expect(try await client.names("networks", "?not-tags-any=red,blue") == ["none"])
            #expect(try await client.names("networks", "?tags=red&not-tags=blue") == ["red"])

            #expect(try await client.send(.PUT, "/v2.0/networks/\(red)/tags/dark%20blue").status == 201)
            #expect(try await client.get("networks/\(red)/tags/dark%20blue").status == 204)
            #expect(try await client.delete("networks/\(red)/tags/red").status == 204)
            #expect(try await client.get("networks/\(red)/tags").body == ["tags": ["dark blue"]])
            let missing = try await client.get("networks/\(red)/tags/red")
            #expect(missing.status == 404 && missing.message == "Tag red could not be found.")
            #expect(try await client.delete("networks/\(both)/tags").status == 204)
            #expect(try await client.names("networks", "?tags=blue") == [])

            for wrong: JSONValue in [
                ["tags": "red"], ["tags": ["a", "a"]], ["tags": [1]], [:], ["tags": .array((0...50).map { .string("\($0)") })],
            ] {
                #expect(try await client.put("networks/\(red)/tags", wrong).status == 400)
            }
            #expect(try await client.delete("networks/\(red)").status == 204)
            #expect(try await client.get("networks/\(red)/tags").status == 404)
        }
    }
}
