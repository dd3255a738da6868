import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite struct SecurityGroupTests {
    @Test("The default group lets its members in and everything out; a new one only lets out", arguments: Backend.allCases)
    func rules(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let group = try await cloud.create(SecurityGroup.self, ["name": "web"])
        let first = try #require(try await cloud.list(SecurityGroup.self).first { $0.name == "default" })
        #expect(first.rules.count == 4)
        #expect(first.rules.filter { $0.direction == .ingress }.allSatisfy { $0.remoteGroupID == first.id })
        #expect(Set(first.rules.filter { $0.direction == .ingress }.map(\.version)) == [.v4, .v6])
        #expect(group.rules.map(\.direction) == [.egress, .egress])
        #expect(Set(try await cloud.list(SecurityGroupRule.self).map(\.id)) == Set((first.rules + group.rules).map(\.id)))
        #expect(
            try await apiError { try await cloud.create(SecurityGroup.self, ["name": "Default"]) }?.type
                == "SecurityGroupDefaultAlreadyExists")
        #expect(try await apiError { try await cloud.update(first, ["name": "x"]) }?.type == "SecurityGroupCannotUpdateDefault")
        let member = Caller(projectID: "p1", isAdmin: false)
        #expect(try await apiError { try await cloud.delete(first, as: member) }?.type == "SecurityGroupCannotRemoveDefault")
    }

    @Test("New groups are as whoever makes them says, else as their project's setting, else as everybody's", arguments: Backend.allCases)
    func defaultStatefulness(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        func isStateful(of project: String, _ more: [String: JSONValue] = [:]) async throws -> Bool {
            let body: [String: JSONValue] = ["name": "g", "project_id": .string(project)]
            return try await cloud.create(SecurityGroup.self, body.merging(more) { $1 }).isStateful
        }
        #expect(try await isStateful(of: "p1"))
        let everybody = try await cloud.create(DefaultStatefulness.self, ["project_id": nil, "stateful": false])
        #expect(everybody.projectID == nil)
        #expect(try await !isStateful(of: "p1"))
        #expect(try await !isStateful(of: "p2"))
        #expect(try await isStateful(of: "p2", ["stateful": true]))
        let own = try await cloud.create(DefaultStatefulness.self, [:])
        #expect(own.projectID == "p1" && own.isStateful)
        #expect(try await isStateful(of: "p1"))
        #expect(try await !cloud.update(own, ["stateful": false]).isStateful)
        #expect(try await !isStateful(of: "p1"))
        try await cloud.delete(everybody)
        #expect(try await isStateful(of: "p2"))
        // A project's first group brings its default group, which is made in the same way.
        _ = try await cloud.create(DefaultStatefulness.self, ["project_id": "p3", "stateful": false])
        #expect(try await !isStateful(of: "p3"))
        let groups = try await cloud.list(SecurityGroup.self)
        #expect(Set(groups.filter { $0.name == "default" && !$0.isStateful }.map(\.projectID)) == ["p2", "p3"])
    }

    @Test("A project has one setting of statefulness, and members see their own project's", arguments: Backend.allCases)
    func settingsOfStatefulness(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let all = try await cloud.create(DefaultStatefulness.self, ["project_id": nil])
        let own = try await cloud.create(DefaultStatefulness.self, ["project_id": "p1"])
        for (project, name) in [("p1", "p1"), (nil, "system-wide"), ("", "system-wide")] as [(JSONValue, String)] {
            let error = try await apiError { try await cloud.create(DefaultStatefulness.self, ["project_id": project]) }
            #expect(error?.status == 409 && error?.type == "SecurityGroupDefaultStatefulnessAlreadyExists")
            #expect(error?.message == "A security group default statefulness setting already exists for project '\(name)'.")
        }
        let member = Caller(projectID: "p1", isAdmin: false)
        #expect(try await cloud.list(DefaultStatefulness.self, as: member).map(\.id) == [own.id])
        #expect(try await apiError { try await cloud.update(own, ["stateful": false], as: member) }?.status == 403)
        #expect(try await apiError { try await cloud.delete(all, as: member) }?.status == 404)
        try await cloud.delete(own)
        let error = try await apiError { try await cloud.show(own) }
        #expect(error?.message == "Security group default statefulness \(own.id) could not be found.")
    }

    @Test("Ports of one project created at once share one default group", arguments: Backend.allCases)
    func concurrent(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { _ = try await cloud.network() } }
            try await group.waitForAll()
        }
        #expect(try await cloud.list(SecurityGroup.self).map(\.name) == ["default"])
    }

    @Test("A rule is in its group and raises the group's revision; the same rule is not made twice", arguments: Backend.allCases)
    func life(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let group = try await cloud.create(SecurityGroup.self, ["name": "web"])
        let body: [String: JSONValue] = [
            "security_group_id": .string(group.id.description), "direction": "ingress", "protocol": "TCP", "port_range_min": 80,
            "port_range_max": 80, "remote_ip_prefix": "0.0.0.0/0",
        ]
        let rule = try await cloud.create(SecurityGroupRule.self, body)
        #expect(rule.networkProtocol == "tcp")
        let changed = try await cloud.show(group)
        #expect(changed.rules.last == rule)
        #expect(changed.standard.revisionNumber == 2)
        let same = body.merging(["protocol": "6", "remote_ip_prefix": nil]) { $1 }
        let error = try await apiError { try await cloud.create(SecurityGroupRule.self, same) }
        #expect(error?.message == "Security group rule already exists. Rule id is \(rule.id).")
        #expect(error?.status == 409)
        try await cloud.delete(rule)
        #expect(try await cloud.show(group).rules.count == 2)
        #expect(try await apiError { try await cloud.show(rule) }?.message == "Security group rule \(rule.id) does not exist")
        let twice = try [body, body].map { try ResourceRequest<SecurityGroupRule>.create($0) }
        let bulk = try await apiError { try await cloud.operations.create(twice, caller: cloud.admin) }
        #expect(bulk?.type == "DuplicateSecurityGroupRuleInPost")
    }

    @Test("A group that a port has stays; the rules that name a group go with it")
    func deletion() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let group = try await cloud.create(SecurityGroup.self, ["name": "web"])
        let other = try await cloud.create(SecurityGroup.self, ["name": "db"])
        _ = try await cloud.create(
            SecurityGroupRule.self,
            [
                "security_group_id": .string(other.id.description), "direction": "ingress",
                "remote_group_id": .string(group.id.description),
            ])
        let port = try await cloud.port(on: network, ["security_groups": [.string(group.id.description)]])
        let error = try await apiError { try await cloud.delete(group) }
        #expect(error?.message == "Security Group \(group.id) in use.")
        _ = try await cloud.update(port, ["security_groups": []])
        try await cloud.delete(group)
        #expect(try await cloud.show(other).rules.count == 2)
    }

    @Test(
        "A group that a rule names by what is no id is not found",
        arguments: ["remote_group_id", "remote_address_group_id", "security_group_id"])
    func groupsThatAreNoIDs(attribute: String) async throws {
        let cloud = try Cloud()
        let group = try await cloud.create(SecurityGroup.self, ["name": "web"])
        let body: [String: JSONValue] = ["security_group_id": .string(group.id.description), "direction": "ingress"]
        let error = try await apiError { try await cloud.create(SecurityGroupRule.self, body.merging([attribute: "bad_group_id"]) { $1 }) }
        #expect(error?.status == 404)
        #expect(error?.message.contains("bad_group_id") == true)
    }

    @Test(
        "What a rule cannot be is refused in Neutron's words",
        arguments: [
            (
                ["protocol": "tcp", "port_range_min": 90, "port_range_max": 80],
                "For TCP/UDP protocols, port_range_min must be <= port_range_max"
            ),
            (["protocol": "tcp", "port_range_min": 0, "port_range_max": 80], "Invalid value for port 0"),
            (["port_range_min": 80, "port_range_max": 80], "Must also specify protocol if port range is given."),
            (
                ["protocol": "icmp", "port_range_max": 3],
                "ICMP code (port-range-max) 3 is provided but ICMP type (port-range-min) is missing."
            ),
            (
                ["protocol": "icmp", "port_range_min": 256],
                "Invalid value for ICMP type (port_range_min) 256. It must be 0 to 255."
            ),
            (
                ["protocol": "gre", "port_range_min": 80, "port_range_max": 80],
                "Ports cannot be specified for protocol 47. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE."
            ),
            (["protocol": "ipv6-icmp"], "Invalid ethertype IPv4 for protocol ipv6-icmp."),
            (["remote_ip_prefix": "2001:db8::/32"], "Conflicting value ethertype IPv4 for CIDR 2001:db8::/32"),
            (["remote_ip_prefix": "cheese"], "Invalid CIDR cheese given as IP prefix."),
            (["ethertype": "IPX"], "Security group rule for ethertype 'IPX' not supported. Allowed values are ['IPv4', 'IPv6']."),
        ] as [([String: JSONValue], String)])
    func refused(_ body: [String: JSONValue], _ message: String) throws {
        let whole: [String: JSONValue] = ["security_group_id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "direction": "ingress"]
        let request = try ResourceRequest<SecurityGroupRule>.create(whole.merging(body) { $1 })
        let id = try #require(ResourceID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"))
        #expect {
            try SecurityGroupRules.rule(from: request, id: id, projectID: "p1")
        } throws: { error in
            (error as? APIError)?.status == 400 && (error as? APIError)?.message == message
        }
    }
}

@Suite struct NameBasedIDTests {
    @Test("SHA-1 of known texts is what FIPS 180 says")
    func digests() {
        func hex(_ text: String) -> String { SHA1.digest(Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
        #expect(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(hex(String(repeating: "a", count: 119)) == "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56")
    }

    @Test("The name-based identity of a host is what Python's uuid5 gives")
    func identity() {
        #expect(ResourceID(namespace: .dns, name: "python.org").description == "886313e1-3b8a-5372-9b90-0c9aee199e5d")
    }
}
