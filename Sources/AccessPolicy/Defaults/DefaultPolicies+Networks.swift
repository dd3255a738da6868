extension DefaultPolicies {
    /// Rules of networks, subnets, subnet pools, address scopes and groups, segments.
    static let networks = """
        create_address_group = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        get_address_group = (rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_address_groups
        update_address_group = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        delete_address_group = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        add_addresses = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        remove_addresses = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        create_address_scope = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        create_address_scope:shared = rule:admin_only
        get_address_scope = rule:admin_only or role:reader and project_id:%(project_id)s or rule:shared_address_scopes
        update_address_scope = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        update_address_scope:shared = rule:admin_only
        delete_address_scope = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        get_auto_allocated_topology = (rule:admin_only) or (role:reader and project_id:%(project_id)s)
        delete_auto_allocated_topology = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        create_network = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        create_network:shared = rule:admin_only
        create_network:router:external = rule:admin_only
        create_network:is_default = rule:admin_only
        create_network:port_security_enabled = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        create_network:segments = rule:admin_only
        create_network:provider:network_type = rule:admin_only
        create_network:provider:physical_network = rule:admin_only
        create_network:provider:segmentation_id = rule:admin_only
        create_network:tags = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        get_network = (rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:service_api or rule:shared or \
            rule:external or rule:context_is_advsvc
        get_network:segments = rule:admin_only
        get_network:provider:network_type = rule:admin_only
        get_network:provider:physical_network = rule:admin_only
        get_network:provider:segmentation_id = rule:admin_only
        get_network:tags = (rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared or rule:external or \
            rule:context_is_advsvc
        update_network = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        update_network:segments = rule:admin_only
        update_network:shared = rule:admin_only
        update_network:provider:network_type = rule:admin_only
        update_network:provider:physical_network = rule:admin_only
        update_network:provider:segmentation_id = rule:admin_only
        update_network:router:external = rule:admin_only
        update_network:is_default = rule:admin_only
        update_network:port_security_enabled = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        update_network:tags = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        delete_network = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        delete_network:tags = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        get_network_ip_availability = (rule:admin_only) or (rule:service_api)
        create_network_segment_range = rule:admin_only
        create_network_segment_range:tags = rule:admin_only
        get_network_segment_range = rule:admin_only
        get_network_segment_range:tags = rule:admin_only
        update_network_segment_range = rule:admin_only
        update_network_segment_range:tags = rule:admin_only
        delete_network_segment_range = rule:admin_only
        delete_network_segment_range:tags = rule:admin_only
        create_network:pvlan = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        update_network:pvlan = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        get_network:pvlan = (rule:admin_only) or (role:reader and project_id:%(project_id)s)
        create_segment = rule:admin_only
        create_segments_tags = rule:admin_only
        get_segment = rule:admin_only
        get_segments_tags = rule:admin_only
        update_segment = rule:admin_only
        update_segments_tags = rule:admin_only
        delete_segment = rule:admin_only
        delete_segments_tags = rule:admin_only
        create_subnet = (rule:admin_only) or (role:member and rule:network_owner)
        create_subnet:segment_id = rule:admin_only
        create_subnet:service_types = rule:admin_only
        create_subnet:tags = role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and \
            rule:network_owner)
        get_subnet = role:reader and project_id:%(project_id)s or rule:shared or rule:external_network or (rule:admin_only) or \
            (role:reader and rule:network_owner) or rule:service_api
        get_subnet:segment_id = rule:admin_only
        get_subnet:tags = role:reader and project_id:%(project_id)s or rule:shared or rule:external_network or (rule:admin_only) \
            or (role:reader and rule:network_owner)
        update_subnet = role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and rule:network_owner)
        update_subnet:segment_id = rule:admin_only
        update_subnet:service_types = rule:admin_only
        update_subnet:leak_routes = rule:admin_only
        update_subnet:tags = role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and \
            rule:network_owner)
        delete_subnet = role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and rule:network_owner)
        delete_subnet:tags = role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and \
            rule:network_owner)
        create_subnetpool = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        create_subnetpool:shared = rule:admin_only
        create_subnetpool:is_default = rule:admin_only
        create_subnetpool:tags = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        get_subnetpool = (rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_subnetpools
        get_subnetpool:tags = (rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_subnetpools
        update_subnetpool = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        update_subnetpool:is_default = rule:admin_only
        update_subnetpool:tags = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        delete_subnetpool = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        delete_subnetpool:tags = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        onboard_network_subnets = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        add_prefixes = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        remove_prefixes = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        """
}
