extension Migration {
    /// Bindings of ports to hosts that an instance shall migrate to; and what Nova was told of the ports of instances.
    static let version10 = Migration(
        version: 10,
        shared: """
            ALTER TABLE ports ADD COLUMN inactive_bindings TEXT NOT NULL DEFAULT '[]';
            CREATE TABLE nova_ports (
                port_id TEXT NOT NULL PRIMARY KEY,
                state TEXT NOT NULL
            );

            """,
        postgresqlOnly: "")
}
