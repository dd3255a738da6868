extension DefaultPolicies {
    /// Operations for which Neutron has no rule, and which its rule `default` would allow to readers of the project.
    static let further = """
        update_security_group_rule = (rule:admin_only) or (role:member and rule:sg_owner)
        update_port_binding = (rule:admin_only) or (rule:service_api)
        """
}
