extension Migration {
    /// Which agents an administrator took which routers from: they do not get them back by themselves.
    static let version6 = Migration(
        version: 6,
        shared: """
            CREATE TABLE router_exclusions (
                router_id TEXT NOT NULL REFERENCES routers (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
                agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
                PRIMARY KEY (router_id, agent_id)
            );
            CREATE INDEX router_exclusions_by_agent ON router_exclusions (agent_id);

            """,
        postgresqlOnly: "")
}
