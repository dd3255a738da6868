extension Migration {
    /// Routers that share their default route among their gateways.
    static let version15 = Migration(
        version: 15,
        shared: """
            ALTER TABLE routers ADD COLUMN enable_default_route_ecmp BIGINT NOT NULL DEFAULT 0;

            """,
        postgresqlOnly: "")
}
