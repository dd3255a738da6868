import Addressing
import NetworkModel

extension Subnet: ProjectResource {
    public static var blank: Subnet {
        Subnet(id: .placeholder, projectID: "", networkID: .placeholder, prefix: .allIPv4)
    }

    private static let modes = AttributeType.nullable(.oneOf(["dhcpv6-stateful", "dhcpv6-stateless", "slaac"]))

    public static let table = ResourceTable<Subnet>(
        singular: "subnet", plural: "subnets", collection: "subnets", notFoundName: "Subnet",
        attributes: identityAttributes + [
            .stored("name", \.name, .name(maximum: 255), [.create, .update, .filter, .sort], default: ""),
            .stored("network_id", \.networkID, .uuid, [.create, .required, .filter, .sort]),
            .keptRequest("ip_version", \.versionColumn, .integer(nil), [.create, .required, .filter, .sort]),
            .keptRequest("cidr", \.prefix, .nullable(.cidr), [.create, .filter, .sort]),
            .request("prefixlen", .integer(0...Int.max), [.create], from: "subnet_allocation"),
            // Any: the operation says more of `prefix_delegation` than that it is no UUID.
            .keptRequest("subnetpool_id", \.subnetPoolID, .any, [.create, .filter, .sort], from: "subnet_allocation"),
            .request("use_default_subnetpool", .boolean, [.create], default: false, from: "default-subnetpools"),
            .keptRequest("gateway_ip", \.gatewayAddress, .nullable(.ipAddress), [.create, .update, .filter, .sort]),
            .keptRequest(
                "allocation_pools", \.allocationPools,
                .list(of: .object([.init("start", .ipAddress, required: true), .init("end", .ipAddress, required: true)])),
                [.create, .update]),
            .stored("dns_nameservers", \.dnsNameservers, .nullMeans([], .list(of: .ipAddress)), [.create, .update]),
            .stored("host_routes", \.hostRoutes, .nullMeans([], .routes), [.create, .update]),
            .stored("enable_dhcp", \.isDHCPEnabled, .boolean, [.create, .update, .filter, .sort], default: true),
            .stored("ipv6_ra_mode", \.ipv6RouterAdvertisementMode, modes, [.create, .filter, .sort]),
            .stored("ipv6_address_mode", \.ipv6AddressMode, modes, [.create, .filter, .sort]),
            .keptRequest("segment_id", \.segmentID, .nullable(.uuid), [.create, .update, .filter, .sort, .guarded], from: "segment"),
            // Any: the operation checks the words, with Neutron's texts.
            .keptRequest("service_types", \.serviceTypes, .any, [.create, .update, .unasked], from: "subnet-service-types"),
            .stored(
                "dns_publish_fixed_ip", \.publishesFixedAddresses, .boolean, [.create, .update], default: false,
                from: "subnet-dns-publish-fixed-ip"),
            .request(
                "router:external", .boolean, [.filter], from: "subnet-external-network",
                show: { subnet, writer in writer.bool(subnet.isOnExternalNetwork) }),
            // A network's, which a list can be filtered by.
            .request("shared", .boolean, [.filter]),
        ] + standardAttributes)
}

extension Subnet {
    /// The family has a column of its own so that lists can filter by it; the prefix decides it, so loading the column changes nothing.
    var versionColumn: IPVersion {
        get { prefix.version }
        set {}
    }
}

extension IPPrefix {
    /// 0.0.0.0/0.
    static let allIPv4: IPPrefix = {
        guard let prefix = IPPrefix(masking: .v4(IPv4Address(rawValue: 0)), length: 0) else {
            preconditionFailure("length 0 fits every family")
        }
        return prefix
    }()
}
