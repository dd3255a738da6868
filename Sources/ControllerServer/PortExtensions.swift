extension ExtensionDescription {
    /// What networks, subnets, ports and security groups have beyond their core, and what all lists can do.
    static let portsAndGroups: [ExtensionDescription] = [
        .init(
            alias: "aap-reject-multicast", name: "Allowed address pairs reject multicast extension",
            description: "Reject multicast addresses in Allowed Address Pairs",
            updated: "2026-04-01T00:00:00-00:00"),
        .init(
            alias: "address-group", name: "Address group",
            description: "Support address group",
            updated: "2020-07-15T10:00:00-00:00"),
        .init(
            alias: "availability_zone_filter", name: "Availability Zone Filter Extension",
            description: "Add filter parameters to AvailabilityZone resource",
            updated: "2018-06-22T10:00:00-00:00"),
        .init(
            alias: "data-plane-status", name: "Port data plane status extension",
            description: "Expose status of underlying data plane",
            updated: "2017-01-24T10:00:00-00:00"),
        .init(
            alias: "dns-domain-ports", name: "dns_domain for ports",
            description: "Allows the DNS domain to be specified for a network port.",
            updated: "2017-04-24T10:00:00-00:00"),
        .init(
            alias: "dns-integration", name: "DNS Integration",
            description: "Provides integration with DNS.",
            updated: "2015-08-15T18:00:00-00:00"),
        .init(
            alias: "empty-string-filtering", name: "Empty String Filtering Extension",
            description: "Allow filtering by attributes with empty string value",
            updated: "2018-05-01T10:00:00-00:00"),
        .init(
            alias: "extra_dhcp_opt", name: "Neutron Extra DHCP options",
            description: "Extra options configuration for DHCP. For example PXE boot options to DHCP clients "
                + "can be specified (e.g. tftp-server, server-ip-address, bootfile-name)",
            updated: "2013-03-17T12:00:00-00:00"),
        .init(
            alias: "ip-substring-filtering", name: "IP address substring filtering",
            description: "Provides IP address substring filtering when listing ports",
            updated: "2017-11-28T09:00:00-00:00"),
        .init(
            alias: "ip_allocation", name: "IP Allocation",
            description: "IP allocation extension.",
            updated: "2016-06-10T23:00:00-00:00"),
        .init(
            alias: "l2_adjacency", name: "L2 Adjacency",
            description: "Display L2 Adjacency for Neutron Networks.",
            updated: "2016-04-12T16:00:00-00:00"),
        .init(
            alias: "net-mtu-writable", name: "Network MTU (writable)",
            description: "Provides a writable MTU attribute for a network resource.",
            updated: "2017-07-12T00:00:00-00:00"),
        .init(
            alias: "port-device-profile", name: "Port device profile",
            description: "Expose the port device profile (Cyborg)",
            updated: "2020-12-17T10:00:00-00:00"),
        .init(
            alias: "port-hints", name: "Port hints",
            description: "Backend specific port hints to allow backend specific tuning",
            updated: "2023-01-01T00:00:00-00:00"),
        .init(
            alias: "port-mac-address-regenerate", name: "Neutron Port MAC address regenerate",
            description: "Network port MAC address regenerate",
            updated: "2018-05-03T10:00:00-00:00"),
        .init(
            alias: "port-numa-affinity-policy", name: "Port NUMA affinity policy",
            description: "Expose the port NUMA affinity policy",
            updated: "2020-07-08T10:00:00-00:00"),
        .init(
            alias: "port-numa-affinity-policy-socket", name: "Port NUMA affinity policy \"socket\"",
            description: "Adds \"socket\" to the supported port NUMA affinity policies",
            updated: "2024-02-09T10:00:00-00:00"),
        .init(
            alias: "port-resource-request", name: "Port Resource Request",
            description: "Expose resource request to Port",
            updated: "2018-05-08T10:00:00-00:00"),
        .init(
            alias: "port-security-groups-filtering", name: "Port filtering on security groups",
            description: "Provides security groups filtering when listing ports",
            updated: "2018-01-09T09:00:00-00:00"),
        .init(
            alias: "rbac-address-group", name: "Add address_group type to RBAC",
            description: "Add address_group type to network RBAC",
            updated: "2021-01-20T00:00:00-00:00"),
        .init(
            alias: "security-groups-default-rules", name: "Default rules for security groups",
            description: "Configure set of security group rules used as default rules for every new security group",
            updated: "2022-12-19T10:00:00-00:00"),
        .init(
            alias: "security-groups-default-statefulness", name: "Security Groups Default Statefulness",
            description: "Allows configuring the default value of the 'stateful' attribute for new security groups, on a per-project or "
                + "system-wide basis",
            updated: "2026-04-13T00:00:00-00:00"),
        .init(
            alias: "security-groups-normalized-cidr", name: "Normalized CIDR field for security group rules",
            description: "Add new field with normalized remote_ip_prefix cidr in SG rule",
            updated: "2020-07-28T10:00:00-00:00"),
        .init(
            alias: "security-groups-remote-address-group", name: "Remote address group id field for security group rules",
            description: "Add new field of remote address group id in SG rules",
            updated: "2020-08-25T10:00:00-00:00"),
        .init(
            alias: "security-groups-rules-belongs-to-default-sg",
            name: "Security group rule belongs to the project's default security group",
            description: "Flag to determine if the security group rule belongs to the project's default security group",
            updated: "2023-05-23T10:00:00-00:00"),
        .init(
            alias: "security-groups-shared-filtering", name: "Security group filtering on the shared field",
            description: "Support filtering security groups on the shared field",
            updated: "2021-10-05T09:00:00-00:00"),
        .init(
            alias: "sort-key-validation", name: "Sort keys validation",
            description: "Provides validation on sort keys.",
            updated: "2018-07-04T10:00:00-00:00"),
        .init(
            alias: "stateful-security-group", name: "Stateful security group",
            description: "Indicates if the security group is stateful or not",
            updated: "2019-11-26T09:00:00-00:00"),
        .init(
            alias: "subnet-dns-publish-fixed-ip", name: "Subnet DNS publish fixed IP",
            description: "Support choosing to publish DNS records for IPs from a subnet",
            updated: "2019-05-24T10:00:00-00:00"),
        .init(
            alias: "subnet-external-network", name: "Subnet belongs to an external network",
            description: "Informs if the subnet belongs to an external network",
            updated: "2024-02-05T18:00:00-00:00"),
        .init(
            alias: "subnet-service-types", name: "Subnet service types",
            description: "Provides ability to set the subnet service_types field",
            updated: "2016-03-15T18:00:00-00:00"),
        .init(
            alias: "tag-creation", name: "Tag creation extension",
            description: "Allow to create multiple tags for a resource",
            updated: "2024-23-07T10:00:00-00:00"),
        .init(
            alias: "tag-ports-during-bulk-creation", name: "Tag Ports During Bulk Creation",
            description: "Allow to tag ports during bulk creation",
            updated: "2019-12-29T19:00:00-00:00"),
        .init(
            alias: "uplink-status-propagation", name: "Uplink status propagation extension",
            description: "Provides ability to propagate port uplink status.",
            updated: "2018-05-31T18:00:00-00:00"),
        .init(
            alias: "uplink-status-propagation-updatable", name: "Uplink status propagation updatable extension",
            description: "Provides ability to update the port uplink status.",
            updated: "2024-09-03T18:00:00-00:00"),
    ]
}
