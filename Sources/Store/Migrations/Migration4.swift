extension Migration {
    /// Address scopes, subnet pools and QoS policies, and what subnets, networks, floating IPs and gateways have of them.
    static let version4 = Migration(
        version: 4,
        shared: addressScopeTables + qosTables,
        postgresqlOnly: "")

    private static let addressScopeTables = """
        CREATE TABLE address_scopes (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT NOT NULL,
            name TEXT NOT NULL,
            ip_version BIGINT NOT NULL,
            shared BIGINT NOT NULL
        );
        CREATE INDEX address_scopes_by_project ON address_scopes (project_id);

        CREATE TABLE subnetpools (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT NOT NULL,
            name TEXT NOT NULL,
            prefixes TEXT NOT NULL,
            ip_version BIGINT NOT NULL,
            default_prefixlen BIGINT NOT NULL,
            min_prefixlen BIGINT NOT NULL,
            max_prefixlen BIGINT NOT NULL,
            default_quota BIGINT,
            is_default BIGINT NOT NULL,
            shared BIGINT NOT NULL,
            address_scope_id TEXT REFERENCES address_scopes (id) DEFERRABLE INITIALLY DEFERRED,
            description TEXT NOT NULL,
            tags TEXT NOT NULL,
            revision_number BIGINT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        );
        CREATE INDEX subnetpools_by_project ON subnetpools (project_id);
        CREATE INDEX subnetpools_by_address_scope ON subnetpools (address_scope_id);
        CREATE UNIQUE INDEX subnetpools_default ON subnetpools (ip_version) WHERE is_default = 1;

        ALTER TABLE subnets ADD COLUMN subnetpool_id TEXT REFERENCES subnetpools (id) DEFERRABLE INITIALLY DEFERRED;
        CREATE UNIQUE INDEX subnets_by_subnetpool ON subnets (subnetpool_id, cidr);

        ALTER TABLE networks ADD COLUMN ipv4_address_scope TEXT REFERENCES address_scopes (id) DEFERRABLE INITIALLY DEFERRED;
        ALTER TABLE networks ADD COLUMN ipv6_address_scope TEXT REFERENCES address_scopes (id) DEFERRABLE INITIALLY DEFERRED;
        CREATE INDEX networks_by_ipv4_address_scope ON networks (ipv4_address_scope);
        CREATE INDEX networks_by_ipv6_address_scope ON networks (ipv6_address_scope);


        """

    /// `direction` and the policy make a bandwidth limit unique, the policy alone makes a mark so.
    private static let qosTables = """
        CREATE TABLE policies (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT NOT NULL,
            name TEXT NOT NULL,
            shared BIGINT NOT NULL,
            is_default BIGINT NOT NULL,
            rules TEXT NOT NULL,
            description TEXT NOT NULL,
            tags TEXT NOT NULL,
            revision_number BIGINT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        );
        CREATE INDEX policies_by_project ON policies (project_id);
        CREATE UNIQUE INDEX policies_default ON policies (project_id) WHERE is_default = 1;

        CREATE TABLE bandwidth_limit_rules (
            id TEXT NOT NULL PRIMARY KEY,
            max_kbps BIGINT NOT NULL,
            max_burst_kbps BIGINT NOT NULL,
            direction TEXT NOT NULL,
            qos_policy_id TEXT NOT NULL REFERENCES policies (id) DEFERRABLE INITIALLY DEFERRED,
            UNIQUE (qos_policy_id, direction)
        );

        CREATE TABLE dscp_marking_rules (
            id TEXT NOT NULL PRIMARY KEY,
            dscp_mark BIGINT NOT NULL,
            qos_policy_id TEXT NOT NULL REFERENCES policies (id) DEFERRABLE INITIALLY DEFERRED,
            UNIQUE (qos_policy_id)
        );

        ALTER TABLE floatingips ADD COLUMN qos_policy_id TEXT REFERENCES policies (id) DEFERRABLE INITIALLY DEFERRED;
        CREATE INDEX floatingips_by_qos_policy ON floatingips (qos_policy_id);

        ALTER TABLE routers ADD COLUMN gateway_qos_policy_id TEXT REFERENCES policies (id) DEFERRABLE INITIALLY DEFERRED;
        CREATE INDEX routers_by_gateway_qos_policy ON routers (gateway_qos_policy_id);

        """
}
