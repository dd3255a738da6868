/// Brings a database to the schema of this program. The caller has opened a transaction that excludes other migrators.
struct Migrator {
    let connection: any SQLConnection
    let location: StoreLocation
    var migrations = Migration.all

    /// Runs the missing migrations. Throws ``StoreError/newerSchema(location:version:supported:)`` and
    /// ``StoreError/corrupt(_:)`` without a change.
    func run() throws(StoreError) {
        let version = try currentVersion()
        guard version <= migrations.count else {
            throw .newerSchema(location: location.description, version: version, supported: migrations.count)
        }
        if version == 0 {
            try connection.executeScript("CREATE TABLE metadata (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)")
            _ = try connection.execute("INSERT INTO metadata (key, value) VALUES ('schema_version', '0')", [], isCached: false)
        }
        for migration in migrations[version...] {
            try connection.executeScript(migration.text(for: connection.dialect))
            _ = try connection.execute(
                "UPDATE metadata SET value = ? WHERE key = 'schema_version'", [.text(String(migration.version))], isCached: false)
        }
    }

    /// 0 for an empty database.
    private func currentVersion() throws(StoreError) -> Int {
        let tables = try tableNames()
        guard tables.contains("metadata") else {
            guard tables.isEmpty else {
                throw .corrupt("\(location) holds the tables of another program (\(tables.sorted().prefix(3).joined(separator: ", ")))")
            }
            return 0
        }
        var version: Int?
        try connection.query("SELECT value FROM metadata WHERE key = 'schema_version'", [], isCached: false) { row in
            if case .text(let text) = row[0] { version = Int(text) }
        }
        guard let version, version >= 0 else { throw .corrupt("\(location) does not say which schema version it has") }
        return version
    }

    private func tableNames() throws(StoreError) -> Set<String> {
        let sql =
            switch connection.dialect {
            case .sqlite: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            case .postgresql: "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()"
            }
        var names: Set<String> = []
        try connection.query(sql, [], isCached: false) { row in
            if case .text(let name) = row[0] { names.insert(name) }
        }
        return names
    }
}
