extension Migration {
    /// QoS policies of ports and networks, and their limits of packets.
    static let version12 = Migration(
        version: 12,
        shared: """
            CREATE TABLE packet_rate_limit_rules (
                id TEXT NOT NULL PRIMARY KEY,
                max_kpps BIGINT NOT NULL,
                max_burst_kpps BIGINT NOT NULL,
                direction TEXT NOT NULL,
                qos_policy_id TEXT NOT NULL REFERENCES policies (id) DEFERRABLE INITIALLY DEFERRED,
                UNIQUE (qos_policy_id, direction)
            );

            ALTER TABLE networks ADD COLUMN qos_policy_id TEXT REFERENCES policies (id) DEFERRABLE INITIALLY DEFERRED;
            CREATE INDEX networks_by_qos_policy ON networks (qos_policy_id);

            ALTER TABLE ports ADD COLUMN qos_policy_id TEXT REFERENCES policies (id) DEFERRABLE INITIALLY DEFERRED;
            CREATE INDEX ports_by_qos_policy ON ports (qos_policy_id);

            """,
        postgresqlOnly: "")
}
