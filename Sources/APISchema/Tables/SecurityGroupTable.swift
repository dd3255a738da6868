import NetworkModel

extension SecurityGroup: ProjectResource {
    public static var blank: SecurityGroup { SecurityGroup(id: .placeholder, projectID: "") }

    public static let table = ResourceTable<SecurityGroup>(
        singular: "security_group", plural: "security_groups", collection: "security-groups", notFoundName: "SecurityGroup",
        attributes: identityAttributes + [
            .stored("name", \.name, .string(maximum: 255), [.create, .update, .filter, .sort], default: ""),
            .keptRequest("shared", \.isShared, .boolean, [.filter]),
            .keptRequest("security_group_rules", \.rules, .any, []),
        ] + standardAttributes)
}

extension SecurityGroupRule: ProjectResource {
    public static var blank: SecurityGroupRule {
        SecurityGroupRule(id: .placeholder, projectID: "", securityGroupID: .placeholder, direction: .ingress)
    }

    public static let table = ResourceTable<SecurityGroupRule>(
        singular: "security_group_rule", plural: "security_group_rules", collection: "security-group-rules",
        notFoundName: "SecurityGroupRule",
        attributes: identityAttributes + [
            .stored("security_group_id", \.securityGroupID, .uuid, [.create, .required, .filter, .sort]),
            .stored("direction", \.direction, .oneOf(["ingress", "egress"]), [.create, .required, .filter, .sort]),
            .keptRequest("ethertype", \.version.etherType, .any, [.create, .filter, .sort], default: "IPv4"),
            .keptRequest("protocol", \.networkProtocol, .any, [.create, .filter, .sort]),
            .keptRequest("port_range_min", \.portRangeMinimum, .nullable(.integer(nil)), [.create, .filter, .sort]),
            .keptRequest("port_range_max", \.portRangeMaximum, .nullable(.integer(nil)), [.create, .filter, .sort]),
            .keptRequest("remote_ip_prefix", \.remotePrefix, .any, [.create, .filter, .sort]),
            .keptRequest("remote_group_id", \.remoteGroupID, .nullable(.uuid), [.create, .filter, .sort]),
        ] + standardAttributes)
}
