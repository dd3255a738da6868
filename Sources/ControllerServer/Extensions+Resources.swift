extension ExtensionDescription {
    /// Those of agents' schedulers, flavors, segments, quotas and what the server reports or makes by itself.
    static let resources: [ExtensionDescription] = [
        .init(
            alias: "agent-resources-synced", name: "Agent's Resource View Synced to Placement",
            description: "Stores success/failure of last sync to Placement", updated: "2018-12-19T00:00:00-00:00"),
        .init(
            alias: "agent_sort_key", name: "Agents Sort Key", description: "Enabling the keyword sort_key for sorting in agents.",
            updated: "2013-02-03T10:00:00-00:00"),
        .init(
            alias: "auto-allocated-topology", name: "Auto Allocated Topology Services", description: "Auto Allocated Topology Services.",
            updated: "2016-01-01T00:00:00-00:00"),
        .init(
            alias: "dhcp_agent_scheduler", name: "DHCP Agent Scheduler", description: "Schedule networks among dhcp agents",
            updated: "2013-02-07T10:00:00-00:00"),
        .init(
            alias: "flavors", name: "Neutron Service Flavors", description: "Flavor specification for Neutron advanced services.",
            updated: "2015-09-17T10:00:00-00:00"),
        .init(
            alias: "floatingip-autodelete-internal", name: "Autodelete floating IPs of internal networks",
            description: "Autodelete unused floating IPs of internal networks", updated: "2019-01-24T00:00:00-00:00"),
        .init(
            alias: "l3-flavors", name: "Router Flavor Extension", description: "Flavor support for routers.",
            updated: "2016-05-17T00:00:00-00:00"),
        .init(
            alias: "l3-port-ip-change-not-allowed", name: "Prevent L3 router ports IP address change extension",
            description: "Prevent change of IP address for some L3 router ports", updated: "2018-10-09T10:00:00-00:00"),
        .init(
            alias: "multi-provider", name: "Multi Provider Network",
            description: "Expose mapping of virtual networks to multiple physical networks", updated: "2013-06-27T10:00:00-00:00"),
        .init(
            alias: "network-ip-availability", name: "Network IP Availability",
            description: "Provides IP availability data for each network and subnet.", updated: "2015-09-24T00:00:00-00:00"),
        .init(
            alias: "network-ip-availability-details", name: "Network IP Availability Details Extension",
            description: "Add ip_availability_details attribute to network-ip-availabilities resource.",
            updated: "2025-10-31T00:00:00-00:00"),
        .init(
            alias: "network-segment-range", name: "Neutron Network Segment Range",
            description: "Provides support for the network segment range management", updated: "2018-11-29T00:00:00-00:00"),
        .init(
            alias: "quota-check-limit", name: "Quota engine limit check",
            description: "Support for checking the resource usage before applying a new quota limit",
            updated: "2021-09-08T16:00:00-00:00"),
        .init(
            alias: "quota-check-limit-default", name: "Quota engine limit check by default",
            description: "By default, the Neutron quota engine checks the resource usage before applying a new quota limit",
            updated: "2024-08-21T16:00:00-00:00"),
        .init(
            alias: "router-enable-snat", name: "Exposes the router \"enable_snat\" read-only configuration flag",
            description: "Exposes the router \"enable_snat\" read-only configuration flag",
            updated: "2025-09-18T18:00:00-00:00"),
        .init(alias: "segment", name: "Segment", description: "Segments extension.", updated: "2016-02-24T17:00:00-00:00"),
        .init(
            alias: "service-type", name: "Neutron Service Type Management",
            description: "API for retrieving service providers for Neutron advanced services", updated: "2013-01-20T00:00:00-00:00"),
        .init(
            alias: "segments-peer-subnet-host-routes", name: "Segments peer-subnet host routes",
            description: "Add host routes to subnets on a routed network (segments)", updated: "2018-06-12T10:00:00-00:00"),
        .init(
            alias: "standard-attr-segment", name: "Standard Attribute Segment Extension",
            description: "Add standard attributes to Segment resource", updated: "2018-04-09T10:00:00-00:00"),
        .init(
            alias: "subnet-segmentid-enforce", name: "Subnet SegmentID (policy enforced)",
            description: "Enforce segment_id policy rule.", updated: "2018-09-04T00:00:00-00:00"),
        .init(
            alias: "subnet-segmentid-writable", name: "Subnet SegmentID (writable)",
            description: "Provides a writable segment_id attribute for a subnet resource.", updated: "2018-03-12T00:00:00-00:00"),
    ]
}
