import APISchema

/// One connection while a transaction is open on it. Used by one thread at a time.
protocol SQLConnection: AnyObject {
    /// Runs a statement with `?` placeholders and returns the number of rows that it changed.
    /// `isCached` keeps the statement prepared: for texts of which there are few.
    func execute(_ sql: String, _ arguments: [ColumnValue], isCached: Bool) throws(StoreError) -> Int
    /// Runs a query and hands each row to `body`; a row is valid only during the call.
    func query(_ sql: String, _ arguments: [ColumnValue], isCached: Bool, _ body: (RowReader) throws(StoreError) -> Void) throws(StoreError)
    /// Several statements without arguments: a migration.
    func executeScript(_ sql: String) throws(StoreError)
    /// The revision of the transaction that is about to commit. Until it ends, no other gets one, so that revisions become visible in order.
    func takeRevision() throws(StoreError) -> Int
    /// Checks the deferred foreign keys now.
    func checkForeignKeys() throws(StoreError)
    var dialect: SQLDialect { get }
}

extension SQLConnection {
    /// The integer in the first column of the first row.
    func integer(_ sql: String) throws(StoreError) -> Int? {
        var result: Int?
        try query(sql, [], isCached: true) { (row: RowReader) throws(StoreError) in
            if case .integer(let number) = row[0] { result = number }
        }
        return result
    }
}
