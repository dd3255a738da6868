extension Migration {
    /// Placement: availability zones, groups of VRRP that may repeat, since when a member is what it is, and which server does what only one
    /// shall do.
    ///
    /// Routers that were in error because all groups of their project were taken get one now; members follow soon.
    static let version2 = Migration(
        version: 2,
        shared: """
            DROP TABLE vrid_allocations;

            ALTER TABLE agents ADD COLUMN availability_zone TEXT;
            ALTER TABLE routers ADD COLUMN availability_zone_hints TEXT NOT NULL DEFAULT '[]';
            ALTER TABLE networks ADD COLUMN availability_zone_hints TEXT NOT NULL DEFAULT '[]';

            ALTER TABLE router_members ADD COLUMN state_since BIGINT NOT NULL DEFAULT 0;
            CREATE INDEX router_members_by_state ON router_members (state, router_id);

            CREATE TABLE duties (
                name TEXT NOT NULL PRIMARY KEY,
                holder TEXT NOT NULL,
                expires_at BIGINT NOT NULL
            );

            UPDATE agents SET availability_zone = 'nova' WHERE agent_type IN ('DHCP agent', 'L3 agent');
            UPDATE routers SET virtual_router_id = 1, status = 'ACTIVE' WHERE ha = 1 AND virtual_router_id IS NULL;

            """,
        postgresqlOnly: "")
}
