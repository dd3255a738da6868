import APISchema
import NetworkModel

/// What the body of a transaction works with. Confined to the body: never keep it.
///
/// A statement that the database refuses (a constraint, a lost connection) dooms the transaction, on both databases alike: every later call
/// throws the same error, and nothing is kept even when the body catches it. Where a conflict is expected, use
/// ``insertIfAbsent(table:columns:values:)``.
public final class StoreTransaction {
    private let connection: any SQLConnection
    private let statements: ResourceSQLCache
    private let isWritable: Bool
    private let kept: KeptRows?
    /// Why the transaction is doomed.
    private var failure: StoreError?
    private var changes: [Change] = []

    init(_ connection: any SQLConnection, _ statements: ResourceSQLCache, isWritable: Bool, kept: KeptRows? = nil) {
        self.kept = kept
        self.connection = connection
        self.statements = statements
        self.isWritable = isWritable
    }

    // MARK: Resources

    /// Inserts the resource's row and notes the change.
    public func insert<R: APIResource>(_ resource: R) throws(StoreError) {
        try run(statements[R.self].insert, R.table.columns.map { $0.value(resource) })
        appendChange(kind: R.table.plural, id: resource.id.description)
    }

    /// Writes all columns of the resource's row and notes the change. Throws ``StoreError/missingRow(kind:id:)`` when there is none.
    public func update<R: APIResource>(_ resource: R) throws(StoreError) {
        kept?.forget(R.self, resource.id)
        let id = resource.id.description
        let count = try run(statements[R.self].update, R.table.columns.map { $0.value(resource) } + [.text(id)])
        guard count == 1 else { throw .missingRow(kind: R.table.plural, id: id) }
        appendChange(kind: R.table.plural, id: id)
    }

    /// Deletes the resource's row with its tags and notes the change. False when there is none.
    @discardableResult
    public func delete<R: APIResource>(_ type: R.Type, _ id: ResourceID) throws(StoreError) -> Bool {
        kept?.forget(R.self, id)
        guard try run(statements[R.self].delete, [.text(id.description)]) == 1 else { return false }
        if let deleteTags = statements[R.self].deleteTags { try run(deleteTags, [.text(id.description)]) }
        appendChange(kind: R.table.plural, id: id.description, isDrop: true)
        return true
    }

    public func find<R: APIResource>(_ type: R.Type, _ id: ResourceID) throws(StoreError) -> R? {
        if let failure { throw failure }
        if let row = kept?.row(R.self, id) { return row }
        let row = try resources(R.self, statements[R.self].find, [.text(id.description)], isCached: true).first
        if let row { kept?.keep(row) }
        return row
    }

    /// The resources that pass the filters, in order, a page at most. A marker that names no resource gives an empty page.
    ///
    /// A page backwards (`isReversed` with a limit) ends before the marker and is in the usual order; without a limit the order is reversed.
    public func list<R: APIResource>(_ type: R.Type, _ query: ListQuery = ListQuery()) throws(StoreError) -> [R] {
        let resource = statements[R.self]
        var marker: [ColumnValue]?
        if query.marker != nil {
            let position = ListStatement.position(resource.table, query)
            guard let found = try values(position.text, position.arguments, isCached: false).first else { return [] }
            marker = found
        }
        let page = ListStatement.page(resource, query, marker: marker)
        let found = try resources(R.self, page.text, page.arguments, isCached: query.isPlain)
        return query.isReversed && query.limit != nil ? found.reversed() : found
    }

    public func count<R: APIResource>(_ type: R.Type, _ filters: [ListQuery.Filter] = []) throws(StoreError) -> Int {
        let statement = ListStatement.count(R.table.plural, filters)
        guard case .integer(let count) = try values(statement.text, statement.arguments, isCached: false).first?.first else {
            preconditionFailure("a count is one row with an integer")
        }
        return count
    }

    // MARK: Statements

    /// Runs a statement and returns the number of rows that it changed. `?` stands for an argument.
    ///
    /// Texts must be fixed, with values as arguments: each distinct text stays prepared.
    @discardableResult
    public func execute(_ sql: String, _ arguments: [ColumnValue] = []) throws(StoreError) -> Int {
        // It may be about any row.
        kept?.forgetAll()
        return try run(sql, arguments)
    }

    /// Runs a query. `?` stands for an argument; see ``execute(_:_:)``.
    public func rows(_ sql: String, _ arguments: [ColumnValue] = []) throws(StoreError) -> [[ColumnValue]] {
        try values(sql, arguments, isCached: true)
    }

    /// Inserts a row unless it would violate a unique constraint; false when it would. Does not doom the transaction.
    public func insertIfAbsent(table: String, columns: [String], values: [ColumnValue]) throws(StoreError) -> Bool {
        precondition(columns.count == values.count, "a row has a value for each column")
        return try run(statements.insertIfAbsent(table: table, columns: columns), values) == 1
    }

    /// Runs a part of the transaction that may fail by itself: what it wrote and noted is undone when it throws, and the rest is kept. What the
    /// database refuses dooms the whole transaction, as everywhere.
    public func part<T>(_ body: () throws -> T) throws -> T {
        let noted = changes.count
        try run("SAVEPOINT part", [])
        do {
            let value = try body()
            try run("RELEASE part", [])
            return value
        } catch {
            guard failure == nil else { throw error }
            kept?.forgetAll()
            try run("ROLLBACK TO part", [])
            try run("RELEASE part", [])
            changes.removeLast(changes.count - noted)
            throw error
        }
    }

    // MARK: Change log

    /// Notes a change of an auxiliary record, which hosts learn of like one of a resource.
    public func appendChange(kind: String, id: String, isDrop: Bool = false) {
        precondition(isWritable, "a reading transaction changes nothing")
        changes.append(Change(revision: 0, kind: kind, id: id, isDrop: isDrop))
    }

    /// The revision of the latest commit that this transaction sees; 0 before the first. Its own changes get theirs when it commits.
    public var currentRevision: Int {
        get throws(StoreError) { try revision("SELECT max(revision) FROM change_log") }
    }

    /// The oldest revision that the log still holds; 0 when the log is empty. ``changes(after:limit:)`` is complete for revisions not below
    /// this less one; an older reader must list again.
    public var oldestRevision: Int {
        get throws(StoreError) { try revision("SELECT min(revision) FROM change_log") }
    }

    /// What changed after a revision, in order. Ends at the first end of a revision at or after `limit` entries.
    public func changes(after revision: Int, limit: Int) throws(StoreError) -> [Change] {
        precondition(limit > 0, "a page has at least one entry")
        let columns = "SELECT revision, position, kind, id, is_drop FROM change_log"
        var rows = try values(
            "\(columns) WHERE revision > ? ORDER BY revision, position LIMIT ?", [.integer(revision), .integer(limit)], isCached: true)
        if rows.count == limit, let last = rows.last {
            rows += try values("\(columns) WHERE revision = ? AND position > ? ORDER BY position", Array(last[0...1]), isCached: true)
        }
        return rows.compactMap { row in
            guard case .integer(let revision) = row[0], case .text(let kind) = row[2], case .text(let id) = row[3] else { return nil }
            return Change(revision: revision, kind: kind, id: id, isDrop: row[4] == .integer(1))
        }
    }

    // MARK: For the backends

    /// What the body did is complete: throws when the transaction is doomed, checks foreign keys and appends the changes.
    /// Returns the revision that they got; nil when nothing changed that hosts could care for.
    func finish() throws(StoreError) -> Int? {
        if let failure { throw failure }
        try guarded { () throws(StoreError) in try connection.checkForeignKeys() }
        guard !changes.isEmpty else { return nil }
        let revision = try guarded { () throws(StoreError) in try connection.takeRevision() }
        for (position, change) in latestChanges().enumerated() {
            try run(
                "INSERT INTO change_log (revision, position, kind, id, is_drop) VALUES (?, ?, ?, ?, ?)",
                [.integer(revision), .integer(position), .text(change.kind), .text(change.id), .integer(change.isDrop ? 1 : 0)])
        }
        return revision
    }

    /// A resource that changed several times is noted once, with what it became last.
    private func latestChanges() -> [Change] {
        guard changes.count > 1 else { return changes }
        struct Key: Hashable { var kind, id: String }
        var seen: Set<Key> = []
        return changes.reversed().filter { seen.insert(Key(kind: $0.kind, id: $0.id)).inserted }.reversed()
    }

    // MARK: Connection

    @discardableResult
    private func run(_ sql: String, _ arguments: [ColumnValue]) throws(StoreError) -> Int {
        precondition(isWritable, "a reading transaction changes nothing")
        return try guarded { () throws(StoreError) in try connection.execute(sql, arguments, isCached: true) }
    }

    private func values(_ sql: String, _ arguments: [ColumnValue], isCached: Bool) throws(StoreError) -> [[ColumnValue]] {
        var result: [[ColumnValue]] = []
        try guarded { () throws(StoreError) in
            try connection.query(sql, arguments, isCached: isCached) { row in
                result.append((0..<row.columnCount).map { row[$0] })
            }
        }
        return result
    }

    private func resources<R: APIResource>(
        _ type: R.Type, _ sql: String, _ arguments: [ColumnValue], isCached: Bool
    ) throws(StoreError) -> [R] {
        let table = R.table
        var result: [R] = []
        try guarded { () throws(StoreError) in
            try connection.query(sql, arguments, isCached: isCached) { (row: RowReader) throws(StoreError) in
                do throws(DamagedColumn) {
                    result.append(try table.load { row[$0] })
                } catch {
                    throw .corrupt("the column \(error.name) of a row in \(table.plural) is damaged")
                }
            }
        }
        return result
    }

    private func revision(_ sql: String) throws(StoreError) -> Int {
        try guarded { () throws(StoreError) in try connection.integer(sql) } ?? 0
    }

    /// Remembers the first failure: from then on the transaction is doomed.
    private func guarded<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
        if let failure { throw failure }
        do {
            return try body()
        } catch {
            failure = error
            throw error
        }
    }
}
