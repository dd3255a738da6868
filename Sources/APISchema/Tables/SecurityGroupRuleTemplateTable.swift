import Addressing
import NetworkModel

extension SecurityGroupRuleTemplate: APIResource {
    public static var blank: SecurityGroupRuleTemplate { SecurityGroupRuleTemplate(rule: .blank) }

    public static let table = ResourceTable<SecurityGroupRuleTemplate>(
        singular: "default_security_group_rule", plural: "default_security_group_rules", collection: "default-security-group-rules",
        notFoundName: "DefaultSecurityGroupRule",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort], from: alias),
            .request("project_id", .string(maximum: 255), [.create], from: alias),
            .stored(
                "description", \.rule.standard.description, .string(maximum: 1024), [.create, .filter], default: "", from: alias),
            .stored("direction", \.rule.direction, .oneOf(["ingress", "egress"]), [.create, .required, .filter, .sort], from: alias),
            .keptRequest("ethertype", \.rule.version.etherType, .any, [.create, .filter, .sort], default: "IPv4", from: alias),
            .keptRequest("protocol", \.rule.networkProtocol, .any, [.create, .filter, .sort], from: alias),
            .keptRequest("port_range_min", \.rule.portRangeMinimum, .any, [.create, .filter, .sort], from: alias),
            .keptRequest("port_range_max", \.rule.portRangeMaximum, .any, [.create, .filter, .sort], from: alias),
            .keptRequest("remote_ip_prefix", \.rule.remoteAddress, .any, [.create, .filter, .sort], from: alias),
            .keptRequest("remote_group_id", \.remoteGroup, .nullable(.string(maximum: 36)), [.create, .filter, .sort], from: alias),
            .keptRequest(
                "remote_address_group_id", \.rule.remoteAddressGroupID, .nullable(.uuid), [.create, .filter, .sort], from: alias),
            .stored("used_in_default_sg", \.isUsedInDefaultGroups, .boolean, [.create, .filter], default: false, from: alias),
            .stored("used_in_non_default_sg", \.isUsedInOtherGroups, .boolean, [.create, .filter], default: true, from: alias),
        ])

    private static let alias = "security-groups-default-rules"
}
