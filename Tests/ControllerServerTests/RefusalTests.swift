import APISchema
import Testing

@Suite("Refusals over HTTP")
struct RefusalTests {
    @Test("A body that cannot be read is refused and changes nothing")
    func malformed() async throws {
        try await withServer { client in
            let bodies = [
                "": "Resource body required", "[]": "Resource body required", "\"network\"": "Resource body required",
                "{}": "Unable to find 'network' in request body", "{\"network\": 1}": "Object 'network' contains invalid data",
                "{\"network\": null}": "Unable to find 'network' in request body",
                "{\"networks\": [7]}": "Object 'network' contains invalid data",
            ]
            for (body, message) in bodies {
                let answer = try await client.send(.POST, "/v2.0/networks", bytes: Array(body.utf8))
                #expect(answer.status == 400 && answer.errorType == "HTTPBadRequest" && answer.message == message, "\(body): \(answer)")
            }
            let deep = String(repeating: "[", count: 100_000)
            for body in ["{\"network\": {\"name\": \"a\"", "{'network': {}}", "\u{0}", "nul", deep] {
                let answer = try await client.send(.POST, "/v2.0/networks", bytes: Array(body.utf8))
                #expect(
                    answer.status == 400 && answer.message?.hasPrefix("Malformed request body: ") == true, "\(body.prefix(40)): \(answer)")
            }
            let notUTF8 = try await client.send(
                .POST, "/v2.0/networks", bytes: Array("{\"network\":{\"name\":\"".utf8) + [0xFF] + Array("\"}}".utf8))
            #expect(notUTF8.status == 400)
            #expect(try await client.list("networks").isEmpty)
        }
    }

    @Test("A body that is too large is refused with 413, and the server goes on")
    func tooLarge() async throws {
        try await withServer { client in
            let large = Array(repeating: UInt8(ascii: " "), count: (1 << 20) + 1)
            for path in ["/v2.0/networks", "/agent/v1/hosts/h1/status"] {
                let answer = try await client.send(.POST, path, bytes: large)
                #expect(answer.status == 413 && answer.errorType == "HTTPRequestEntityTooLarge", "\(answer)")
            }
            #expect(try await client.get("networks").status == 200)
        }
    }

    @Test("Attributes that are unknown, read-only, missing or of the wrong type are named")
    func attributes() async throws {
        try await withServer { client in
            let network = try await client.make("networks")
            func refusal(_ collection: String, _ members: [String: JSONValue]) async throws -> String? {
                let answer = try await client.post(collection, .object([APIClient.singular(collection): .object(members)]))
                #expect(answer.status == 400 && answer.errorType == "HTTPBadRequest", "\(answer)")
                return answer.message
            }
            #expect(try await refusal("networks", ["colour": "red"]) == "Unrecognized attribute(s) 'colour'")
            #expect(try await refusal("networks", ["status": "ACTIVE"]) == "Attribute 'status' not allowed in POST")
            #expect(try await refusal("networks", ["name": 1]) == "Invalid input for name. Reason: '1' is not a valid string.")
            #expect(
                try await refusal("networks", ["admin_state_up": "perhaps"])
                    == "Invalid input for admin_state_up. Reason: 'perhaps' cannot be converted to boolean.")
            #expect(try await refusal("ports", [:]) == "Failed to parse request. Required attribute 'network_id' not specified")
            #expect(try await refusal("ports", ["network_id": "x"]) == "Invalid input for network_id. Reason: 'x' is not a valid UUID.")
            #expect(
                try await refusal("networks", ["name": .string(String(repeating: "a", count: 256))])?.contains(
                    "exceeds maximum length of 255") == true)
            let readOnly = try await client.put("networks/\(network)", ["network": ["id": .string(network)]])
            #expect(readOnly.status == 400 && readOnly.message == "Cannot update read-only attribute id")
            #expect(try await client.list("networks").count == 1)
            #expect(try await client.list("ports").isEmpty)
        }
    }

    @Test("Overlapping subnets, exhausted pools and addresses in use are conflicts or bad requests that change nothing")
    func addresses() async throws {
        try await withServer { client in
            let network = try await client.make("networks")
            let subnet = try await client.subnet(on: network, "10.0.0.0/30", ["enable_dhcp": false])
            let overlap = try await client.post(
                "subnets", ["subnet": ["network_id": .string(network), "cidr": "10.0.0.0/24", "ip_version": 4]])
            #expect(
                overlap.status == 400 && overlap.errorType == "InvalidInput" && overlap.message?.contains("overlaps") == true, "\(overlap)")
            let port = try await client.port(on: network)
            let full = try await client.post("ports", ["port": ["network_id": .string(network)]])
            #expect(full.status == 409 && full.errorType == "IpAddressGenerationFailure")
            let taken = try await client.post(
                "ports", ["port": ["network_id": .string(network), "fixed_ips": [["ip_address": "10.0.0.2"]]]])
            #expect(taken.status == 409 && taken.errorType == "IpAddressInUse", "\(taken)")
            let mac = try await client.get("ports/\(port)")["mac_address"] ?? .null
            let same = try await client.post("ports", ["port": ["network_id": .string(network), "mac_address": mac]])
            #expect(same.status == 409 && same.errorType == "MacAddressInUse")
            let outside = try await client.post(
                "ports", ["port": ["network_id": .string(network), "fixed_ips": [["ip_address": "192.0.2.1"]]]])
            #expect(outside.status == 400 && outside.errorType == "InvalidIpForNetwork")
            #expect(try await client.list("ports").count == 1)
            #expect(try await client.list("subnets").compactMap { $0["id"]?.stringValue } == [subnet])
        }
    }

    @Test("What is in use is not deleted")
    func inUse() async throws {
        try await withServer { client in
            let network = try await client.make("networks")
            let subnet = try await client.subnet(on: network)
            let port = try await client.port(on: network)
            let router = try await client.make("routers")
            #expect(try await client.put("routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)]).status == 200)
            let group = try await client.get("ports/\(port)")["security_groups"]?.arrayValue?.first?.stringValue ?? ""
            let interface = try await client.list("ports", "?device_id=\(router)").first?["id"]?.stringValue ?? ""
            let refusals = [
                ("networks/\(network)", "NetworkInUse"), ("subnets/\(subnet)", "SubnetInUse"), ("routers/\(router)", "RouterInUse"),
                ("ports/\(interface)", "ServicePortInUse"), ("security-groups/\(group)", "SecurityGroupInUse"),
            ]
            for (path, type) in refusals {
                let answer = try await client.delete(path)
                #expect(answer.status == 409 && answer.errorType == type, "\(path): \(answer)")
                #expect(try await client.get(path).status == 200)
            }
            #expect(try await client.delete("ports/\(port)").status == 204)
        }
    }

    @Test("An interface is added to a router once and removed once")
    func routerInterfaces() async throws {
        try await withServer { client in
            let network = try await client.make("networks")
            let subnet = try await client.subnet(on: network)
            let router = try await client.make("routers")
            let added = try await client.put("routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)])
            #expect(added.status == 200 && added["subnet_ids"] == [.string(subnet)] && added["id"] == .string(router), "\(added)")
            let port = added["port_id"]?.stringValue ?? ""
            #expect(try await client.get("ports/\(port)")["device_owner"] == "network:router_interface")
            #expect(try await client.get("ports/\(port)")["fixed_ips"]?.arrayValue?.first?["ip_address"] == "10.0.0.1")
            let again = try await client.put("routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)])
            #expect(again.status == 400 && again.errorType == "BadRequest", "\(again)")
            #expect(try await client.put("routers/\(router)/add_router_interface", [:]).status == 400)
            let removed = try await client.put("routers/\(router)/remove_router_interface", ["port_id": .string(port)])
            #expect(removed.status == 200 && removed["subnet_id"] == .string(subnet))
            let gone = try await client.put("routers/\(router)/remove_router_interface", ["subnet_id": .string(subnet)])
            #expect(gone.status == 404, "\(gone)")
            #expect(try await client.delete("routers/\(router)").status == 204)
        }
    }

    @Test("A project's quota is shown, set, counted, enforced and taken away")
    func quotas() async throws {
        try await withServer { client in
            #expect(try await client.get("quotas/p")["network"] == 100)
            #expect(try await client.get("quotas/p/default")["port"] == 500)
            #expect(try await client.get("quotas/tenant").body == ["tenant": ["tenant_id": "default"]])
            let set = try await client.put("quotas/default", ["quota": ["network": 1, "port": -1]])
            #expect(set.status == 200 && set["network"] == 1 && set["port"] == -1 && set["router"] == 10)
            _ = try await client.make("networks")
            let over = try await client.post("networks", ["network": [:]])
            #expect(over.status == 409 && over.errorType == "OverQuota" && over.message == "Quota exceeded for resources: ['network'].")
            let details = try await client.get("quotas/default/details.json")
            #expect(details["network"] == ["limit": 1, "reserved": 0, "used": 1])
            #expect(try await client.list("quotas").compactMap { $0["project_id"]?.stringValue } == ["default"])
            for wrong: JSONValue in [["quota": ["network": -2]], ["quota": ["colour": 1]], ["network": 1], ["quota": ["network": "many"]]] {
                #expect(try await client.put("quotas/default", wrong).status == 400)
            }
            #expect(try await client.delete("quotas/default").status == 204)
            #expect(try await client.get("quotas/default")["network"] == 100)
            #expect(try await client.delete("quotas/default").status == 404)
        }
    }
}
