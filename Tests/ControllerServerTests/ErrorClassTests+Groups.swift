import APISchema
import ControllerServer
import NIOHTTP1
import TestSupport
import Testing

/// The classes of rules of security groups.
extension ErrorClassTests {
    @Test("Rules of security groups")
    func securityGroupRules() async throws {
        try await withServer { client in
            let group = try await client.make("security-groups", ["name": "g"])
            let other = try await client.make("security-groups", ["name": "o"])
            func members(_ more: [String: JSONValue], of group: String) -> JSONValue {
                .object(["security_group_id": .string(group), "direction": "ingress"].merging(more) { $1 })
            }
            func refused(
                _ status: Int, _ type: String, _ message: String, _ more: [String: JSONValue]
            ) -> Refusal {
                Refusal(
                    status, type, message, .POST, "security-group-rules", ["security_group_rule": members(more, of: group)])
            }
            func bulk(_ status: Int, _ type: String, _ message: String, _ rules: [JSONValue]) -> Refusal {
                Refusal(status, type, message, .POST, "security-group-rules", ["security_group_rules": .array(rules)])
            }
            let web: [String: JSONValue] = ["protocol": "tcp", "port_range_min": 80, "port_range_max": 80]
            let rule = try await client.make(
                "security-group-rules", ["security_group_id": .string(group), "direction": "ingress"].merging(web) { $1 })
            let ssh = members(["protocol": "tcp", "port_range_min": 22, "port_range_max": 22], of: group)
            let protocols =
                "None, any, ah, dccp, egp, esp, gre, hopopt, icmp, icmpv6, igmp, ip, ipip, ipv6-encap, ipv6-frag, ipv6-icmp, ipv6-nonxt, "
                + "ipv6-opts, ipv6-route, ospf, pgm, rsvp, sctp, tcp, udp, udplite, vrrp"
            try await check(
                [
                    refused(
                        409, "SecurityGroupRuleExists", "Security group rule already exists. Rule id is \(rule).", web),
                    bulk(409, "DuplicateSecurityGroupRuleInPost", "Duplicate Security Group Rule in POST.", [ssh, ssh]),
                    bulk(
                        400, "SecurityGroupNotSingleGroupRules", "Only allowed to update rules for one security profile at a time",
                        [ssh, members([:], of: other)]),
                    bulk(
                        400, "SecurityGroupRulesNotSingleProject",
                        "Multiple project_ids in bulk security group rule create not allowed",
                        [members(["project_id": "a"], of: group), members(["project_id": "b", "protocol": "udp"], of: group)]),
                    refused(
                        400, "SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max",
                        ["protocol": "tcp", "port_range_min": 90, "port_range_max": 80]),
                    refused(
                        400, "SecurityGroupInvalidPortValue", "Invalid value for port 70000",
                        ["protocol": "tcp", "port_range_min": 70000, "port_range_max": 70000]),
                    refused(
                        400, "SecurityGroupInvalidIcmpValue", "Invalid value for ICMP type (port_range_min) 256. It must be 0 to 255.",
                        ["protocol": "icmp", "port_range_min": 256]),
                    refused(
                        400, "SecurityGroupInvalidIcmpValue", "Invalid value for ICMP code (port_range_max) 256. It must be 0 to 255.",
                        ["protocol": "icmp", "port_range_min": 3, "port_range_max": 256]),
                    refused(
                        400, "SecurityGroupMissingIcmpType",
                        "ICMP code (port-range-max) 3 is provided but ICMP type (port-range-min) is missing.",
                        ["protocol": "icmp", "port_range_max": 3]),
                    refused(
                        400, "SecurityGroupProtocolRequiredWithPorts", "Must also specify protocol if port range is given.",
                        ["port_range_min": 80, "port_range_max": 80]),
                    refused(
                        400, "SecurityGroupInvalidProtocolForPort",
                        "Ports cannot be specified for protocol 47. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.",
                        ["protocol": "gre", "port_range_min": 80, "port_range_max": 80]),
                    refused(
                        400, "SecurityGroupEthertypeConflictWithProtocol", "Invalid ethertype IPv4 for protocol ipv6-icmp.",
                        ["protocol": "ipv6-icmp"]),
                    refused(
                        400, "SecurityGroupRuleInvalidEtherType",
                        "Security group rule for ethertype 'IPX' not supported. Allowed values are ['IPv4', 'IPv6'].",
                        ["ethertype": "IPX"]),
                    refused(
                        400, "SecurityGroupRuleInvalidProtocol",
                        "Security group rule protocol tea not supported. Only protocol values \(protocols) and integer representations "
                            + "[0 to 255] are supported.", ["protocol": "tea"]),
                    refused(
                        400, "SecurityGroupRuleParameterConflict", "Conflicting value ethertype IPv4 for CIDR 2001:db8::/32",
                        ["remote_ip_prefix": "2001:db8::/32"]),
                    refused(
                        400, "SecurityGroupMultipleRemoteEntites",
                        "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
                        ["remote_ip_prefix": "192.0.2.0/24", "remote_group_id": .string(other)]),
                ], client)
        }
    }

    @Test("Default groups, and what has tags and quotas")
    func defaults() async throws {
        try await withServer { client in
            let nobody = "00000000-0000-4000-8000-000000000001"
            let standard = try await client.list("security-groups", "?name=default").first?["id"]?.stringValue ?? ""
            let network = try await client.make("networks", ["name": "n"])
            let (external, _) = try await client.externalNetwork()
            #expect(try await client.put("networks/\(external)", ["network": ["is_default": true]]).status == 200)
            try await check(
                [
                    Refusal(
                        409, "SecurityGroupDefaultAlreadyExists", "Default security group already exists.", .POST, "security-groups",
                        ["security_group": ["name": "default"]]),
                    Refusal(
                        409, "SecurityGroupCannotUpdateDefault", "Updating default security group not allowed.", .PUT,
                        "security-groups/\(standard)", ["security_group": ["name": "mine"]]),
                    Refusal(404, "TagNotFound", "Tag red could not be found.", .GET, "networks/\(network)/tags/red"),
                    Refusal(404, "TagNotFound", "Tag red could not be found.", .DELETE, "networks/\(network)/tags/red"),
                    Refusal(404, "TenantQuotaNotFound", "Quota for project nobody could not be found.", .DELETE, "quotas/nobody"),
                    Refusal(
                        409, "DefaultExternalNetworkExists", "A default external network already exists: \(external).", .POST,
                        "networks", ["network": ["router:external": true, "is_default": true]]),
                    Refusal(
                        400, "TenantIdProjectIdFilterConflict", "Both tenant_id and project_id passed as filters.", .GET,
                        "networks?tenant_id=a&project_id=b"),
                    Refusal(
                        400, "TenantIdProjectIdFilterConflict", "Both tenant_id and project_id passed as filters.", .GET,
                        "network-ip-availabilities?tenant_id=a&project_id=b"),
                    Refusal(
                        404, "DefaultSecurityGroupRuleNotFound", "Default Security Group rule \(nobody) does not exist", .GET,
                        "default-security-group-rules/\(nobody)"),
                    Refusal(
                        404, "SecurityGroupDefaultStatefulnessNotFound",
                        "Security group default statefulness \(nobody) could not be found.", .GET,
                        "security-groups-default-statefulness/\(nobody)"),
                    Refusal(404, "AddressGroupNotFound", "Address group \(nobody) could not be found.", .GET, "address-groups/\(nobody)"),
                    Refusal(
                        404, "RbacPolicyNotFound", "RBAC policy of type None with ID \(nobody) not found", .GET,
                        "rbac-policies/\(nobody)"),
                ], client)
        }
    }
}
