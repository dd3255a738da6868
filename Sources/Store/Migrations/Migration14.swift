extension Migration {
    /// Since when a member fails, in seconds since 1970; NULL: it does not. Of what fails already, the time is not known: it is not before the
    /// member has its present state.
    static let version14 = Migration(
        version: 14,
        shared: """
            ALTER TABLE router_members ADD COLUMN failing_since BIGINT;
            UPDATE router_members SET failing_since = state_since WHERE failure IS NOT NULL;

            """,
        postgresqlOnly: "")
}
