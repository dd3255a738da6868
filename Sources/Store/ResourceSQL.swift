import APISchema
import Synchronization

/// The statements of one resource, made once from its attribute table.
///
/// Names are quoted, since attributes such as `binary` are words of SQL.
final class ResourceSQL: Sendable {
    let table: String
    /// `"id", "name", …`: the columns in the order of the attribute table.
    let columns: String
    let insert: String
    let update: String
    let delete: String
    let find: String
    /// Takes away the tags of a resource; nil where the resource has none.
    let deleteTags: String?

    init<R: APIResource>(_ type: R.Type) {
        let names = R.table.columns.map(\.name)
        let quoted = names.map { "\"\($0)\"" }
        table = R.table.plural
        columns = quoted.joined(separator: ", ")
        insert = "INSERT INTO \(table) (\(columns)) VALUES (\(names.map { _ in "?" }.joined(separator: ", ")))"
        update = "UPDATE \(table) SET \(quoted.map { "\($0) = ?" }.joined(separator: ", ")) WHERE id = ?"
        delete = "DELETE FROM \(table) WHERE id = ?"
        deleteTags = R.table["tags"] == nil ? nil : "DELETE FROM tags WHERE resource_id = ?"
        find = "SELECT \(columns) FROM \(table) WHERE id = ?"
    }
}

/// Keeps the statements of every resource that was used.
final class ResourceSQLCache: Sendable {
    private let statements = Mutex<[ObjectIdentifier: ResourceSQL]>([:])
    private let optionalInserts = Mutex<[String: (columns: [String], text: String)]>([:])

    /// `INSERT … ON CONFLICT DO NOTHING` into a table that is no resource's.
    func insertIfAbsent(table: String, columns: [String]) -> String {
        optionalInserts.withLock { inserts in
            if let known = inserts[table], known.columns == columns { return known.text }
            let names = columns.map { "\"\($0)\"" }.joined(separator: ", ")
            let marks = columns.map { _ in "?" }.joined(separator: ", ")
            let text = "INSERT INTO \(table) (\(names)) VALUES (\(marks)) ON CONFLICT DO NOTHING"
            inserts[table] = (columns, text)
            return text
        }
    }

    subscript<R: APIResource>(type: R.Type) -> ResourceSQL {
        statements.withLock { statements in
            let key = ObjectIdentifier(type)
            if let known = statements[key] { return known }
            let made = ResourceSQL(type)
            statements[key] = made
            return made
        }
    }
}
