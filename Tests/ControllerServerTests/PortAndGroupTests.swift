import APISchema
import TestSupport
import Testing

@Suite("Ports and security groups over HTTP")
struct PortAndGroupTests {
    @Test("A port shows names, options and wishes; a list finds it by a part of its address", arguments: Backend.allCases)
    func port(_ backend: Backend) async throws {
        try await withServer(backend) { client in
            let network = try await client.make("networks", ["dns_domain": "example.org."])
            _ = try await client.subnet(on: network)
            let created = try await client.post(
                "ports",
                [
                    "ports": [
                        [
                            "network_id": .string(network), "dns_name": "web", "tags": ["red"],
                            "extra_dhcp_opts": [["opt_name": "bootfile-name", "opt_value": "pxelinux.0"]],
                        ]
                    ]
                ])
            let port = try #require(created.body["ports"]?.arrayValue?.first)
            #expect(created.status == 201 && port["tags"] == ["red"] && port["dns_name"] == "web" && port["ip_allocation"] == "immediate")
            #expect(port["extra_dhcp_opts"] == [["opt_name": "bootfile-name", "opt_value": "pxelinux.0", "ip_version": 4]])
            #expect(port["resource_request"] == .null && port["hints"] == .null && port["data_plane_status"] == .null)
            let address = try #require(port["fixed_ips"]?.arrayValue?.first?["ip_address"]?.stringValue)
            #expect(
                port["dns_assignment"] == [["ip_address": .string(address), "hostname": "web", "fqdn": "web.openstacklocal."]])
            let found = try await client.list("ports", "?fixed_ips=ip_address_substr%3D\(address.dropFirst(3))&tags=red")
            #expect(found.map { $0["id"] } == [port["id"]])
            let refused = try await client.post(
                "ports", ["port": ["network_id": .string(network), "extra_dhcp_opts": [["opt_name": "x"]]]])
            #expect(refused.status == 400 && refused.errorType == "InvalidInput")
            #expect(refused.message == "Invalid input for operation: No valid key specs matched for: {'opt_name': 'x'}.")
        }
    }

    @Test("Address groups have their actions, templates of rules their list, and both their refusals")
    func groups() async throws {
        try await withServer { client in
            let made = try await client.post("address-groups", ["address_group": ["name": "g", "addresses": ["10.0.0.5/32"]]])
            #expect(made.status == 201 && made["addresses"] == ["10.0.0.5/32"])
            let path = "address-groups/\(made.id)"
            let more = try await client.put("\(path)/add_addresses", ["addresses": ["10.0.0.6"]])
            #expect(more.status == 200 && more["addresses"] == ["10.0.0.5/32", "10.0.0.6/32"])
            let twice = try await client.put("\(path)/add_addresses", ["addresses": ["10.0.0.6"]])
            #expect(twice.status == 400 && twice.errorType == "AddressesAlreadyExist")
            let missing = try await client.put("\(path)/remove_addresses", ["addresses": ["10.0.0.7"]])
            #expect(missing.status == 404 && missing.errorType == "AddressesNotFound")
            #expect(try await client.delete(path).status == 204)
            #expect(try await client.get(path).message == "Address group \(made.id) could not be found.")

            let templates = try await client.list("default-security-group-rules", "?used_in_non_default_sg=False")
            #expect(templates.count == 2 && templates.allSatisfy { $0["remote_group_id"] == "PARENT" })
            let name = "security_groups_default_statefulness"
            let settings = "security-groups-default-statefulness"
            let setting = try await client.post(settings, [name: ["project_id": nil, "stateful": false]])
            #expect(setting.status == 201 && setting["project_id"]?.isNull == true && setting["stateful"] == false)
            #expect(try await client.list(settings).map { $0["id"] } == [setting["id"]])
            #expect(try await client.put("\(settings)/\(setting.id)", [name: ["stateful": true]]).status == 200)
            #expect(try await client.delete("\(settings)/\(setting.id)").status == 204)

            let quick = try await client.post("security-groups", ["security_group": ["name": "quick", "stateful": false]])
            #expect(quick["stateful"] == false)
            #expect(try await client.list("security-groups", "?stateful=False").map { $0["id"] } == [quick["id"]])
        }
    }
}
