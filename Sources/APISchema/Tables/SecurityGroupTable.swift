import Addressing
import NetworkModel

extension SecurityGroup: ProjectResource {
    public static var blank: SecurityGroup { SecurityGroup(id: .placeholder, projectID: "") }

    public static let table = ResourceTable<SecurityGroup>(
        singular: "security_group", plural: "security_groups", collection: "security-groups", notFoundName: "SecurityGroup",
        attributes: identityAttributes + [
            .stored("name", \.name, .name(maximum: 255), [.create, .update, .filter, .sort], default: ""),
            .keptRequest("shared", \.isShared, .boolean, [.filter]),
            .stored("stateful", \.isStateful, .boolean, [.create, .update, .filter], default: true, from: "stateful-security-group"),
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
            .stored("security_group_id", \.securityGroupID, .string(maximum: 36), [.create, .required, .filter, .sort]),
            .stored("direction", \.direction, .oneOf(["ingress", "egress"]), [.create, .required, .filter, .sort]),
            .keptRequest("ethertype", \.version.etherType, .any, [.create, .filter, .sort], default: "IPv4"),
            .keptRequest("protocol", \.networkProtocol, .any, [.create, .filter, .sort]),
            // Any: the operation checks ports and prefixes, with Neutron's texts.
            .keptRequest("port_range_min", \.portRangeMinimum, .any, [.create, .filter, .sort]),
            .keptRequest("port_range_max", \.portRangeMaximum, .any, [.create, .filter, .sort]),
            .keptRequest("remote_ip_prefix", \.remoteAddress, .any, [.create, .filter, .sort]),
            .keptRequest("normalized_cidr", \.normalizedPrefix, .any, [.filter, .sort], from: "security-groups-normalized-cidr"),
            .keptRequest("remote_group_id", \.remoteGroupID, .nullable(.string(maximum: 36)), [.create, .filter, .sort]),
            .keptRequest(
                "remote_address_group_id", \.remoteAddressGroupID, .nullable(.string(maximum: 36)), [.create, .filter, .sort],
                from: "security-groups-remote-address-group"),
            .request(
                "belongs_to_default_sg", .boolean, [.filter], from: "security-groups-rules-belongs-to-default-sg",
                show: { rule, writer in writer.bool(rule.belongsToDefaultGroup) }),
        ] + untaggedAttributes)
}

extension SecurityGroupRule {
    /// The prefix has a column of its own so that lists can filter by it; the address as given decides it, so loading the column changes nothing.
    var normalizedPrefix: IPPrefix? {
        get { remotePrefix }
        set {}
    }
}
