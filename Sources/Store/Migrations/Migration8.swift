extension Migration {
    /// Users, projects, domains, roles and assignments of the built-in identity, the keys of its tokens, and which tokens were revoked.
    static let version8 = Migration(
        version: 8,
        shared: identityTables + identityTokenTables,
        postgresqlOnly: "")

    private static let identityTables = """
        CREATE TABLE identity_domains (
            id TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            enabled BIGINT NOT NULL,
            description TEXT NOT NULL,
            extra TEXT NOT NULL
        );

        CREATE TABLE identity_projects (
            id TEXT NOT NULL PRIMARY KEY,
            domain_id TEXT NOT NULL REFERENCES identity_domains (id) DEFERRABLE INITIALLY DEFERRED,
            name TEXT NOT NULL,
            enabled BIGINT NOT NULL,
            description TEXT NOT NULL,
            parent_id TEXT NOT NULL,
            extra TEXT NOT NULL,
            UNIQUE (domain_id, name)
        );

        CREATE TABLE identity_users (
            id TEXT NOT NULL PRIMARY KEY,
            domain_id TEXT NOT NULL REFERENCES identity_domains (id) DEFERRABLE INITIALLY DEFERRED,
            name TEXT NOT NULL,
            enabled BIGINT NOT NULL,
            default_project_id TEXT,
            password_hash TEXT,
            generation BIGINT NOT NULL,
            extra TEXT NOT NULL,
            UNIQUE (domain_id, name)
        );

        CREATE TABLE identity_roles (
            id TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            description TEXT NOT NULL,
            extra TEXT NOT NULL
        );

        CREATE TABLE identity_assignments (
            user_id TEXT NOT NULL REFERENCES identity_users (id) DEFERRABLE INITIALLY DEFERRED,
            scope_kind TEXT NOT NULL,
            scope_id TEXT NOT NULL,
            role_id TEXT NOT NULL REFERENCES identity_roles (id) DEFERRABLE INITIALLY DEFERRED,
            PRIMARY KEY (user_id, scope_kind, scope_id, role_id)
        );
        CREATE INDEX identity_assignments_by_scope ON identity_assignments (scope_kind, scope_id);
        CREATE INDEX identity_assignments_by_role ON identity_assignments (role_id);


        """

    /// The revision counts what may end or change a token: servers ask for it, and for nothing else while it stays.
    private static let identityTokenTables = """
        CREATE TABLE identity_token_keys (
            id BIGINT NOT NULL PRIMARY KEY,
            secret TEXT NOT NULL,
            created_at BIGINT NOT NULL
        );

        CREATE TABLE identity_revoked_tokens (
            audit_id TEXT NOT NULL PRIMARY KEY,
            expires_at BIGINT NOT NULL
        );
        CREATE INDEX identity_revoked_tokens_by_expiry ON identity_revoked_tokens (expires_at);

        CREATE TABLE identity_revision (
            id BIGINT NOT NULL PRIMARY KEY,
            revision BIGINT NOT NULL
        );
        INSERT INTO identity_revision (id, revision) VALUES (1, 0);

        """
}
