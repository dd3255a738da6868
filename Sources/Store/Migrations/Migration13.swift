extension Migration {
    /// Whether new security groups are stateful: of each project, and of all.
    static let version13 = Migration(
        version: 13,
        shared: """
            CREATE TABLE security_groups_default_statefulness (
                id TEXT NOT NULL PRIMARY KEY,
                project_id TEXT,
                stateful BIGINT NOT NULL
            );
            CREATE UNIQUE INDEX security_groups_default_statefulness_by_project
                ON security_groups_default_statefulness ((COALESCE(project_id, '')));

            """,
        postgresqlOnly: "")
}
