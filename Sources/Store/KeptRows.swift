import APISchema
import NetworkModel

/// Networks and subnets that the transactions of one commit have read: each port that is made in a network reads the same rows.
///
/// Only the one writer of SQLite has it, and only while its transaction lasts, in which nobody else can change a row.
final class KeptRows {
    /// Rows that are kept at most; past that all are forgotten.
    private static let maximumRows = 1_000
    /// By the SQL table: rows that many transactions read and few change.
    private static let tables: Set<String> = ["networks", "subnets"]

    private struct Key: Hashable {
        var type: ObjectIdentifier
        var id: ResourceID
    }

    private var rows: [Key: any APIResource] = [:]

    func row<R: APIResource>(_ type: R.Type, _ id: ResourceID) -> R? {
        rows.isEmpty ? nil : rows[Key(type: ObjectIdentifier(type), id: id)] as? R
    }

    func keep<R: APIResource>(_ row: R) {
        guard Self.tables.contains(R.table.plural) else { return }
        if rows.count >= Self.maximumRows { rows.removeAll(keepingCapacity: true) }
        rows[Key(type: ObjectIdentifier(R.self), id: row.id)] = row
    }

    func forget<R: APIResource>(_ type: R.Type, _ id: ResourceID) { rows[Key(type: ObjectIdentifier(type), id: id)] = nil }
    func forgetAll() { rows.removeAll(keepingCapacity: true) }
}
