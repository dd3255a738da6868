import APISchema

/// Which attributes and verbs need an administrator, and what the others are told.
///
/// Thin on purpose: the rules of Neutron's default policy that separate administrators from project members. Rule expressions and policy files
/// come with authentication.
public enum AccessPolicy {
    /// Attributes that only administrators may give, by the plural name of their resource.
    static let administratorAttributes: [String: Set<String>] = [
        "networks": [
            "shared", "router:external", "provider:network_type", "provider:physical_network", "provider:segmentation_id",
            "segments", "is_default",
        ],
        "subnets": ["segment_id"],
        "ports": ["binding:host_id", "binding:profile", "data_plane_status"],
        "routers": ["ha", "external_gateway_info:enable_snat", "external_gateway_info:external_fixed_ips"],
        "floatingips": ["floating_ip_address"], "subnetpools": ["shared", "is_default"], "address_scopes": ["shared"],
    ]

    /// What project members may see, but only managers of a project and administrators may write.
    static let managerResources: Set<String> = ["policies", "bandwidth_limit_rules", "dscp_marking_rules", "packet_rate_limit_rules"]

    /// Whether project members may use the resource at all.
    static let administratorResources: Set<String> = ["agents", "service_profiles", "segments", "network_segment_ranges"]

    /// What everybody may see, but only administrators may write.
    static let administratorWritten: Set<String> = ["flavors", "default_security_group_rules"]

    /// Throws when the caller may not do the verb with the attributes that the request names.
    ///
    /// - Parameter verb: `create`, `update`, `delete` or `get`.
    public static func check<R: APIResource>(_ verb: String, _ type: R.Type, givenNames: Set<String> = [], caller: Caller) throws(APIError)
    {
        guard !caller.isAdmin else { return }
        let table = R.table
        let rule = "\(verb)_\(table.singular)"
        guard !administratorResources.contains(table.plural) else { throw notAuthorized("rule:\(rule)") }
        guard verb == "get" || !administratorWritten.contains(table.plural) else { throw notAuthorized("rule:\(rule)") }
        guard verb == "get" || caller.roles.contains("manager") || !managerResources.contains(table.plural) else {
            throw notAuthorized("rule:\(rule)")
        }
        let refused = givenNames.intersection(administratorAttributes[table.plural] ?? []).sorted()
        guard refused.isEmpty else {
            throw notAuthorized("(rule:\(rule) and " + refused.map { "rule:\(rule):\($0)" }.joined(separator: " and ") + ")")
        }
    }

    /// Throws unless the caller may make something for the project.
    public static func checkOwner<R: APIResource>(_ verb: String, _ type: R.Type, projectID: String, caller: Caller) throws(APIError) {
        guard caller.isAdmin || caller.projectID == projectID else { throw notAuthorized("rule:\(verb)_\(R.table.singular)") }
    }

    /// Throws unless the caller may share something with every project.
    public static func checkWildcardTarget(_ verb: String, caller: Caller) throws(APIError) {
        guard caller.isAdmin else { throw notAuthorized("(rule:\(verb)_rbac_policy and rule:\(verb)_rbac_policy:target_tenant)") }
    }

    /// Throws unless the caller may see which agents realise something: `get_l3-agents`, `get_dhcp-agents`.
    public static func checkPlacement(_ rule: String, caller: Caller) throws(APIError) {
        guard caller.isAdmin else { throw notAuthorized("rule:\(rule)") }
    }

    static func notAuthorized(_ rule: String) -> APIError {
        APIError(status: 403, type: "PolicyNotAuthorized", message: "\(rule) is disallowed by policy")
    }
}
