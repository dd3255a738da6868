extension Migration {
    /// Grants of objects to projects.
    ///
    /// What is shared or external already has its grant from now on. Its identity is the object's with another version digit: 5 for `shared`, 6
    /// for `external`.
    static let version5 = Migration(
        version: 5,
        shared: """
            CREATE TABLE rbac_policies (
                id TEXT NOT NULL PRIMARY KEY,
                project_id TEXT NOT NULL,
                object_type TEXT NOT NULL,
                object_id TEXT NOT NULL,
                action TEXT NOT NULL,
                target_tenant TEXT NOT NULL,
                UNIQUE (object_id, action, target_tenant)
            );
            CREATE INDEX rbac_policies_by_project ON rbac_policies (project_id);
            CREATE INDEX rbac_policies_by_target ON rbac_policies (target_tenant);

            INSERT INTO rbac_policies (id, project_id, object_type, object_id, action, target_tenant)
            SELECT substr(id, 1, 14) || '5' || substr(id, 16), project_id, 'network', id, 'access_as_shared', '*'
            FROM networks WHERE shared = 1;
            INSERT INTO rbac_policies (id, project_id, object_type, object_id, action, target_tenant)
            SELECT substr(id, 1, 14) || '6' || substr(id, 16), project_id, 'network', id, 'access_as_external', '*'
            FROM networks WHERE router_external = 1;
            INSERT INTO rbac_policies (id, project_id, object_type, object_id, action, target_tenant)
            SELECT substr(id, 1, 14) || '5' || substr(id, 16), project_id, 'qos_policy', id, 'access_as_shared', '*'
            FROM policies WHERE shared = 1;
            INSERT INTO rbac_policies (id, project_id, object_type, object_id, action, target_tenant)
            SELECT substr(id, 1, 14) || '5' || substr(id, 16), project_id, 'address_scope', id, 'access_as_shared', '*'
            FROM address_scopes WHERE shared = 1;
            INSERT INTO rbac_policies (id, project_id, object_type, object_id, action, target_tenant)
            SELECT substr(id, 1, 14) || '5' || substr(id, 16), project_id, 'subnetpool', id, 'access_as_shared', '*'
            FROM subnetpools WHERE shared = 1;

            """,
        postgresqlOnly: "")
}
