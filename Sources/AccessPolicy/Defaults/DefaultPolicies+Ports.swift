extension DefaultPolicies {
    /// Rules of ports and their bindings.
    static let ports = """
        get_port_binding = (rule:admin_only) or (rule:service_api)
        create_port_binding = rule:service_api
        delete_port_binding = rule:service_api
        activate = rule:service_api
        create_port = (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner or rule:shared
        create_port:device_id = (rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:service_api
        create_port:device_owner = not rule:network_device or (rule:admin_only) or (rule:service_api) or role:member and \
            rule:network_owner
        create_port:mac_address = (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner
        create_port:fixed_ips = (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner or rule:shared
        create_port:fixed_ips:ip_address = (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner
        create_port:fixed_ips:subnet_id = (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner or \
            rule:shared
        create_port:port_security_enabled = (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner
        create_port:binding:host_id = (rule:admin_only) or (rule:service_api)
        create_port:binding:profile = rule:service_api
        create_port:binding:vnic_type = (rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:service_api
        create_port:allowed_address_pairs = (rule:admin_only) or (role:member and rule:network_owner) or rule:service_api
        create_port:allowed_address_pairs:mac_address = (rule:admin_only) or (role:member and rule:network_owner) or \
            rule:service_api
        create_port:allowed_address_pairs:ip_address = (rule:admin_only) or (role:member and rule:network_owner) or \
            rule:service_api
        create_port:hints = rule:admin_only
        create_port:trusted = rule:admin_only
        create_port:tags = (rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:context_is_advsvc
        get_port = (rule:admin_only) or (rule:service_api) or role:reader and rule:network_owner or role:reader and \
            project_id:%(project_id)s
        get_port:binding:vif_type = (rule:admin_only) or (rule:service_api)
        get_port:binding:vif_details = (rule:admin_only) or (rule:service_api)
        get_port:binding:host_id = (rule:admin_only) or (rule:service_api)
        get_port:binding:profile = (rule:admin_only) or (rule:service_api)
        get_port:resource_request = rule:admin_only
        get_port:hints = rule:admin_only
        get_port:trusted = rule:admin_only
        get_port:tags = rule:context_is_advsvc or (rule:admin_only) or (role:reader and rule:network_owner) or role:reader and \
            project_id:%(project_id)s
        update_port = (rule:admin_only) or (rule:service_api) or role:member and project_id:%(project_id)s
        update_port:device_id = (rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:service_api
        update_port:device_owner = not rule:network_device or (rule:admin_only) or (rule:service_api) or role:member and \
            rule:network_owner
        update_port:mac_address = (rule:admin_only) or (rule:service_api) or role:manager and rule:network_owner
        update_port:fixed_ips = (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner
        update_port:fixed_ips:ip_address = (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner
        update_port:fixed_ips:subnet_id = (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner or \
            rule:shared
        update_port:port_security_enabled = (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner
        update_port:binding:host_id = (rule:admin_only) or (rule:service_api)
        update_port:binding:profile = rule:service_api
        update_port:binding:vnic_type = (rule:admin_only) or (rule:service_api) or role:member and project_id:%(project_id)s
        update_port:allowed_address_pairs = (rule:admin_only) or (role:member and rule:network_owner) or rule:service_api
        update_port:allowed_address_pairs:mac_address = (rule:admin_only) or (role:member and rule:network_owner) or \
            rule:service_api
        update_port:allowed_address_pairs:ip_address = (rule:admin_only) or (role:member and rule:network_owner) or \
            rule:service_api
        update_port:data_plane_status = rule:admin_only or role:data_plane_integrator
        update_port:hints = rule:admin_only
        update_port:trusted = rule:admin_only
        update_port:tags = (rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:context_is_advsvc
        delete_port = (rule:admin_only) or (rule:service_api) or (service_roles:service and (role:member and rule:network_owner \
            or role:member and project_id:%(project_id)s)) or (not rule:compute_device and not rule:baremetal_device and not \
            rule:manila_device and (role:member and rule:network_owner or role:member and project_id:%(project_id)s))
        delete_port:tags = rule:context_is_advsvc or role:member and project_id:%(project_id)s or (rule:admin_only) or \
            (role:member and rule:network_owner)
        create_port:pvlan_type = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        create_port:pvlan_community = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        update_port:pvlan_type = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        update_port:pvlan_community = (rule:admin_only) or (role:member and project_id:%(project_id)s)
        get_port:pvlan_type = (rule:admin_only) or (role:reader and project_id:%(project_id)s)
        get_port:pvlan_community = (rule:admin_only) or (role:reader and project_id:%(project_id)s)
        """
}
