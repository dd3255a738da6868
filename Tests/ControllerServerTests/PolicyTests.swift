import APISchema
import AccessPolicy
import Foundation
import Operations
import TestSupport
import Testing

@testable import ControllerServer

@Suite("Rules over HTTP") struct PolicyTests {
    /// Users of one project, one of each role, and one of another.
    private struct Users {
        var manager, member, reader, service, stranger: IdentityCloud

        init(_ admin: IdentityCloud) async throws {
            member = try await admin.member("mia", of: "blue").cloud
            manager = try await Users.join(admin, "max", "manager")
            reader = try await Users.join(admin, "ria", "reader")
            service = try await admin.member("nova", of: "services", role: "service").cloud
            stranger = try await admin.member("sam", of: "green").cloud
        }

        private static func join(_ admin: IdentityCloud, _ name: String, _ role: String) async throws -> IdentityCloud {
            let user = try await admin.make("user", ["name": .string(name), "password": "secret"])
            let project = try await admin.send(.GET, "projects?name=blue").body["projects"]?.arrayValue?.first?["id"]?.stringValue ?? ""
            _ = try await admin.send(.PUT, "projects/\(project)/users/\(user)/roles/\(try await admin.id(ofRole: role))")
            var cloud = admin
            cloud.token = try await admin.logIn(name, "secret", project: "blue")
            return cloud
        }
    }

    @Test("Each role does what Neutron's rules say, and sees what they let it see") func roles() async throws {
        try await withIdentity { admin in
            let users = try await Users(admin)
            let network = try await users.member.network(.POST, "networks", ["network": ["name": "n"]])
            #expect(network.status == 201)
            // What describes how a network is realised is the operator's.
            #expect(network["provider:network_type"] == nil && network["name"] == "n")
            #expect(try await admin.network(.GET, "networks/\(network.id)")["provider:network_type"] == "vxlan")

            let refused = try await users.reader.network(.POST, "networks", ["network": ["name": "n"]])
            #expect(refused.status == 403 && refused.errorType == "PolicyNotAuthorized")
            #expect(refused.message == "rule:create_network is disallowed by policy")
            #expect(try await users.reader.network(.GET, "networks/\(network.id)").status == 200)
            #expect(try await users.stranger.network(.GET, "networks/\(network.id)").status == 404)
            #expect(try await users.stranger.network(.PUT, "networks/\(network.id)", ["network": ["name": "x"]]).status == 404)

            let port = try await users.member.network(.POST, "ports", ["port": ["network_id": .string(network.id)]])
            #expect(port.status == 201 && port["binding:vnic_type"] == "normal")
            #expect(port["binding:host_id"] == nil && port["binding:vif_type"] == nil && port["binding:profile"] == nil)
            let listed = try await users.member.network(.GET, "ports").body["ports"]?.arrayValue
            #expect(listed?.count == 1 && listed?.first?["binding:host_id"] == nil && listed?.first?["tags"] == [])
            #expect(
                try await users.member.network(.GET, "ports?fields=id&fields=binding:host_id").body["ports"] == [["id": .string(port.id)]])
            #expect(try await admin.network(.GET, "ports/\(port.id)")["binding:host_id"] == "")
            // A service sees every port, and not its tags.
            let served = try await users.service.network(.GET, "ports/\(port.id)")
            #expect(served["binding:host_id"] == "" && served["tags"] == nil)

            let binding: JSONValue = ["port": ["binding:host_id": "h1"]]
            let bound = try await users.member.network(.PUT, "ports/\(port.id)", binding)
            #expect(bound.message == "(rule:update_port and rule:update_port:binding:host_id) is disallowed by policy")
            #expect(try await users.service.network(.PUT, "ports/\(port.id)", binding).status == 200)

            #expect(try await users.manager.network(.POST, "qos/policies", ["policy": ["name": "q"]]).status == 201)
            #expect(try await users.member.network(.POST, "qos/policies", ["policy": ["name": "q"]]).status == 403)
            #expect(try await users.member.network(.GET, "agents").body["agents"] == [])
            for path in ["", "/default", "/details"] {
                #expect(try await users.member.network(.GET, "quotas/\(Self.project(of: network))\(path)").status == 200)
                #expect(try await users.stranger.network(.GET, "quotas/\(Self.project(of: network))\(path)").status == 403)
            }
            #expect(try await users.member.network(.GET, "quotas").status == 403)
            #expect(try await users.manager.network(.GET, "quotas").status == 200)
            let router = try await users.member.network(.POST, "routers", ["router": ["name": "r"]])
            #expect(router.status == 201 && router["ha"] == nil && router["routes"] == [])
            #expect(try await users.member.network(.POST, "routers", ["router": ["ha": true]]).status == 403)
        }
    }

    private static func project(of answer: APIClient.Answer) -> String { answer["project_id"]?.stringValue ?? "" }

    @Test("Who administers is what the rule says, not the name of a role") func administrators() async throws {
        let path = try TemporaryFiles.makePath("policy.yaml")
        try "context_is_admin: role:manager\n".write(toFile: path, atomically: true, encoding: .utf8)
        try await withIdentity(policyFile: path) { admin in
            let users = try await Users(admin)
            let type = "qos/rule-types/bandwidth_limit"
            #expect(try await users.manager.network(.GET, type).status == 200)
            #expect(try await users.member.network(.GET, type).status == 403)
        }
    }

    @Test("What rules hide is in no answer, not even in one of an action") func hiddenInAnswers() async throws {
        let path = try TemporaryFiles.makePath("policy.yaml")
        let text = """
            get_address_group:addresses: "!"
            get_policy_bandwidth_limit_rule:max_burst_kbps: "!"
            get_alias_bandwidth_limit_rule:direction: "!"
            get_flavor:description: "!"
            """
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        try await withIdentity(policyFile: path) { admin in
            let group = try await admin.network(.POST, "address-groups", ["address_group": ["addresses": ["10.0.0.1/32"]]]).id
            for action in ["add", "remove"] {
                let answer = try await admin.network(.PUT, "address-groups/\(group)/\(action)_addresses", ["addresses": ["10.0.0.2/32"]])
                #expect(answer.status == 200 && answer["name"] == "" && answer["addresses"] == nil, "\(answer)")
            }
            let policy = try await admin.network(.POST, "qos/policies", ["policy": ["name": "q"]]).id
            let rules = "qos/policies/\(policy)/bandwidth_limit_rules"
            let rule = try await admin.network(.POST, rules, ["bandwidth_limit_rule": ["max_kbps": 10]])
            #expect(rule.status == 201 && rule["max_kbps"] == 10 && rule["max_burst_kbps"] == nil && rule["direction"] == "egress")
            let listed = try await admin.network(.GET, rules).body["bandwidth_limit_rules"]?.arrayValue?.first
            #expect(listed?["max_kbps"] == 10 && listed?["max_burst_kbps"] == nil, "\(String(describing: listed))")
            let alias = try await admin.network(.GET, "qos/alias-bandwidth-limit-rules/\(rule.id)")
            #expect(alias.status == 200 && alias["max_burst_kbps"] == 0 && alias["direction"] == nil, "\(alias)")
            let flavor = try await admin.network(
                .POST, "flavors", ["flavor": ["name": "f", "service_type": "L3_ROUTER_NAT", "description": "d"]])
            let profile = try await admin.network(.POST, "service_profiles", ["service_profile": ["metainfo": "{}"]]).id
            let path = "flavors/\(flavor.id)/service_profiles"
            let associated = try await admin.network(.POST, path, ["service_profile": ["id": .string(profile)]])
            #expect(associated.status == 201 && associated["name"] == "f" && associated["description"] == nil, "\(associated)")
        }
    }

    @Test("A change of the policy file counts, and a broken one changes nothing") func reload() async throws {
        let path = try TemporaryFiles.makePath("policy.yaml")
        try "# no rules yet\n".write(toFile: path, atomically: true, encoding: .utf8)
        try await withIdentity(policyFile: path) { admin in
            let member = try await admin.member("mia", of: "blue").cloud
            func create() async throws -> Int { try await member.network(.POST, "networks", ["network": [:]]).status }
            #expect(try await create() == 201)
            try "\"create_network\": \"rule:admin_only\"\n".write(toFile: path, atomically: true, encoding: .utf8)
            #expect(try await poll { try await create() == 403 })
            // JSON is YAML.
            try "{\"create_network\": [[\"role:member\"]]}".write(toFile: path, atomically: true, encoding: .utf8)
            #expect(try await poll { try await create() == 201 })
        }
    }

    @Test("A broken policy file changes nothing, and the log says which line is wrong") func brokenFile() async throws {
        let path = try TemporaryFiles.makePath("policy.yaml")
        func write(_ text: String) throws { try text.write(toFile: path, atomically: true, encoding: .utf8) }
        try write("create_network: rule:admin_only\n")
        let (book, log) = (PolicyBook(), LogLines())
        let watcher = try PolicyFileWatcher(path: path, book: book, logger: log.logger)
        let following = Task { try await watcher.run() }
        defer { following.cancel() }
        #expect(book.rules["create_network"]?.isOverridden == true)
        try write("get_port: role:reader\ncreate_network: role:member and\n")
        #expect(await poll { log.text.contains("line 2, has a rule 'create_network'") })
        #expect(book.rules["create_network"]?.check == .rule("admin_only") && book.rules["get_port"]?.isOverridden == false)
        try FileManager.default.removeItem(atPath: path)
        #expect(await poll { log.text.contains("does not exist") })
        #expect(book.rules["create_network"]?.check == .rule("admin_only"))
        try write("get_port: role:reader\nget_network: http://example.org/x\n")
        #expect(await poll { book.rules["get_port"]?.isOverridden == true })
        #expect(book.rules["create_network"]?.isOverridden == false)
        #expect(log.text.contains("http://example.org/x"))
    }

    @Test("A file that is still being written is not read") func writing() {
        var looks = SettledChange(known: 0)
        let answers = [0, 1, 2, 3, 3, 3, 0, 3, 4, 4].map { looks.isSettled(at: $0) }
        #expect(answers == [false, false, false, false, true, false, false, false, false, true])
    }

    @Test("A policy file that is a link is read again when the link leads elsewhere") func links() async throws {
        let (path, other) = (try TemporaryFiles.makePath("policy.yaml"), try TemporaryFiles.makePath("policy.yaml"))
        let (link, swapped) = (try TemporaryFiles.makePath("link.yaml"), try TemporaryFiles.makePath("swapped.yaml"))
        try "get_port: role:reader\n".write(toFile: path, atomically: false, encoding: .utf8)
        try "get_subnet: role:reader\n".write(toFile: other, atomically: false, encoding: .utf8)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        try FileManager.default.createSymbolicLink(atPath: swapped, withDestinationPath: other)
        let (book, log) = (PolicyBook(), LogLines())
        let watcher = try PolicyFileWatcher(path: link, book: book, logger: log.logger)
        let following = Task { try await watcher.run() }
        defer { following.cancel() }
        #expect(book.rules["get_port"]?.isOverridden == true)
        #expect(rename(swapped, link) == 0)
        #expect(await poll { book.rules["get_subnet"]?.isOverridden == true })
        #expect(book.rules["get_port"]?.isOverridden == false)
        // What the link leads to changes.
        try "get_network: role:reader\n".write(toFile: other, atomically: false, encoding: .utf8)
        #expect(await poll { book.rules["get_network"]?.isOverridden == true })
    }

    @Test(
        "What is wrong with a policy file is said with its line",
        arguments: [
            ("create_network: role:admin\nget_network: \"role:reader and\"\n", 2, "get_network"), ("a: [\n", 2, "YAML"),
            ("- create_network\n", 1, "NAME"), ("get_port:\n", 1, "get_port"), ("a: rule:b\nb: rule:a\n", 1, "leads back"),
            ("x: '@'\nx: '!'\n", 2, "x"), ("a: @\n", 1, "YAML"), ("get_port: {a: b}\n", 1, "get_port"),
        ])
    func broken(_ text: String, _ line: Int, _ mention: String) {
        let error = #expect(throws: PolicyFileError.self) { try PolicyFile.rules(in: text, path: "policy.yaml") }
        #expect(error?.description.contains(mention) == true, "\(String(describing: error))")
        if mention != "x" { #expect(error?.line == line, "\(String(describing: error))") }
    }

    @Test("A policy file has the rules of its lines, in YAML and in JSON") func files() throws {
        let yaml = """
            # Members make no networks.
            "create_network": "rule:admin_only"
            makers: >-
              role:maker or
              role:builder
            get_agent:
              - [role:reader, "project_id:%(project_id)s"]
              - role:auditor
            "get_port": ""
            """
        let rules = try PolicyFile.rules(in: yaml, path: "policy.yaml")
        #expect(rules["create_network"]?.check == .rule("admin_only"))
        #expect(rules["makers"]?.check.description == "role:maker or role:builder")
        #expect(rules["get_agent"]?.check.description == "role:reader and project_id:%(project_id)s or role:auditor")
        #expect(rules["get_port"]?.check == .always)
        #expect(rules["get_network"]?.isOverridden == false)
        #expect(try PolicyFile.rules(in: "{\"get_agent\": \"!\"}", path: "policy.json")["get_agent"]?.check == .never)
        #expect(throws: PolicyFileError(path: "/nowhere/policy.yaml", reason: "does not exist")) {
            try PolicyFile.read("/nowhere/policy.yaml")
        }
    }

    @Test("The command explains which rule decided and which part failed", .timeLimit(.minutes(5))) func explains() async throws {
        let path = try TemporaryFiles.makePath("policy.yaml")
        try "update_network: role:keeper\n".write(toFile: path, atomically: true, encoding: .utf8)
        let arguments = [
            "policy", "check", "update_network", "--role", "member", "--project", "blue", "--target", "{\"project_id\": \"blue\"}",
        ]
        let allowed = await Neutrino.run(arguments)
        #expect(allowed.code == 0 && allowed.output.hasSuffix("allowed\n"), "\(allowed)")
        let refused = await Neutrino.run(arguments + ["--policy-file", path])
        #expect(refused.code == 1 && refused.output.contains("fails   update_network = role:keeper  (overridden)"), "\(refused)")
        #expect(refused.output.contains("fails   role:keeper  (roles: member, reader)"))
        let listed = await Neutrino.run(["policy", "list", "--policy-file", path, "--overridden"])
        #expect(listed.output == "\"update_network\": \"role:keeper\"\n")
        let shown = await Neutrino.run(["policy", "show", "get_network"])
        #expect(shown.output.contains("context_is_admin: role:admin"))
    }
}
