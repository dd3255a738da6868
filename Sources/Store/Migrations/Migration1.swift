extension Migration {
    /// The first schema: one table per resource with the columns of its attribute table, and the tables that keep things unique.
    ///
    /// Foreign keys are deferred to the end of a transaction, so that a verb may write its rows in the order in which it reads best. They are a
    /// safety net: operations check first and answer with the API's errors.
    static let version1 = Migration(
        version: 1,
        shared: resourceTables + allocationTables + routerTables + bookkeepingTables,
        postgresqlOnly: """

            CREATE SEQUENCE change_log_revision;

            """)

    private static let standardColumns = """
        description TEXT NOT NULL,
            tags TEXT NOT NULL,
            revision_number BIGINT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        """

    private static let resourceTables = """
        CREATE TABLE networks (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT NOT NULL,
            name TEXT NOT NULL,
            admin_state_up BIGINT NOT NULL,
            status TEXT NOT NULL,
            subnets TEXT NOT NULL,
            shared BIGINT NOT NULL,
            router_external BIGINT NOT NULL,
            mtu BIGINT NOT NULL,
            port_security_enabled BIGINT NOT NULL,
            provider_network_type TEXT NOT NULL,
            provider_physical_network TEXT,
            provider_segmentation_id BIGINT,
            ha_project_id TEXT,
            \(standardColumns)
        );
        CREATE INDEX networks_by_project ON networks (project_id);

        CREATE TABLE subnets (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT NOT NULL,
            name TEXT NOT NULL,
            network_id TEXT NOT NULL REFERENCES networks (id) DEFERRABLE INITIALLY DEFERRED,
            ip_version BIGINT NOT NULL,
            cidr TEXT NOT NULL,
            gateway_ip TEXT,
            allocation_pools TEXT NOT NULL,
            dns_nameservers TEXT NOT NULL,
            host_routes TEXT NOT NULL,
            enable_dhcp BIGINT NOT NULL,
            ipv6_ra_mode TEXT,
            ipv6_address_mode TEXT,
            service_types TEXT NOT NULL,
            \(standardColumns)
        );
        CREATE INDEX subnets_by_network ON subnets (network_id);
        CREATE INDEX subnets_by_project ON subnets (project_id);

        CREATE TABLE ports (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT NOT NULL,
            name TEXT NOT NULL,
            network_id TEXT NOT NULL REFERENCES networks (id) DEFERRABLE INITIALLY DEFERRED,
            admin_state_up BIGINT NOT NULL,
            mac_address TEXT NOT NULL,
            fixed_ips TEXT NOT NULL,
            device_id TEXT NOT NULL,
            device_owner TEXT NOT NULL,
            status TEXT NOT NULL,
            security_groups TEXT NOT NULL,
            port_security_enabled BIGINT NOT NULL,
            allowed_address_pairs TEXT NOT NULL,
            extra_dhcp_opts TEXT NOT NULL,
            binding_host_id TEXT NOT NULL,
            binding_vnic_type TEXT NOT NULL,
            binding_vif_type TEXT NOT NULL,
            binding_profile TEXT NOT NULL,
            \(standardColumns),
            UNIQUE (network_id, mac_address)
        );
        CREATE INDEX ports_by_project ON ports (project_id);
        CREATE INDEX ports_by_device ON ports (device_id, device_owner);
        CREATE INDEX ports_by_host ON ports (binding_host_id);
        CREATE INDEX ports_by_mac ON ports (mac_address);

        CREATE TABLE routers (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT NOT NULL,
            name TEXT NOT NULL,
            admin_state_up BIGINT NOT NULL,
            status TEXT NOT NULL,
            external_gateway_info TEXT,
            ha BIGINT NOT NULL,
            routes TEXT NOT NULL,
            virtual_router_id BIGINT,
            \(standardColumns)
        );
        CREATE INDEX routers_by_project ON routers (project_id);

        CREATE TABLE floatingips (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT NOT NULL,
            floating_network_id TEXT NOT NULL REFERENCES networks (id) DEFERRABLE INITIALLY DEFERRED,
            floating_ip_address TEXT NOT NULL,
            port_id TEXT REFERENCES ports (id) DEFERRABLE INITIALLY DEFERRED,
            fixed_ip_address TEXT,
            router_id TEXT REFERENCES routers (id) DEFERRABLE INITIALLY DEFERRED,
            status TEXT NOT NULL,
            floating_port_id TEXT NOT NULL REFERENCES ports (id) DEFERRABLE INITIALLY DEFERRED,
            \(standardColumns),
            UNIQUE (floating_network_id, floating_ip_address),
            UNIQUE (port_id, fixed_ip_address, floating_network_id)
        );
        CREATE INDEX floatingips_by_project ON floatingips (project_id);
        CREATE INDEX floatingips_by_router ON floatingips (router_id);
        CREATE INDEX floatingips_by_floating_port ON floatingips (floating_port_id);

        CREATE TABLE security_groups (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT NOT NULL,
            name TEXT NOT NULL,
            shared BIGINT NOT NULL,
            security_group_rules TEXT NOT NULL,
            \(standardColumns)
        );
        CREATE INDEX security_groups_by_project ON security_groups (project_id);

        CREATE TABLE security_group_rules (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT NOT NULL,
            security_group_id TEXT NOT NULL REFERENCES security_groups (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            direction TEXT NOT NULL,
            ethertype TEXT NOT NULL,
            protocol TEXT,
            port_range_min BIGINT,
            port_range_max BIGINT,
            remote_ip_prefix TEXT,
            remote_group_id TEXT REFERENCES security_groups (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            \(standardColumns)
        );
        CREATE INDEX security_group_rules_by_project ON security_group_rules (project_id);
        CREATE INDEX security_group_rules_by_group ON security_group_rules (security_group_id);
        CREATE INDEX security_group_rules_by_remote_group ON security_group_rules (remote_group_id);

        CREATE TABLE agents (
            id TEXT NOT NULL PRIMARY KEY,
            agent_type TEXT NOT NULL,
            host TEXT NOT NULL,
            admin_state_up BIGINT NOT NULL,
            description TEXT NOT NULL,
            configurations_text TEXT NOT NULL,
            created_at TEXT NOT NULL,
            started_at TEXT NOT NULL,
            heartbeat_timestamp TEXT NOT NULL,
            UNIQUE (host, agent_type)
        );


        """

    /// What ports and networks hold of things that there is only one of.
    ///
    /// `ip_allocations.address` is the address as 32 hexadecimal digits (IPv4 in the last eight), so that the order of texts is the order of
    /// addresses and the next free address is found by walking the primary key; `ip_address` is the usual spelling, for filters.
    private static let allocationTables = """
        CREATE TABLE ip_allocations (
            subnet_id TEXT NOT NULL REFERENCES subnets (id) DEFERRABLE INITIALLY DEFERRED,
            address TEXT NOT NULL,
            ip_address TEXT NOT NULL,
            port_id TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            network_id TEXT NOT NULL,
            PRIMARY KEY (subnet_id, address)
        );
        CREATE INDEX ip_allocations_by_port ON ip_allocations (port_id);
        CREATE INDEX ip_allocations_by_ip_address ON ip_allocations (ip_address);

        CREATE TABLE port_security_groups (
            port_id TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            security_group_id TEXT NOT NULL REFERENCES security_groups (id) DEFERRABLE INITIALLY DEFERRED,
            PRIMARY KEY (port_id, security_group_id)
        );
        CREATE INDEX port_security_groups_by_group ON port_security_groups (security_group_id);

        CREATE TABLE port_blocks (
            port_id TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            component TEXT NOT NULL,
            host_id TEXT NOT NULL,
            PRIMARY KEY (port_id, component, host_id)
        );
        CREATE INDEX port_blocks_by_host ON port_blocks (host_id);

        CREATE TABLE segment_allocations (
            network_type TEXT NOT NULL,
            physical_network TEXT NOT NULL,
            segmentation_id BIGINT NOT NULL,
            network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            PRIMARY KEY (network_type, physical_network, segmentation_id)
        );
        CREATE INDEX segment_allocations_by_network ON segment_allocations (network_id);

        CREATE TABLE dhcp_bindings (
            network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            host_id TEXT NOT NULL,
            PRIMARY KEY (network_id, agent_id)
        );
        CREATE INDEX dhcp_bindings_by_agent ON dhcp_bindings (agent_id);
        CREATE INDEX dhcp_bindings_by_host ON dhcp_bindings (host_id);

        CREATE TABLE default_security_groups (
            project_id TEXT NOT NULL PRIMARY KEY,
            security_group_id TEXT NOT NULL REFERENCES security_groups (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
        );
        CREATE INDEX default_security_groups_by_group ON default_security_groups (security_group_id);


        """

    private static let routerTables = """
        CREATE TABLE ha_networks (
            project_id TEXT NOT NULL PRIMARY KEY,
            network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
        );
        CREATE INDEX ha_networks_by_network ON ha_networks (network_id);

        CREATE TABLE vrid_allocations (
            network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            vrid BIGINT NOT NULL,
            router_id TEXT NOT NULL REFERENCES routers (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            PRIMARY KEY (network_id, vrid)
        );
        CREATE INDEX vrid_allocations_by_router ON vrid_allocations (router_id);

        CREATE TABLE router_members (
            router_id TEXT NOT NULL REFERENCES routers (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            host_id TEXT NOT NULL,
            ha_port_id TEXT,
            state TEXT NOT NULL,
            priority BIGINT NOT NULL,
            PRIMARY KEY (router_id, agent_id)
        );
        CREATE INDEX router_members_by_agent ON router_members (agent_id);
        CREATE INDEX router_members_by_host ON router_members (host_id);
        CREATE INDEX router_members_by_ha_port ON router_members (ha_port_id);

        CREATE TABLE router_ports (
            router_id TEXT NOT NULL REFERENCES routers (id) DEFERRABLE INITIALLY DEFERRED,
            port_id TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            port_type TEXT NOT NULL,
            PRIMARY KEY (router_id, port_id)
        );
        CREATE UNIQUE INDEX router_ports_by_port ON router_ports (port_id);


        """

    private static let bookkeepingTables = """
        CREATE TABLE hosts (
            id TEXT NOT NULL PRIMARY KEY,
            tunnel_address TEXT,
            physical_networks TEXT NOT NULL
        );

        CREATE TABLE quotas (
            project_id TEXT NOT NULL,
            resource TEXT NOT NULL,
            quota_limit BIGINT NOT NULL,
            PRIMARY KEY (project_id, resource)
        );

        CREATE TABLE tags (
            resource_id TEXT NOT NULL,
            kind TEXT NOT NULL,
            tag TEXT NOT NULL,
            PRIMARY KEY (resource_id, tag)
        );
        CREATE INDEX tags_by_tag ON tags (tag);

        CREATE TABLE change_log (
            revision BIGINT NOT NULL,
            position BIGINT NOT NULL,
            kind TEXT NOT NULL,
            id TEXT NOT NULL,
            is_drop BIGINT NOT NULL,
            PRIMARY KEY (revision, position)
        );

        """
}
