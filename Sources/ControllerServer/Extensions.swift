import APISchema
import Hummingbird

/// An extension of the API that this server announces. Only what happens is announced.
struct ExtensionDescription: Sendable {
    let alias: String
    let name: String
    let description: String
    let updated: String

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            for (key, value) in [("alias", alias), ("name", name), ("description", description), ("updated", updated)] {
                writer.key(key)
                writer.string(value)
            }
            writer.key("links")
            writer.array { _ in }
        }
    }

    private static let core: [ExtensionDescription] = [
        .init(
            alias: "address-scope", name: "Address scope",
            description: "Address scopes extension.", updated: "2015-07-26T10:00:00-00:00"),
        .init(alias: "agent", name: "agent", description: "The agent management extension.", updated: "2013-02-03T10:00:00-00:00"),
        .init(
            alias: "allowed-address-pairs", name: "Allowed Address Pairs", description: "Provides allowed address pairs",
            updated: "2013-07-23T10:00:00-00:00"),
        .init(
            alias: "availability_zone", name: "Availability Zone", description: "Availability zone support.",
            updated: "2015-01-01T10:00:00-00:00"),
        .init(
            alias: "binding", name: "Port Binding", description: "Expose port bindings of a virtual port to external application",
            updated: "2014-02-03T10:00:00-00:00"),
        .init(
            alias: "binding-extended", name: "Port Bindings Extended",
            description: "Expose port bindings of a virtual port to external application", updated: "2017-07-17T10:00:00-00:00"),
        .init(
            alias: "default-subnetpools", name: "Default Subnetpools",
            description: "Provides ability to mark and use a subnetpool as the default.", updated: "2016-02-18T18:00:00-00:00"),
        .init(
            alias: "ecmp_routes", name: "Equal Cost Multipath Routing",
            description: "Allows traffic to reach the same destination via multiple different links", updated: "2020-11-26T18:00:00-00:00"),
        .init(
            alias: "enable-default-route-ecmp", name: "Enable Default Route ECMP",
            description: "Enables configurable ECMP behavior for default routes", updated: "2023-02-27T00:00:00-00:00"),
        .init(
            alias: "expose-l3-conntrack-helper", name: "Expose CT target rules conntrack helper in Router",
            description: "Expose CT target rules conntrack helper to Router", updated: "2019-04-04T10:00:00-00:00"),
        .init(
            alias: "expose-port-forwarding-in-fip", name: "Expose Port Forwarding in Floating IP",
            description: "Expose port forwarding in floating ip", updated: "2018-06-28T16:00:00-00:00"),
        .init(
            alias: "ext-gw-mode", name: "Neutron L3 Configurable external gateway mode",
            description: "Extension of the router abstraction for specifying whether SNAT should occur on the external gateway",
            updated: "2013-03-28T10:00:00-00:00"),
        .init(
            alias: "external-gateway-multihoming", name: "Neutron L3 External Gateway Multihoming",
            description: "Allow multiple external gateway ports per router", updated: "2023-01-18T00:00:00-00:00"),
        .init(
            alias: "external-net", name: "Neutron external network", description: "Adds external network attribute to network resource.",
            updated: "2013-01-14T10:00:00-00:00"),
        .init(
            alias: "extraroute", name: "Neutron Extra Route", description: "Extra routes configuration for L3 router",
            updated: "2013-02-01T10:00:00-00:00"),
        .init(
            alias: "extraroute-atomic", name: "Atomically add/remove extra routes",
            description: "Edit extra routes of a router on server side by atomically adding/removing extra routes",
            updated: "2019-07-10T00:00:00+00:00"),
        .init(
            alias: "filter-validation", name: "Filter parameters validation", description: "Provides validation on filter parameters.",
            updated: "2018-07-04T10:00:00-00:00"),
        .init(
            alias: "fip-port-details", name: "Floating IP Port Details Extension",
            description: "Add port_details attribute to Floating IP resource", updated: "2018-04-09T10:00:00-00:00"),
        .init(
            alias: "floating-ip-port-forwarding", name: "Floating IP Port Forwarding",
            description: "Expose floating IP port forwarding", updated: "2018-01-19T10:00:00-00:00"),
        .init(
            alias: "floating-ip-port-forwarding-description", name: "Floating IP Port Forwarding new attribute description",
            description: "Add a description field to Port Forwarding rules", updated: "2019-11-01T10:00:00-00:00"),
        .init(
            alias: "floating-ip-port-forwarding-detail", name: "Floating IP Port Forwarding support to show detail",
            description: "Add id and internal_port_id to the port forwardings of a floating IP", updated: "2022-05-06T10:00:00-00:00"),
        .init(
            alias: "floating-ip-port-forwarding-port-ranges", name: "Floating IP Port Forwarding support port ranges",
            description: "Add support to port ranges", updated: "2020-07-01T10:00:00-00:00"),
        .init(
            alias: "floatingip-pools", name: "Floating IP Pools Extension",
            description: "Provides a floating IP pools API.", updated: "2018-03-21T10:00:00-00:00"),
        .init(
            alias: "l3-conntrack-helper", name: "CT target rules conntrack helper",
            description: "Conntrack helper of routers", updated: "2019-04-04T10:00:00-00:00"),
        .init(
            alias: "l3-ha", name: "HA Router extension", description: "Adds HA capability to routers.", updated: "2014-04-26T00:00:00-00:00"
        ),
        .init(
            alias: "l3_agent_scheduler", name: "L3 Agent Scheduler", description: "Schedule routers among l3 agents",
            updated: "2013-02-07T10:00:00-00:00"),
        .init(
            alias: "net-mtu", name: "Network MTU", description: "Provides MTU attribute for a network resource.",
            updated: "2015-03-25T10:00:00-00:00"),
        .init(
            alias: "network_availability_zone", name: "Network Availability Zone", description: "Availability zone support for network.",
            updated: "2015-01-01T10:00:00-00:00"),
        .init(
            alias: "pagination", name: "Pagination support", description: "Extension that indicates that pagination is enabled.",
            updated: "2016-06-12T00:00:00-00:00"),
        .init(alias: "port-security", name: "Port Security", description: "Provides port security", updated: "2012-07-23T10:00:00-00:00"),
        .init(
            alias: "project-id", name: "project_id field enabled",
            description: "Extension that indicates that project_id field is enabled.", updated: "2016-09-09T09:09:09-09:09"),
        .init(
            alias: "provider", name: "Provider Network", description: "Expose mapping of virtual networks to physical networks",
            updated: "2012-09-07T10:00:00-00:00"),
        .init(
            alias: "quotas", name: "Quota management support", description: "Expose functions for quotas management per project",
            updated: "2012-07-29T10:00:00-00:00"),
        .init(
            alias: "quota_details", name: "Quota details management support",
            description: "Expose functions for quotas usage statistics per project", updated: "2017-02-10T10:00:00-00:00"),
        .init(
            alias: "rbac-address-scope", name: "Add address_scope type to RBAC",
            description: "Add address_scope type to network RBAC", updated: "2020-02-12T00:00:00-00:00"),
        .init(
            alias: "rbac-policies", name: "RBAC Policies",
            description: "Allows creation and modification of policies that control tenant access to resources.",
            updated: "2015-06-17T12:15:12-00:00"),
        .init(
            alias: "rbac-security-groups", name: "Add security_group type to network RBAC",
            description: "Add security_group type to network RBAC", updated: "2019-02-14T00:00:00-00:00"),
        .init(
            alias: "rbac-subnetpool", name: "Add subnetpool type to RBAC",
            description: "Add subnetpool type to RBAC", updated: "2020-02-05T00:00:00-00:00"),
        .init(
            alias: "revision-if-match", name: "If-Match constraints based on revision_number",
            description: "Extension indicating that If-Match based on revision_number is supported.", updated: "2016-12-11T00:00:00-00:00"),
        .init(
            alias: "router", name: "Neutron L3 Router",
            description:
                "Router abstraction for basic L3 forwarding between L2 Neutron networks and access to external networks via a NAT gateway.",
            updated: "2012-07-20T10:00:00-00:00"),
        .init(
            alias: "router_availability_zone", name: "Router Availability Zone", description: "Availability zone support for router.",
            updated: "2015-01-01T10:00:00-00:00"),
        .init(
            alias: "security-group", name: "security-group", description: "The security groups extension.",
            updated: "2012-10-05T10:00:00-00:00"),
        .init(
            alias: "security-groups-name-restrictions", name: "Security group name restrictions",
            description: "Enforce printable characters and no leading/trailing whitespace in security group names",
            updated: "2026-07-29T10:00:00-00:00"),
        .init(
            alias: "sorting", name: "Sorting support", description: "Extension that indicates that sorting is enabled.",
            updated: "2016-06-12T00:00:00-00:00"),
        .init(
            alias: "standard-attr-description", name: "standard-attr-description",
            description: "Extension to add descriptions to standard attributes",
            updated: "2016-02-10T10:00:00-00:00"),
        .init(
            alias: "standard-attr-revisions", name: "Resource revision numbers",
            description: "This extension will display the revision number of neutron resources.", updated: "2016-04-11T10:00:00-00:00"),
        .init(
            alias: "standard-attr-tag", name: "Tag support for resources with standard attribute",
            description: "Enables to set tag on resources with standard attribute.", updated: "2017-01-01T00:00:00-00:00"),
        .init(
            alias: "standard-attr-timestamp", name: "Resource timestamps",
            description: "Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes.",
            updated: "2016-09-12T10:00:00-00:00"),
        .init(
            alias: "subnet_allocation", name: "Subnet Allocation",
            description: "Enables allocation of subnets from a subnet pool", updated: "2015-03-30T10:00:00-00:00"),
        .init(
            alias: "subnet_onboard", name: "Subnet Onboard",
            description: "Provides support for onboarding subnets into subnet pools", updated: "2018-12-18T09:00:00-00:00"),
        .init(
            alias: "subnetpool-prefix-ops", name: "Subnet Pool Prefix Operations",
            description: "Provides support for adjusting the prefix list of subnet pools", updated: "2019-02-08T10:00:00-00:00"),
    ]
}

extension ExtensionDescription {
    /// In the order of their aliases.
    static let all = (core + portsAndGroups + resources + quality).sorted { $0.alias < $1.alias }

    static func addRoutes(to router: APIRouter) {
        router.get("/v2.0/extensions") { _, _ in
            var writer = JSONWriter(reservingCapacity: 8192)
            writer.object { writer in
                writer.key("extensions")
                writer.array { for description in all { description.write(to: &$0) } }
            }
            return Response.json(writer)
        }
        router.get("/v2.0/extensions/:alias") { _, context in
            let alias = context.parameters.get("alias") ?? ""
            guard let description = all.first(where: { $0.alias == alias }) else {
                throw APIError(status: 404, type: "HTTPNotFound", message: "Extension with alias \(alias) does not exist")
            }
            var writer = JSONWriter()
            writer.object { writer in
                writer.key("extension")
                description.write(to: &writer)
            }
            return Response.json(writer)
        }
    }
}
