import NetworkModel

extension Network: ProjectResource {
    public static var blank: Network { Network(id: .placeholder, projectID: "") }

    public static let table = ResourceTable<Network>(
        singular: "network", plural: "networks", collection: "networks", notFoundName: "Network",
        attributes: identityAttributes + [
            .stored("name", \.name, .name(maximum: 255), [.create, .update, .filter, .sort], default: ""),
            .stored("admin_state_up", \.isAdminStateUp, .boolean, [.create, .update, .filter, .sort], default: true),
            .keptRequest("status", \.status, .any, [.filter, .sort]),
            .keptRequest("subnets", \.subnetIDs, .list(of: .uuid), []),
            .stored("shared", \.isShared, .boolean, [.create, .update, .filter, .sort, .guarded], default: false),
            .stored(
                "router:external", \.isExternal, .boolean, [.create, .update, .filter, .sort, .guarded], default: false,
                from: "external-net"),
            .stored("mtu", \.mtu, .integer(0...65535), [.create, .update, .filter, .sort, .guarded], from: "net-mtu"),
            .stored(
                "port_security_enabled", \.isPortSecurityEnabled, .boolean, [.create, .update, .guarded], default: true,
                from: "port-security"),
            .keptRequest(
                "provider:network_type", \.type, .string(maximum: 32), [.create, .update, .filter, .sort, .guarded], from: "provider"),
            .keptRequest(
                "provider:physical_network", \.physicalNetwork, .nullable(.string(maximum: 64)),
                [.create, .update, .filter, .sort, .guarded],
                from: "provider"),
            .keptRequest(
                "provider:segmentation_id", \.segmentationID, .nullable(.integer(nil)), [.create, .update, .filter, .sort, .guarded],
                from: "provider"),
            .stored(
                "availability_zone_hints", \.availabilityZoneHints, .list(of: .string(maximum: 255)), [.create, .sort], default: [],
                from: "network_availability_zone"),
            .request(
                "availability_zones", .any, [], from: "network_availability_zone",
                show: { network, writer in network.availabilityZones.write(to: &writer) }),
            .keptRequest("ipv4_address_scope", \.ipv4AddressScopeID, .nullable(.uuid), [], from: "address-scope"),
            .keptRequest("ipv6_address_scope", \.ipv6AddressScopeID, .nullable(.uuid), [], from: "address-scope"),
            .stored(
                "is_default", \.isDefault, .boolean, [.create, .update, .filter, .guarded], default: false, from: "auto-allocated-topology"),
            // Any: two that leave their number to the server may look alike, which a list does not let pass.
            .request("segments", .any, [.create, .update, .guarded], from: "multi-provider") { network, writer in
                if network.furtherCarriers.isEmpty { writer.null() } else { network.carriers.write(to: &writer) }
            },
            .internal("further_carriers", \.furtherCarriers),
            .request("l2_adjacency", .boolean, [], from: "l2_adjacency", show: { network, writer in writer.bool(network.isAdjacent) }),
            // Any: the operation checks names, with Neutron's texts.
            .keptRequest("dns_domain", \.dnsDomain, .any, [.create, .update], default: "", from: "dns-integration"),
            .keptRequest("qos_policy_id", \.qosPolicyID, .nullable(.uuid), [.create, .update], from: "qos"),
            .internal("ha_project_id", \.haProjectID),
        ] + standardAttributes)
}
