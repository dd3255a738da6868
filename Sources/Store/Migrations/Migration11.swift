extension Migration {
    /// Names, options and wishes of ports, stateless security groups, address groups, and the rules that new groups begin with.
    ///
    /// What new groups began with so far is what they begin with until an administrator says otherwise.
    static let version11 = Migration(
        version: 11,
        shared: attributeColumns + groupTables,
        postgresqlOnly: "")

    private static let attributeColumns = """
        ALTER TABLE networks ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';
        ALTER TABLE subnets ADD COLUMN dns_publish_fixed_ip BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE ports ADD COLUMN dns_name TEXT NOT NULL DEFAULT '';
        ALTER TABLE ports ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';
        ALTER TABLE ports ADD COLUMN ip_allocation TEXT NOT NULL DEFAULT 'immediate';
        ALTER TABLE ports ADD COLUMN data_plane_status TEXT;
        ALTER TABLE ports ADD COLUMN propagate_uplink_status BIGINT NOT NULL DEFAULT 1;
        ALTER TABLE ports ADD COLUMN device_profile TEXT;
        ALTER TABLE ports ADD COLUMN numa_affinity_policy TEXT;
        ALTER TABLE ports ADD COLUMN hints_text TEXT;
        ALTER TABLE floatingips ADD COLUMN dns_name TEXT NOT NULL DEFAULT '';
        ALTER TABLE floatingips ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';
        ALTER TABLE security_groups ADD COLUMN stateful BIGINT NOT NULL DEFAULT 1;


        """

    private static let groupTables = """
        CREATE TABLE address_groups (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT NOT NULL,
            name TEXT NOT NULL,
            addresses TEXT NOT NULL,
            shared BIGINT NOT NULL,
            description TEXT NOT NULL,
            tags TEXT NOT NULL,
            revision_number BIGINT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        );
        CREATE INDEX address_groups_by_project ON address_groups (project_id);

        ALTER TABLE security_group_rules ADD COLUMN normalized_cidr TEXT;
        UPDATE security_group_rules SET normalized_cidr = remote_ip_prefix;
        ALTER TABLE security_group_rules ADD COLUMN remote_address_group_id TEXT REFERENCES address_groups (id)
            DEFERRABLE INITIALLY DEFERRED;
        CREATE INDEX security_group_rules_by_address_group ON security_group_rules (remote_address_group_id);

        CREATE TABLE default_security_group_rules (
            id TEXT NOT NULL PRIMARY KEY,
            description TEXT NOT NULL,
            direction TEXT NOT NULL,
            ethertype TEXT NOT NULL,
            protocol TEXT,
            port_range_min BIGINT,
            port_range_max BIGINT,
            remote_ip_prefix TEXT,
            remote_group_id TEXT,
            remote_address_group_id TEXT REFERENCES address_groups (id) DEFERRABLE INITIALLY DEFERRED,
            used_in_default_sg BIGINT NOT NULL,
            used_in_non_default_sg BIGINT NOT NULL
        );
        INSERT INTO default_security_group_rules
            (id, description, direction, ethertype, remote_group_id, used_in_default_sg, used_in_non_default_sg) VALUES
            ('0e1b5a9c-6f2d-4c83-9a57-b1d4e8f30c61', 'Legacy default SG rule for ingress traffic', 'ingress', 'IPv4', 'PARENT', 1, 0),
            ('1f2c6bad-703e-4d94-8b68-c2e5f9041d72', 'Legacy default SG rule for egress traffic', 'egress', 'IPv4', NULL, 1, 1),
            ('203d7cbe-814f-4ea5-9c79-d3f60a152e83', 'Legacy default SG rule for ingress traffic', 'ingress', 'IPv6', 'PARENT', 1, 0),
            ('314e8dcf-9250-4fb6-8d8a-e4071b263f94', 'Legacy default SG rule for egress traffic', 'egress', 'IPv6', NULL, 1, 1);

        """
}
