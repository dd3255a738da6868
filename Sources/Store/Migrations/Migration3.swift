extension Migration {
    /// Port forwardings of floating IPs and connection helpers of routers, each with a copy in the row that it belongs to.
    ///
    /// That no two forwardings of a floating IP overlap is more than a unique constraint can say; the operation checks it, and the one here
    /// catches what two transactions at once could do.
    static let version3 = Migration(
        version: 3,
        shared: """
            CREATE TABLE port_forwardings (
                id TEXT NOT NULL PRIMARY KEY,
                floatingip_id TEXT NOT NULL REFERENCES floatingips (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
                protocol TEXT NOT NULL,
                external_port BIGINT,
                external_port_range TEXT NOT NULL,
                internal_port_id TEXT NOT NULL REFERENCES ports (id) DEFERRABLE INITIALLY DEFERRED,
                internal_ip_address TEXT NOT NULL,
                internal_port BIGINT,
                internal_port_range TEXT NOT NULL,
                description TEXT NOT NULL,
                UNIQUE (floatingip_id, protocol, external_port_range)
            );
            CREATE INDEX port_forwardings_by_internal_port ON port_forwardings (internal_port_id);
            ALTER TABLE floatingips ADD COLUMN port_forwardings TEXT NOT NULL DEFAULT '[]';

            CREATE TABLE conntrack_helpers (
                id TEXT NOT NULL PRIMARY KEY,
                router_id TEXT NOT NULL REFERENCES routers (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
                protocol TEXT NOT NULL,
                port BIGINT NOT NULL,
                helper TEXT NOT NULL,
                UNIQUE (router_id, protocol, port, helper)
            );
            ALTER TABLE routers ADD COLUMN helpers TEXT NOT NULL DEFAULT '[]';


            """,
        postgresqlOnly: "")
}
