import APISchema
import Testing

/// What lists, pages and bulk requests tell and do, as users over HTTP see it.
@Suite("Lists and what they hide")
struct HiddenListTests {
    /// The names in a list, in its order.
    private func names(_ cloud: IdentityCloud, _ collection: String, _ query: String) async throws -> [String] {
        let answer = try await cloud.network(.GET, "\(collection)?\(query)")
        #expect(answer.status == 200, "\(answer)")
        return answer.body[collection]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
    }

    @Test("Filters tell nothing of attributes that the caller does not see")
    func hiddenAttributes() async throws {
        try await withIdentity { admin in
            let (member, _, project) = try await admin.member("mia", of: "blue")
            let network = try await member.network(.POST, "networks", ["network": ["name": "n"]]).id
            for (name, host) in [("a", "h2"), ("b", "h1")] {
                let body: JSONValue = [
                    "port": [
                        "network_id": .string(network), "project_id": .string(project), "name": .string(name),
                        "binding:host_id": .string(host),
                    ]
                ]
                #expect(try await admin.network(.POST, "ports", body).status == 201)
            }
            #expect(try await names(admin, "ports", "binding:host_id=h1") == ["b"])
            #expect(try await names(member, "ports", "binding:host_id=h1").isEmpty)
            #expect(try await names(member, "ports", "binding:host_id=h3").isEmpty)
            #expect(try await names(admin, "networks", "provider:network_type=vxlan") == ["n"])
            #expect(try await names(member, "networks", "provider:network_type=vxlan").isEmpty)
        }
    }

    @Test("A marker of another project's is as good as one of nothing")
    func foreignMarkers() async throws {
        try await withIdentity { admin in
            let member = try await admin.member("mia", of: "blue").cloud
            let foreign = try await admin.network(.POST, "networks", ["network": ["name": "a"]]).id
            let own = try await member.network(.POST, "networks", ["network": ["name": "b"]]).id
            _ = try await member.network(.POST, "networks", ["network": ["name": "c"]])
            func page(_ cloud: IdentityCloud, after marker: String) async throws -> APIClient.Answer {
                try await cloud.network(.GET, "networks?sort_key=name&sort_dir=asc&limit=5&marker=\(marker)")
            }
            let nothing = try await page(member, after: "11111111-1111-4111-8111-111111111111")
            let hidden = try await page(member, after: foreign)
            #expect(hidden.status == nothing.status && hidden.body["networks"] == [] && nothing.body["networks"] == [], "\(hidden)")
            let seen = try await page(member, after: own).body["networks"]?.arrayValue
            #expect(seen?.map { $0["name"] } == ["c"])
            let all = try await page(admin, after: foreign).body["networks"]?.arrayValue
            #expect(all?.map { $0["name"] } == ["b", "c"])
        }
    }

    @Test("Of several things in one request nothing is made when one of them is forbidden")
    func bulk() async throws {
        try await withIdentity { admin in
            let member = try await admin.member("mia", of: "blue").cloud
            let refused = try await member.network(
                .POST, "networks", ["networks": [["name": "one"], ["name": "two", "shared": true], ["name": "three"]]])
            #expect(refused.status == 403 && refused.errorType == "PolicyNotAuthorized", "\(refused)")
            #expect(refused.message == "(rule:create_network and rule:create_network:shared) is disallowed by policy")
            #expect(try await names(admin, "networks", "sort_key=name&sort_dir=asc").isEmpty)
            let own = JSONValue.string(try await member.network(.POST, "networks", ["network": ["name": "n"]]).id)
            let foreign = JSONValue.string(try await admin.network(.POST, "networks", ["network": ["name": "f"]]).id)
            for (network, status) in [(foreign, 404), (own, 201)] {
                let ports = try await member.network(
                    .POST, "ports", ["ports": [["network_id": own, "name": "p"], ["network_id": network, "name": "q"]]])
                #expect(ports.status == status, "\(ports)")
                #expect(try await names(admin, "ports", "sort_key=name&sort_dir=asc") == (status == 201 ? ["p", "q"] : []))
            }
        }
    }
}
