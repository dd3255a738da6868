import APISchema
import NetworkModel

/// What the body of a transaction works with. Confined to the body: never keep it.
///
/// A statement that the database refuses (a constraint, a lost connection) dooms the transaction, on both databases alike: every later call
/// throws the same error, and nothing is kept even when the body catches it. Where a conflict is expected, use ``insertIfAbsent(table:columns:values:)``.
public final class StoreTransaction {
    /// Inserts the resource's row and notes the change.
    public func insert<R: APIResource>(_ resource: R) throws { throw StoreError.unavailable("") }

    /// Writes all columns of the resource's row and notes the change. Throws ``StoreError/missingRow(kind:id:)`` when there is none.
    public func update<R: APIResource>(_ resource: R) throws { throw StoreError.unavailable("") }

    /// Deletes the resource's row and notes the change. False when there is none.
    @discardableResult
    public func delete<R: APIResource>(_ type: R.Type, _ id: ResourceID) throws -> Bool { throw StoreError.unavailable("") }

    public func find<R: APIResource>(_ type: R.Type, _ id: ResourceID) throws -> R? { throw StoreError.unavailable("") }

    /// The resources that pass the filters, in order, a page at most.
    public func list<R: APIResource>(_ type: R.Type, _ query: ListQuery = ListQuery()) throws -> [R] { throw StoreError.unavailable("") }

    public func count<R: APIResource>(_ type: R.Type, _ filters: [ListQuery.Filter] = []) throws -> Int { throw StoreError.unavailable("") }

    /// Runs a statement and returns the number of rows that it changed. `?` stands for an argument.
    ///
    /// Texts must be fixed, with values as arguments: each distinct text stays prepared.
    @discardableResult
    public func execute(_ sql: String, _ arguments: [ColumnValue] = []) throws -> Int { throw StoreError.unavailable("") }

    /// Runs a query. `?` stands for an argument; see ``execute(_:_:)``.
    public func rows(_ sql: String, _ arguments: [ColumnValue] = []) throws -> [[ColumnValue]] { throw StoreError.unavailable("") }

    /// Inserts a row unless it would violate a unique constraint; false when it would. Does not doom the transaction.
    public func insertIfAbsent(table: String, columns: [String], values: [ColumnValue]) throws -> Bool { throw StoreError.unavailable("") }

    /// Notes a change of an auxiliary record, which hosts learn of like one of a resource.
    public func appendChange(kind: String, id: String, isDrop: Bool = false) {}

    /// The revision of the latest commit that this transaction sees; 0 before the first. Its own changes get theirs when it commits.
    public var currentRevision: Int { get throws { throw StoreError.unavailable("") } }

    /// The oldest revision that the log still holds; 0 when the log is empty. ``changes(after:limit:)`` is complete for revisions not below
    /// this less one; an older reader must list again.
    public var oldestRevision: Int { get throws { throw StoreError.unavailable("") } }

    /// What changed after a revision, in order. Ends at the first end of a revision at or after `limit` entries.
    public func changes(after revision: Int, limit: Int) throws -> [Change] { throw StoreError.unavailable("") }
}
