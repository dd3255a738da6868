extension Migration {
    /// What a member cannot realise of its router, as its host says; NULL: nothing.
    static let version7 = Migration(
        version: 7,
        shared: """
            ALTER TABLE router_members ADD COLUMN failure TEXT;
            CREATE INDEX router_members_by_failure ON router_members (router_id) WHERE failure IS NOT NULL;

            """,
        postgresqlOnly: "")
}
