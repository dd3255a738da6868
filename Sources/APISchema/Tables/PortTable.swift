import Addressing
import NetworkModel

extension Port: ProjectResource {
    public static var blank: Port { Port(id: .placeholder, projectID: "", networkID: .placeholder, mac: .zero) }

    private static let fixedIPType = AttributeType.object([.init("subnet_id", .uuid), .init("ip_address", .ipAddress)])
    private static let pairType = AttributeType.object([.init("ip_address", .any, required: true), .init("mac_address", .macAddress)])
    static let vnicTypes = [
        "normal", "direct", "macvtap", "baremetal", "direct-physical", "virtio-forwarder", "smart-nic", "remote-managed", "vdpa",
        "accelerator-direct", "accelerator-direct-physical",
    ]

    public static let table = ResourceTable<Port>(
        singular: "port", plural: "ports", collection: "ports", notFoundName: "Port",
        attributes: identityAttributes + [
            .stored("name", \.name, .string(maximum: 255), [.create, .update, .filter, .sort], default: ""),
            .stored("network_id", \.networkID, .uuid, [.create, .required, .filter, .sort]),
            .stored("admin_state_up", \.isAdminStateUp, .boolean, [.create, .update, .filter, .sort], default: true),
            .keptRequest("mac_address", \.mac, .nullable(.macAddress), [.create, .update, .filter, .sort, .guarded]),
            .keptRequest("fixed_ips", \.fixedIPs, .list(of: fixedIPType), [.create, .update, .filter, .guarded]),
            .stored("device_id", \.deviceID, .string(maximum: 255), [.create, .update, .filter, .sort, .guarded], default: ""),
            .stored("device_owner", \.deviceOwner, .string(maximum: 255), [.create, .update, .filter, .sort, .guarded], default: ""),
            .keptRequest("status", \.status, .any, [.filter, .sort]),
            .keptRequest(
                "security_groups", \.securityGroupIDs, .nullable(.list(of: .uuid)), [.create, .update, .filter], from: "security-group"),
            .keptRequest("port_security_enabled", \.isPortSecurityEnabled, .boolean, [.create, .update, .guarded], from: "port-security"),
            .keptRequest(
                "allowed_address_pairs", \.allowedAddressPairs, .nullable(.list(of: pairType)), [.create, .update, .guarded],
                from: "allowed-address-pairs"),
            .internal("extra_dhcp_opts", \.extraDHCPOptions),
            .keptRequest(
                "binding:host_id", \.hostID, .nullable(.string(maximum: 255)), [.create, .update, .filter, .guarded], from: "binding"),
            .stored("binding:vnic_type", \.vnicType, .oneOf(vnicTypes), [.create, .update, .guarded], default: "normal", from: "binding"),
            .keptRequest("binding:vif_type", \.vifType, .any, [.guarded], from: "binding"),
            .request("binding:vif_details", .any, [.guarded], from: "binding", show: showVIFDetails),
            .keptRequest("binding:profile", \.shownBindingProfile, .nullable(.any), [.create, .update, .guarded], from: "binding"),
            .internal("inactive_bindings", \.inactiveBindings),
        ] + standardAttributes)

    /// What Nova needs to plug the device: the agent filters, so Nova must not.
    private static let showVIFDetails: @Sendable (Port, inout JSONWriter) -> Void = { port, writer in
        PortBinding.writeDetails(of: port.vifType, to: &writer)
    }
}
