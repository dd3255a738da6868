import Addressing
import NetworkModel

extension Port: ProjectResource {
    public static var blank: Port { Port(id: .placeholder, projectID: "", networkID: .placeholder, mac: .zero) }

    static let vnicTypes = [
        "normal", "direct", "macvtap", "baremetal", "direct-physical", "virtio-forwarder", "smart-nic", "remote-managed", "vdpa",
        "accelerator-direct", "accelerator-direct-physical",
    ]

    public static let table = ResourceTable<Port>(
        singular: "port", plural: "ports", collection: "ports", notFoundName: "Port",
        attributes: identityAttributes + [
            .stored("name", \.name, .name(maximum: 255), [.create, .update, .filter, .sort], default: ""),
            .stored("network_id", \.networkID, .uuid, [.create, .required, .filter, .sort]),
            .stored("admin_state_up", \.isAdminStateUp, .boolean, [.create, .update, .filter, .sort], default: true),
            .keptRequest("mac_address", \.mac, .nullable(.macAddress), [.create, .update, .filter, .sort, .guarded]),
            .keptRequest("fixed_ips", \.fixedIPs, .fixedIPs, [.create, .update, .filter, .guarded]),
            .stored("device_id", \.deviceID, .string(maximum: 255), [.create, .update, .filter, .sort, .guarded], default: ""),
            .stored("device_owner", \.deviceOwner, .string(maximum: 255), [.create, .update, .filter, .sort, .guarded], default: ""),
            .keptRequest("status", \.status, .any, [.filter, .sort]),
            .keptRequest(
                "security_groups", \.securityGroupIDs, .nullable(.list(of: .uuid)), [.create, .update, .filter], from: "security-group"),
            .keptRequest("port_security_enabled", \.isPortSecurityEnabled, .boolean, [.create, .update, .guarded], from: "port-security"),
            .keptRequest(
                "allowed_address_pairs", \.allowedAddressPairs, .any, [.create, .update, .guarded],
                from: "allowed-address-pairs"),
            .keptRequest("extra_dhcp_opts", \.extraDHCPOptions, .any, [.create, .update], from: "extra_dhcp_opt"),
            .keptRequest(
                "binding:host_id", \.hostID, .nullable(.string(maximum: 255)), [.create, .update, .filter, .guarded], from: "binding"),
            .stored("binding:vnic_type", \.vnicType, .oneOf(vnicTypes), [.create, .update, .guarded], default: "normal", from: "binding"),
            .keptRequest("binding:vif_type", \.vifType, .any, [.guarded], from: "binding"),
            .request("binding:vif_details", .any, [.guarded], from: "binding", show: showVIFDetails),
            .keptRequest("binding:profile", shownProfile, .nullable(.any), [.create, .update, .guarded], from: "binding"),
            .internal("inactive_bindings", \.inactiveBindings),
        ] + nameAttributes + deviceAttributes + standardAttributes)

    /// Computed, and so without a place in memory: read and written without a key path, which would be walked for each port.
    private static let shownProfile = Property<Port, JSONText>(get: { $0.shownBindingProfile }, set: { $0.shownBindingProfile = $1 })

    /// Any: the operation checks names, with Neutron's texts.
    private static let nameAttributes: [Attribute<Port>] = [
        .keptRequest("dns_name", \.dnsName, .any, [.create, .update, .filter], default: "", from: "dns-integration"),
        .keptRequest("dns_domain", \.dnsDomain, .any, [.create, .update], default: "", from: "dns-domain-ports"),
        .request("dns_assignment", .any, [], from: "dns-integration", show: showAssignment),
    ]

    private static let deviceAttributes: [Attribute<Port>] = [
        .keptRequest("ip_allocation", \.addressAllocation, .any, [.filter, .sort], from: "ip_allocation"),
        .stored(
            "data_plane_status", \.dataPlaneStatus, .nullable(.oneOf(["ACTIVE", "DOWN"])), [.update, .guarded], from: "data-plane-status"),
        .stored(
            "propagate_uplink_status", \.propagatesUplinkStatus, .boolean, [.create, .update], default: true,
            from: "uplink-status-propagation"),
        .stored(
            "device_profile", \.deviceProfile, .nullable(.string(maximum: 255)), [.create], from: "port-device-profile"),
        .stored(
            "numa_affinity_policy", \.numaAffinityPolicy, .nullable(.oneOf(["required", "preferred", "legacy", "socket"])),
            [.create, .update], from: "port-numa-affinity-policy"),
        .request(
            "hints", .nullable(.object([.init("openvswitch", openVSwitchHints)])), [.create, .update, .guarded], from: "port-hints",
            show: { port, writer in if let hints = port.hints { writer.json(hints) } else { writer.null() } }),
        .internal("hints_text", \.hints),
        .keptRequest("qos_policy_id", \.qosPolicyID, .nullable(.uuid), [.create, .update], from: "qos"),
        .request(
            "qos_network_policy_id", .nullable(.uuid), [], from: "qos-port-network-policy",
            show: { port, writer in port.networkQoSPolicyID.write(to: &writer) }),
        // Only minimum bandwidths and packet rates of QoS policies are requests for resources, and there are no such rules.
        .request("resource_request", .any, [.guarded], from: "port-resource-request", show: { _, writer in writer.null() }),
    ]

    private static let openVSwitchHints = AttributeType.object([
        .init("other_config", .object([.init("tx-steering", .oneOf(["thread", "hash"]))]))
    ])

    private static let showAssignment: @Sendable (Port, inout JSONWriter) -> Void = { port, writer in
        writer.array { writer in
            for fixed in port.fixedIPs {
                let name = PortName(port, fixed.address)
                writer.object { writer in
                    for (key, text) in [("ip_address", fixed.address.description), ("hostname", name.host), ("fqdn", name.full)] {
                        writer.key(key)
                        writer.string(text)
                    }
                }
            }
        }
    }

    /// What Nova needs to plug the device: the agent filters, so Nova must not.
    private static let showVIFDetails: @Sendable (Port, inout JSONWriter) -> Void = { port, writer in
        PortBinding.writeDetails(of: port.vifType, to: &writer)
    }
}
