import NetworkModel

extension Router: ProjectResource {
    public static var blank: Router { Router(id: .placeholder, projectID: "") }

    private static let gatewayType = AttributeType.nullable(
        .object([
            .init("network_id", .uuid), .init("enable_snat", .boolean), .init("qos_policy_id", .nullable(.uuid)),
            .init("external_fixed_ips", .nullable(.fixedIPs)),
        ]))

    /// What an entry of `external_gateways` holds in requests of the actions on a router's gateways.
    public static let externalGatewayType = AttributeType.object([
        .init("network_id", .uuid, required: true), .init("enable_snat", .boolean), .init("qos_policy_id", .nullable(.uuid)),
        .init("external_fixed_ips", .nullable(.fixedIPs)),
    ])

    public static let table = ResourceTable<Router>(
        singular: "router", plural: "routers", collection: "routers", notFoundName: "Router",
        attributes: identityAttributes + [
            .stored("name", \.name, .name(maximum: 255), [.create, .update, .filter, .sort], default: ""),
            .stored("admin_state_up", \.isAdminStateUp, .boolean, [.create, .update, .filter, .sort], default: true),
            .keptRequest("status", \.status, .any, [.filter, .sort]),
            .keptRequest("external_gateway_info", \.gateway, gatewayType, [.create, .update, .guarded], from: "router"),
            .request("external_gateways", .list(of: externalGatewayType), [], from: "external-gateway-multihoming") { router, writer in
                writer.array { writer in for gateway in router.gateways { gateway.writeEntry(to: &writer) } }
            },
            .keptRequest(
                "enable_default_route_ecmp", \.sharesDefaultRoute, .nullable(.boolean), [.create, .update, .guarded],
                from: "enable-default-route-ecmp"),
            .keptRequest("ha", \.isHighlyAvailable, .nullable(.boolean), [.create, .update, .filter, .guarded], from: "l3-ha"),
            .keptRequest("routes", \.routes, .nullable(.routes), [.update], from: "extraroute"),
            .stored(
                "availability_zone_hints", \.availabilityZoneHints, .list(of: .string(maximum: 255)), [.create], default: [],
                from: "router_availability_zone"),
            .request(
                "availability_zones", .any, [], from: "router_availability_zone",
                show: { router, writer in router.availabilityZones.write(to: &writer) }),
            .request("conntrack_helpers", .any, [], from: "expose-l3-conntrack-helper") { router, writer in
                writer.array { writer in for helper in router.helpers { helper.show(to: &writer) } }
            },
            .keptRequest("flavor_id", \.flavorID, .nullable(.uuid), [.create, .sort, .guarded], from: "l3-flavors"),
            .keptRequest("enable_snat", \.snatColumn, .boolean, [.filter, .sort], from: "router-enable-snat"),
            .internal("further_gateways", \.furtherGatewaysColumn),
            .internal("helpers", \.helpers),
            .internal("gateway_qos_policy_id", \.gatewayQoSPolicyColumn),
            .internal("virtual_router_id", \.virtualRouterID),
        ] + standardAttributes)
}

extension Router {
    /// Shown and filtered by; the gateway decides it, so loading the column changes nothing.
    var snatColumn: Bool {
        get { gateway?.isSNATEnabled ?? true }
        set {}
    }

    /// The further gateways with their ports, as ``ExternalGateway/columnValue`` has one.
    var furtherGatewaysColumn: [KeptGateway] {
        get { furtherGateways.map(KeptGateway.init) }
        set { furtherGateways = newValue.map(\.gateway) }
    }

    /// The gateway's policy has a column of its own so that its users are found; the gateway decides it, so loading the column changes nothing.
    var gatewayQoSPolicyColumn: ResourceID? {
        get { gateway?.qosPolicyID }
        set {}
    }
}

extension FloatingIP: ProjectResource {
    public static var blank: FloatingIP {
        FloatingIP(
            id: .placeholder, projectID: "", floatingNetworkID: .placeholder, address: .v4(.init(rawValue: 0)), floatingPortID: .placeholder
        )
    }

    public static let table = ResourceTable<FloatingIP>(
        singular: "floatingip", plural: "floatingips", collection: "floatingips", notFoundName: "FloatingIP",
        attributes: identityAttributes + [
            .stored("floating_network_id", \.floatingNetworkID, .uuid, [.create, .required, .filter, .sort], from: "router"),
            .keptRequest(
                "floating_ip_address", \.address, .nullable(.ipAddress), [.create, .filter, .sort, .guarded], from: "router"),
            .request("subnet_id", .nullable(.uuid), [.create], from: "router"),
            .keptRequest("port_id", \.portID, .nullable(.uuid), [.create, .update, .filter], from: "router"),
            .keptRequest("fixed_ip_address", \.fixedAddress, .nullable(.ipAddress), [.create, .update, .filter, .sort], from: "router"),
            .keptRequest("router_id", \.routerID, .nullable(.uuid), [.filter, .sort], from: "router"),
            .keptRequest("status", \.status, .any, [.filter, .sort], from: "router"),
            .keptRequest(
                "port_forwardings", \.portForwardings, .any, [], from: "expose-port-forwarding-in-fip", show: showPortForwardings),
            .request("port_details", .any, [], from: "fip-port-details", show: showPortDetails),
            .keptRequest("qos_policy_id", \.qosPolicyID, .nullable(.uuid), [.create, .update], from: "qos-fip"),
            .request(
                "qos_network_policy_id", .nullable(.uuid), [], from: "qos-fip-network-policy",
                show: { floating, writer in floating.networkQoSPolicyID.write(to: &writer) }),
            // Any: the operation checks names, with Neutron's texts.
            .keptRequest("dns_name", \.dnsName, .any, [.create], default: "", from: "dns-integration"),
            .keptRequest("dns_domain", \.dnsDomain, .any, [.create], default: "", from: "dns-integration"),
            .internal("floating_port_id", \.floatingPortID),
        ] + standardAttributes)

    /// As Neutron shows them here: the port forwardings themselves have more. What forwards a range of ports has no single ones.
    private static let showPortForwardings: @Sendable (FloatingIP, inout JSONWriter) -> Void = { floating, writer in
        writer.array { writer in for forwarding in floating.portForwardings { forwarding.writeBriefly(to: &writer) } }
    }

    /// Null when the floating IP leads to no port.
    private static let showPortDetails: @Sendable (FloatingIP, inout JSONWriter) -> Void = { floating, writer in
        guard let details = floating.portDetails else { return writer.null() }
        writer.object { writer in
            let texts = [("name", details.name), ("device_id", details.deviceID), ("device_owner", details.deviceOwner)]
            for (key, text) in texts {
                writer.key(key)
                writer.string(text)
            }
            writer.key("network_id")
            details.networkID.write(to: &writer)
            writer.key("mac_address")
            details.mac.write(to: &writer)
            writer.key("admin_state_up")
            writer.bool(details.isAdminStateUp)
            writer.key("status")
            details.status.write(to: &writer)
        }
    }
}
