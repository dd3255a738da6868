import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite("Address groups, stateless groups and templates of rules") struct AddressGroupTests {
    private let member = Caller(projectID: "p2", isAdmin: false)

    private func id(_ resource: some APIResource) -> JSONValue { .string(resource.id.description) }

    @Test("Addresses come, go, and are told by their prefixes", arguments: Backend.allCases)
    func addresses(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        var group = try await cloud.create(
            AddressGroup.self, ["name": "g", "addresses": ["10.0.0.5/32", "192.0.2.77/24", "2001:db8::/32"]])
        #expect(group.addresses.map(\.description) == ["10.0.0.5/32", "192.0.2.0/24", "2001:db8::/32"])
        group = try await cloud.operations.addAddresses(
            group.id.description, body: ["addresses": ["10.0.0.6/32"]], caller: cloud.admin)
        #expect(group.addresses.count == 4)
        let twice = try await apiError {
            try await cloud.operations.addAddresses(group.id.description, body: ["addresses": ["10.0.0.6"]], caller: cloud.admin)
        }
        #expect(
            twice
                == .invalid("AddressesAlreadyExist", "Addresses ['10.0.0.6/32'] already exist in the address group \(group.id)."))
        group = try await cloud.operations.removeAddresses(group.id.description, body: ["addresses": ["10.0.0.6"]], caller: cloud.admin)
        let gone = try await apiError {
            try await cloud.operations.removeAddresses(group.id.description, body: ["addresses": ["10.0.0.6"]], caller: cloud.admin)
        }
        #expect(gone == .notFound("AddressesNotFound", "Addresses ['10.0.0.6/32'] not found in the address group \(group.id)."))
        let wrong = try await apiError { try await cloud.create(AddressGroup.self, ["addresses": ["cheese"]]) }
        #expect(wrong == .invalidAttribute("addresses", "'cheese' is not a valid IP subnet"))
        let foreign = try await apiError {
            try await cloud.operations.addAddresses(group.id.description, body: ["addresses": ["10.0.0.7"]], caller: member)
        }
        #expect(foreign == .notFound("AddressGroupNotFound", "Address group \(group.id) could not be found."))
    }

    @Test("A rule names an address group that its project sees, and holds it", arguments: Backend.allCases)
    func rules(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let addresses = try await cloud.create(AddressGroup.self, ["addresses": ["10.0.0.5/32"]])
        let group = try await cloud.create(SecurityGroup.self, ["name": "web"], as: member)
        let body: [String: JSONValue] = [
            "security_group_id": id(group), "direction": "ingress", "remote_address_group_id": id(addresses),
        ]
        let unseen = try await apiError { try await cloud.create(SecurityGroupRule.self, body, as: member) }
        #expect(unseen?.type == "AddressGroupNotFound")
        _ = try await cloud.create(
            RBACPolicy.self,
            ["object_type": "address_group", "object_id": id(addresses), "action": "access_as_shared", "target_tenant": "p2"])
        let rule = try await cloud.create(SecurityGroupRule.self, body, as: member)
        #expect(rule.remoteAddressGroupID == addresses.id)
        #expect(try await cloud.show(group).rules.contains { $0.remoteAddressGroupID == addresses.id })
        let used = try await apiError { try await cloud.delete(addresses) }
        #expect(
            used == .conflict("AddressGroupInUse", "Address group \(addresses.id) is in use on one or more security group rules."))
        let both = try await apiError {
            try await cloud.create(SecurityGroupRule.self, body.merging(["remote_ip_prefix": "10.0.0.0/8"]) { $1 }, as: member)
        }
        #expect(both?.type == "SecurityGroupMultipleRemoteEntites")
        try await cloud.delete(rule)
        try await cloud.delete(addresses)
    }

    @Test("A rule shows its prefix as given and as it is compared, and whether its group is a default one", arguments: Backend.allCases)
    func normalisedPrefix(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let group = try await cloud.create(SecurityGroup.self, ["name": "web"])
        let rule = try await cloud.create(
            SecurityGroupRule.self, ["security_group_id": id(group), "direction": "ingress", "remote_ip_prefix": "192.0.2.77/24"])
        let shown = try await cloud.show(rule)
        var writer = JSONWriter()
        SecurityGroupRule.table.write(shown, fields: ["remote_ip_prefix", "normalized_cidr", "belongs_to_default_sg"], to: &writer)
        #expect(writer.text == #"{"remote_ip_prefix":"192.0.2.77/24","normalized_cidr":"192.0.2.0/24","belongs_to_default_sg":false}"#)
        let query = try ListQuery.parse([(name: "normalized_cidr", value: "192.0.2.0/24")], for: SecurityGroupRule.self)
        #expect(try await cloud.operations.list(SecurityGroupRule.self, query, caller: cloud.admin).map(\.id) == [rule.id])
        let ofDefault = try ListQuery.parse([(name: "belongs_to_default_sg", value: "True")], for: SecurityGroupRule.self)
        let found = try await cloud.operations.list(SecurityGroupRule.self, ofDefault, caller: cloud.admin)
        #expect(found.count == 4 && found.allSatisfy(\.belongsToDefaultGroup))
        let wrong = try await apiError {
            try await cloud.create(
                SecurityGroupRule.self,
                ["security_group_id": id(group), "direction": "ingress", "protocol": "tcp", "port_range_min": "http", "port_range_max": 80])
        }
        #expect(wrong == .invalid("SecurityGroupInvalidPortValue", "Invalid value for port http"))
    }

    @Test("A stateless group stays so while ports have it, and no port mixes both kinds", arguments: Backend.allCases)
    func stateless(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        let stateless = try await cloud.create(SecurityGroup.self, ["name": "quick", "stateful": false])
        let stateful = try await cloud.create(SecurityGroup.self, ["name": "usual"])
        #expect(!stateless.isStateful && stateful.isStateful)
        let port = try await cloud.port(on: network, ["security_groups": [id(stateless)]])
        let mixed = try await apiError { try await cloud.update(port, ["security_groups": [id(stateless), id(stateful)]]) }
        #expect(
            mixed
                == .conflict(
                    "SecurityGroupConflict",
                    "Error Cannot apply both stateful and stateless security groups on the same port at the same time while attempting the "
                        + "operation."))
        let used = try await apiError { try await cloud.update(stateless, ["stateful": true]) }
        #expect(used == .conflict("SecurityGroupInUse", "Security Group \(stateless.id) in use."))
        _ = try await cloud.update(stateless, ["name": "quicker", "stateful": false])
        try await cloud.delete(port)
        #expect(try await cloud.update(stateless, ["stateful": true]).isStateful)
    }

    @Test("New groups begin with the rules that an administrator chose", arguments: Backend.allCases)
    func templates(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let templates = try await cloud.list(SecurityGroupRuleTemplate.self, as: member)
        #expect(templates.count == 4 && templates.filter(\.isUsedInOtherGroups).count == 2)
        let body: [String: JSONValue] = [
            "direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_group_id": "PARENT",
            "used_in_default_sg": true,
        ]
        let refused = try await apiError { try await cloud.create(SecurityGroupRuleTemplate.self, body, as: member) }
        #expect(refused?.status == 403)
        let template = try await cloud.create(SecurityGroupRuleTemplate.self, body)
        let twice = try await apiError { try await cloud.create(SecurityGroupRuleTemplate.self, body) }
        #expect(
            twice
                == .conflict("DefaultSecurityGroupRuleExists", "Default Security group rule already exists. Rule id is \(template.id)."))
        let group = try await cloud.create(SecurityGroup.self, ["name": "web"])
        #expect(group.rules.count == 3 && group.rules.contains { $0.portRangeMinimum == 22 && $0.remoteGroupID == group.id })
        for template in try await cloud.list(SecurityGroupRuleTemplate.self) { try await cloud.delete(template) }
        #expect(try await cloud.create(SecurityGroup.self, ["name": "bare"]).rules.isEmpty)
        let gone = try await apiError { try await cloud.show(template) }
        #expect(
            gone == .notFound("DefaultSecurityGroupRuleNotFound", "Default Security Group rule \(template.id) does not exist"))
    }

    @Test("A limit below what a project has is refused unless it is forced")
    func quotaBelowUse() async throws {
        let cloud = try Cloud()
        _ = try await cloud.network()
        _ = try await cloud.network()
        let error = try await apiError { try await cloud.operations.updateQuota(of: "p1", ["network": 1], caller: cloud.admin) }
        #expect(error == .badRequest("Quota limit 1 for network must be greater than or equal to already used 2"))
        #expect(try await cloud.operations.updateQuota(of: "p1", ["network": 1, "force": true], caller: cloud.admin)["network"] == 1)
        #expect(
            try await cloud.operations.updateQuota(of: "p1", ["network": -1, "check_limit": true], caller: cloud.admin)["network"] == -1)
    }
}
